"""Interruptions: where the user, or the application, broke in, and how much had been heard by then."""

from __future__ import annotations

from dataclasses import dataclass

from ..schema.entries import Entry, Kind
from .audio import heard_part, part_of
from .fields import RAW, facts_of, text_of
from .messages import interrupts
from .structure import Structure


@dataclass(frozen=True)
class Interruption:
    """One interruption of a session.

    Attributes:
        seq: of the entry with which it begins: the server's `speech_started`, the `send_interrupt`, or the
            bare `audio_interrupted`.
        end: seq of the last entry that is of it.
        item_id, content_index: what was being heard, as the playback tracker told; where nothing tells that,
            what the model's event names. (That names what came last, which may not play yet.)
        elapsed_ms: how much of that had been heard; None where the log does not tell.
        user_item_id: the item that the user's words become, where the log tells.
    """

    seq: int
    end: int
    item_id: str
    content_index: int
    elapsed_ms: float | None
    user_item_id: str | None


def interruptions(structure: Structure) -> tuple[Interruption, ...]:
    """Those of a session, in order."""
    found: list[Interruption] = []
    for entry in structure.draft.entries:
        if not interrupts(entry):
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
        part = heard_part(before) or part_of(facts)
        found.append(Interruption(first, last, *part, before.elapsed_ms, user))
    return tuple(found)


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
