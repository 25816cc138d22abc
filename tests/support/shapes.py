"""One application in many shapes: how it hands what it hears to what answers it; and what may go wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

from realtape.recorder import Recorder
from realtape.replay import run
from realtape.schema import (
    RealtimeModelAudioDoneEvent,
    RealtimeModelAudioEvent,
    RealtimeModelAudioInterruptedEvent,
    RealtimeModelEndOfStreamEvent,
    RealtimeModelListener,
    RealtimeModelSendToolOutput,
    RealtimeModelSendUserInput,
    RealtimeModelToolCallEvent,
    RealtimeModelTurnEndedEvent,
    RealtimePlaybackTracker,
)

from .hand_overs import ANSWER, HAND_OVERS, Answer, Hand
from .scripted import Scripted, ScriptedModel

ITEM = "item_1"
CHUNK_MS = 100
TWO = "two sessions at once in one process"
SHARED = "a queue and its worker, which two sessions share"
PAIRS = (TWO, SHARED)
APPROVED = (
    "the SDK's session: a tool that asks, and is approved by the `async for`",
    "the SDK's session: a tool that asks, and is approved by a supervisor behind a queue",
)
"""Of these `tests/integrations/test_approved_tools.py` has the applications."""
SHAPES = (*HAND_OVERS, *PAIRS)


class Fault(StrEnum):
    """What is changed in an application."""

    TAKEN_OUT = "a reaction taken out"
    ADDED = "a reaction added"
    STOPS = "the player stops"
    GOES_ON = "the player goes on"


class Desk:
    """What sessions of one process share: a queue, and a worker that is there as long as one of them."""

    def __init__(self) -> None:
        self._sessions = 0
        self._worker: asyncio.Task[None] | None = None
        self._answers: asyncio.Queue[Answer] | None = None

    @asynccontextmanager
    async def hand_over(self, answer: Answer, group: asyncio.TaskGroup) -> AsyncGenerator[Hand]:
        """As one of `HAND_OVERS`."""
        if self._answers is None:
            self._answers = asyncio.Queue()
            self._worker = asyncio.create_task(self._work(self._answers))
        self._sessions += 1
        answers = self._answers

        async def hand() -> None:
            answers.put_nowait(answer)

        yield hand
        self._sessions -= 1
        if not self._sessions and self._worker is not None:
            self._worker.cancel()

    async def _work(self, answers: asyncio.Queue[Answer]) -> None:
        while True:
            await (await answers.get())()


class Shaped(RealtimeModelListener):
    """Plays what it hears, answers a call of a tool, and asks, by some hand-over, when a sound is done.

    Args:
        shape: the hand-over.
        fault: what is changed; None: it does what was recorded.
        desk: what it shares with another.
    """

    def __init__(self, shape: str, fault: Fault | None = None, desk: Desk | None = None) -> None:
        self._shape = shape
        self._desk = desk
        self._fault = fault
        self._tracker = RealtimePlaybackTracker()
        self._over = asyncio.Event()
        self._tasks: list[asyncio.Task[Any]] = []
        self._playing: asyncio.Task[None] | None = None

    async def __call__(self, model: Any) -> None:
        """The application."""

        async def answer() -> None:
            if self._fault is not Fault.TAKEN_OUT:
                await model.send_event(RealtimeModelSendUserInput(user_input=ANSWER))
            if self._fault is Fault.ADDED:
                await model.send_event(RealtimeModelSendUserInput(user_input="Hello?"))

        self.model = model
        if self._shape == SHARED:
            assert self._desk is not None, "it is shared"
            hand_over: Any = self._desk.hand_over
        else:
            hand_over = HAND_OVERS["`await` in the listener" if self._shape == TWO else self._shape]
        async with asyncio.TaskGroup() as group, hand_over(answer, group) as self.hand:
            await self._run(model)

    hand: Hand

    async def _run(self, model: Any) -> None:
        model.add_listener(self)
        await model.connect({"playback_tracker": self._tracker})
        await self._over.wait()
        if self._playing is not None:
            self._playing.cancel()
        await asyncio.gather(*self._tasks)
        await model.close()

    async def on_event(self, event: Any) -> None:
        """What the model says."""
        if event.type == "audio" and self._playing is None:
            self._playing = asyncio.create_task(self._play())
        elif event.type == "audio_interrupted" and self._playing is not None:
            if self._fault is not Fault.GOES_ON:
                self._playing.cancel()
        elif event.type == "function_call":
            self._tasks.append(asyncio.create_task(self._work(event)))
        elif event.type == "audio_done":
            await self.hand()
        elif event.type == "end_of_stream":
            self._over.set()

    async def _work(self, call: Any) -> None:
        await asyncio.sleep(0.05)
        output = RealtimeModelSendToolOutput(tool_call=call, output="done", start_response=True)
        await self.model.send_event(output)

    async def _play(self) -> None:
        for number in range(20):
            await asyncio.sleep(CHUNK_MS / 1000)
            if self._fault is not Fault.STOPS or number < 3:
                self._tracker.on_play_ms(ITEM, 0, CHUNK_MS)


class Tracking(ScriptedModel):
    """Asks the tracker and interrupts it, as the SDK's model does."""

    tracker: Any = None

    async def connect(self, options: Any) -> None:
        self.tracker = options["playback_tracker"]
        await super().connect(options)


async def script(model: Scripted) -> None:
    """The model's side."""
    assert isinstance(model, Tracking)
    await asyncio.sleep(0.1)
    for _ in range(20):
        audio = RealtimeModelAudioEvent(data=bytes(4800), response_id="r", item_id=ITEM, content_index=0)
        await model.emit(audio)
    await model.emit(RealtimeModelAudioDoneEvent(item_id=ITEM, content_index=0))
    await model.emit(
        RealtimeModelToolCallEvent(name="look_up", call_id="call_1", arguments="{}", id="item_2")
    )
    await model.until_sent(2)
    await asyncio.sleep(1)
    model.tracker.get_state()
    await model.emit(RealtimeModelAudioInterruptedEvent(item_id=ITEM, content_index=0))
    model.tracker.on_interrupted()
    await asyncio.sleep(0.75)
    await model.emit(RealtimeModelTurnEndedEvent(), RealtimeModelEndOfStreamEvent())


def record_shape(store: Path, shape: str, *, real_time: bool = False) -> None:
    """Record it, on virtual time, or as an ordinary loop runs it."""

    async def main() -> None:
        async with Recorder(store) as recorder:
            count = 2 if shape in PAIRS else 1
            models = [recorder.wrap(Tracking(script)) for _ in range(count)]
            desk = Desk()
            await asyncio.gather(*(Shaped(shape, desk=desk)(model) for model in models))

    if real_time:
        asyncio.run(main())
    else:
        run(main())
