"""`ResponseRecord`: what the model answered, who asked for it, how it ended; and `Responses`, which finds
them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from ..fields import mapping, text_of
from ..messages import SPEECH_STARTED, ids_in
from .exchange import Exchanged
from .token_counts import TokenCounts

AskedBy = Literal["speech", "text", "tool", "application", "server"]
"""What a response answers: what the user said, or wrote; the output of a tool; a bare `response.create` of
the application; or nothing that anybody sent, such as the server's own reminder after a silence."""

ANNOUNCEMENTS = frozenset({"response.created", "response.output_item.added", "response.content_part.added"})
"""What says that something will come, and brings nothing yet."""

ACTIVE = "conversation_already_has_active_response"
"""The provider's error code for a `response.create` that came while a response was active."""


@dataclass(frozen=True, slots=True)
class ResponseRecord:
    """A response of the model. Instants are nanoseconds since the session began.

    Attributes:
        response_id: the provider's; empty where the log does not tell.
        seq: of the entry with which it began.
        asked_by: what it answers; None where the log does not tell.
        asked_seq, asked_ns: the entry that asked for it, and when; None where there is none.
        began_ns: when the server said that it began.
        first_byte_ns: when the first content of it came, of any kind; None: none did.
        first_sound_ns: when the first of its sound came, silence too; None: none did.
        ended_ns: when the server said that it had ended; None where it did not.
        status: in the provider's word (`completed`, `cancelled`, `failed`, `incomplete`); `ended` where the
            log tells no more than that, `open` where it tells no end.
        reason: why it was not completed: the provider's reason, or its error; empty where it says none.
        items: the items that it made, in their order.
        calls: the ids of the tool calls that it made.
        sound_ms: how long its sound plays, in milliseconds as the model counts them.
        tokens: what it cost; None where that is not told.
        model: its name, as the server, or the settings, say it; empty where they do not.
        out_of_band: it is beside the conversation.
        connection: number of the socket; None above sockets.
    """

    response_id: str
    seq: int
    asked_by: AskedBy | None
    asked_seq: int | None
    asked_ns: int | None
    began_ns: int
    first_byte_ns: int | None = None
    first_sound_ns: int | None = None
    ended_ns: int | None = None
    status: str = "open"
    reason: str = ""
    items: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    sound_ms: float = 0.0
    tokens: TokenCounts | None = None
    model: str = ""
    out_of_band: bool = False
    connection: int | None = None


class Ask(NamedTuple):
    """Something that a response may answer.

    Attributes:
        by: what it is.
        seq, at_ns: of the entry.
        options: of a `response.create`.
        event_id: the client's.
    """

    by: AskedBy
    seq: int
    at_ns: int
    options: Mapping[str, Any]
    event_id: str = ""


class Asks:
    """Which request, or speech, a response answers: by what it repeats of it, else the oldest one."""

    def __init__(self) -> None:
        self._asked: list[Ask] = []
        self._spoken: Ask | None = None  # committed by the server, which answers by itself
        self._made: AskedBy | None = None  # the last item, of which no response has been asked for
        self._heard = False  # the user was heard since the last response
        self._tells = False  # the server says what it hears
        self._by_voice: set[str] = set()
        self._answers_voice = True

    def read(self, one: Exchanged) -> None:
        """The next message."""
        if not one.by_server:
            self._sent(one)
        elif one.type == SPEECH_STARTED:
            self._by_voice.add(text_of(one.message.get("item_id")))
        elif one.type == "input_audio_buffer.committed":
            self._tells = True
            if text_of(one.message.get("item_id")) in self._by_voice and self._answers_voice:
                self._spoken = self._spoken or Ask("speech", one.entry.seq, one.entry.at_ns, {})
        elif one.type in ("session.created", "session.updated"):
            self._tells = True
            self._detect(mapping(one.message.get("session")))
        elif one.type == "error":
            self._refuse(mapping(one.message.get("error")))

    def answered_by(self, response: Mapping[str, Any]) -> Ask | None:
        """What a response that begins answers; that is not open any more."""
        heard, self._heard = self._heard, False
        ask = self._asked_for(response)
        if ask is not None:
            self._asked.remove(ask)
        elif self._spoken is not None:
            ask, self._spoken = self._spoken, None
        elif heard and not self._tells:
            return Ask("speech", -1, -1, {})
        return ask

    @property
    def tells(self) -> bool:
        """Whether the log would tell if anybody had asked."""
        return self._tells

    def _asked_for(self, response: Mapping[str, Any]) -> Ask | None:
        metadata = response.get("metadata")
        if metadata:
            for ask in self._asked:
                if ask.options.get("metadata") == metadata:
                    return ask
        beside = is_out_of_band(response)
        for ask in self._asked:
            if (ask.options.get("conversation") == "none") == beside:
                # The server answered first what it heard before.
                return None if self._spoken is not None and self._spoken.seq < ask.seq else ask
        return None

    def _sent(self, one: Exchanged) -> None:
        item = mapping(one.message.get("item"))
        if one.type == "conversation.item.create":
            if item.get("type") == "function_call_output":
                self._made = "tool"
            elif item.get("role") == "user":
                self._made = "text"
        elif one.type == "input_audio_buffer.commit":
            self._made = "speech"
        elif one.type == "input_audio_buffer.append":
            self._heard = True
        elif one.type == "response.create":
            by, self._made = self._made or "application", None
            options, event_id = mapping(one.message.get("response")), text_of(one.message.get("event_id"))
            self._asked.append(Ask(by, one.entry.seq, one.entry.at_ns, options, event_id))
        elif one.type == "session.update":
            self._detect(mapping(one.message.get("session")))

    def _refuse(self, error: Mapping[str, Any]) -> None:
        named = text_of(error.get("event_id"))
        if named:
            self._asked = [ask for ask in self._asked if ask.event_id != named]
        elif error.get("code") == ACTIVE and self._asked:
            self._asked.pop()

    def _detect(self, session: Mapping[str, Any]) -> None:
        """Whether the server answers by itself what it hears."""
        for side in (mapping(mapping(session.get("audio")).get("input")), session):
            if "turn_detection" in side:
                told = mapping(side["turn_detection"])
                self._answers_voice = bool(told) and told.get("create_response") is not False
                return


