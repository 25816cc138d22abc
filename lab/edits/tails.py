"""Where the rest of an edited session says nothing new: some turns behind the edit."""

from __future__ import annotations

from dataclasses import dataclass

from ...schema.entries import Entry, Kind
from ...session.ended import EndedEntries
from ...session.structure import Structure
from .sketch import FRESH, Sketch

TAIL_TURNS = 3
"""So many responses end behind an edit, until what comes is taken for what comes of any other: the one that
was interrupted, the answer, and one more."""


@dataclass(frozen=True)
class Tail:
    """What comes behind an edit.

    Attributes:
        entries: in order.
        is_cut: more would come.
    """

    entries: list[Entry]
    is_cut: bool


def tail(sketch: Sketch, ended: EndedEntries, turns: int | None) -> Tail:
    """What comes behind the beginning of a sketch.

    It is cut where so many responses have ended, everything has run that they woke, no event is at work, no
    call is open, and no tool is at work that answers later.

    Args:
        ended: which entries of the session were ended by another.
        turns: so many responses; None: all of it.

    Raises:
        UsageError: the session is changed before its beginning ends.
    """
    rest = sketch.rest()
    if turns is None:
        return Tail([entry for _, entry, _ in rest if entry is not None], is_cut=False)
    entries: list[Entry] = []
    open_ones, answers = _open(sketch, ended), _answers(sketch)
    for spot, entry, following in rest:
        if entry is None:
            continue
        entries.append(entry)
        turns -= entry.kind == Kind.RECEIVED and entry.type == "turn_ended"
        if spot.seq < FRESH and spot.seq in ended:
            open_ones.add(spot.seq)
        if spot.entry.of is not None:
            open_ones.discard(spot.entry.of)
        answers.pass_by(spot.seq)
        if following is None:
            break
        if turns <= 0 and following.burst != spot.burst and not open_ones and not answers.awaited:
            return Tail(entries, is_cut=True)
    return Tail(entries, is_cut=False)


def _open(sketch: Sketch, ended: EndedEntries) -> set[int]:
    """What is open at the end of the beginning, and ends later."""
    assert sketch.beginning is not None
    first = sketch.beginning.passed
    return {of for of, seq in ends_of(sketch.structure) if of < first <= seq and of in ended}


def ends_of(structure: Structure) -> list[tuple[int, int]]:
    """Which entry of a session ends which: the numbers of that and of this."""
    return structure.once(_ends)


def _ends(structure: Structure) -> list[tuple[int, int]]:
    return [(entry.of, entry.seq) for entry in structure.draft.entries if entry.of is not None]


class _Answers:
    """The answers to tool calls that are still to come."""

    def __init__(self, answers: dict[int, tuple[int, ...]], coming: set[int]) -> None:
        self._answers = answers
        self._coming = coming
        begun = (some for call, some in answers.items() if call not in coming)
        self.awaited = {answer for some in begun for answer in some if answer in coming}

    def pass_by(self, seq: int) -> None:
        """The next entry of those that are to come."""
        self._coming.discard(seq)
        self.awaited.discard(seq)
        self.awaited.update(answer for answer in self._answers.get(seq, ()) if answer in self._coming)


def _answers(sketch: Sketch) -> _Answers:
    assert sketch.beginning is not None
    passed = sketch.beginning.passed
    answers = {call.seq: call.outputs for call in sketch.structure.calls}
    told = {*answers, *(one for some in answers.values() for one in some)}
    coming = {seq for spot in sketch.spots if (seq := spot.entry.seq) >= passed and seq in told}
    return _Answers(answers, coming)
