"""A short session made of the demo: one answer, interrupted at 120 ms of it; and two, one after the other."""

from __future__ import annotations

from realtape.lab import varied
from realtape.lab.edits import Heard, MoveInterruption
from realtape.schema import Status
from realtape.session import Draft, Structure, interruptions


def shortened(demo: Draft) -> Draft:
    """One answer."""
    first = interruptions(Structure(demo))[0]
    moved = varied(demo, [MoveInterruption(first.seq, Heard("item_0002", 120))])
    retrieved = '"type":"conversation.item.retrieved"'
    end = next(entry.seq for entry in moved.entries if retrieved in entry.payload) + 2
    return moved.derived("its beginning", moved.entries[:end], status=Status.CLOSED)


def followed_by(first: Draft, second: Draft) -> list[Draft]:
    """The same model connects again."""
    return [first, second.derived("again", second.entries, previous_session=first.header.id)]
