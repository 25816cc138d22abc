"""What a session is made of: messages of the server, responses, tool calls, sounds; and what depends on
what.

A **message** is what one message of the server came to: the raw event, and the model's events and its
calls on the tracker that followed from it in the same task. Where no raw events were recorded, each
event is a message of its own. A message stands or falls as a whole: who leaves out half of it has a
session that no model could have had.

Some events the model makes by itself, inside a send: that a call of a tool is answered, that the audio was
interrupted. They are of that send, and the server says nothing of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar, cast

from ..schema.entries import Entry, Kind
from .audio import Part, part_of
from .drafts import Draft, reference_in
from .fields import RAW, facts_of, text_of
from .messages import begins_turn, ids_in
from .tool_calls import ToolCall, ToolCalls

_Answer = TypeVar("_Answer")

_BY_USER = frozenset({"audio_interrupted"})
"""Without the server's own message, this names the item that the user interrupts: it is no part of that
response."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the server.

    Attributes:
        seqs: its entries, in order; the first one is the raw event, where there is one.
        type: of the raw event (`response.output_audio.delta`), or of the only event (`audio`).
        response_id, item_id: what it belongs to, where it says so.
        sent: the send, or the close, inside which the model made it; None: the server said it.
    """

    seqs: tuple[int, ...]
    type: str
    response_id: str | None
    item_id: str | None
    sent: int | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """A response of the model.

    Attributes:
        response_id: the provider's.
        messages: places in `Structure.messages`, in order.
        began: seq of `turn_started`; None where the log does not hold it.
        ended: seq of `turn_ended`; None where it was cut off.
    """

    response_id: str
    messages: tuple[int, ...]
    began: int | None
    ended: int | None


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a sound: so many bytes from there on, received with the entry `seq`."""

    seq: int
    begin: int
    length: int


@dataclass(frozen=True, slots=True)
class Sound:
    """What the model said in one part of an item.

    Attributes:
        chunks: in the order in which they came; together they are the whole sound.
    """

    item_id: str
    content_index: int
    chunks: tuple[Chunk, ...]

    @property
    def length(self) -> int:
        """In bytes."""
        return sum(chunk.length for chunk in self.chunks)


@dataclass
class _Open:
    """A message that is being gathered."""

    entries: list[Entry] = field(default_factory=list[Entry])


