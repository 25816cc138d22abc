"""A recording by a release whose classes lacked a field: what a newer release sends in it matches."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from realtape.recorder import Recorder
from realtape.replay import ReplayModel, ReplayReport, run
from realtape.schema import RealtimeModel, RealtimeModelSendInterrupt, RealtimeModelSendRawMessage
from realtape.session import Recording
from support.forging import reseal
from support.scripted import Listening, Scripted, ScriptedModel, tool_call, tool_output


async def script(model: Scripted) -> None:
    await model.emit(tool_call(1))


async def application(model: RealtimeModel, response: str | None, item: str | None, cancels: bool) -> None:
    async def react(event: Any) -> None:
        if event.type == "function_call":
            interrupt = RealtimeModelSendInterrupt(force_response_cancel=cancels, response_id=response)
            await model.send_event(interrupt)
            event.previous_item_id = item
            await model.send_event(tool_output(event, "found"))
            message: Any = {"type": "response.create", "other_data": {"response_id": response}}
            await model.send_event(RealtimeModelSendRawMessage(message=message))
            over.heard.clear()
            over.over.set()

    over = Listening(react)
    model.add_listener(over)
    await model.connect({})
    await over.over.wait()
    await model.close()


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """By a release that knew neither the response of an interruption nor the item before a call."""
    store = tmp_path / "old.db"

    async def record() -> None:
        async with Recorder(store) as recorder:
            await application(recorder.wrap(ScriptedModel(script)), None, None, cancels=False)

    run(record())
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("DROP TRIGGER entries_no_update")
        for kind, path in (
            ("send_interrupt", "$.response_id"),
            ("send_tool_output", "$.tool_call.previous_item_id"),
        ):
            changed = connection.execute(
                "UPDATE entries SET payload = json_remove(payload, ?) WHERE type = ? AND payload LIKE ?",
                (path, kind, f"%{path.rpartition('.')[2]}%"),
            )
            assert changed.rowcount == 1
    reseal(store)
    return store


async def replay(store: Path, response: str | None, item: str | None, cancels: bool) -> ReplayReport:
    async with await Recording.open(store) as recording:
        model = ReplayModel(recording, on_divergence="collect")
        await application(model, response, item, cancels)
        return await model.finished()


def test_a_field_that_was_not_known_then_matches_anything(recorded: Path) -> None:
    report = run(replay(recorded, None, "item_0", cancels=False))
    assert not report.diverged, report
    assert any("response_id was not recorded" in note for note in report.notes)


def test_every_other_field_is_compared_and_alone_is_named(recorded: Path) -> None:
    report = run(replay(recorded, "resp_1", "item_0", cancels=True))
    first, second = report.divergences
    assert [one.field for one in first.differences] == ["force_response_cancel"]
    assert [one.field for one in second.differences] == ["message.other_data.response_id"]
