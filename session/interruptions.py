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


class InterruptionHeads:
    """Is told every entry of a session in order, and says with which one an interruption began."""

    def __init__(self) -> None:
        self._messages: dict[int | None, Entry] = {}  # by task: the server's last
        self._sends: dict[int, Entry] = {}  # that are still open

    def read(self, entry: Entry) -> Entry | None:
        """The next entry; where it is the model's `audio_interrupted`, the server's message of which that
        comes, or the send inside which it does, or itself. None of any other."""
        if entry.kind == Kind.RECEIVED:
            if entry.type == RAW:
                self._messages[entry.task] = entry
            elif interrupts(entry):
                return self._head(entry)
        elif entry.kind == Kind.SENT:
            self._sends[entry.seq] = entry
        elif entry.kind == Kind.SENT_DONE and entry.of is not None:
            self._sends.pop(entry.of, None)
        return None

    def _head(self, entry: Entry) -> Entry:
        message = self._messages.get(entry.task)
        if message is not None and (message.tick, message.cause) == (entry.tick, entry.cause):
            return message
        sent = self._sends.get(-1 if entry.cause is None else entry.cause)
        return sent if sent is not None and sent.task == entry.task else entry


def interruptions(structure: Structure) -> tuple[Interruption, ...]:
    """Those of a session, in order."""
    return structure.once(_interruptions)


def _interruptions(structure: Structure) -> tuple[Interruption, ...]:
    found: list[Interruption] = []
    heads = InterruptionHeads()
    for entry in structure.draft.entries:
        head = heads.read(entry)
        if head is None:
            continue
        last, user = structure.messages[structure.message_of[entry.seq]].seqs[-1], None
        if head.kind == Kind.SENT:
            ends = structure.followers.get(head.seq, ())
            last = max([last, *(one for one in ends if structure.draft.entries[one].of == head.seq)])
        elif head is not entry:
            user = text_of(facts_of(head).get("item_id")) or None
        part = heard_part(head) or part_of(facts_of(entry))
        found.append(Interruption(head.seq, last, *part, head.elapsed_ms, user))
    return tuple(found)


def reading_task(structure: Structure) -> int | None:
    """The task that reads what the server says."""
    return structure.once(_reading_task)


def _reading_task(structure: Structure) -> int | None:
    entries = structure.draft.entries
    tasks = [entries[message.seqs[0]].task for message in structure.messages if message.sent is None]
    return max(set(tasks), key=tasks.count) if tasks else None
