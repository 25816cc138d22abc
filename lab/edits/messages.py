"""Messages of the server that come late, twice, not at all, or in another order."""

from __future__ import annotations

from dataclasses import dataclass

from ...schema.errors import UsageError
from ...session.drafts import Draft
from ...session.fields import mapping
from ...session.structure import Message, Structure
from .payloads import sent_again
from .sketch import Sketch

_MAY_LACK = (
    "rate_limits.updated",
    "conversation.item.input_audio_transcription.delta",
    "conversation.item.input_audio_transcription.completed",
    "conversation.item.done",
    "conversation.item.retrieved",
    "response.content_part.added",
    "response.content_part.done",
    "input_audio_transcription_completed",
    "usage",
)
"""Types that some provider, or some setting of it, never sends, or that are lost with what they tell of."""

_MAY_REPEAT = (
    "session.updated",
    "rate_limits.updated",
    "conversation.item.retrieved",
    "conversation.item.added",
    "conversation.item.done",
    "response.output_item.added",
    "conversation.item.input_audio_transcription.completed",
    "input_audio_transcription_completed",
)
"""Types that say how something is now. No network repeats a message, and no provider a delta or a call."""

_FLOATS = (
    "rate_limits.updated",
    "conversation.item.input_audio_transcription.delta",
    "conversation.item.input_audio_transcription.completed",
    "conversation.item.input_audio_transcription.failed",
    "conversation.item.retrieved",
    "input_audio_transcription_completed",
)
"""Types that another part of the provider sends, when it is ready."""


@dataclass(frozen=True)
class Delay:
    """A message comes late, and all that the server says behind it not before it.

    Attributes:
        seq: of its first entry.
        by_ms: milliseconds.
    """

    seq: int
    by_ms: int

    def __call__(self, draft: Draft) -> Draft:
        """The session with it; not sealed. The very same where it is late by nothing.

        Raises:
            UsageError: no message of the server begins there.
        """
        message = _message(Structure(draft), self.seq)
        if not self.by_ms:
            return draft
        sketch = Sketch(draft)
        sketch.delay(dict.fromkeys(message.seqs, self.by_ms * 1_000_000))
        return sketch.draft()

    def __str__(self) -> str:
        return f"#{self.seq} late by {self.by_ms} ms"


@dataclass(frozen=True)
class DelayResponse:
    """All messages of a response come late, at their distances.

    Attributes:
        response_id: which.
        by_ms: milliseconds.
    """

    response_id: str
    by_ms: int

    def __call__(self, draft: Draft) -> Draft:
        """The session with it; not sealed. The very same where it is late by nothing.

        Raises:
            UsageError: there is no such response.
        """
        structure = Structure(draft)
        found = [one for one in structure.responses if one.response_id == self.response_id]
        if not found:
            raise UsageError(f"this session holds no response {self.response_id}")
        if not self.by_ms:
            return draft
        sketch = Sketch(draft)
        seqs = [seq for place in found[0].messages for seq in structure.messages[place].seqs]
        sketch.delay(dict.fromkeys(seqs, self.by_ms * 1_000_000))
        return sketch.draft()

    def __str__(self) -> str:
        return f"response {self.response_id} late by {self.by_ms} ms"


@dataclass(frozen=True)
class Drop:
    """A message does not come, of a type that need not.

    Attributes:
        seq: of its first entry.
    """

    seq: int

    def __call__(self, draft: Draft) -> Draft:
        """The session without it; not sealed.

        Raises:
            UsageError: no message begins there, or it may not lack.
        """
        structure = Structure(draft)
        if not may_lack(structure, _message(structure, self.seq)):
            raise UsageError(f"#{self.seq}: no session lacks this message")
        sketch = Sketch(draft)
        sketch.drop([self.seq])
        return sketch.draft()

    def __str__(self) -> str:
        return f"without #{self.seq}"


@dataclass(frozen=True)
class Duplicate:
    """A message comes twice, of a type that only says how something is.

    Attributes:
        seq: of its first entry.
    """

    seq: int

    def __call__(self, draft: Draft) -> Draft:
        """The session with it; not sealed.

        Raises:
            UsageError: no message begins there, or it is not repeated.
        """
        structure = Structure(draft)
        message = _message(structure, self.seq)
        if not may_repeat(message):
            raise UsageError(f"#{self.seq}: no server repeats this message")
        sketch = Sketch(draft)
        spot = sketch.spots[message.seqs[-1]]
        copies = [sent_again(sketch.entry(seq)) for seq in message.seqs]
        sketch.insert(message.seqs[-1] + 1, copies, spot.burst, spot.round)
        return sketch.draft()

    def __str__(self) -> str:
        return f"#{self.seq} twice"


