"""Applications of the SDK whose tool asks before it runs, each with something that is wrong: what the verdict
says. `docs/replay.md` has the rows, among those of other applications."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from agents import function_tool
from agents.realtime import (
    RealtimeAgent,
    RealtimeModel,
    RealtimeModelAudioEvent,
    RealtimeModelAudioInterruptedEvent,
    RealtimeModelSendUserInput,
    RealtimeModelToolCallEvent,
    RealtimePlaybackTracker,
    RealtimeRunner,
    RealtimeSession,
    model_events,
)
from realtape.integrations.openai_agents import Recorder, replay, run
from support.releases import of_today
from support.scripted import Scripted
from support.shapes import APPROVED, CHUNK_MS, ITEM, Fault
from support.verdicts import told_by_page, word

pytestmark = of_today

_, SUPERVISOR = APPROVED
Asked = Callable[[str], Awaitable[None]]


class Model(Scripted, RealtimeModel):
    """Asks the tracker and interrupts it, as the SDK's own does."""

    tracker: Any = None

    async def connect(self, options: Any) -> None:
        self.tracker = options["playback_tracker"]
        await super().connect(options)


async def _script(model: Model) -> None:
    await asyncio.sleep(0.1)
    for _ in range(20):
        await model.emit(
            RealtimeModelAudioEvent(data=bytes(4800), response_id="r", item_id=ITEM, content_index=0)
        )
    await model.emit(RealtimeModelToolCallEvent(name="pay", call_id="call_1", arguments='{"euros": 9}'))
    await model.until_sent(1)
    await asyncio.sleep(1)
    model.tracker.get_state()
    await model.emit(RealtimeModelAudioInterruptedEvent(item_id=ITEM, content_index=0))
    model.tracker.on_interrupted()
    await asyncio.sleep(0.75)
    await model.emit(model_events.RealtimeModelEndOfStreamEvent())


class Till:
    """Takes payments that somebody approves, and plays what it hears.

    Args:
        shape: who approves.
        fault: what is changed; None: it does what was recorded.
    """

    def __init__(self, shape: str, fault: Fault | None = None) -> None:
        self._supervised = shape == SUPERVISOR
        self._fault = fault
        self._tracker = RealtimePlaybackTracker()
        self._playing: asyncio.Task[None] | None = None

    async def __call__(self, model: Any) -> None:
        @function_tool(needs_approval=True)
        async def pay(euros: int) -> str:
            """Take so much."""
            return f"{euros} paid"

        runner = RealtimeRunner(
            RealtimeAgent(name="till", tools=[pay]), model=model, config={"tracing_disabled": True}
        )
        config: Any = {"playback_tracker": self._tracker}
        async with (
            await runner.run(model_config=config) as session,
            self._approving(session, model) as asked,
        ):
            async for event in session:
                await self._hear(event, asked)
        if self._playing is not None:
            self._playing.cancel()

    async def _hear(self, event: Any, asked: Asked) -> None:
        if event.type == "tool_approval_required":
            await asked(event.call_id)
        elif event.type == "audio" and self._playing is None:
            self._playing = asyncio.create_task(self._play())
        elif event.type == "audio_interrupted" and self._playing is not None:
            _ = self._fault is Fault.GOES_ON or self._playing.cancel()

    @asynccontextmanager
    async def _approving(self, session: RealtimeSession, model: Any) -> AsyncGenerator[Asked]:
        asked = asyncio.Queue[str]()

        async def approve(call_id: str) -> None:
            if self._fault is not Fault.TAKEN_OUT:
                await session.approve_tool_call(call_id)
            if self._fault is Fault.ADDED:
                await model.send_event(RealtimeModelSendUserInput(user_input="Approved."))

        async def supervise() -> None:
            while True:
                await approve(await asked.get())

        supervisor = asyncio.create_task(supervise())
        yield asked.put if self._supervised else approve
        supervisor.cancel()

    async def _play(self) -> None:
        for number in range(20):
            await asyncio.sleep(CHUNK_MS / 1000)
            if self._fault is not Fault.STOPS or number < 3:
                self._tracker.on_play_ms(ITEM, 0, CHUNK_MS)


@pytest.mark.parametrize("shape", APPROVED)
def test_the_verdict_is_what_the_page_says(tmp_path: Path, shape: str) -> None:
    store = tmp_path / "log.db"

    async def record() -> None:
        async with Recorder(store) as recorder:
            await Till(shape)(recorder.wrap(Model(_script)))

    run(record())
    unchanged = run(replay(store, Till(shape)))
    assert (unchanged.verdict, unchanged.report.remark) == ("same", ""), str(unchanged)
    said = [word(run(replay(store, Till(shape, fault), on_divergence="collect"))) for fault in Fault]
    assert said == told_by_page()[shape]
