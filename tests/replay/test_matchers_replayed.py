"""Matchers, redactors, client ids and audio, through a recording and its replay."""

from __future__ import annotations

import asyncio
import json
import re
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from agents.realtime import RealtimeModel as SdkModel
from agents.realtime.model_events import RealtimeModelRawServerEvent as SdkRawServerEvent
from agents.realtime.model_events import RealtimeModelTurnEndedEvent as SdkTurnEndedEvent
from agents.realtime.model_inputs import RealtimeModelSendRawMessage as SdkSendRawMessage
from realtape.integrations import openai_agents
from realtape.recorder import Recorder
from realtape.replay import DivergenceError, ReplayModel, ReplayReport
from realtape.replay.matching.matchers import IGNORE, JSON_TEXT, Matcher, MatcherError, Tolerance
from realtape.schema import (
    RealtimeModel,
    RealtimeModelRawServerEvent,
    RealtimeModelSendAudio,
    RealtimeModelSendRawMessage,
    RealtimeModelSendUserInput,
    RealtimeModelTurnEndedEvent,
    UsageError,
)
from realtape.session import Recording
from support.scripted import Listening, Scripted, ScriptedModel, tool_call, tool_output

App = Callable[[RealtimeModel], Awaitable[Any]]
Script = Callable[[Scripted], Awaitable[None]]


async def record(store: Path, script: Script, app: App, **options: Any) -> Any:
    async with Recorder(store, **options) as recorder:
        return await app(recorder.wrap(ScriptedModel(script)))


async def replay(store: Path, app: App, **options: Any) -> tuple[Any, ReplayReport]:
    async with await Recording.open(store) as recording:
        model = ReplayModel(recording, **options)
        result = await app(model)
        await model.finished()
        return result, model.report


async def one_call(model: Scripted) -> None:
    await model.emit(tool_call(1))
    await model.until_sent(1)
    await model.emit(RealtimeModelTurnEndedEvent())


def answering(output: Callable[[], str], until: str = "turn_ended") -> App:
    async def app(model: RealtimeModel) -> Listening:
        async def react(event: Any) -> None:
            if event.type == "function_call":
                await model.send_event(tool_output(event, output()))

        listening = Listening(react, until=until)
        model.add_listener(listening)
        await model.connect({})
        await listening.over.wait()
        await model.close()
        return listening

    return app


def when_and_where(*, indent: int | None = None, km: float = 3.0) -> Callable[[], str]:
    def output() -> str:
        facts = {"at": time.perf_counter_ns(), "km": km, "to": "Ulm"}
        return json.dumps(dict(reversed(facts.items())) if indent else facts, indent=indent)

    return output


async def test_a_tool_that_answers_a_little_differently(tmp_path: Path) -> None:
    store = tmp_path / "log.db"
    await record(store, one_call, answering(when_and_where()))
    live = answering(when_and_where(indent=2, km=3.1))
    rules = {"output": JSON_TEXT, "output.at": IGNORE, "output.km": Tolerance(0.2)}
    _, report = await replay(store, live, matchers={"send_tool_output": rules})
    assert not report.diverged
    assert report.matched == 3
    matchers = [Matcher("send_tool_output", field, rule) for field, rule in rules.items() if rule != IGNORE]
    _, report = await replay(store, live, matchers=matchers, on_divergence="collect")
    assert [one.field for one in report.divergences[0].differences] == ["output.at"]


async def test_the_divergence_names_the_field_that_a_matcher_refused(tmp_path: Path) -> None:
    store = tmp_path / "log.db"
    await record(store, one_call, answering(lambda: "3"))
    matchers = {"*": {"output": Tolerance(1)}}
    _, report = await replay(store, answering(lambda: "4.5"), matchers=matchers, on_divergence="collect")
    (difference,) = report.divergences[0].differences
    assert (difference.field, difference.recorded, difference.live) == ("output", "'3'", "'4.5'")


async def test_a_function_that_raises_stops_the_replay(tmp_path: Path) -> None:
    def breaks(recorded: Any, live: Any) -> bool:
        raise ValueError("no such thing")

    await record(tmp_path / "log.db", one_call, answering(lambda: "a"))
    async with await Recording.open(tmp_path / "log.db") as recording:
        model = ReplayModel(recording, matchers={"send_tool_output": {"output": breaks}})
        with pytest.raises(MatcherError, match="send_tool_output output"):
            await answering(lambda: "b", until="exception")(model)
        with pytest.raises(MatcherError, match="breaks raised ValueError"):
            await model.finished()


