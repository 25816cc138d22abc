"""Recording models nest, stand beside each other, and stay out of the way of whatever they wrap."""

from __future__ import annotations

import asyncio
import inspect
from pathlib import Path
from typing import Any

import pytest
from agents.realtime import (
    RealtimeAgent,
    RealtimeModelConnectionStatusEvent,
    RealtimeModelSendAudio,
    RealtimeModelSendInterrupt,
    RealtimeModelSendUserInput,
    RealtimePlaybackTracker,
    RealtimeRunner,
)
from agents.realtime.model_events import RealtimeModelRawServerEvent
from realtape.integrations.openai_agents import Recorder
from support.sdk_model import FakeRealtimeModel, Listener, find, one, rows

CONNECTED = RealtimeModelConnectionStatusEvent(status="connected")
SPEECH = RealtimeModelSendAudio(audio=b"\0\0")


@pytest.fixture
def inner() -> FakeRealtimeModel:
    return FakeRealtimeModel()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@pytest.fixture
def recorder(store: Path) -> Recorder:
    return Recorder(store)


@pytest.fixture
def model(inner: FakeRealtimeModel, recorder: Recorder) -> Any:
    return recorder.wrap(inner)


async def test_recording_models_nest(tmp_path: Path) -> None:
    inner = FakeRealtimeModel()
    inner.replies[RealtimeModelSendInterrupt] = [CONNECTED]
    near, far = Recorder(tmp_path / "near.db"), Recorder(tmp_path / "far.db")
    model = far.wrap(near.wrap(inner))
    listener, tracker = Listener(), RealtimePlaybackTracker()

    async def answer(event: Any) -> None:
        if event.type == "raw_server_event":
            await model.send_event(RealtimeModelSendInterrupt())

    model.add_listener(listener)
    model.add_listener(Listener(answer))
    await model.connect({"playback_tracker": tracker})
    await inner.emit(RealtimeModelRawServerEvent(data={}), CONNECTED)
    tracker.on_play_bytes("item_1", 0, b"\0" * 480)
    await model.close()
    assert len(listener.events) == 3
    await near.close()
    await far.close()
    logs = [rows(tmp_path / name) for name in ("near.db", "far.db")]
    for log in logs:
        raw, nested, read = find(log, "received")
        assert one(log, "sent").cause == raw.seq
        assert nested.cause == one(log, "sent").seq
        assert (raw.cause, read.cause) == (None, None)
        assert one(log, "playback").method == "on_play_bytes"
        assert {row.session for row in log} == {1}
    near_log, far_log = ([(row.kind, row.type, row.cause, row.of) for row in log] for log in logs)
    assert near_log == far_log


async def test_two_models_in_one_application_keep_to_their_own_logs(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "log.db")
    caller, callee = FakeRealtimeModel(), FakeRealtimeModel()
    one_side, other_side = recorder.wrap(caller), recorder.wrap(callee)

    async def dial(event: Any) -> None:
        await other_side.connect({})
        await callee.emit(CONNECTED)  # from within a listener of the other model

    async def pass_on(event: Any) -> None:
        await one_side.send_event(SPEECH)

    one_side.add_listener(Listener(dial))
    other_side.add_listener(Listener(pass_on))
    await one_side.connect({})
    await caller.emit(RealtimeModelRawServerEvent(data={}))
    await callee.emit(CONNECTED)
    await recorder.close()
    log = rows(tmp_path / "log.db")
    first, second = ([row for row in log if row.session == key] for key in (1, 2))
    assert [row.type for row in find(first, "received")] == ["raw_server_event"]
    assert [row.type for row in find(second, "received")] == ["connection_status"] * 2
    assert [row.cause for row in find(first, "sent")] == [None, None]
    assert {row.cause for row in find(second, "received")} == {None}


