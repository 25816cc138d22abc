"""A provider that says what it was told to say, when the client has sent what it was told to wait for."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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


Cue = Heard | Pause | Hangs | dict[str, Any]


class CuedSocket:
    """One connection."""

    response = subprotocol = None

    def __init__(self, cues: Sequence[Cue]) -> None:
        self.close_code: int | None = None
        self.close_reason: str | None = None
        self._cues = iter(cues)
        self._sent: list[str] = []
        self._changed = asyncio.Event()
        self._closed = False
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
        self._sent.append(json.loads(message)["type"])
        self._changed.set()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        self.close_code, self.close_reason, self._closed = self.close_code or code, reason, True
        self._changed.set()
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


# --- messages of the protocol ------------------------------------------------------------------------


def created(*, interrupts: bool = True) -> dict[str, Any]:
    detection = {
        "type": "server_vad",
        "interrupt_response": interrupts,
        "create_response": True,
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 200,
    }
    audio = {
        "input": {"format": {"type": "audio/pcm", "rate": 24000}, "turn_detection": detection},
        "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "alloy"},
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
