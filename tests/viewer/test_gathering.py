"""What is gathered of a session: the same in pieces as at once, and no further than it can be read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from realtape.recorder import Recorder
from realtape.schema import CorruptRecordError, Entry, SessionRecord, Status
from realtape.schema.log import fetch_headers, locate, open_blocking
from realtape.session import Draft
from realtape.session.drafts import write_drafts
from realtape.session.fixture import read_fixture
from realtape.viewer.entry_sources import DraftSource, EntrySource, FrameSource
from realtape.viewer.gathering import Gathering
from realtape.viewer.session_sound import SessionSound
from realtape.wire.socket_tap import SocketTap
from support.calls_to_see import hostile_call, known_call
from support.depths import framed
from support.golden import FIXTURES


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


def gathered(source: EntrySource) -> Gathering:
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


def recorded(store: Path) -> SessionRecord:
    """The one session of a store, as it stands."""
    with open_blocking(locate(store)) as connection:
        (record,) = fetch_headers(connection)
    assert isinstance(record, SessionRecord)
    return record


def test_frames_of_a_store_come_to_what_they_come_to_in_memory(tmp_path: Path) -> None:
    draft = framed(read_fixture(FIXTURES / "demo")[0]).sealed()
    write_drafts(locate(tmp_path / "calls.db"), [draft])
    found = gathered(FrameSource(locate(tmp_path / "calls.db"), recorded(tmp_path / "calls.db")))
    whole = gathered(DraftSource(draft))
    assert found.advance()
    assert whole.advance()
    assert found.session()["entries"] > len(draft.entries)
    assert blocks_of(found) == blocks_of(whole)


async def test_frames_are_followed_by_what_they_come_to_while_they_come(tmp_path: Path) -> None:
    said = {
        "type": "response.output_text.delta",
        "response_id": "resp_1",
        "item_id": "item_1",
        "delta": "Hel",
    }
    async with Recorder(tmp_path / "calls.db") as recorder:
        tap = SocketTap.beginning(recorder, {})
        tap.opening("wss://api.example/v1/realtime", [], [], by="proxy")
        await recorder.flush()
        found = gathered(FrameSource(locate(tmp_path / "calls.db"), recorded(tmp_path / "calls.db")))
        entries = list[int]()
        for _ in range(3):
            tap.frame_in(json.dumps(said))
            await recorder.flush()
            assert found.advance()
            entries.append(found.standing()["entries"])
        assert found.standing()["status"] == Status.RECORDING
        found.source.close()
        tap.over()
    assert entries == [4, 7, 10], "each frame, its raw event, and a piece of text"
