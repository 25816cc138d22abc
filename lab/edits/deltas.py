"""Deltas cut otherwise: one comes in two pieces, or two in one. A provider may cut where it likes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from ...schema.codec import Reference
from ...schema.entries import Entry, Kind
from ...schema.errors import UsageError
from ...session.drafts import Draft, mapped, reference_in, tree_of, with_tree
from ...session.fields import facts_in, facts_of
from ...session.structure import Message, Structure
from .payloads import sent_again
from .sketch import Sketch


@dataclass(frozen=True)
class SplitDelta:
    """A delta comes in two pieces, one right after the other.

    Attributes:
        seq: of the first entry of its message.
        at: bytes of audio, or characters of text, that are in the first piece.
    """

    seq: int
    at: int

    def __call__(self, draft: Draft) -> Draft:
        """The session with it; not sealed.

        Raises:
            UsageError: there is no delta that can be cut there.
        """
        structure = Structure(draft)
        message = _message(structure, self.seq)
        if message is None or not 0 < self.at < size(structure, message):
            raise UsageError(f"#{self.seq} is no delta with a place {self.at} in it")
        sketch = Sketch(draft)
        spot = sketch.spots[message.seqs[-1]]
        second = [_piece(sketch.entry(seq), slice(self.at, None)) for seq in message.seqs]
        second = [sent_again(entry) for entry in second]
        sketch.change(message.seqs, lambda entry: _piece(entry, slice(0, self.at)))
        sketch.insert(message.seqs[-1] + 1, second, spot.burst, spot.round)
        return sketch.draft()

    def __str__(self) -> str:
        return f"#{self.seq} cut at {self.at}"


@dataclass(frozen=True)
class MergeDeltas:
    """A delta comes together with the next one of its kind.

    Attributes:
        seq: of the first entry of the first one's message.
    """

    seq: int

    def __call__(self, draft: Draft) -> Draft:
        """The session with it; not sealed.

        Raises:
            UsageError: there are no two deltas that could be one.
        """
        structure = Structure(draft)
        first, second = _message(structure, self.seq), following(structure, self.seq)
        if first is None or second is None:
            raise UsageError(f"no delta that could be one with #{self.seq} follows it")
        sketch = Sketch(draft)
        others = {_key(sketch.entry(seq)): sketch.entry(seq) for seq in second.seqs}
        stays = {seq: _match(sketch, first, seq) for seq in second.seqs}
        sketch.change(first.seqs, lambda entry: _joined(sketch, entry, others.get(_key(entry))))
        sketch.keep(spot for spot in sketch.spots if spot.seq not in second.seqs)
        for spot in sketch.spots:
            if spot.entry.cause in stays:
                spot.entry = spot.entry._replace(cause=stays[spot.entry.cause])
        return sketch.draft()

    def __str__(self) -> str:
        return f"#{self.seq} together with the next delta"


def deltas_of(structure: Structure) -> list[Message]:
    """The messages that are deltas of something, in order."""
    return [message for message in structure.messages if _is_delta(structure, message)]


def size(structure: Structure, message: Message) -> int:
    """Of a delta: bytes of its audio, or characters of its text."""
    for seq in message.seqs:
        value = _value(structure.draft.entries[seq])
        if value is not None:
            reference = reference_in(value)
            return len(cast("str", value)) if reference is None else reference[2]
    return 0


def following(structure: Structure, seq: int) -> Message | None:
    """The delta that may come together with the one that begins at this entry."""
    message = _message(structure, seq)
    if message is None:
        return None
    for other in structure.messages[structure.message_of[seq] + 1 :]:
        same_part = other.item_id == message.item_id and _index(structure, other) == _index(
            structure, message
        )
        if other.type == message.type and same_part:
            return other if _is_delta(structure, other) and _alike(structure, message, other) else None
        if other.item_id == message.item_id and not other.type.endswith("delta"):
            return None
    return None


def _message(structure: Structure, seq: int) -> Message | None:
    place = structure.message_of.get(seq)
    message = None if place is None else structure.messages[place]
    whole = message is not None and message.seqs[0] == seq and _is_delta(structure, message)
    return message if whole else None


def _is_delta(structure: Structure, message: Message) -> bool:
    if not (message.type.endswith("delta") or message.type == "audio"):
        return False
    entries = [structure.draft.entries[seq] for seq in message.seqs]
    plain = {Kind.RECEIVED, Kind.HANDLED}
    return size(structure, message) > 0 and all(entry.kind in plain for entry in entries)


def _alike(structure: Structure, one: Message, other: Message) -> bool:
    entries = structure.draft.entries
    return [_key(entries[seq]) for seq in one.seqs] == [_key(entries[seq]) for seq in other.seqs]


def _index(structure: Structure, message: Message) -> Any:
    return structure.facts(message.seqs[0]).get("content_index")


def _key(entry: Entry) -> tuple[str, str | None]:
    return entry.kind, entry.type


def _match(sketch: Sketch, first: Message, seq: int) -> int:
    key = _key(sketch.entry(seq))
    return next((one for one in first.seqs if _key(sketch.entry(one)) == key), first.seqs[0])


def _value(entry: Entry) -> Any:
    """What is new in a delta: a text, or a reference to bytes; None where it is something else."""
    if entry.kind != Kind.RECEIVED:
        return None
    value = facts_of(entry).get("data" if entry.type == "audio" else "delta")
    return value if isinstance(value, str) or reference_in(value) is not None else None


def _changed(entry: Entry, change: Callable[[Any], Any]) -> Entry:
    tree = tree_of(entry)
    holder = facts_in(entry, tree)
    name = "data" if entry.type == "audio" else "delta"
    holder[name] = change(holder[name])
    return with_tree(entry, tree)


def _piece(entry: Entry, piece: slice) -> Entry:
    if _value(entry) is None:
        return entry

    def cut(value: Any) -> Any:
        reference = reference_in(value)
        if reference is None:
            return value[piece]
        segment, offset, length = reference
        begin, end, _ = piece.indices(length)
        return mapped(value, lambda _: (segment, offset + begin, end - begin))

    return _changed(entry, cut)


def _joined(sketch: Sketch, entry: Entry, other: Entry | None) -> Entry:
    value = None if other is None else _value(other)
    if value is None or _value(entry) is None:
        return entry

    def join(mine: Any) -> Any:
        one, two = reference_in(mine), reference_in(value)
        if one is None or two is None:
            return mine + value
        if one[0] == two[0] and one[1] + one[2] == two[1]:
            return mapped(mine, lambda _: (one[0], one[1], one[2] + two[2]))
        return mapped(mine, lambda _: _together(sketch, one, two))

    return _changed(entry, join)


def _together(sketch: Sketch, one: Reference, two: Reference) -> Reference:
    data = sketch.source.bytes_at(*one) + sketch.source.bytes_at(*two)
    for number, known in sketch.segments.items():
        if known == data:
            return number, 0, len(data)
    number = max([*sketch.source.segments, *sketch.segments, -1]) + 1
    sketch.segments[number] = data
    return number, 0, len(data)
