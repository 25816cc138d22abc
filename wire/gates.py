"""Gates: what each inbound frame of a recorded connection waits for.

Computed once, over the whole recording, in recorded ids; what a live client does cannot change it. A
frame waits for the client's frame that it answers, and for no other: a client that was mended, and leaves
a frame out or sends one more, starves nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..schema.beta_names import either
from ..session import SoundFormats
from ..session.fields import mapping, sequence, text_of
from ..session.messages import ids_in
from ..session.response_requests import (
    COMMITTED,
    REFUSED_BY_CODE,
    ResponseRequest,
    ResponseRequests,
    is_out_of_band,
)
from .dialects import AnswerRow, Dialect, Message, first_at
from .recorded import WireFrame

ITEMS = either("conversation.item.added", "conversation.item.done")

_UNANSWERED = frozenset({"response.cancel", "output_audio_buffer.clear"})
"""What may bring nothing, for it came too late."""


@dataclass(frozen=True, slots=True)
class Gate:
    """What one inbound frame waits for, beside its time.

    Attributes:
        answers: place of the client's frame that it answers, or None.
        count: so many frames of the client's, audio aside, in a dialect where only the order is known.
        heard_ms: so much audio must have been appended, in milliseconds; 0.0: it does not come of audio.
        made: ids of the items and responses that no frame before it names: they fall with it.
        named: ids of the items and responses that it is about.
        implies: the client's frame that it answers and that the recording lacks; see `implied.py`.
    """

    answers: int | None = None
    count: int = 0
    heard_ms: float = 0.0
    made: frozenset[str] = frozenset()
    named: frozenset[str] = frozenset()
    implies: Message | None = None


OPEN = Gate()


class Appended:
    """Adds up the audio that a client appends, in milliseconds of the format that holds at that moment.

    Attributes:
        ms: so far.
    """

    def __init__(self, dialect: Dialect) -> None:
        self.ms = 0.0
        self._dialect = dialect
        self._formats = SoundFormats()

    def client(self, type: str, message: Message | None) -> bool:
        """The client's next frame; whether it is audio, or a picture: not to be answered."""
        found = next(iter(self._dialect.pictured(type, message)), None) is not None
        for base64 in self._dialect.appended(type, message):
            found = True
            self.ms += self._formats.user.ms(len(base64.rstrip("=")) * 3 // 4)
        if not found and type in ("session.update", "session.start") and message is not None:
            self._formats.ask(message.get("session"))
        return found

    def server(self, message: Message | None) -> None:
        """The server's next frame, which may say what the session's format is."""
        if message is not None:
            self._formats.tell(message)


def gates_of(frames: Sequence[WireFrame], dialect: Dialect) -> list[Gate]:
    """A gate for each frame; those of outbound frames mean nothing."""
    if dialect.rules == "count":
        pairing: _Pairing = _Counting(frames, dialect)
    elif dialect.rules == "echo":
        pairing = _Echoing(frames, dialect)
    else:
        pairing = _Conversation(frames, dialect)
        gates = pairing.gates()
        refused = pairing.unanswered_refusals()
        if not refused:
            return gates
        pairing = _Conversation(frames, dialect, refused)
    return pairing.gates()


class _Pairing:
    """One walk over a connection.

    Attributes:
        open: places of the client's frames that nothing has answered yet, audio aside, in order.
    """

    def __init__(self, frames: Sequence[WireFrame], dialect: Dialect) -> None:
        self.frames = frames
        self.dialect = dialect
        self.open: list[int] = []
        self._appended = Appended(dialect)
        self._named: set[str] = set()

    def gates(self) -> list[Gate]:
        found: list[Gate] = []
        for place, frame in enumerate(self.frames):
            if not frame.inbound:
                if not self._appended.client(frame.type, frame.message):
                    self.open.append(place)
                    self.sent(place, frame)
                found.append(OPEN)
                continue
            self._appended.server(frame.message)
            gate = self.gate(place, frame)
            named = frozenset(ids_of(frame))
            made = named - self._named
            self._named |= named
            heard = self._appended.ms if gate.heard_ms else 0.0
            found.append(Gate(gate.answers, gate.count, heard, made, named, gate.implies))
        return self.settled(found)

    def sent(self, place: int, frame: WireFrame) -> None:
        """The client's next frame."""

    def gate(self, place: int, frame: WireFrame) -> Gate:
        """The gate of the server's next frame. (What it makes, and how much was heard, is added.)"""
        return OPEN

    def settled(self, gates: list[Gate]) -> list[Gate]:
        """Whoever knows better at the end says so."""
        return gates

    def answered(self, place: int) -> Gate:
        """The gate of what answers this frame, which is open no longer."""
        if place in self.open:
            self.open.remove(place)
        return Gate(place)

    def first_open(self, types: Sequence[str]) -> int | None:
        return next((place for place in self.open if self.frames[place].type in types), None)

    def by_rows(self, frame: WireFrame) -> Gate | None:
        """What the dialect's rows say; None: nothing."""
        rows = [row for row in self.dialect.answers if row.type == frame.type]
        for row in rows:
            for place in self.open:
                other = self.frames[place]
                if other.type in row.to and _agree(row, frame.message, other.message):
                    return self.answered(place)
        if not rows:
            return None
        return Gate(implies=_asked(rows[0], frame.message))


def ids_of(frame: WireFrame) -> set[str]:
    """The item and the response that a frame is about."""
    return {one for one in ids_in(frame.message or {}) if one}


class _Counting(_Pairing):
    """Only the order is known: as many frames as came before, at least the first."""

    def gate(self, place: int, frame: WireFrame) -> Gate:
        return Gate(count=len(self.open))


class _Echoing(_Pairing):
    """Answers name the client's frame; else it is the first of its verb. All else comes of the audio."""

    def __init__(self, frames: Sequence[WireFrame], dialect: Dialect) -> None:
        super().__init__(frames, dialect)
        self._delegated = False

    def gate(self, place: int, frame: WireFrame) -> Gate:
        message = frame.message or {}
        echo = message.get("client_event_id") or mapping(message.get("error")).get("client_event_id")
        if isinstance(echo, str):
            for earlier in range(place):
                one = self.frames[earlier]
                if not one.inbound and (one.message or {}).get("event_id") == echo:
                    return self.answered(earlier)
        if frame.type == "session.delegation.created":
            self._delegated = True
        if frame.type == "response.event":
            nested = text_of(mapping(message.get("event")).get("type"))
            create = self.first_open(("response.create",))
            if nested == "response.created" and not message.get("delegation_id") and create is not None:
                return self.answered(create)
        found = self.by_rows(frame)
        if found is not None:
            return found
        return Gate(heard_ms=1.0) if frame.type in self.dialect.hears else OPEN


class _Conversation(_Pairing):
    """Items, responses and input, as OpenAI's realtime protocol has them.

    Args:
        refused: place of an error → of the client's frame that it refuses, where nothing in it says so.
    """

    def __init__(
        self, frames: Sequence[WireFrame], dialect: Dialect, refused: Mapping[int, int] | None = None
    ) -> None:
        super().__init__(frames, dialect)
        self._refused = {**self._refusals(), **(refused or {})}
        self._item_gates: dict[str, Gate] = {}
        self._requests = ResponseRequests()

    def _refusals(self) -> dict[int, int]:
        """Place of an error → of the client's frame that it refuses."""
        found: dict[int, int] = {}
        by_event: dict[str, int] = {}
        for place, frame in enumerate(self.frames):
            message = frame.message or {}
            if not frame.inbound:
                event_id = message.get("event_id")
                if isinstance(event_id, str):
                    by_event[event_id] = place
                continue
            if frame.type != "error":
                continue
            error = mapping(message.get("error"))
            event_id = error.get("event_id")
            if isinstance(event_id, str):
                if event_id in by_event:
                    found[place] = by_event[event_id]
                continue
            wanted = REFUSED_BY_CODE.get(text_of(error.get("code")))
            refused = set(found.values())
            earlier = (
                one
                for one in range(place - 1, -1, -1)
                if not self.frames[one].inbound and self.frames[one].type == wanted and one not in refused
            )
            one = next(earlier, None) if wanted else None
            if one is not None:
                found[place] = one
        return found

    def unanswered_refusals(self) -> dict[int, int]:
        """Errors that neither name a frame nor have a code that tells of which kind it was: they refuse what
        nothing has answered. To be asked when all gates are known."""
        left = [place for place in self.open if self.frames[place].type not in _UNANSWERED]
        found: dict[int, int] = {}
        for place in range(len(self.frames) - 1, -1, -1):
            frame = self.frames[place]
            if not frame.inbound or frame.type != "error" or place in self._refused:
                continue
            error = mapping((frame.message or {}).get("error"))
            if isinstance(error.get("event_id"), str) or text_of(error.get("code")) in REFUSED_BY_CODE:
                continue
            one = next((one for one in reversed(left) if one < place), None)
            if one is not None:
                left.remove(one)
                found[place] = one
        return found

    def sent(self, place: int, frame: WireFrame) -> None:
        if place in self._refused.values():
            self.open.remove(place)  # its answer is the error
            if frame.type == "response.create":
                return
        self._requests.sent(place, frame.message or {})

    def gate(self, place: int, frame: WireFrame) -> Gate:
        message = frame.message or {}
        type = frame.type
        self._requests.came(place, message)
        if type == "error":
            return self._error(place, message)
        if type in ITEMS:
            return self._item(message)
        if type == "response.created":
            return self._created(place, mapping(message.get("response")))
        if type == "response.done":
            return self._done(mapping(message.get("response")))
        if type == COMMITTED:
            return self._committed(message)
        if type == "response.output_item.added":
            self._item_gates.setdefault(text_of(mapping(message.get("item")).get("id")), OPEN)
        if type in self.dialect.hears:
            return Gate(heard_ms=1.0)
        if type == "output_audio_buffer.cleared" and self.first_open(("output_audio_buffer.clear",)) is None:
            return OPEN  # the server's own: the user spoke
        return self.by_rows(frame) or OPEN

    def settled(self, gates: list[Gate]) -> list[Gate]:
        """A request for a response that nothing answered was answered by one that was taken for the server's
        own."""
        for place, request in self._requests.settled():
            gate = gates[place]
            gates[place] = Gate(request.place, 0, 0.0, gate.made, gate.named)
        return gates

    def _error(self, place: int, message: Message) -> Gate:
        refused = self._refused.get(place)
        if refused is not None:
            return Gate(refused)
        wanted = REFUSED_BY_CODE.get(text_of(mapping(message.get("error")).get("code")))
        return Gate(implies={"type": wanted}) if wanted else OPEN

    def _item(self, message: Message) -> Gate:
        item = mapping(message.get("item"))
        name = text_of(item.get("id"))
        known = self._item_gates.get(name)
        if known is None:
            known = self._item_gates[name] = self._item_asked(item, name)
            return known
        return Gate(known.answers)

    def _item_asked(self, item: Message, name: str) -> Gate:
        if self._requests.is_spoken(name):
            return OPEN
        creates = [place for place in self.open if self.frames[place].type == "conversation.item.create"]
        asked = {place: mapping((self.frames[place].message or {}).get("item")) for place in creates}
        call_id = item.get("call_id") if item.get("type") == "function_call_output" else None
        for place, one in asked.items():
            if name and one.get("id") == name:
                return self.answered(place)
        for place, one in asked.items():
            if call_id is not None and one.get("call_id") == call_id and "output" in one:
                return self.answered(place)
        for place, one in asked.items():
            if not text_of(one.get("id")) and _content_of(one) == _content_of(item):
                return self.answered(place)
        asks = item.get("type") == "function_call_output" or item.get("role") in ("user", "system")
        if not asks:
            return OPEN
        kept = {key: value for key, value in item.items() if key not in ("id", "object", "status")}
        return Gate(implies={"type": "conversation.item.create", "item": kept})

    def _created(self, place: int, response: Message) -> Gate:
        found = self._requests.answered(place, response)
        if isinstance(found, ResponseRequest):
            return self.answered(found.place)
        if found is not None:
            return Gate(heard_ms=1.0)
        asking: Message = {"type": "response.create"}
        metadata = response.get("metadata")
        options = {"metadata": metadata} if metadata else {}
        if is_out_of_band(response):
            options["conversation"] = "none"
        return Gate(implies={**asking, "response": options} if options else asking)

    def _done(self, response: Message) -> Gate:
        if mapping(response.get("status_details")).get("reason") != "client_cancelled":
            return OPEN
        cancels = [place for place in self.open if self.frames[place].type == "response.cancel"]
        named = [
            place
            for place in cancels
            if (self.frames[place].message or {}).get("response_id") == response.get("id")
        ]
        unnamed = [place for place in cancels if not (self.frames[place].message or {}).get("response_id")]
        for place in (*named, *reversed(unnamed)):
            return self.answered(place)
        return Gate(implies={"type": "response.cancel"})

    def _committed(self, message: Message) -> Gate:
        name = text_of(message.get("item_id"))
        if self._requests.is_spoken(name):
            self._item_gates.setdefault(name, OPEN)
            return Gate(heard_ms=1.0)
        commit = self.first_open(("input_audio_buffer.commit",))
        gate = (
            self.answered(commit)
            if commit is not None
            else Gate(implies={"type": "input_audio_buffer.commit"})
        )
        self._item_gates.setdefault(name, Gate(gate.answers))
        return gate


def _agree(row: AnswerRow, server: Message | None, client: Message | None) -> bool:
    return all(first_at(server, theirs) == first_at(client, ours) for theirs, ours in row.by)


def _asked(row: AnswerRow, message: Message | None) -> Message:
    """The client's frame that a row says was answered, as far as the answer tells."""
    asked: Message = {"type": row.to[0]}
    for theirs, ours in row.by:
        asked[ours[0]] = first_at(message, theirs)
    return asked


def _content_of(item: Message) -> tuple[Any, ...]:
    """What makes two items the same, whatever else a provider adds."""
    parts = [mapping(part) for part in sequence(item.get("content"))]
    told = tuple((part.get("type"), part.get("text")) for part in parts)
    return item.get("type"), item.get("role"), item.get("name"), item.get("call_id"), told
