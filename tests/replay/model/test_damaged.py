"""A recording with an entry that cannot be read."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from realtape.schema import (
    CorruptRecordError,
    RealtimeModel,
    RealtimeModelSendUserInput,
)
from support.answering import answers, greeting, record, replay
from support.scripted import Listening, tool_output


def damage(store: Path, where: str) -> None:
    with closing(sqlite3.connect(store)) as database, database:
        database.execute("DROP TRIGGER entries_no_update")
        database.execute(f"UPDATE entries SET payload = '{{' WHERE {where}")


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