@dataclass
class _OpenResponse:
    """A response of which more may come."""

    record: dict[str, Any]
    items: dict[str, None] = field(default_factory=dict[str, None])
    calls: dict[str, None] = field(default_factory=dict[str, None])
    sound_ms: float = 0.0


class Responses:
    """Reads the messages of one connection, in order, and knows its responses by then."""

    def __init__(self) -> None:
        self.asks = Asks()
        self._all: list[_OpenResponse] = []
        self._by_id: dict[str, _OpenResponse] = {}
        self._of_item: dict[str, _OpenResponse] = {}
        self._latest: _OpenResponse | None = None
        self._model = ""

    def read(self, one: Exchanged, sound_ms: float = 0.0) -> None:
        """The next message.

        Args:
            sound_ms: how long the sound plays that it brings.
        """
        self.asks.read(one)
        if one.type in ("session.created", "session.updated", "session.update"):
            self._model = text_of(mapping(one.message.get("session")).get("model")) or self._model
        if not one.by_server:
            return
        if one.type == "response.created":
            self._begin(one)
        elif one.type == "response.done":
            self._end(one)
        else:
            self._content(one, sound_ms)

    @property
    def current(self) -> str:
        """The response that goes on, if one does; else empty."""
        return "" if self._latest is None else self._latest.record["response_id"]

    def of_item(self, item_id: str) -> str | None:
        """The response that made an item, if one did."""
        found = self._of_item.get(item_id)
        return None if found is None else found.record["response_id"]

    def records(self) -> tuple[ResponseRecord, ...]:
        """In the order in which they began."""
        return tuple(
            ResponseRecord(
                **one.record, items=(*one.items,), calls=(*one.calls,), sound_ms=round(one.sound_ms, 6)
            )
            for one in self._all
        )

    def _begin(self, one: Exchanged) -> None:
        response = mapping(one.message.get("response"))
        ask = self.asks.answered_by(response)
        known = ask is not None and ask.seq >= 0
        asked_by: AskedBy | None = ask.by if ask is not None else "server" if self.asks.tells else None
        record: dict[str, Any] = {
            "response_id": text_of(response.get("id")),
            "seq": one.entry.seq,
            "asked_by": asked_by,
            "asked_seq": ask.seq if ask is not None and known else None,
            "asked_ns": ask.at_ns if ask is not None and known else None,
            "began_ns": one.entry.at_ns,
            "model": self._model,
            "out_of_band": is_out_of_band(response),
            "connection": one.entry.connection,
        }
        self._latest = _OpenResponse(record)
        self._all.append(self._latest)
        self._by_id[record["response_id"]] = self._latest

    def _end(self, one: Exchanged) -> None:
        response = mapping(one.message.get("response"))
        found = self._by_id.get(text_of(response.get("id")))
        if found is None or "ended_ns" in found.record:
            return
        usage = response.get("usage")
        found.record.update(
            ended_ns=one.entry.at_ns,
            status=text_of(response.get("status")) or "ended",
            reason=_reason(mapping(response.get("status_details"))),
            tokens=TokenCounts.told(mapping(usage)) if mapping(usage) else None,
        )
        if found is self._latest:
            self._latest = None

    def _content(self, one: Exchanged, sound_ms: float) -> None:
        response_id, item_id = ids_in(one.message)
        found = self._by_id.get(response_id) if response_id else self._of_item.get(item_id)
        item = mapping(one.message.get("item"))
        if found is None and not response_id and _is_made(one.type, item):
            found = self._latest  # an event does not say of which response it is
        if found is None:
            return
        if item_id and one.type.startswith("response."):
            self._of_item.setdefault(item_id, found)
            found.items.setdefault(item_id)
        if item.get("type") == "function_call" and one.type == "response.output_item.done":
            found.calls.setdefault(text_of(item.get("call_id")))
        if one.type.startswith("response.") and one.type not in ANNOUNCEMENTS:
            found.record.setdefault("first_byte_ns", one.entry.at_ns)
        if one.type == "response.output_audio.delta":
            found.record.setdefault("first_sound_ns", one.entry.at_ns)
            found.sound_ms += sound_ms


def is_out_of_band(response: Mapping[str, Any]) -> bool:
    """Whether a response is beside the conversation: its `conversation_id` is null."""
    return "conversation_id" in response and response["conversation_id"] is None


def _is_made(type: str, item: Mapping[str, Any]) -> bool:
    return type == "response.output_item.done" and item.get("type") == "function_call"


def _reason(details: Mapping[str, Any]) -> str:
    """Why a response was not completed, in the provider's words."""
    error = mapping(details.get("error"))
    told = (
        text_of(details.get("reason")),
        *(text_of(error.get(key)) for key in ("type", "code", "message")),
    )
    return ": ".join(dict.fromkeys(one for one in told if one))
