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
        nth: of several sessions that follow each other, in which, from 1; None: there is one.
    """

    number: int
    where: Where | None
    edit: Interrupt | MoveInterruption | None
    nth: int | None = None

    @property
    def before(self) -> int:
        """So many sessions come before the one that it is in."""
        return 0 if self.nth is None else self.nth - 1

    def __str__(self) -> str:
        return f"{_session(self)}{'as it is' if self.edit is None else self.edit}"


def swept(
    drafts: Draft | Sequence[Draft],
    *,
    interruption: int | None = None,
    session: int = 1,
    every_ms: int = EVERY_MS,
) -> list[Swept]:
    """The places of a sweep, first the session as it is.

    Up to where the interruption was, and later in the sound that it interrupted, it is moved. Elsewhere the
    user interrupts once more. In a session without an interruption, one is put in everywhere. Of places that
    come to the same there is one. Of sessions that follow each other, each has its places, and an
    interruption of its own that is moved.

    Args:
        drafts: the session; or several, of one model object, in order.
        interruption: seq of the interruption that is moved; None: the first one.
        session: of several, the one that it is in, from 1.
        every_ms: milliseconds between two places in what was heard.

    Raises:
        UsageError: there is no such session or interruption, or nothing that could be interrupted.
    """
    chain = [drafts] if isinstance(drafts, Draft) else list(drafts)
    if not 1 <= session <= len(chain):
        raise UsageError(f"there is no session {session}: the model had {len(chain)}")
    found = [Swept(0, None, None)]
    for nth, draft in enumerate(chain, 1):
        moved = interruption if nth == session else None
        for where, edit in _places(draft, moved, every_ms):
            found.append(Swept(len(found), where, edit, nth if len(chain) > 1 else None))
    if len(found) > 1:
        return found
    head = chain[0].header.id
    if any(entry.kind == Kind.FRAME_IN for draft in chain for entry in draft.entries):
        raise UsageError(
            f"session {head} holds a socket's frames alone, and a sweep is of what passes the "
            "model's interface: record the application there"
        )
    raise UsageError(f"session {head}: the server says nothing in it that could be interrupted")


def _places(
    draft: Draft, interruption: int | None, every_ms: int
) -> Iterable[tuple[Where, Interrupt | MoveInterruption | None]]:
    """The places of one session, and what makes the variation."""
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
    edits = [_edit(structure, chosen, where) for where in places]
    different: dict[object, tuple[Where, Interrupt | MoveInterruption | None]] = {}
    for where, edit in zip(places, edits, strict=True):
        come_to = _comes_to(beginning, where, edit)
        different.pop(come_to, None)  # what was heard says more than the number of an entry
        different[come_to] = (where, edit)
    return different.values()


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
        nth: of several sessions, which, from 1.
    """

    seq: int
    at_ns: int
    nth: int


def promising(
    drafts: Draft | Sequence[Draft],
    places: Sequence[Swept],
    wanted: Callable[[Instant], bool] = lambda instant: True,
) -> list[Swept]:
    """The places of a sweep in the order in which they should be tried, the session as it is first: of those
    that are far apart before their neighbours, those at which a tool call is open before the others.

    Args:
        drafts: as of `swept`.
        wanted: says which places of the session count.
    """
    structures = [Structure(draft) for draft in ([drafts] if isinstance(drafts, Draft) else drafts)]
    busy = [_busy(structure) for structure in structures]

    def is_chosen(place: Swept) -> bool:
        if place.where is None:
            return True
        at = place.before
        return wanted(_instant(structures[at], place.where, at + 1))

    def rank(place: Swept) -> tuple[int, int, int]:
        if place.where is None:
            return (0, 0, 0)
        at, where = place.before, place.where
        seq = where.seq if isinstance(where, Boundary) else _first_heard(structures[at], where)
        at_work = any(first < seq <= last for first, last in busy[at])
        coarse = next(level for level, step in enumerate((16, 4, 1)) if place.number % step == 0)
        return (1 + coarse, int(not at_work), place.number)

    return sorted(filter(is_chosen, places), key=rank)


def _busy(structure: Structure) -> list[tuple[int, int]]:
    """From which entry on a tool was at work, and up to which."""
    end = len(structure.draft.entries)
    return [(call.seq, call.outputs[0] if call.outputs else end) for call in structure.calls]


def _instant(structure: Structure, where: Where, nth: int) -> Instant:
    entries = structure.draft.entries
    if isinstance(where, Boundary):
        return Instant(where.seq, entries[min(where.seq, len(entries) - 1)].at_ns, nth)
    first = _first_heard(structure, where)
    here = heard_by(structure, where)
    return Instant(first if here is None else here.seq, entries[first].at_ns + round(where.ms * 1e6), nth)


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
    if one.nth != other.nth:
        return False
    if isinstance(one.where, Heard) and isinstance(other.where, Heard):
        return (one.where.item_id, one.where.content_index) == (
            other.where.item_id,
            other.where.content_index,
        )
    return isinstance(one.where, Boundary) and isinstance(other.where, Boundary)


def _range(run: Sequence[Swept]) -> str:
    first, last = run[0].where, run[-1].where
    return "as recorded" if first is None else f"{_session(run[0])}{_from_to(run, first, last)}"


def _session(place: Swept) -> str:
    return "" if place.nth is None else f"session {place.nth}, "


def _from_to(run: Sequence[Swept], first: Where, last: Where | None) -> str:
    if len(run) == 1 or not (isinstance(first, Heard) and isinstance(last, Heard)):
        if isinstance(first, Boundary) and isinstance(last, Boundary) and len(run) > 1:
            return f"before #{first.seq} to #{last.seq}"
        return str(first)
    return f"at {first.ms} to {last.ms} ms of {first.item_id}"
