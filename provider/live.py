"""OpenAI's Live protocol from a script, as small as it can be: full duplex, without turns.

Its only clock is the user's audio: what is due is due when so many milliseconds were appended, muted ones,
too. The same messages give the same answers to the last byte. Primary websockets alone: no fork, no sideband,
and no triggers and decisions.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import pybase64
from pydantic import JsonValue

from .protocol import Ended, Outgoing, Step
from .requests import Message, RequestRefused
from .script import Ending, FunctionCall, Speech
from .speech import BYTES_PER_MS, chunks

CHUNK_MS = 100
"""Audio in one delta."""

EXPIRES_AT = 4_102_444_800
"""The year 2100."""

_APPENDED = ("instructions", "thinking", "commentary")


@dataclass(frozen=True, slots=True)
class LiveTurn:
    """What the model hears and does at one moment.

    Attributes:
        after_ms: of appended audio since the session began.
        heard: what is transcribed of the user, or nothing.
        call: a tool that is called before it speaks, by a delegation to the Responses backend.
        says: what it says: at once, or when the tool has answered.
    """

    after_ms: int
    says: Speech
    heard: str = ""
    call: FunctionCall | None = None


@dataclass(frozen=True, slots=True)
class LiveScript:
    """One conversation of the Live protocol.

    Attributes:
        turns: in order.
    """

    turns: Sequence[LiveTurn] = ()


class LiveProtocol:
    """The server's half of one connection.

    Args:
        script: what it hears and says.
        connection: its number, which its ids name.
    """

    def __init__(self, script: LiveScript, *, connection: int = 1) -> None:
        self._turns = deque(script.turns)
        self._connection = connection
        self._ids = count(1)
        self._session: dict[str, JsonValue] | None = None
        self._ms = 0.0  # appended so far
        self._speaking: deque[bytes] = deque()
        self._answers: dict[str, LiveTurn] = {}  # call_id → what it says when that is answered
        self._answered: deque[LiveTurn] = deque()

    @property
    def next_due_ms(self) -> int | None:
        """Nothing is due but by what the client sends."""
        return None

    def advance(self, now_ms: int) -> Sequence[Step]:
        """The same: nothing."""
        return ()

    def refuse(self, refused: RequestRefused, now_ms: int) -> Sequence[Step]:
        """Answer a frame that holds no message."""
        return [Outgoing(now_ms, _error(refused, None))]

    def receive(self, message: Message, now_ms: int) -> Sequence[Step]:
        """Answer a message of the client's."""
        try:
            answers = list(self._answer(message))
        except RequestRefused as refused:
            answers = [_error(refused, message.get("event_id"))]
        steps: list[Step] = [Outgoing(now_ms, answer) for answer in answers]
        if answers and answers[-1]["type"] == "session.closed":
            steps.append(Ended(now_ms, Ending(1000)))
        return steps

    # --- commands --------------------------------------------------------------------------------------

    def _answer(self, message: Message) -> Iterator[Message]:
        type = message.get("type")
        if type == "session.start":
            yield self._start(message)
            return
        if self._session is None:
            raise RequestRefused("Send session.start first.", code="session_not_started")
        match type:
            case "session.update":
                self._session |= _object(message, "session")
                yield self._event("session.updated", message, session=dict(self._session))
            case "session.close":
                usage: JsonValue = {"seconds": self._ms / 1000}
                reason = "close_requested"
                yield self._event(
                    "session.closed", message, session=dict(self._session), reason=reason, usage=usage
                )
            case "session.input_audio.mute" | "session.input_audio.unmute":
                yield self._event(f"{type}d", message)
            case "session.input_audio.append":
                yield from self._hear(message)
            case "response.item.create":
                item = _object(message, "item")
                turn = self._answers.pop(str(item.get("call_id")), None)
                if turn is not None:
                    self._answered.append(turn)
            case "response.create":
                yield from self._respond(message)
            case str() if type.removeprefix("session.").removesuffix(".append") in _APPENDED:
                at_ms = int(self._ms)
                yield self._event(f"{type}ed", message, start_ms=at_ms, end_ms=at_ms)
            case _:
                raise RequestRefused(f"{type}: not known here.", code="unknown_event", param="type")

    def _start(self, message: Message) -> Message:
        if self._session is not None:
            raise RequestRefused("The session has started.", code="session_already_started")
        config = _object(message, "session")
        if not isinstance(config.get("model"), str):
            raise RequestRefused("A session needs a model.", code="missing_parameter", param="session.model")
        own: dict[str, JsonValue] = {
            "id": f"live_{self._connection:04}",
            "expires_at": EXPIRES_AT,
            "status": "active",
        }
        self._session = {**config, **own}
        return self._event("session.started", message, session=dict(self._session))

    def _hear(self, message: Message) -> Iterator[Message]:
        """So much more audio: what the model hears and says meanwhile."""
        audio = message.get("audio")
        try:
            pcm = pybase64.b64decode(str(audio), validate=True)
        except ValueError:
            raise RequestRefused("The audio is no base64.", param="audio") from None
        self._ms += len(pcm) / BYTES_PER_MS
        while self._turns and self._turns[0].after_ms <= self._ms:
            yield from self._turn(self._turns.popleft())
        for _ in range(int(len(pcm) / BYTES_PER_MS / CHUNK_MS + 0.5)):
            if self._speaking:  # as much as was heard: one clock for both ways
                delta = pybase64.b64encode_as_string(self._speaking.popleft())
                yield {"type": "session.output_audio.delta", "delta": delta}

    def _turn(self, turn: LiveTurn) -> Iterator[Message]:
        at_ms = int(self._ms)
        if turn.heard:
            yield self._event("session.input_transcript.delta", delta=turn.heard, start_ms=0, end_ms=at_ms)
        if turn.call is None:
            yield from self._say(turn.says)
            return
        delegation, response, call = (f"{name}_{next(self._ids):04}" for name in ("del", "resp", "call"))
        told: JsonValue = {
            "id": delegation,
            "type": "delegation",
            "target": "responses",
            "response_id": response,
        }
        yield self._event("session.delegation.created", delegation=told, offset_ms=at_ms)
        item: JsonValue = {
            "type": "function_call",
            "id": f"fc_{call}",
            "call_id": call,
            "name": turn.call.name,
            "arguments": turn.call.arguments_text,
            "status": "completed",
        }
        self._answers[call] = turn
        for event in (
            {"type": "response.created", "response": {"id": response, "status": "in_progress"}},
            {"type": "response.output_item.done", "output_index": 0, "item": item},
            {"type": "response.completed", "response": {"id": response, "status": "completed"}},
        ):
            yield self._event("response.event", event=event, delegation_id=delegation)

    def _respond(self, message: Message) -> Iterator[Message]:
        """The backend goes on: with the tool's answer, the model speaks."""
        response = f"resp_{next(self._ids):04}"
        for type, status in (("response.created", "in_progress"), ("response.completed", "completed")):
            event: JsonValue = {"type": type, "response": {"id": response, "status": status}}
            yield self._event("response.event", message, event=event)
        while self._answered:
            yield from self._say(self._answered.popleft().says)

    def _say(self, speech: Speech) -> Iterator[Message]:
        at_ms = int(self._ms)
        end_ms = at_ms + len(speech.pcm) // BYTES_PER_MS
        yield self._event("session.output_transcript.delta", delta=speech.text, start_ms=at_ms, end_ms=end_ms)
        self._speaking.extend(chunks(speech.pcm, CHUNK_MS))

    def _event(self, type: str, command: Message | None = None, **fields: Any) -> Message:
        event: Message = {"type": type, "event_id": f"event_{next(self._ids):04}", **fields}
        if command is not None and isinstance(command.get("event_id"), str):
            event["client_event_id"] = command["event_id"]
        return event


def _object(message: Message, name: str) -> dict[str, JsonValue]:
    value = message.get(name)
    if not isinstance(value, dict):
        raise RequestRefused(f"{name} must be an object.", code="missing_parameter", param=name)
    return value


def _error(refused: RequestRefused, event_id: JsonValue) -> Message:
    error: JsonValue = {
        "type": "invalid_request_error",
        "code": refused.code or "invalid_value",
        "message": refused.message,
        "param": refused.param,
    }
    told: Message = {"type": "error", "event_id": "event_error", "error": error}
    return told if event_id is None else {**told, "client_event_id": event_id}
