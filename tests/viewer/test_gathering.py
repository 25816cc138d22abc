"""What is gathered of a session: the same in pieces as at once, and no further than it can be read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from realtape.schema import CorruptRecordError, Entry
from realtape.session import Draft
from realtape.viewer.entry_sources import DraftSource
from realtape.viewer.gathering import Gathering
from realtape.viewer.session_sound import SessionSound
from support.calls_to_see import hostile_call, known_call


class Damaged(DraftSource):
    """A session of which an entry cannot be read."""

    def __init__(self, draft: Draft, at: int) -> None:
        super().__init__(draft)
        self._at = at

    def entries(self, first: int) -> Iterator[Entry]:
        """Up to that one."""
        for place, entry in enumerate(super().entries(first), first):
            if place == self._at:
                raise CorruptRecordError(self.header.id, place, "changed after it was appended")
            yield entry


def gathered(source: DraftSource) -> Gathering:
    return Gathering("0", source, SessionSound())


def blocks_of(gathering: Gathering) -> dict[str, Any]:
    """By name: JSON as it is read again, and bytes."""
    blocks = [*gathering.first_blocks(gathering.session()), *gathering.later_blocks()]
    return {name: one if isinstance(one, bytes) else json.loads(json.dumps(one)) for name, one in blocks}


@pytest.mark.parametrize("make", [lambda: known_call()[0], hostile_call])
def test_in_pieces_it_is_the_same_as_at_once(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bursts that were shown while more was awaited are the only difference."""
    draft = make()
    whole = gathered(DraftSource(draft))
    assert whole.advance()
    monkeypatch.setattr("realtape.viewer.gathering._SLICE_ENTRIES", 7)
    pieces = gathered(DraftSource(draft))
    steps = 1
    while not pieces.advance(0.0):
        steps += 1
    assert steps > len(draft.entries) // 8
    assert blocks_of(pieces) == blocks_of(whole)


@pytest.mark.parametrize("at", [0, 1, 30])
def test_what_cannot_be_read_ends_it_and_is_told(at: int) -> None:
    gathering = gathered(Damaged(known_call()[0], at))
    assert gathering.advance()
    assert gathering.advance()
    blocks = blocks_of(gathering)
    told = blocks["session"]
    assert told["read"] == told["entries"] == at
    (problem,) = [one for one in told["problems"] if one["what"] == "damaged"]
    assert "changed after it was appended" in problem["text"]
    assert problem["seq"] == at
    assert len(blocks["index/0"]["at"] if at else []) == at
