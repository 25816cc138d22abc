"""Replays that deadlock in a naive player: each ends by itself, with a timeout as the only guard."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from agents import function_tool
from agents.realtime import RealtimeAgent, RealtimeModel, RealtimeRunner, RealtimeSession
from agents.realtime.model_events import (
    RealtimeModelAudioEvent,
    RealtimeModelAudioInterruptedEvent,
    RealtimeModelToolCallEvent,
    RealtimeModelTurnEndedEvent,
    RealtimeModelTurnStartedEvent,
)
from agents.realtime.model_inputs import RealtimeModelSendInterrupt, RealtimeModelSendToolOutput
from realtape.integrations.openai_agents import Recorder, ReplayModel
from realtape.replay import ReplayReport
from realtape.session import Recording
from support.scripted import Listening, Scripted

GUARD_SECONDS = 10.0
pytestmark = pytest.mark.real_time
App = Callable[[RealtimeModel], Awaitable[list[str]]]


class ScriptedModel(Scripted, RealtimeModel):
    """Behind the SDK's interface."""


def interrupted(event: Any) -> list[Any]:
    """The SDK's model emits this inside `interrupt()`."""
    if isinstance(event, RealtimeModelSendInterrupt):
        return [RealtimeModelAudioInterruptedEvent(item_id="item_1", content_index=0)]
    return []


def tool_call(number: int) -> RealtimeModelToolCallEvent:
    return RealtimeModelToolCallEvent(
        name="look_up", call_id=f"call_{number}", arguments=f'{{"number": {number}}}', id=f"item_{number}"
    )


def tool_output(call: RealtimeModelToolCallEvent) -> RealtimeModelSendToolOutput:
    return RealtimeModelSendToolOutput(tool_call=call, output=f"found {call.call_id}", start_response=True)


async def record(store: Path, script: Callable[[Any], Awaitable[None]], app: App) -> list[str]:
    """Run an application against a scripted model, recorded; returns what it heard."""
    async with Recorder(store) as recorder, asyncio.timeout(GUARD_SECONDS):
        return await app(recorder.wrap(ScriptedModel(script, interrupted)))


async def replay(store: Path, app: App, **options: Any) -> tuple[list[str], ReplayReport]:
    """Run an application against the recording; returns what it heard, and the report."""
    async with asyncio.timeout(GUARD_SECONDS), await Recording.open(store) as recording:
        model = ReplayModel(recording, **options)
        heard = await app(model)
        return heard, await model.finished()


async def listen(
    model: RealtimeModel, react: Callable[[Any], Awaitable[None]], *, closes: bool = True
) -> list[str]:
    """An application without the SDK's session: one listener, until the turn has ended."""
    listening = Listening(react)
    model.add_listener(listening)  # pyright: ignore[reportArgumentType] - ours has the SDK's shape
    await model.connect({})
    await listening.over.wait()
    if closes:
        await model.close()
    return listening.types


async def two_calls(model: ScriptedModel) -> None:
    """Two tool calls in one response; the turn ends when both were answered."""
    await model.emit(RealtimeModelTurnStartedEvent(), tool_call(1), tool_call(2))
    await model.until_sent(2, "ToolOutput")
    await model.emit(RealtimeModelTurnEndedEvent())


def behind_a_lock(delays: dict[str, float]) -> App:
    """Answers each call from a task of its own, that holds a lock while it sends."""

    async def app(model: RealtimeModel) -> list[str]:
        lock = asyncio.Lock()
        tasks: list[asyncio.Task[None]] = []

        async def answer(call: Any) -> None:
            await asyncio.sleep(delays[call.call_id])
            async with lock:
                await model.send_event(tool_output(call))

        async def react(event: Any) -> None:
            if event.type == "function_call":
                tasks.append(asyncio.create_task(answer(event)))

        heard = await listen(model, react)
        await asyncio.gather(*tasks)
        return heard

    return app


@pytest.mark.parametrize("delays", [{"call_1": 0.0, "call_2": 0.02}, {"call_1": 0.02, "call_2": 0.0}])
async def test_commuting_outputs_behind_a_lock(tmp_path: Path, delays: dict[str, float]) -> None:
    recorded = await record(tmp_path / "log.db", two_calls, behind_a_lock({"call_1": 0.0, "call_2": 0.01}))
    heard, report = await replay(tmp_path / "log.db", behind_a_lock(delays))
    assert heard == recorded
    assert not report.diverged


def answering(where: str) -> App:
    """Answers a call inside the listener, or from a task."""

    async def app(model: RealtimeModel) -> list[str]:
        tasks: list[asyncio.Task[None]] = []

        async def react(event: Any) -> None:
            if event.type != "function_call":
                return
            if where == "listener":
                await model.send_event(tool_output(event))
            else:
                tasks.append(asyncio.create_task(model.send_event(tool_output(event))))

        heard = await listen(model, react)
        await asyncio.gather(*tasks)
        return heard

    return app


@pytest.mark.parametrize(("before", "after"), [("task", "listener"), ("listener", "task")])
async def test_a_send_moves_between_task_and_listener(tmp_path: Path, before: str, after: str) -> None:
    async def script(model: ScriptedModel) -> None:
        # The audio comes while the task is at it: a listener that awaits its send stands in its way.
        audio = RealtimeModelAudioEvent(data=b"\0" * 480, response_id="r", item_id="item_1", content_index=0)
        await model.emit(RealtimeModelTurnStartedEvent(), tool_call(1), audio)
        await model.until_sent(1, "ToolOutput")
        await model.emit(RealtimeModelTurnEndedEvent())

    recorded = await record(tmp_path / "log.db", script, answering(before))
    heard, report = await replay(tmp_path / "log.db", answering(after))
    assert heard == recorded
    assert not report.diverged


