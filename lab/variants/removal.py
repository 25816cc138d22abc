"""Leaving out a part of a session, so that what is left is a session that could have happened."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ...schema.entries import Entry
from ...session.drafts import Draft, renumbered
from ...session.messages import server_event
from .mending import mended
from .needs import Needs
from .sounding import foreign_sounds, heard_again


@dataclass(frozen=True)
class Rest:
    """What is left of a draft, as a draft: numbered anew, not sealed, and with all of the bytes.

    Attributes:
        numbers: the new number of each entry that is left, by the old one.
    """

    draft: Draft
    numbers: Mapping[int, int]


def without(draft: Draft, seqs: Iterable[int], *, how: str = "cut") -> Draft:
    """A new recording: the draft without these entries, and without all that needs them.

    Args:
        draft: a whole session.
        seqs: of entries to leave out. `connect`, `connected` and gaps stay.
        how: what its header's `source` says was done.
    """
    return draft.derived(how, rest_without(Needs(draft), seqs).draft.entries)


def rest_without(needs: Needs, seqs: Iterable[int]) -> Rest:
    """The same, not yet a recording.

    Args:
        needs: of the draft; who asks several times makes them once.
    """
    return rest(needs.draft, needs.gone_without(seqs))


def rest(draft: Draft, gone: Iterable[int]) -> Rest:
    """Leave out entries of which nobody needs to be asked any more; what they leave is mended."""
    out = frozenset(gone)
    return redone(draft, [entry for entry in draft.entries if entry.seq not in out])


def redone(draft: Draft, left: Sequence[Entry]) -> Rest:
    """A draft of entries that were left, or changed: what tells of the others is made to agree.

    Args:
        left: in order, with the numbers of `draft`.
    """
    if _touches_sound(draft.entries, left):
        left = heard_again(left, foreign_sounds(draft.entries))
    if len(left) != len(draft.entries) or any(map(_differ, left, draft.entries)):
        left = mended(draft.entries, left)
    new = renumbered(left)
    return Rest(
        dataclasses.replace(draft, entries=new),
        {old.seq: number for number, old in enumerate(left)},
    )


def _differ(one: Entry, other: Entry) -> bool:
    return one is not other


def _touches_sound(before: Sequence[Entry], left: Sequence[Entry]) -> bool:
    """Whether audio, or what was played of it, is another than it was."""

    def sounding(entries: Sequence[Entry]) -> list[tuple[int, str]]:
        return [(entry.seq, entry.payload) for entry in entries if _sounds(entry)]

    return sounding(before) != sounding(left)


def _sounds(entry: Entry) -> bool:
    if entry.kind == "playback":
        return True
    fact = server_event(entry)
    return fact is not None and fact.type in ("audio", "session.created", "session.updated")
