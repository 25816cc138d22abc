"""`TurnRecord`: what the user said or wrote, and what was answered; and `Turns`, which finds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from ..fields import mapping, sequence, text_of
from ..messages import SPEECH_STARTED, SPEECH_STOPPED
from ..response_requests import is_out_of_band
from .exchange import Exchanged
from .transcripts import TRANSCRIBED
from .user_sound import Span, UserSound


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """A turn of the user's, with the model's answer. Instants are nanoseconds since the session began.

    Attributes:
        number: from 1, in the order of the log.
        seq: of the entry with which it began.
        kind: `speech` or `text`.
        item_id: the item that it became; empty where the log does not tell.
        server_begin_ms, server_end_ms: where the server heard it begin and end, in milliseconds of the user's
            sound (`audio_start_ms` and `audio_end_ms`: with the padding, and the silence, that it waited
            for); None where it does not tell.
        server_began_ns, server_ended_ns: when the microphone heard these places.
        told_began_ns, told_ended_ns: when the server said so.
        wave_began_ns, wave_ended_ns: when the microphone heard the first and the last of it that is loud
            enough;
            None: nothing is, or the sound is not known.
        committed_ns: when it became an item of the conversation; of a text, when it was sent.
        text: what it says, as far as that was told.
        response_ids: the responses that followed it before the next turn, tool calls among them.
        answer: what these say.
    """

    number: int
    seq: int
    kind: Literal["speech", "text"]
    item_id: str
    server_begin_ms: float | None = None
    server_end_ms: float | None = None
    server_began_ns: int | None = None
    server_ended_ns: int | None = None
    told_began_ns: int | None = None
    told_ended_ns: int | None = None
    wave_began_ns: int | None = None
    wave_ended_ns: int | None = None
    committed_ns: int | None = None
    text: str = ""
    response_ids: tuple[str, ...] = ()
    answer: str = ""

    @property
    def ended_ns(self) -> int | None:
        """When the user had said it: by the waveform, else as the server heard it, else when it was sent."""
        for one in (self.wave_ended_ns, self.server_ended_ns, self.told_ended_ns, self.committed_ns):
            if one is not None:
                return one
        return None

    @property
    def began_ns(self) -> int | None:
        """When the user began to say it, likewise."""
        for one in (self.wave_began_ns, self.server_began_ns, self.told_began_ns, self.committed_ns):
            if one is not None:
                return one
        return None


@dataclass
class UserTurn:
    """A turn of which more may become known.

    Attributes:
        record: what is known of its record.
        said: the text that was sent.
        responses: places of its responses, in order.
    """

    record: dict[str, Any]
    said: str = ""
    responses: list[int] = field(default_factory=list[int])


class Turns:
    """Reads the messages of one connection, in order, and knows the user's turns by then.

    Args:
        sound: the user's, which is told of each piece before this is.
    """

    def __init__(self, sound: UserSound) -> None:
        self._sound = sound
        self._all: list[UserTurn] = []
        self._by_item: dict[str, UserTurn] = {}
        self._latest: UserTurn | None = None  # that the model has got
        self._unnamed: list[UserTurn] = []  # texts whose items are still to come
        self._heard_to_ms = 0.0  # so far the turns before go
        self._responses = 0

    def read(self, one: Exchanged) -> None:
        """The next message."""
        message, item = one.message, mapping(one.message.get("item"))
        item_id = text_of(message.get("item_id")) or text_of(item.get("id"))
        if not one.by_server:
            if one.type == "conversation.item.create" and item.get("role") == "user":
                self._written(one, item)
        elif one.type == SPEECH_STARTED:
            self._started(one, item_id)
        elif one.type == SPEECH_STOPPED:
            self._stopped(one, item_id)
        elif one.type == "input_audio_buffer.committed":
            self._committed(one, item_id)
        elif one.type == TRANSCRIBED and item_id not in self._by_item:
            self._got(self._begin(one, "speech", item_id))
        elif one.type == "conversation.item.added" and item.get("role") == "user" and self._unnamed:
            if item_id not in self._by_item:
                turn = self._unnamed.pop(0)
                turn.record["item_id"] = item_id
                self._by_item[item_id] = turn
        elif one.type == "response.created":
            if self._latest is not None and not is_out_of_band(mapping(message.get("response"))):
                self._latest.responses.append(self._responses)
            self._responses += 1

    def turns(self) -> list[UserTurn]:
        """Those so far, in the order in which they began."""
        for turn in self._all:
            if "committed_ns" not in turn.record and "server_end_ms" not in turn.record:
                self._wave(turn, self._sound.ms)  # the user is still at it
        return self._all

    def _begin(self, one: Exchanged, kind: str, item_id: str) -> UserTurn:
        turn = UserTurn({"seq": one.entry.seq, "kind": kind, "item_id": item_id})
        self._all.append(turn)
        if item_id:
            self._by_item[item_id] = turn
        return turn

    def _got(self, turn: UserTurn) -> None:
        self._latest = turn

    def _written(self, one: Exchanged, item: dict[str, Any]) -> None:
        turn = self._begin(one, "text", text_of(item.get("id")))
        turn.record["committed_ns"] = one.entry.at_ns
        turn.said = content_text(item.get("content"))
        if not turn.record["item_id"]:
            self._unnamed.append(turn)
        self._got(turn)

    def _started(self, one: Exchanged, item_id: str) -> None:
        turn = self._begin(one, "speech", item_id)
        turn.record["told_began_ns"] = one.entry.at_ns
        begin_ms = _number(one.message.get("audio_start_ms"))
        if begin_ms is not None:
            turn.record["server_begin_ms"] = begin_ms
            if self._sound.any:
                turn.record["server_began_ns"] = self._sound.instant(begin_ms)

    def _stopped(self, one: Exchanged, item_id: str) -> None:
        turn = self._by_item.get(item_id)
        if turn is None:
            return
        turn.record["told_ended_ns"] = one.entry.at_ns
        end_ms = _number(one.message.get("audio_end_ms"))
        if end_ms is None:
            return
        turn.record["server_end_ms"] = end_ms
        if self._sound.any:
            turn.record["server_ended_ns"] = self._sound.instant(end_ms)
        self._wave(turn, end_ms)

    def _committed(self, one: Exchanged, item_id: str) -> None:
        turn = self._by_item.get(item_id) or self._begin(one, "speech", item_id)
        turn.record["committed_ns"] = one.entry.at_ns
        if "server_end_ms" not in turn.record:
            self._wave(turn, self._sound.ms)
        self._heard_to_ms = turn.record.get("server_end_ms", self._sound.ms)
        self._got(turn)

    def _wave(self, turn: UserTurn, end_ms: float) -> None:
        """What the waveform shows between where the turn began, or the last one ended, and here."""
        begin_ms = turn.record.get("server_begin_ms", self._heard_to_ms)
        span: Span | None = self._sound.heard(begin_ms, end_ms)
        if span is not None and turn.record["kind"] == "speech":
            turn.record.update(wave_began_ns=span.begin_ns, wave_ended_ns=span.end_ns)


def content_text(content: object) -> str:
    """The texts of what was written."""
    if isinstance(content, str):
        return content
    parts = [mapping(part) for part in sequence(content)]
    return " ".join(text for part in parts if (text := text_of(part.get("text"))))


def _number(told: object) -> float | None:
    return float(told) if isinstance(told, int | float) and not isinstance(told, bool) else None