async def test_close_from_a_listener(tmp_path: Path) -> None:
    async def script(model: ScriptedModel) -> None:
        await model.emit(RealtimeModelTurnStartedEvent(), RealtimeModelTurnEndedEvent())
        await model.emit(RealtimeModelTurnStartedEvent())  # what was read already is still given

    async def app(model: RealtimeModel) -> list[str]:
        async def react(event: Any) -> None:
            if event.type == "turn_ended":
                await model.close()

        heard = await listen(model, react, closes=False)
        await asyncio.sleep(0.01)
        return heard

    recorded = await record(tmp_path / "log.db", script, app)
    heard, report = await replay(tmp_path / "log.db", app)
    assert heard == recorded == ["turn_started", "turn_ended", "turn_started"]
    assert not report.diverged


def session_app(*, interrupts: bool = False, tool_closes: bool = False, async_tool_calls: bool = True) -> App:
    """An application of the SDK: a session with one tool, until it is closed or the turn has ended."""

    async def app(model: RealtimeModel) -> list[str]:
        holder: list[RealtimeSession] = []
        closed = asyncio.Event()

        @function_tool
        async def look_up(number: int) -> str:
            await asyncio.sleep(0.005)
            if tool_closes:
                try:
                    await holder[0].close()
                finally:
                    closed.set()
            return f"found {number}"

        agent = RealtimeAgent(name="operator", instructions="Answer.", tools=[look_up])
        runner = RealtimeRunner(
            agent, model=model, config={"tracing_disabled": True, "async_tool_calls": async_tool_calls}
        )
        heard: list[str] = []

        async def listen_to(session: RealtimeSession) -> None:
            async for event in session:
                heard.append(event.type)
                if event.type == "agent_end":
                    return

        async with await runner.run() as session:
            holder.append(session)
            listening = asyncio.create_task(listen_to(session))
            closing = asyncio.create_task(closed.wait())
            # Before 0.20 the SDK leaves the loop waiting when a tool closes the session.
            await asyncio.wait({listening, closing}, return_when=asyncio.FIRST_COMPLETED)
            for task in (listening, closing):
                task.cancel()
            await asyncio.gather(listening, closing, return_exceptions=True)
        return heard

    return app


async def one_call(model: ScriptedModel) -> None:
    await model.emit(RealtimeModelTurnStartedEvent(), tool_call(1))
    await model.until_sent(1, "ToolOutput")
    await model.emit(RealtimeModelTurnEndedEvent())


@pytest.mark.parametrize("recorded_async", [False, True])
@pytest.mark.parametrize("replayed_async", [False, True])
async def test_tools_inside_the_listener(tmp_path: Path, recorded_async: bool, replayed_async: bool) -> None:
    before = session_app(async_tool_calls=recorded_async)
    recorded = await record(tmp_path / "log.db", one_call, before)
    heard, report = await replay(tmp_path / "log.db", session_app(async_tool_calls=replayed_async))
    assert sorted(heard) == sorted(recorded)
    assert not report.diverged
    if recorded_async == replayed_async:
        assert heard == recorded


async def test_a_tool_that_closes_the_session(tmp_path: Path) -> None:
    app = session_app(tool_closes=True)
    recorded = await record(tmp_path / "log.db", one_call, app)
    heard, report = await replay(tmp_path / "log.db", app)
    assert heard == recorded
    assert not report.diverged


async def test_an_interrupt_that_nobody_sends(tmp_path: Path) -> None:
    """`audio_interrupted` happened inside `interrupt()`, by a user who is not there any more."""
    had_interrupted = asyncio.Event()

    async def script(model: ScriptedModel) -> None:
        audio = RealtimeModelAudioEvent(data=b"\0" * 480, response_id="r", item_id="item_1", content_index=0)
        await model.emit(RealtimeModelTurnStartedEvent(), audio)
        await had_interrupted.wait()
        await model.emit(RealtimeModelTurnEndedEvent())

    def app(interrupts: bool) -> App:
        async def run(model: RealtimeModel) -> list[str]:
            async def user() -> None:
                await asyncio.sleep(0.01)
                await session.interrupt()
                had_interrupted.set()

            agent = RealtimeAgent(name="operator", instructions="Answer.")
            runner = RealtimeRunner(agent, model=model, config={"tracing_disabled": True})
            heard: list[str] = []
            async with await runner.run() as session:
                interruption = asyncio.create_task(user()) if interrupts else None
                async for event in session:
                    if event.type != "raw_model_event":
                        heard.append(event.type)
                    if event.type == "agent_end":
                        break
                if interruption is not None:
                    await interruption
            return heard

        return run

    recorded = await record(tmp_path / "log.db", script, app(interrupts=True))
    assert "audio_interrupted" in recorded
    heard, report = await replay(tmp_path / "log.db", app(interrupts=False))
    assert heard == recorded
    assert [one.type for one in report.unchecked] == ["send_interrupt"]
    assert not report.diverged
    heard, report = await replay(tmp_path / "log.db", app(interrupts=True))
    assert heard == recorded
    assert not report.diverged
