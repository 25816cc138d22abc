"""A night at the desk: hours of a conversation in which mostly timers happen.

The application asks whether the caller is still there after 30 s of silence, hangs up when it has asked
three times, and sends a heartbeat every minute. Nobody wants to wait for it: it is recorded on virtual
time, around a model that follows a script.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import cycle

from realtape.schema import (
    RealtimeModel,
    RealtimeModelEvent,
    RealtimeModelInputAudioTranscriptionCompletedEvent,
    RealtimeModelListener,
    RealtimeModelSendEvent,
    RealtimeModelSendRawMessage,
    RealtimeModelSendUserInput,
    RealtimeModelTranscriptDeltaEvent,
    RealtimeModelTurnEndedEvent,
    RealtimeModelTurnStartedEvent,
)

from .scripted import Scripted, ScriptedModel

HOURS = 6
PATIENCE_SECONDS = 30.0
QUESTIONS = 3
HEARTBEAT_SECONDS = 60.0
ASKS = "Are you still there?"

SILENCES_SECONDS = (12.5, 31.25, 64.007003001, 5.0, 47.9, 29.999, 88.000000007, 61.3, 17.0, 75.125)
"""Of the caller, again and again: no question, one, or two."""


class Desk(RealtimeModelListener):
    """The application."""

    def __init__(self, model: RealtimeModel) -> None:
        self._model = model
        self._heard = asyncio.Event()
        self._over = asyncio.Event()

    async def run(self) -> None:
        """From the connection to the hang-up."""
        self._model.add_listener(self)
        await self._model.connect({})
        heart = asyncio.create_task(self._beat())
        watch = asyncio.create_task(self._watch())
        await self._over.wait()
        heart.cancel()
        await asyncio.wait([heart, watch])
        await self._model.close()

    async def on_event(self, event: RealtimeModelEvent) -> None:
        if event.type == "input_audio_transcription_completed":
            self._heard.set()

    async def _watch(self) -> None:
        asked = 0
        while True:
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await self._heard.wait()
            except TimeoutError:
                if asked == QUESTIONS:
                    self._over.set()
                    return
                asked += 1
                await self._model.send_event(RealtimeModelSendUserInput(user_input=ASKS))
            else:
                self._heard.clear()
                asked = 0

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            await self._model.send_event(RealtimeModelSendRawMessage(message={"type": "heartbeat"}))


def night(hours: float = HOURS, silences: Sequence[float] = SILENCES_SECONDS) -> ScriptedModel:
    """The inner model: a caller who talks for so many hours, and then says nothing any more."""

    async def script(model: Scripted) -> None:
        loop = asyncio.get_running_loop()
        for number, silence in enumerate(cycle(silences)):
            await asyncio.sleep(silence)
            if loop.time() > hours * 3600:
                return
            said = RealtimeModelInputAudioTranscriptionCompletedEvent(
                item_id=f"item_{number}", transcript=f"And then, number {number}."
            )
            response = f"resp_{number}"
            delta = RealtimeModelTranscriptDeltaEvent(
                item_id=f"item_{number}a", delta="Go on.", response_id=response
            )
            await model.emit(said, RealtimeModelTurnStartedEvent(response_id=response), delta)
            await asyncio.sleep(0.7)
            await model.emit(RealtimeModelTurnEndedEvent(response_id=response))

    def inside(event: RealtimeModelSendEvent) -> list[RealtimeModelEvent]:
        asks = isinstance(event, RealtimeModelSendUserInput)
        return [RealtimeModelTurnStartedEvent(response_id=None)] if asks else []

    return ScriptedModel(script, inside)
