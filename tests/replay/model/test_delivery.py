"""What the listeners are given and calls return, on a plain event loop: all of it as recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from realtape.recorder import Recorder
from realtape.schema import (
    RealtimeModel,
    RealtimeModelItemDeletedEvent,
    RealtimeModelSendUserInput,
    RealtimeModelTurnEndedEvent,
    RealtimePlaybackTracker,
    same,
)
from support.answering import AUDIO, App, answers, greeting, record, replay
from support.scripted import Listening, Scripted, ScriptedModel

pytestmark = pytest.mark.real_time


async def test_events_come_again_value_by_value(tmp_path: Path) -> None:
    recorded = await record(tmp_path / "log.db", greeting, answers())
    replayed, report = await replay(tmp_path / "log.db", answers())
    assert same(replayed.heard, recorded.heard)
    assert report.delivered == len(recorded.heard) == 5
    assert report.matched == 3  # connect, the tool output, close
    assert report.finished
    assert not report.diverged
    assert report.unplayed == 0


def deletes_an_item(event: Any) -> list[Any]:
    """What the model emits inside a send."""
    return [RealtimeModelItemDeletedEvent("item_9")]


async def test_what_happened_inside_a_send_happens_inside_it(tmp_path: Path) -> None:
    order: list[str] = []

    async def app(model: RealtimeModel) -> None:
        async def react(event: Any) -> None:
            order.append(event.type)

        listening = Listening(react)
        model.add_listener(listening)
        await model.connect({})
        order.append("before")
        await model.send_event(RealtimeModelSendUserInput(user_input="Hello"))
        order.append("after")
        await listening.over.wait()
        await model.close()

    async def script(model: Scripted) -> None:
        await model.until_sent(1)
        await model.emit(RealtimeModelTurnEndedEvent())

    await record(tmp_path / "log.db", script, app, inside=deletes_an_item)
    assert order == ["before", "item_deleted", "after", "turn_ended"]
    order.clear()
    await replay(tmp_path / "log.db", app)
    assert order == ["before", "item_deleted", "after", "turn_ended"]


async def test_outcomes_come_again(tmp_path: Path) -> None:
    """Values, exceptions, and a condition that was false."""

    class Refusing(ScriptedModel):
        async def connect(self, options: Any) -> None:
            await super().connect(options)

        async def send_event(self, event: Any) -> None:
            raise ConnectionResetError("gone")

        async def send_event_if(self, event: Any, send_if: Callable[[], bool]) -> bool:
            return send_if()

    async def nothing(model: Scripted) -> None:
        await asyncio.sleep(0)

    async def app(model: RealtimeModel) -> list[Any]:
        await model.connect({})
        found: list[Any] = []
        try:
            await model.send_event(RealtimeModelSendUserInput(user_input="Hello"))
        except ConnectionError as error:
            found.append(repr(error))
        asked: list[int] = []
        said = RealtimeModelSendUserInput(user_input="perhaps")
        found.append(await model.send_event_if(said, lambda: bool(asked.append(1))))
        found.append(await model.send_event_if(said, lambda: asked.append(1) is None))
        found.append(len(asked))
        await model.close()
        return found

    async with Recorder(tmp_path / "log.db") as recorder:
        recorded = await app(recorder.wrap(Refusing(nothing)))
    assert recorded == ["ConnectionResetError('gone')", False, True, 2]
    replayed, report = await replay(tmp_path / "log.db", app)
    assert replayed == recorded
    assert not report.diverged


async def test_what_the_user_had_heard_is_again_what_it_was(tmp_path: Path) -> None:
    """The tracker's states, read by a listener, whether or not a player plays offline."""

    def app(plays: bool) -> App:
        async def run(model: RealtimeModel) -> list[Any]:
            tracker = RealtimePlaybackTracker()
            states: list[Any] = []

            async def react(event: Any) -> None:
                states.append(tracker.get_state())
                if event.type == "audio" and plays:
                    tracker.on_play_bytes("item_1", 0, event.data)
                    tracker.on_play_ms("item_1", 0, 2.5)

            listening = Listening(react)
            model.add_listener(listening)
            await model.connect({"playback_tracker": tracker})
            await listening.over.wait()
            await model.close()
            return states

        return run

    async def script(model: Scripted) -> None:
        await model.emit(AUDIO, AUDIO, RealtimeModelTurnEndedEvent())

    recorded = await record(tmp_path / "log.db", script, app(plays=True))
    assert recorded[-1]["elapsed_ms"] == 25.0
    for plays in (True, False):
        states, report = await replay(tmp_path / "log.db", app(plays=plays))
        assert states == recorded
        assert not report.notes


async def test_an_event_of_an_unknown_type_comes_as_other(tmp_path: Path) -> None:
    @dataclass
    class Brainwave:
        hertz: int
        type: str = "brainwave"

    async def script(model: Scripted) -> None:
        await model.emit(Brainwave(40), RealtimeModelTurnEndedEvent())

    await record(tmp_path / "log.db", script, answers())
    replayed, report = await replay(tmp_path / "log.db", answers())
    assert replayed.types == ["other", "turn_ended"]
    assert replayed.heard[0].data.value == {"hertz": 40, "type": "brainwave"}
    assert not report.diverged


async def test_a_model_that_was_never_connected(tmp_path: Path) -> None:
    async def emits(model: RealtimeModel) -> list[str]:
        listening = Listening()
        model.add_listener(listening)
        await inner.emit(RealtimeModelTurnEndedEvent())
        return listening.types

    async def connects(model: RealtimeModel) -> list[str]:
        listening = Listening()
        model.add_listener(listening)
        await model.connect({})
        await listening.over.wait()
        return listening.types

    inner = ScriptedModel(greeting)
    async with Recorder(tmp_path / "log.db") as recorder:
        recorded = await emits(recorder.wrap(inner))
    types, _ = await replay(tmp_path / "log.db", connects)
    assert types[:1] == recorded == ["turn_ended"]