async def test_a_matcher_of_a_field_that_there_is_not_is_refused(tmp_path: Path) -> None:
    await record(tmp_path / "log.db", one_call, answering(lambda: "a"))
    async with await Recording.open(tmp_path / "log.db") as recording:
        with pytest.raises(UsageError, match="send_tool_output has no field outptu"):
            ReplayModel(recording, matchers={"send_tool_output": {"outptu": IGNORE}})


# --- audio ------------------------------------------------------------------------------------------------

SOUND = bytes(range(256)) * 20


def speaking(length: int, sound: bytes = SOUND) -> App:
    async def app(model: RealtimeModel) -> None:
        listening = Listening()
        model.add_listener(listening)
        await model.connect({})
        for place in range(0, len(sound), length):
            commit = place + length >= len(sound)
            await model.send_event(RealtimeModelSendAudio(sound[place : place + length], commit=commit))
        await listening.over.wait()
        await model.close()

    return app


async def hears(model: Scripted) -> None:
    await model.until_sent(10)
    await model.emit(RealtimeModelTurnEndedEvent())


@pytest.mark.parametrize("length", [77, 512, 1000, 5120])
async def test_speech_may_be_cut_otherwise(tmp_path: Path, length: int) -> None:
    await record(tmp_path / "log.db", hears, speaking(512))
    _, report = await replay(tmp_path / "log.db", speaking(length))
    assert (report.matched, report.unmatched_audio, report.unsent) == (12, 0, 0)
    assert not report.diverged
    _, report = await replay(tmp_path / "log.db", speaking(length), audio="exact")
    count = -(-len(SOUND) // length)
    assert report.unmatched_audio == (0 if length == 512 else count)
    assert not report.diverged


async def test_other_speech_is_counted_and_never_diverges(tmp_path: Path) -> None:
    await record(tmp_path / "log.db", hears, speaking(512))
    other = SOUND[:1000] + b"?" * 24 + SOUND[1024:]
    _, report = await replay(tmp_path / "log.db", speaking(256, other))
    assert (report.matched, report.unmatched_audio, report.unsent) == (11, 1, 1)
    assert not report.diverged
    _, report = await replay(tmp_path / "log.db", speaking(256, other), audio="ignore")
    assert (report.matched, report.unmatched_audio, report.unsent) == (12, 0, 0)


# --- ids --------------------------------------------------------------------------------------------------


def echo(raw: type[Any], ended: type[Any]) -> Script:
    """A server that answers each message by the id that the client gave it."""

    async def script(model: Scripted) -> None:
        for number in range(3):
            await model.until_sent(number + 1)
            data = model.sent[number].message["other_data"]
            metadata = data["response"]["metadata"]
            item = {"id": data["item"]["id"], "status": "completed"}
            answer = {"type": "response.created", "response": {"metadata": metadata}, "item": item}
            await model.emit(raw(json.loads(json.dumps(answer))))
        await model.emit(ended())

    return script


def by_id(send: type[Any], *, wrong: bool = False) -> App:
    """As LiveKit's plugin does: every answer is found by the id of the message that asked for it."""

    async def app(model: Any) -> list[str]:
        waiting: dict[str, asyncio.Future[str]] = {}

        async def react(event: Any) -> None:
            if event.type == "raw_server_event":
                name = event.data["response"]["metadata"]["client_event_id"]
                waiting[name].set_result(event.data["item"]["id"])

        listening = Listening(react)
        model.add_listener(listening)
        await model.connect({})
        items: list[str] = []
        for _ in range(3):
            event_id, item_id = f"event_{uuid.uuid4().hex}", f"item_{uuid.uuid4().hex}"
            previous = items[0 if wrong else -1] if items else "root"
            data = {
                "event_id": event_id,
                "previous_item_id": previous,
                "item": {"id": item_id, "text": "Hello"},
                "response": {"metadata": {"client_event_id": event_id}},
            }
            waiting[event_id] = asyncio.get_running_loop().create_future()
            await model.send_event(send({"type": "conversation.item.create", "other_data": data}))
            assert await waiting[event_id] == item_id
            items.append(item_id)
        await listening.over.wait()
        await model.close()
        return items

    return app


async def test_answers_are_found_by_ids_that_are_fresh_in_every_run(tmp_path: Path) -> None:
    script = echo(RealtimeModelRawServerEvent, RealtimeModelTurnEndedEvent)
    recorded = await record(tmp_path / "log.db", script, by_id(RealtimeModelSendRawMessage))
    for _ in range(2):
        replayed, report = await replay(tmp_path / "log.db", by_id(RealtimeModelSendRawMessage))
        assert not report.diverged
        assert report.matched == 5
        assert not set(replayed) & set(recorded)


async def test_a_reference_to_another_item_than_recorded_diverges(tmp_path: Path) -> None:
    script = echo(RealtimeModelRawServerEvent, RealtimeModelTurnEndedEvent)
    await record(tmp_path / "log.db", script, by_id(RealtimeModelSendRawMessage))
    with pytest.raises(DivergenceError) as caught:
        await replay(tmp_path / "log.db", by_id(RealtimeModelSendRawMessage, wrong=True))
    (difference,) = caught.value.divergence.differences
    assert difference.field == "message.other_data.previous_item_id"


class SdkScriptedModel(Scripted, SdkModel):  # pyright: ignore[reportIncompatibleMethodOverride]
    """Behind the SDK's interface."""


async def test_the_sdks_events_come_with_the_live_ids_too(tmp_path: Path) -> None:
    app = by_id(SdkSendRawMessage)
    async with openai_agents.Recorder(tmp_path / "log.db") as recorder:
        inner = SdkScriptedModel(echo(SdkRawServerEvent, SdkTurnEndedEvent))
        await app(recorder.wrap(inner))  # pyright: ignore[reportArgumentType]
    async with await Recording.open(tmp_path / "log.db") as recording:
        model = openai_agents.ReplayModel(recording)
        await app(model)  # pyright: ignore[reportArgumentType]
        report = await model.finished()
        assert not report.diverged


# --- redactors --------------------------------------------------------------------------------------------


def no_digits(text: str) -> str:
    return re.sub(r"\d{4,}", "<number>", text)


async def test_live_sends_pass_the_recorders_redactors(tmp_path: Path) -> None:
    async def app(model: RealtimeModel) -> None:
        listening = Listening()
        model.add_listener(listening)
        await model.connect({})
        await model.send_event(RealtimeModelSendUserInput(user_input="My card is 4711081500"))
        await listening.over.wait()
        await model.close()

    async def script(model: Scripted) -> None:
        await model.until_sent(1)
        await model.emit(RealtimeModelTurnEndedEvent())

    store = tmp_path / "log.db"
    await record(store, script, app, redactors=[no_digits])
    assert b"4711081500" not in store.read_bytes()
    with pytest.raises(DivergenceError):
        await replay(store, app)
    _, report = await replay(store, app, redactors=[no_digits])
    assert not report.diverged
    assert (report.matched, report.unsent) == (3, 0)


# --- settings ---------------------------------------------------------------------------------------------


async def test_settings_have_matchers_too(tmp_path: Path) -> None:
    def app(settings: dict[str, Any], until: str = "turn_ended") -> App:
        async def run(model: RealtimeModel) -> None:
            listening = Listening(until=until)
            model.add_listener(listening)
            await model.connect({"initial_model_settings": settings})  # pyright: ignore[reportArgumentType]
            await listening.over.wait()
            await model.close()

        return run

    async def script(model: Scripted) -> None:
        await model.emit(RealtimeModelTurnEndedEvent())

    await record(tmp_path / "log.db", script, app({"speed": 1.0, "instructions": "It is Monday."}))
    other = {"speed": 1.05, "instructions": "It is Tuesday."}
    live = app(other)
    _, report = await replay(tmp_path / "log.db", live)
    assert [change.field for change in report.changes] == ["settings.speed", "settings.instructions"]
    assert not report.diverged
    rules = {"session_settings.speed": Tolerance(relative=0.1), "session_settings.instructions": IGNORE}
    _, report = await replay(tmp_path / "log.db", live, strict=True, matchers={"send_session_update": rules})
    assert not report.changes
    with pytest.raises(DivergenceError):
        await replay(tmp_path / "log.db", app(other, until="exception"), strict=True)
