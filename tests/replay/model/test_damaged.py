"""A recording with an entry that cannot be read."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from realtape.recorder import Recorder
from realtape.replay import DivergenceError, ReplayModel
from realtape.schema import CorruptRecordError, RealtapeError, RealtimeModel, RealtimeModelSendUserInput
from realtape.session import Recording
from support.answering import answers, greeting, record, replay
from support.forging import reseal
from support.scripted import Listening, ScriptedModel, tool_output


def damage(store: Path, where: str) -> None:
    with closing(sqlite3.connect(store)) as database, database:
        database.execute("DROP TRIGGER entries_no_update")
        database.execute(f"UPDATE entries SET payload = '{{' WHERE {where}")
    reseal(store)


async def test_a_damaged_recording_is_played_as_far_as_it_goes(tmp_path: Path) -> None:
    await record(tmp_path / "log.db", greeting, answers())
    damage(tmp_path / "log.db", "type = 'transcript_delta'")
    listening = Listening(until="exception")

    async def app(model: RealtimeModel) -> None:
        async def react(event: Any) -> None:
            if event.type == "function_call":
                await model.send_event(tool_output(event, None))

        listening.react = react
        model.add_listener(listening)
        await model.connect({})
        await listening.over.wait()
        with pytest.raises(CorruptRecordError, match="payload cannot be read"):
            await model.send_event(RealtimeModelSendUserInput("still there?"))

    with pytest.raises(CorruptRecordError, match="payload cannot be read"):
        await replay(tmp_path / "log.db", app)
    assert listening.types == ["turn_started", "audio", "function_call", "exception"]


@pytest.mark.parametrize("where", ["seq = 0", "type = 'turn_started'", "type = 'send_tool_output'"])
async def test_what_cannot_be_played_any_further_raises(tmp_path: Path, where: str) -> None:
    """Where the application is told to connect, or makes the call that cannot be read, or waits."""
    await record(tmp_path / "log.db", greeting, answers())
    damage(tmp_path / "log.db", where)
    raised: list[Exception] = []

    async def app(model: RealtimeModel) -> None:
        async def react(event: Any) -> None:
            if event.type == "function_call":
                try:
                    await model.send_event(tool_output(event, None))
                except CorruptRecordError as error:
                    raised.append(error)

        listening = Listening(react, until="exception")
        model.add_listener(listening)
        await model.connect({})
        await listening.over.wait()

    with pytest.raises(CorruptRecordError, match="payload cannot be read"):
        await replay(tmp_path / "log.db", app)
    assert len(raised) == (where == "type = 'send_tool_output'")


async def test_what_is_damaged_far_ahead_hides_no_divergence(tmp_path: Path) -> None:
    await record(tmp_path / "log.db", greeting, answers())
    damage(tmp_path / "log.db", "kind = 'close'")
    async with await Recording.open(tmp_path / "log.db") as recording:
        model = ReplayModel(recording, on_divergence="collect")
        with pytest.raises(CorruptRecordError):
            await answers("something else")(model)
        assert [one.kind for one in model.report.divergences] == ["changed"]


async def test_a_close_that_meets_the_damage_ends_the_replay(tmp_path: Path) -> None:
    await record(tmp_path / "log.db", greeting, answers())
    damage(tmp_path / "log.db", "kind = 'close'")
    async with await Recording.open(tmp_path / "log.db") as recording:
        model = ReplayModel(recording)
        with pytest.raises(CorruptRecordError):
            await answers()(model)
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        with pytest.raises(CorruptRecordError):
            await model.finished()


async def test_damage_behind_a_close_that_is_not_made_is_no_end(tmp_path: Path) -> None:
    await record(tmp_path / "log.db", greeting, answers())
    damage(tmp_path / "log.db", "kind = 'closed'")
    with pytest.raises(CorruptRecordError, match="payload cannot be read"):
        await replay(tmp_path / "log.db", answers(closes=False))


@pytest.mark.parametrize("where", ["seq = 0", "seq = 1", "kind = 'sent'"])
@pytest.mark.parametrize("first_differs", [False, True])
async def test_who_connects_again_all_the_same_is_told_again(
    tmp_path: Path, where: str, first_differs: bool
) -> None:
    """The second session of the model is damaged, too; or the first one diverged."""
    async with Recorder(tmp_path / "log.db") as recorder:
        model = recorder.wrap(ScriptedModel(greeting))
        for _ in range(2):
            await answers()(model)
    damage(tmp_path / "log.db", where + (" AND session > 1" if first_differs else ""))
    with closing(sqlite3.connect(tmp_path / "log.db")) as database:
        (first,) = database.execute("SELECT id FROM sessions ORDER BY key LIMIT 1").fetchone()
    async with await Recording.open(tmp_path / "log.db", first) as recording:
        model = ReplayModel(recording)
        for _ in range(2):
            listening = Listening(until="exception")

            async def react(event: Any) -> None:
                if event.type == "function_call":
                    await model.send_event(tool_output(event, "another" if first_differs else None))

            listening.react = react
            model.add_listener(listening)
            try:
                await model.connect({})
                await listening.over.wait()
                await model.close()
            except RealtapeError:
                continue
            finally:
                model.remove_listener(listening)
        with pytest.raises(DivergenceError if first_differs else CorruptRecordError):
            await model.finished()
