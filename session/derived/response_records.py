"""`ResponseRecord`: what the model answered, who asked for it, how it ended; and `Responses`, which finds
them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from ..fields import mapping, text_of
from ..messages import SESSION_TOLD, ids_in
from ..response_requests import COMMITTED, ResponseRequests, is_out_of_band
from .exchange import Exchanged
from .token_counts import TokenCounts

AskedBy = Literal["speech", "text", "tool", "application", "server"]
"""What a response answers: what the user said, or wrote; the output of a tool; a bare `response.create` of
the application; or nothing that anybody sent, such as the server's own reminder after a silence."""

ANNOUNCEMENTS = frozenset({"response.created", "response.output_item.added", "response.content_part.added"})
"""What says that something will come, and brings nothing yet."""


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
    """

    by: AskedBy
    seq: int
    at_ns: int


class Asks:
    """What a response answers: `ResponseRequests` says which request, and this what had asked for that."""

    def __init__(self) -> None:
        self._requests = ResponseRequests()
        self._asks: dict[int, Ask] = {}  # by the entry, those that are open
        self._made: AskedBy | None = None  # the last item, of which no response has been asked for
        self._heard = False  # the user was heard since the last response
        self._tells = False  # the server says what it hears

    def read(self, one: Exchanged) -> None:
        """The next message."""
        if not one.by_server:
            self._sent(one)
            return
        self._requests.came(one.entry.seq, one.message)
        if one.type == COMMITTED:
            self._tells = True
            self._asks[one.entry.seq] = Ask("speech", one.entry.seq, one.entry.at_ns)
        elif one.type in SESSION_TOLD:
            self._tells = True
        elif one.type == "error":
            self._requests.refuse(mapping(one.message.get("error")))

    def answered_by(self, one: Exchanged) -> Ask | None:
        """What a response that begins answers; that is not open any more."""
        heard, self._heard = self._heard, False
        found = self._requests.answered(one.entry.seq, mapping(one.message.get("response")))
        if found is not None:
            ask = self._asks[found if isinstance(found, int) else found.place]
        else:
            ask = Ask("speech", -1, -1) if heard and not self._tells else None
        left = {*self._requests.heard, *(request.place for request in self._requests.open)}
        self._asks = {seq: asked for seq, asked in self._asks.items() if seq in left}
        return ask

    @property
    def tells(self) -> bool:
        """Whether the log would tell if anybody had asked."""
        return self._tells

    def _sent(self, one: Exchanged) -> None:
        self._requests.sent(one.entry.seq, one.message)
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
            self._asks[one.entry.seq] = Ask(by, one.entry.seq, one.entry.at_ns)


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
        ask = self.asks.answered_by(one)
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
