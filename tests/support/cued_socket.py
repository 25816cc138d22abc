"""A provider that says what it was told to say, when the client has sent what it was told to wait for."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from realtape.integrations.openai_agents import socket_seam
from realtape.integrations.openai_agents.socket_seam import connect_by
from websockets.exceptions import ConnectionClosedOK
from websockets.frames import Close

PCM_MS = 48
"""Bytes of a millisecond."""


@dataclass(frozen=True)
class Heard:
    """Wait until the client has sent so many frames of this type."""

    type: str
    times: int = 1


@dataclass(frozen=True)
class Pause:
    """Wait so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Hangs:
    """Close, with this code."""

    code: int


@dataclass(frozen=True)
class Fails:
    """From here on, sending frames of this type fails; or `close`: closing does."""

    type: str


@dataclass(frozen=True)
class Stalls:
    """From here on, frames of this type are not taken: who sends one waits."""

    type: str


@dataclass(frozen=True)
class Slow:
    """From here on, sending a frame of this type takes so many seconds."""

    type: str
    seconds: float


@dataclass(frozen=True)
class ClockSet:
    """The computer's clock is set, by so many seconds."""

    seconds: float


Cue = Heard | Pause | Hangs | Fails | Stalls | Slow | ClockSet | dict[str, Any]


class CuedSocket:
    """One connection."""

    response = subprotocol = None

    def __init__(self, cues: Sequence[Cue]) -> None:
        self.close_code: int | None = None
        self.close_reason: str | None = None
        first = next((n for n, cue in enumerate(cues) if not isinstance(cue, Fails | Stalls)), len(cues))
        self._cues = iter(cues[first:])
        self._sent: list[str] = []
        self._changed = asyncio.Event()
        self._closed = False
        self._fails = {cue.type for cue in cues[:first] if isinstance(cue, Fails)}
        self._stalls = {cue.type for cue in cues[:first] if isinstance(cue, Stalls)}
        self._slow: dict[str, float] = {}
        self._numbers = itertools.count(1)

    def __aiter__(self) -> CuedSocket:
        return self

    async def __anext__(self) -> str:
        for cue in self._cues:
            if isinstance(cue, dict):
                return json.dumps({"event_id": f"event_{next(self._numbers)}", **cue})
            if isinstance(cue, Hangs):
                self.close_code, self.close_reason, self._closed = cue.code, "", True
                break
            if isinstance(cue, Pause):
                await asyncio.sleep(cue.seconds)
            elif isinstance(cue, Fails):
                self._fails.add(cue.type)
            elif isinstance(cue, Stalls):
                self._stalls.add(cue.type)
            elif isinstance(cue, Slow):
                self._slow[cue.type] = cue.seconds
            elif isinstance(cue, ClockSet):
                _set_clock(cue.seconds)
            else:
                await self._until(lambda cue=cue: self._sent.count(cue.type) >= cue.times)
            if self._closed:
                break
        await self._until(lambda: False)
        raise StopAsyncIteration

    async def send(self, message: str) -> None:
        if self._closed:
            close = Close(self.close_code or 1000, "")
            raise ConnectionClosedOK(close, close, True)
        type = json.loads(message)["type"]
        if type in self._fails:
            raise ConnectionResetError("the provider is gone")
        if type in self._stalls:
            await self._until(lambda: False)
        if type in self._slow:
            await asyncio.sleep(self._slow[type])
        self._sent.append(type)
        self._changed.set()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        self.close_code, self.close_reason, self._closed = self.close_code or code, reason, True
        self._changed.set()
        socket_seam.datetime = datetime
        if "close" in self._fails:
            raise ConnectionResetError("the provider is gone")
        await asyncio.sleep(0)

    async def _until(self, condition: Any) -> None:
        while not (condition() or self._closed):
            self._changed.clear()
            await self._changed.wait()


def cued(model: Any, *connections: Sequence[Cue]) -> Any:
    """The model, whose connections lead to such providers."""
    following = iter(connections)

    async def connecting(dial: Any, url: str, headers: Any) -> CuedSocket:
        await asyncio.sleep(0)
        return CuedSocket(next(following))

    connect_by(model, connecting)
    return model


def _set_clock(seconds: float) -> None:
    by = timedelta(seconds=seconds)

    class Set(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + by

    socket_seam.datetime = Set


# --- messages of the protocol ------------------------------------------------------------------------


def created(*, interrupts: bool = True, format: str = "audio/pcm") -> dict[str, Any]:
    detection = {
        "type": "server_vad",
        "interrupt_response": interrupts,
        "create_response": True,
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 200,
    }
    spoken: dict[str, Any] = {"type": format, **({"rate": 24000} if format == "audio/pcm" else {})}
    audio = {
        "input": {"format": {"type": "audio/pcm", "rate": 24000}, "turn_detection": detection},
        "output": {"format": spoken, "voice": "alloy"},
    }
    session = {"type": "realtime", "object": "realtime.session", "id": "sess_1", "model": "m", "audio": audio}
    return {"type": "session.created", "session": session}


def begins(response: str) -> dict[str, Any]:
    told: dict[str, Any] = {
        "object": "realtime.response",
        "id": response,
        "status": "in_progress",
        "output": [],
    }
    return {"type": "response.created", "response": told}


def ends(response: str) -> dict[str, Any]:
    told: dict[str, Any] = {
        "object": "realtime.response",
        "id": response,
        "status": "completed",
        "output": [],
    }
    return {"type": "response.done", "response": told}


def says(response: str, item: str, ms: int) -> dict[str, Any]:
    return {
        "type": "response.output_audio.delta",
        "response_id": response,
        "item_id": item,
        "output_index": 0,
        "content_index": 0,
        "delta": base64.b64encode(bytes(ms * PCM_MS)).decode(),
    }


def writes(response: str, item: str, text: str) -> dict[str, Any]:
    return {
        "type": "response.output_text.delta",
        "response_id": response,
        "item_id": item,
        "output_index": 0,
        "content_index": 0,
        "delta": text,
    }


def adds(item: str, text: str) -> dict[str, Any]:
    told = {
        "id": item,
        "object": "realtime.item",
        "type": "message",
        "status": "completed",
        "role": "user",
        "content": [{"type": "input_text", "text": text}],
    }
    return {"type": "conversation.item.added", "previous_item_id": None, "item": told}


def hears(item: str) -> dict[str, Any]:
    return {"type": "input_audio_buffer.speech_started", "audio_start_ms": 0, "item_id": item}


def understood(item: str) -> dict[str, Any]:
    return {
        "type": "conversation.item.input_audio_transcription.completed",
        "item_id": item,
        "content_index": 0,
        "transcript": "Hello?",
        "usage": {"type": "duration", "seconds": 1.0},
    }


def refuses_a_second_response() -> dict[str, Any]:
    told = {
        "type": "invalid_request_error",
        "code": "conversation_already_has_active_response",
        "message": "Conversation already has an active response in progress.",
        "param": None,
        "event_id": None,
    }
    return {"type": "error", "error": told}
