"""Interruptions: found in a session, and the places where one may be."""

from __future__ import annotations

from dataclasses import dataclass

from ...schema.entries import Entry, Kind
from ...session.audio import Part, part_of
from ...session.fields import RAW, facts_of, text_of
from ...session.structure import Structure
from .playing import Hearing
from .sounding import columns


@dataclass(frozen=True)
class Interruption:
    """One interruption of a session.

    Attributes:
        seq: of the entry with which it begins: the server's `speech_started`, the `send_interrupt`, or the
            bare `audio_interrupted`.
        end: seq of the last entry that is of it.
        item_id, content_index: what was interrupted.
        elapsed_ms: how much of that had been heard; None where the log does not tell.
        user_item_id: the item that the user's words become, where the log tells.
    """

    seq: int
    end: int
    item_id: str
    content_index: int
    elapsed_ms: float | None
    user_item_id: str | None


@dataclass(frozen=True)
class Boundary:
    """Before the entry `seq`."""

    seq: int

    def __str__(self) -> str:
        return f"before #{self.seq}"


@dataclass(frozen=True)
class Heard:
    """When so many milliseconds of an item's audio were heard."""

    item_id: str
    ms: int
    content_index: int = 0

    def __str__(self) -> str:
        return f"at {self.ms} ms of {self.item_id}"


Where = Boundary | Heard


def interruptions(structure: Structure) -> tuple[Interruption, ...]:
    """Those of a session, in order."""
    found: list[Interruption] = []
    for entry in structure.draft.entries:
        if entry.kind != Kind.RECEIVED or entry.type != "audio_interrupted":
            continue
        message = structure.messages[structure.message_of[entry.seq]]
        head = structure.draft.entries[message.seqs[0]]
        facts = facts_of(entry)
        first, last, user = message.seqs[0], message.seqs[-1], None
        if head.type == RAW:
            user = text_of(facts_of(head).get("item_id")) or None
        elif (sent := around(structure, entry)) is not None:
            first = sent
            ends = [
                one for one in structure.followers.get(sent, ()) if structure.draft.entries[one].of == sent
            ]
            last = max([last, *ends])
        before = structure.draft.entries[first]
        found.append(Interruption(first, last, *part_of(facts), before.elapsed_ms, user))
    return tuple(found)


def boundaries(structure: Structure) -> list[int]:
    """Before which entries a message of the server may come: not inside another, nor before `connected`."""
    entries = structure.draft.entries
    inside = {
        seq
        for message in structure.messages
        if around(structure, entries[message.seqs[0]]) is None
        for seq in range(message.seqs[0] + 1, message.seqs[-1] + 1)
    }
    first = next((entry.seq for entry in entries if entry.kind == Kind.RECEIVED), None)
    close = next((entry.seq for entry in entries if entry.kind == Kind.CLOSE), len(entries))
    return [] if first is None else [seq for seq in range(first, close + 1) if seq not in inside]


def heard_places(structure: Structure, every_ms: int) -> list[Heard]:
    """Every so many milliseconds of what the user heard of each sound, from 0 on."""
    hearing, most = Hearing(), dict[Part, float]()
    for entry in structure.draft.entries:
        hearing.add(entry)
        item_id, index, elapsed_ms = hearing.state if hearing.tracked else columns(entry)
        part = (item_id or "", index or 0)
        if item_id is not None and elapsed_ms is not None and part in hearing.audio.parts:
            most[part] = max(most.get(part, 0.0), elapsed_ms)
    return [
        Heard(item_id, ms, index)
        for (item_id, index), limit_ms in most.items()
        for ms in range(0, int(limit_ms) + 1, every_ms)
    ]


def around(structure: Structure, entry: Entry) -> int | None:
    """The send inside which an event was received, if it was."""
    cause = entry.cause
    if cause is None or entry.kind != Kind.RECEIVED:
        return None
    sent = structure.draft.entries[cause]
    return cause if sent.kind == Kind.SENT and sent.task == entry.task else None


def reading_task(structure: Structure) -> int | None:
    """The task that reads what the server says."""
    tasks = [
        structure.draft.entries[message.seqs[0]].task
        for message in structure.messages
        if around(structure, structure.draft.entries[message.seqs[0]]) is None
    ]
    return max(set(tasks), key=tasks.count) if tasks else None