async def test_a_second_connect_that_is_refused_leaves_the_session_going_on(
    model: Any, inner: FakeRealtimeModel, recorder: Recorder, store: Path
) -> None:
    tracker = RealtimePlaybackTracker()
    model.add_listener(Listener())
    await model.connect({"playback_tracker": tracker})
    with pytest.raises(AssertionError, match="Already connected"):
        await model.connect({})
    await inner.emit(CONNECTED)
    await model.send_event(SPEECH)
    tracker.on_play_ms("item_1", 0, 20)
    await model.close()
    await recorder.close()
    log = rows(store)
    assert [row.kind for row in log if row.session == 2] == ["connect", "connect_failed"]
    first = [row.kind for row in log if row.session == 1]
    assert first[-6:] == ["received", "sent", "sent_done", "playback", "close", "closed"]


async def test_nothing_is_recorded_where_that_is_switched_off(
    inner: FakeRealtimeModel, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REALTAPE_DISABLED", "1")
    async with Recorder(store) as recorder:
        model = recorder.wrap(inner)
        session = await (await RealtimeRunner(RealtimeAgent(name="host"), model=model).run()).enter()
        await session.send_message("Hello")
        await inner.emit(CONNECTED)
        assert type(vars(session)["_event_queue"]) is asyncio.Queue
        assert await model.send_event_if(SPEECH, lambda: True) is True
        assert "api_key" not in inner.options[0]
        await session.close()
    assert [type(event) for event in inner.sent] == [RealtimeModelSendUserInput, RealtimeModelSendAudio]
    assert not store.exists()


async def test_a_closed_recorder_is_out_of_the_way(
    model: Any, inner: FakeRealtimeModel, recorder: Recorder, store: Path
) -> None:
    listener = Listener()
    model.add_listener(listener)
    await model.connect({})
    await recorder.close()
    before = rows(store)
    await inner.emit(CONNECTED)
    await model.send_event(SPEECH)
    await model.close()
    assert (listener.events, inner.sent) == ([CONNECTED], [SPEECH])
    assert rows(store) == before


async def test_a_transport_may_take_and_emit_anything(recorder: Recorder, store: Path) -> None:
    class Odd:
        type = "function_call"
        __slots__ = ()

    class Unkind:
        """Neither a mapping, nor with a call id."""

    class OddModel(FakeRealtimeModel):
        async def connect(self, options: Any) -> None:
            await super().connect(options)

    inner, listener = OddModel(), Listener()
    model = recorder.wrap(inner)
    model.add_listener(listener)
    options: Any = Unkind()
    await model.connect(options)
    assert inner.options == [options]
    events: list[Any] = [Odd(), object(), RealtimeModelRawServerEvent(data=object()), None]
    await inner.emit(*events)
    assert listener.events == events
    assert inner.raised == []
    await model.send_event(Unkind())  # type: ignore[arg-type]
    await recorder.close()
    assert len(find(rows(store), "received")) == 4


async def test_a_tracker_is_observed_as_far_as_it_lets_us(recorder: Recorder, store: Path) -> None:
    class Slotted:
        __slots__ = ()

        def get_state(self) -> Any:
            raise RuntimeError("not now")

    for tracker in (Slotted(), object()):
        options: Any = {"playback_tracker": tracker}
        model = recorder.wrap(inner := FakeRealtimeModel())
        model.add_listener(Listener())
        await model.connect(options)
        await inner.emit(CONNECTED)
        await model.close()
    await recorder.close()
    assert len(find(rows(store), "received")) == 2


async def test_a_key_function_stays_what_it_was(model: Any, inner: FakeRealtimeModel) -> None:
    async def asynchronous() -> str:
        return "sk-asynchronous"

    def plain() -> str:
        return "sk-plain"

    for key in (asynchronous, plain):
        inner.options.clear()
        given: Any = {"api_key": key, "url": "wss://x.example"}
        await model.connect(given)
        await model.close()
        got: Any = inner.options[0]
        assert given["api_key"] is key
        assert got["url"] == "wss://x.example"
        assert inspect.iscoroutinefunction(got["api_key"]) is inspect.iscoroutinefunction(key)
        assert got["api_key"].__name__ == key.__name__
        result = got["api_key"]()
        assert (await result if inspect.isawaitable(result) else result) == f"sk-{key.__name__}"
