"""A replay that is recorded, replayed and recorded: the second recording equals the first."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from realtape.recorder import Recorder
from realtape.replay import ReplayModel, ReplayReport
from realtape.schema import (
    RealtimeModel,
    RealtimeModelAudioEvent,
    RealtimeModelItemDeletedEvent,
    RealtimeModelSendUserInput,
    RealtimeModelTurnEndedEvent,
    RealtimeModelTurnStartedEvent,
    RealtimePlaybackTracker,
)
from realtape.session import Recording
from support.scripted import Listening, Scripted, ScriptedModel, tool_call, tool_output
from support.stored import only


async def replay(store: Path, app: Any, into: Path | None = None) -> tuple[Any, ReplayReport]:
    """Run an application against a recording, and record that too."""
    async with await Recording.open(store) as recording:
        model = ReplayModel(recording)
        if into is None:
            return await app(model), await model.finished()
        async with Recorder(into) as recorder:
            return await app(recorder.wrap(model)), await model.finished()


async def entries(store: Path) -> list[tuple[Any, ...]]:
    """What must be the same in every recording of the same replay."""
    stored = await only(store)
    return [(one.kind, one.type, one.payload, one.cause, one.of, one.task) for one in stored.entries]


async def test_the_second_recording_equals_the_first(tmp_path: Path) -> None:
    """A first message that nothing caused, a nested event, an answer from a task, a close."""

    async def script(model: Scripted) -> None:
        await model.until_sent(1)
        await asyncio.sleep(0.01)
        await model.emit(RealtimeModelTurnStartedEvent(response_id="r"), tool_call(1), tool_call(2))
        await model.until_sent(2, "ToolOutput")
        await model.emit(RealtimeModelTurnEndedEvent(response_id="r"))

    async def app(model: RealtimeModel) -> list[str]:
        tasks: list[asyncio.Task[None]] = []

        async def react(event: Any) -> None:
            if event.type == "function_call":
                tasks.append(asyncio.create_task(model.send_event(tool_output(event))))

        listening = Listening(react)
        model.add_listener(listening)
        await model.connect({})
        await model.send_event(RealtimeModelSendUserInput(user_input="Hello"))
        await listening.over.wait()
        await asyncio.gather(*tasks)
        await model.close()
        return listening.types

    def inside(event: Any) -> list[Any]:
        return [RealtimeModelItemDeletedEvent("item_9")] if hasattr(event, "tool_call") else []

    async with Recorder(tmp_path / "r0.db") as recorder:
        recorded = await app(recorder.wrap(ScriptedModel(script, inside)))
    once, report = await replay(tmp_path / "r0.db", app, tmp_path / "r1.db")
    again, _ = await replay(tmp_path / "r1.db", app, tmp_path / "r2.db")
    assert once == again == recorded
    assert not report.late
    assert await entries(tmp_path / "r2.db") == await entries(tmp_path / "r1.db")


async def test_a_player_that_lags_behind_plays_nothing_twice(tmp_path: Path) -> None:
    """What was played for it during the replay is not played again when it comes to it, after the end."""
    audio = RealtimeModelAudioEvent(data=b"\0" * 480, response_id="r", item_id="item_1", content_index=0)

    def app(*, lags: bool) -> Any:
        async def run(model: RealtimeModel) -> float | None:
            tracker = RealtimePlaybackTracker()

            async def react(event: Any) -> None:
                if event.type == "audio" and not lags:
                    tracker.on_play_bytes("item_1", 0, event.data)

            listening = Listening(react)
            model.add_listener(listening)
            await model.connect({"playback_tracker": tracker})
            await listening.over.wait()
            await model.close()
            if lags:
                await asyncio.sleep(1)  # the replay is over
            for _ in range(2 if lags else 0):
                tracker.on_play_bytes("item_1", 0, audio.data)
            assert not lags or "on_play_bytes" not in vars(tracker)  # given back as it was
            return tracker.get_state()["elapsed_ms"]

        return run

    async def script(model: Scripted) -> None:
        await model.emit(audio, audio, RealtimeModelTurnEndedEvent())

    async with Recorder(tmp_path / "log.db") as recorder:
        recorded = await app(lags=False)(recorder.wrap(ScriptedModel(script)))
    replayed, report = await replay(tmp_path / "log.db", app(lags=True))
    assert replayed == recorded == 20.0
    assert not report.notes


async def test_the_application_goes_on_where_the_recording_breaks_off(tmp_path: Path) -> None:
    """The recording process died before the tool's answer: that it comes now is no divergence."""
    called = asyncio.Event()

    async def script(model: Scripted) -> None:
        await model.emit(RealtimeModelTurnStartedEvent(response_id="r"), tool_call(1))
        called.set()

    async def silent(model: RealtimeModel) -> None:
        model.add_listener(Listening())
        await model.connect({})
        await called.wait()

    async def answers(model: RealtimeModel) -> list[str]:
        async def react(event: Any) -> None:
            if event.type == "function_call":
                await model.send_event(tool_output(event))

        listening = Listening(react, until="end_of_stream")
        model.add_listener(listening)
        await model.connect({})
        await listening.over.wait()
        return listening.types

    async with Recorder(tmp_path / "log.db") as recorder:
        inner = ScriptedModel(script)
        await silent(recorder.wrap(inner))
        await recorder.flush()
        with closing(sqlite3.connect(tmp_path / "log.db")) as alive:
            with closing(sqlite3.connect(tmp_path / "dead.db")) as dead:
                alive.backup(dead)
        await inner.close()
    types, report = await replay(tmp_path / "dead.db", answers)
    assert types == ["turn_started", "function_call", "end_of_stream"]
    assert not report.diverged
    assert any("send_tool_output was not recorded" in note for note in report.notes)


async def test_no_task_is_left_by_a_close_from_a_listener(tmp_path: Path) -> None:
    """The lane that delivers the event is busy while the replay stops: it ends afterwards."""

    async def script(model: Scripted) -> None:
        await model.emit(RealtimeModelTurnEndedEvent())

    async def app(model: RealtimeModel) -> None:
        async def react(event: Any) -> None:
            await model.close()

        listening = Listening(react)
        model.add_listener(listening)
        await model.connect({})
        await listening.over.wait()

    async with Recorder(tmp_path / "log.db") as recorder:
        await app(recorder.wrap(ScriptedModel(script)))
    await replay(tmp_path / "log.db", app)
    for _ in range(3):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