class Structure:
    """What a draft is made of. Reads it once; what is asked for is worked out when it is asked for.

    Args:
        draft: a whole session.
    """

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self._answers: dict[Callable[[Structure], Any], Any] = {}

    def once(self, question: Callable[[Structure], _Answer]) -> _Answer:
        """What a question about this comes to: worked out when it is asked first."""
        if question not in self._answers:
            self._answers[question] = question(self)
        return cast("_Answer", self._answers[question])

    def facts(self, seq: int) -> dict[str, Any]:
        """The fields of the event that an entry holds; of a raw event, those of the server's message."""
        return facts_of(self.draft.entries[seq])

    @cached_property
    def messages(self) -> tuple[Message, ...]:
        """In the order of their first entries."""
        gathered: list[_Open] = []
        open_by_task: dict[
            tuple[int | None, int | None], _Open
        ] = {}  # and by cause: one may be inside another
        by_event: dict[int, _Open] = {}
        for entry in self.draft.entries:
            where = (entry.task, entry.cause)
            message = open_by_task.get(where)
            if entry.kind == Kind.RECEIVED:
                head = entry.type == RAW or message is None or message.entries[0].type != RAW
                if head or message is None or not _follows(message, entry):
                    message = open_by_task[where] = _Open()
                    gathered.append(message)
                message.entries.append(entry)
                by_event[entry.seq] = message
            elif entry.kind == Kind.HANDLED and entry.of in by_event:
                by_event[entry.of].entries.append(entry)
            elif message is not None and _by_model(entry) and _follows(message, entry):
                message.entries.append(entry)
        return tuple(self._message(one.entries) for one in gathered)

    @cached_property
    def message_of(self) -> dict[int, int]:
        """For each entry that belongs to a message: the message's place in `messages`."""
        return {seq: place for place, message in enumerate(self.messages) for seq in message.seqs}

    @cached_property
    def responses(self) -> tuple[Response, ...]:
        """In the order in which they began; of what the server said."""
        messages: dict[str, list[int]] = {}
        for place, message in enumerate(self.messages):
            if message.response_id is not None and message.sent is None:
                messages.setdefault(message.response_id, []).append(place)
        return tuple(self._response(*one) for one in messages.items())

    @cached_property
    def calls(self) -> tuple[ToolCall, ...]:
        """In the order in which the application was asked; of each id the first."""
        reading = ToolCalls()
        for entry in self.draft.entries:
            reading.read(entry)
        first: dict[str, ToolCall] = {}
        for call in reading.calls():
            first.setdefault(call.call_id, call)
        return tuple(first.values())

    @cached_property
    def sounds(self) -> tuple[Sound, ...]:
        """What the model said, in the order in which it began."""
        found: dict[Part, list[Chunk]] = {}
        for entry in self.draft.entries:
            if entry.kind != Kind.RECEIVED or entry.type != "audio":
                continue
            facts = facts_of(entry)
            reference = reference_in(facts.get("data"))
            if reference is None:
                continue
            key = part_of(facts)
            chunks = found.setdefault(key, [])
            begin = chunks[-1].begin + chunks[-1].length if chunks else 0
            chunks.append(Chunk(entry.seq, begin, reference[2]))
        return tuple(Sound(*key, tuple(chunks)) for key, chunks in found.items())

    @cached_property
    def followers(self) -> dict[int, tuple[int, ...]]:
        """For each entry: those that name it as their cause, or that end it."""
        found: dict[int, list[int]] = {}
        for entry in self.draft.entries:
            for before in {entry.cause, entry.of} - {None}:
                if before is not None:
                    found.setdefault(before, []).append(entry.seq)
        return {seq: tuple(after) for seq, after in found.items()}

    def dependents(self, seqs: Iterable[int]) -> set[int]:
        """These entries and all that would not have happened without them: what they caused, what ends
        them, the rest of their messages, the answers to their tool calls; and what depends on those."""
        answers = {call.seq: call.outputs for call in self.calls}
        found: set[int] = set()
        todo = list(seqs)
        while todo:
            seq = todo.pop()
            if seq in found:
                continue
            found.add(seq)
            todo += self.followers.get(seq, ())
            todo += answers.get(seq, ())
            place = self.message_of.get(seq)
            if place is not None:
                todo += self.messages[place].seqs
        return found

    def _message(self, entries: list[Entry]) -> Message:
        head = entries[0]
        facts = facts_of(head)
        type = text_of(facts.get("type")) if head.type == RAW else head.type or ""
        response_id = item_id = None
        for entry in entries:
            if entry.kind == Kind.RECEIVED:
                response, item = ids_in(facts_of(entry))
                response_id, item_id = response_id or response or None, item_id or item or None
        if response_id is None and item_id is not None and type not in _BY_USER:
            response_id = self._response_of_item.get(item_id)
        seqs = tuple(sorted(entry.seq for entry in entries))
        return Message(seqs, type, response_id, item_id, self._around(head))

    def _around(self, entry: Entry) -> int | None:
        """The send, or the close, inside which an event was received, if it was."""
        if entry.cause is None or not 0 <= entry.cause < entry.seq:  # somebody forged it
            return None
        call = self.draft.entries[entry.cause]
        inside = call.kind in (Kind.SENT, Kind.CLOSE) and call.task == entry.task
        return call.seq if inside else None

    def _response(self, response_id: str, places: list[int]) -> Response:
        began = ended = None
        for place in places:
            for seq in self.messages[place].seqs:
                entry = self.draft.entries[seq]
                if begins_turn(entry):
                    began = seq
                elif entry.type == "turn_ended":
                    ended = seq
        return Response(response_id, tuple(places), began, ended)

    @cached_property
    def _response_of_item(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for entry in self.draft.entries:
            if entry.kind == Kind.RECEIVED:
                response_id, item_id = ids_in(facts_of(entry))
                if response_id and item_id:
                    found.setdefault(item_id, response_id)
        return found


def _by_model(entry: Entry) -> bool:
    return entry.kind == Kind.PLAYBACK and entry.type == "model"


def _follows(message: _Open, entry: Entry) -> bool:
    """Whether what the same task appended next may still be of the message: nothing ran in between."""
    last = message.entries[-1]
    return entry.tick == last.tick
