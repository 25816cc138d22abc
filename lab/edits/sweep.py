"""Where a sweep puts an interruption: before every message boundary, and every so many milliseconds of what
was heard."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ...schema.entries import Kind
from ...schema.errors import UsageError
from ...session.drafts import Draft
from ...session.interruptions import Interruption, interruptions
from ...session.structure import Structure
from .interruption import (
    Boundary,
    Heard,
    Interrupt,
    MoveInterruption,
    Where,
    arrive,
    boundaries,
    has_raw,
    heard_by,
    heard_places,
)
from .sketch import Beginning, Sketch
from .tails import ends_of

EVERY_MS = 20
"""How far apart two places in what was heard are, unless somebody says otherwise."""


@dataclass(frozen=True)
class Swept:
    """One place of a sweep.

    Attributes:
        number: in the sweep, from 1.
        where: the place; None: the session as it is.
        edit: makes the variation; None: there is nothing to change.
    """

    number: int
    where: Where | None
    edit: Interrupt | MoveInterruption | None


def swept(draft: Draft, *, interruption: int | None = None, every_ms: int = EVERY_MS) -> list[Swept]:
    """The places of a sweep, first the session as it is.

    Up to where the interruption was, and later in the sound that it interrupted, it is moved. Elsewhere the
    user interrupts once more. In a session without an interruption, one is put in everywhere. Of places that
    come to the same there is one.

    Args:
        interruption: seq of the interruption; None: the first one.
        every_ms: milliseconds between two places in what was heard.

    Raises:
        UsageError: there is no such interruption, or nothing in the session that could be interrupted.
    """
    beginning = Beginning(draft)
    structure = beginning.structure
    found = interruptions(structure)
    chosen = found[0] if found else None
    if interruption is not None:
        chosen = next((one for one in found if one.seq == interruption), None)
        if chosen is None:
            seqs = ", ".join(f"#{one.seq}" for one in found) or "none"
            raise UsageError(f"#{interruption} is no interruption; this session's are: {seqs}")
    places: list[Where] = [Boundary(seq) for seq in boundaries(structure)]
    places += heard_places(structure, every_ms)
    if not places and any(entry.kind == Kind.FRAME_IN for entry in draft.entries):
        raise UsageError(
            f"session {draft.header.id} holds a socket's frames alone, and a sweep is of what passes the "
            "model's interface: record the application there"
        )
    if not places:
        raise UsageError(
            f"session {draft.header.id}: the server says nothing in it that could be interrupted"
        )
    edits = [_edit(structure, chosen, where) for where in places]
    different: dict[object, tuple[Where, Interrupt | MoveInterruption | None]] = {}
    for where, edit in zip(places, edits, strict=True):
        come_to = _comes_to(beginning, where, edit)
        different.pop(come_to, None)  # what was heard says more than the number of an entry
        different[come_to] = (where, edit)
    return [
        Swept(0, None, None),
        *(Swept(number, *one) for number, one in enumerate(different.values(), 1)),
    ]


def _comes_to(
    beginning: Beginning, where: Where, edit: Interrupt | MoveInterruption | None
) -> tuple[object, ...]:
    """The same of two places only if the same comes of both: `before #28` may be where 0 ms were heard."""
    sketch = Sketch(beginning.draft, beginning)
    at = arrive(sketch, where)
    if edit is None or len(sketch.spots) != len(beginning.spots):  # a call of the player was cut there
        return (where,)
    return (type(edit), getattr(edit, "like", None), *at)


def branches_at(structure: Structure, place: Swept) -> int:
    """The entry before which a place leaves the session as it is."""
    edit, where = place.edit, place.where
    assert edit is not None, "of what is as it was, nothing branches off"
    here = heard_by(structure, where) if isinstance(where, Heard) else None
    seq = where.seq if isinstance(where, Boundary) else 0 if here is None else here.seq
    return min(seq, edit.seq) if isinstance(edit, MoveInterruption) else seq


def work_out(structure: Structure) -> None:
    """Work out what every place of a session asks about the whole of it: before processes branch off, each of
    which would do it anew."""
    _ = boundaries(structure), has_raw(structure), heard_by(structure, Heard("", 0)), ends_of(structure)


class Instant(NamedTuple):
    """Where in a session the interruption of a place comes.

    Attributes:
        seq: before this entry, or in what it reports.
        at_ns: nanoseconds since the session began.
    """

    seq: int
    at_ns: int


def promising(
    draft: Draft, places: Sequence[Swept], wanted: Callable[[Instant], bool] = lambda instant: True
) -> list[Swept]:
    """The places of a sweep in the order in which they should be tried, the session as it is first: of those
    that are far apart before their neighbours, those at which a tool call is open before the others.

    Args:
        wanted: says which places of the session count.
    """
    structure = Structure(draft)
    busy = [(call.seq, call.outputs[0] if call.outputs else len(draft.entries)) for call in structure.calls]

    def is_chosen(place: Swept) -> bool:
        return place.where is None or wanted(_instant(structure, place.where))

    def rank(place: Swept) -> tuple[int, int, int]:
        if place.where is None:
            return (0, 0, 0)
        seq = place.where.seq if isinstance(place.where, Boundary) else _first_heard(structure, place.where)
        at_work = any(first < seq <= last for first, last in busy)
        coarse = next(level for level, step in enumerate((16, 4, 1)) if place.number % step == 0)
        return (1 + coarse, int(not at_work), place.number)

    return sorted(filter(is_chosen, places), key=rank)


def _instant(structure: Structure, where: Where) -> Instant:
    entries = structure.draft.entries
    if isinstance(where, Boundary):
        return Instant(where.seq, entries[min(where.seq, len(entries) - 1)].at_ns)
    first = _first_heard(structure, where)
    here = heard_by(structure, where)
    return Instant(first if here is None else here.seq, entries[first].at_ns + round(where.ms * 1e6))


def ranges(places: Iterable[Swept]) -> list[str]:
    """Places in words, those that follow one another as one: `before #12 to #18`."""
    told: list[str] = []
    run: list[Swept] = []
    for place in sorted(places, key=lambda one: one.number):
        if run and not (place.number == run[-1].number + 1 and _is_alike(run[-1], place)):
            told.append(_range(run))
            run = []
        run.append(place)
    return [*told, _range(run)] if run else told


def _edit(
    structure: Structure, moved: Interruption | None, where: Where
) -> Interrupt | MoveInterruption | None:
    if moved is None:
        return Interrupt(where)
    if isinstance(where, Boundary):
        if where.seq == moved.seq:
            return None
        return MoveInterruption(moved.seq, where) if where.seq < moved.seq else Interrupt(where, _like(moved))
    before = _first_heard(structure, where) < moved.seq
    same = (where.item_id, where.content_index) == (moved.item_id, moved.content_index)
    if not (before or same):
        return Interrupt(where, _like(moved))
    if same and moved.elapsed_ms is not None and where.ms > moved.elapsed_ms:
        return Interrupt(where, _like(moved))  # it was heard, so the recording goes on there
    return None if same and where.ms == moved.elapsed_ms else MoveInterruption(moved.seq, where)


def _like(moved: Interruption) -> int | None:
    return moved.seq if moved.user_item_id is not None else None


def _first_heard(structure: Structure, where: Heard) -> int:
    """The entry with which the first sound of that part came."""
    found = (
        sound.chunks[0].seq
        for sound in structure.sounds
        if (sound.item_id, sound.content_index) == (where.item_id, where.content_index)
    )
    return next(found, 0)


def _is_alike(one: Swept, other: Swept) -> bool:
    if isinstance(one.where, Heard) and isinstance(other.where, Heard):
        return (one.where.item_id, one.where.content_index) == (
            other.where.item_id,
            other.where.content_index,
        )
    return isinstance(one.where, Boundary) and isinstance(other.where, Boundary)


def _range(run: Sequence[Swept]) -> str:
    first, last = run[0].where, run[-1].where
    if first is None:
        return "as recorded"
    if len(run) == 1 or not (isinstance(first, Heard) and isinstance(last, Heard)):
        if isinstance(first, Boundary) and isinstance(last, Boundary) and len(run) > 1:
            return f"before #{first.seq} to #{last.seq}"
        return str(first)
    return f"at {first.ms} to {last.ms} ms of {first.item_id}"