@dataclass(frozen=True)
class Reorder:
    """A message that is sent when it is ready comes before or after others.

    Attributes:
        seq: of its first entry.
        by: so many messages of the server later; negative: earlier.
    """

    seq: int
    by: int

    def __call__(self, draft: Draft) -> Draft:
        """The session with it; not sealed. The very same where it stays.

        Raises:
            UsageError: no message begins there, or it may not pass those.
        """
        structure = Structure(draft)
        message = _message(structure, self.seq)
        if not self.by:
            return draft
        earlier, later = freedom(structure, message)
        if not -earlier <= self.by <= later:
            raise UsageError(f"#{self.seq} may come {earlier} messages earlier to {later} later")
        lane = lane_of(structure, message)
        target = lane[lane.index(message) + self.by]
        sketch = Sketch(draft)
        moved = [spot for spot in sketch.spots if spot.seq in message.seqs]
        if self.by > 0:  # what it caused in between comes after it
            hangs = _caused(structure, message, target.seqs[-1])
            moved += [spot for spot in sketch.spots if spot.seq in hangs]
        place = sketch.burst_of(target.seqs[-1] if self.by > 0 else target.seqs[0])
        chosen = {spot.seq for spot in moved}
        sketch.keep(spot for spot in sketch.spots if spot.seq not in chosen)
        index = sketch.index(target.seqs[-1]) + 1 if self.by > 0 else sketch.index(target.seqs[0])
        for spot in moved:
            spot.put(place.burst, place.round)
        sketch.spots[index:index] = moved
        return sketch.draft()

    def __str__(self) -> str:
        return f"#{self.seq} {abs(self.by)} messages {'later' if self.by > 0 else 'earlier'}"


def may_lack(structure: Structure, message: Message) -> bool:
    """Whether a session may be without a message."""
    if message.type not in _MAY_LACK or message.sent is not None:
        return False
    return mapping(structure.facts(message.seqs[0]).get("item")).get("type") != "function_call_output"


def may_repeat(message: Message) -> bool:
    """Whether a server may repeat a message."""
    return message.type in _MAY_REPEAT and message.sent is None


def lane_of(structure: Structure, message: Message) -> list[Message]:
    """The messages that come on the same way, in order."""
    task = structure.draft.entries[message.seqs[0]].task
    return [
        one
        for one in structure.messages
        if structure.draft.entries[one.seqs[0]].task == task and one.sent is None
    ]


def freedom(structure: Structure, message: Message) -> tuple[int, int]:
    """How many messages earlier, and how many later, a message may come."""
    if message.type not in _FLOATS or message.sent is not None:
        return 0, 0
    lane = lane_of(structure, message)
    at = lane.index(message)
    before, after = lane[:at][::-1], lane[at + 1 :]
    return _free(message, before), _free(message, after)


def _free(message: Message, others: list[Message]) -> int:
    """How many of these it may pass: none that is of its own item, or of its own kind."""
    for number, other in enumerate(others):
        same_item = message.item_id is not None and message.item_id == other.item_id
        if same_item or other.type == message.type or not _passable(other):
            return number
    return len(others)


def _passable(other: Message) -> bool:
    ends = ("end_of_stream", "connection_status", "exception", "session.created", "session.updated")
    interrupts = ("input_audio_buffer.speech_started", "conversation.item.truncated", "audio_interrupted")
    return other.type not in ends and other.type not in interrupts


def _caused(structure: Structure, message: Message, until: int) -> set[int]:
    """What an application did because of a message, up to an entry."""
    found: set[int] = set()
    todo = list(message.seqs)
    while todo:
        for seq in structure.followers.get(todo.pop(), ()):
            if seq <= until and seq not in found and seq not in message.seqs:
                found.add(seq)
                todo.append(seq)
    return found


def _message(structure: Structure, seq: int) -> Message:
    place = structure.message_of.get(seq)
    if place is None or structure.messages[place].seqs[0] != seq:
        raise UsageError(f"#{seq}: no message of the server begins there")
    message = structure.messages[place]
    if message.sent is not None:
        raise UsageError(f"#{seq}: the model makes this itself, inside #{message.sent}")
    return message
