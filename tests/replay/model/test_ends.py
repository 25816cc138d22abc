"""How connections end, and what comes after: failed ones, chains, recordings without an end."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from realtape.recorder import Recorder
from realtape.replay import DivergenceError, ReplayModel, ReplayReport, run
from realtape.schema import (
    RealtimeModel,
    RealtimeModelConnectionStatusEvent,
    RealtimeModelEndOfStreamEvent,
    RealtimeModelItemDeletedEvent,
    RealtimeModelSendUserInput,
    RealtimeModelTurnEndedEvent,
)
from realtape.session import Recording
from support import telephone
from support.answering import answers, greeting, record, replay
from support.scripted import Listening, Scripted, ScriptedModel, tool_output


async def test_a_failed_connect_fails_again_and_the_next_plays_the_next(tmp_path: Path) -> None:
    class Flaky(ScriptedModel):
        tries = 0

        async def connect(self, options: Any) -> None:
            self.tries += 1
            if self.tries == 1:
                raise OSError(111, "refused")
            await super().connect(options)

    async def script(model: Scripted) -> None:
        await model.emit(RealtimeModelTurnEndedEvent())

    async def app(model: RealtimeModel) -> list[str]:
        listening = Listening()
        model.add_listener(listening)
        try:
            await model.connect({})
        except ConnectionRefusedError as error:
            listening.heard.append(RealtimeModelItemDeletedEvent(str(error)))
        await model.connect({})
        await listening.over.wait()
        await model.close()
        return [*listening.types, listening.heard[0].item_id]

    async with Recorder(tmp_path / "log.db") as recorder:
        recorded = await app(recorder.wrap(Flaky(script)))
    async with await Recording.open(tmp_path / "log.db") as newest:
        first = newest.header.previous_session
    replayed, report = await replay(tmp_path / "log.db", app, first)
    assert replayed == recorded == ["item_deleted", "turn_ended", "[Errno 111] refused"]
    assert len(report.recordings) == 2


@pytest.mark.parametrize("strict", [False, True])
async def test_a_connection_that_is_not_made_again_is_told(tmp_path: Path, strict: bool) -> None:
    """By the model itself, to who holds it; once it is made, there is nothing to tell."""
    async with Recorder(tmp_path / "log.db") as recorder:
        await telephone.twice(recorder.wrap(telephone.Telephone()))
    async with await Recording.open(tmp_path / "log.db") as recording:
        model = ReplayModel(recording, strict=strict)
        await telephone.app(model)
        assert (model.report.unmade, model.report.diverged) == (0, False)
        if strict:
            with pytest.raises(DivergenceError, match="missing: connect, after 1 connection"):
                await model.finished()
        else:
            assert (await model.finished()).remark == "1 connection that followed was not made again"
        report = model.report
        assert (report.unmade, report.diverged) == (1, strict)
        assert report.unplayed == len(recording.drafts()[1].entries)
        await telephone.app(model)
        report = await model.finished()
        assert (report.unmade, report.unplayed, report.diverged) == (0, 0, False)


async def test_a_connect_too_many(tmp_path: Path) -> None:
    await record(tmp_path / "log.db", greeting, answers())
    async with await Recording.open(tmp_path / "log.db") as recording:
        model = ReplayModel(recording)
        await answers()(model)
        with pytest.raises(DivergenceError, match="no further connection"):
            await model.connect({})


@pytest.mark.parametrize("at_end", ["end_of_stream", "hold", "cancel"])
async def test_where_the_recording_holds_no_end(tmp_path: Path, at_end: Any) -> None:
    """The recorder was closed before the application was."""
    recorder = Recorder(tmp_path / "log.db")
    inner = ScriptedModel(greeting)
    await answers(closes=False)(recorder.wrap(inner))
    await recorder.close()
    await inner.close()
    heard: list[str] = []

    async def app(model: RealtimeModel) -> None:
        async def react(event: Any) -> None:
            heard.append(event.type)
            if event.type == "function_call":
                await model.send_event(tool_output(event))

        listening = Listening(react, until="end_of_stream")
        model.add_listener(listening)
        await model.connect({})
        async with asyncio.timeout(3600):
            await listening.over.wait()

    if at_end == "end_of_stream":
        _, report = await replay(tmp_path / "log.db", app, at_end=at_end)
        assert heard[-1] == "end_of_stream"
        assert report.finished
    elif at_end == "hold":
        with pytest.raises(TimeoutError):
            await replay(tmp_path / "log.db", app, at_end=at_end)
        assert heard[-1] == "turn_ended"
    else:
        with pytest.raises(asyncio.CancelledError):
            await replay(tmp_path / "log.db", app, at_end=at_end)


async def test_a_hang_up_that_nobody_makes(tmp_path: Path) -> None:
    """The recorded user hung up; the replayed one waits for events, and gets the end of the stream."""

    async def script(model: Scripted) -> None:
        await model.emit(RealtimeModelTurnEndedEvent())

    async def hangs_up(model: RealtimeModel) -> None:
        await model.connect({})
        await asyncio.sleep(0.02)
        await model.close()

    async def waits(model: RealtimeModel) -> list[str]:
        listening = Listening(until="end_of_stream")
        model.add_listener(listening)
        await model.connect({})
        await listening.over.wait()
        await model.close()
        return listening.types

    await record(tmp_path / "log.db", script, hangs_up)
    types, report = await replay(tmp_path / "log.db", waits)
    assert types == ["end_of_stream"]  # nobody listened when it was recorded
    assert not report.diverged


async def test_a_stream_that_ended_ends_as_recorded(tmp_path: Path) -> None:
    async def script(model: Scripted) -> None:
        await model.emit(RealtimeModelConnectionStatusEvent(status="disconnected"))
        await model.emit(RealtimeModelEndOfStreamEvent())

    async def app(model: RealtimeModel) -> list[str]:
        listening = Listening(until="end_of_stream")
        model.add_listener(listening)
        await model.connect({})
        await listening.over.wait()
        await asyncio.sleep(0.02)
        return listening.types

    await record(tmp_path / "log.db", script, app)
    types, _ = await replay(tmp_path / "log.db", app)
    assert types == ["connection_status", "end_of_stream"]


async def test_no_task_is_left(tmp_path: Path) -> None:
    await record(tmp_path / "log.db", greeting, answers())
    await replay(tmp_path / "log.db", answers())
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


def test_a_send_behind_a_close_that_does_not_come_returns(tmp_path: Path) -> None:
    """The recorded application closed with a task at work; this one waits for it, after the end."""

    async def app(model: RealtimeModel, *, waits: bool) -> list[str]:
        told: list[str] = []

        async def late() -> None:
            await asyncio.sleep(0.02)
            await model.send_event(RealtimeModelSendUserInput(user_input="late"))
            told.append("sent")

        await model.connect({})
        task = asyncio.create_task(late())
        if waits:
            await asyncio.wait_for(task, 60)
        await model.close()
        await task
        return told

    async def record() -> None:
        async with Recorder(tmp_path / "log.db") as recorder:
            await app(recorder.wrap(ScriptedModel(_silent)), waits=False)

    async def replay() -> tuple[list[str], ReplayReport]:
        async with await Recording.open(tmp_path / "log.db") as recording:
            model = ReplayModel(recording, expect="none")
            return await app(model, waits=True), await model.finished()

    run(record())
    told, report = run(replay())
    assert told == ["sent"]
    assert not report.diverged


async def _silent(model: Scripted) -> None:
    """It says nothing."""
