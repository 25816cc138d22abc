"""With a RecordingModel in between, application and model see of each other what they saw without."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from agents.realtime import (
    RealtimeModel,
    RealtimeModelConnectionStatusEvent,
    RealtimeModelSendAudio,
    RealtimeModelSendUserInput,
)
from agents.realtime.model_events import RealtimeModelRawServerEvent
from realtape.integrations.openai_agents import Recorder, RecordingModel, forwarding
from realtape.recorder.recorder import RecordingBase
from support.sdk_model import FakeRealtimeModel, Listener, find, one, rows, until

CONNECTED = RealtimeModelConnectionStatusEvent(status="connected")
SPEECH = RealtimeModelSendAudio(audio=b"\0\0")


class TalkativeModel(FakeRealtimeModel):
    """Returns and raises what the interface does not foresee, and has members of its own."""

    nickname = "talky"
    raises: BaseException | None = None

    async def connect(self, options: Any) -> Any:
        await super().connect(options)
        return "connected"

    async def send_event(self, event: Any) -> Any:
        await super().send_event(event)
        if self.raises is not None:
            raise self.raises
        return ("sent", event)

    async def close(self) -> Any:
        await super().close()
        return "closed"

    async def transfer(self, to: str, *, soon: bool = False) -> tuple[str, bool]:
        await asyncio.sleep(0)
        return to, soon

    @property
    def line(self) -> str:
        return f"line of {self.nickname}"


@pytest.fixture
def inner() -> TalkativeModel:
    return TalkativeModel()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@pytest.fixture
def recorder(store: Path) -> Recorder:
    return Recorder(store)


@pytest.fixture
def model(inner: TalkativeModel, recorder: Recorder) -> Any:
    return recorder.wrap(inner)


# --- calls ------------------------------------------------------------------------------------------


async def test_results_come_back(model: Any, inner: TalkativeModel, recorder: Recorder, store: Path) -> None:
    assert isinstance(model, RealtimeModel)
    options: Any = {"api_key": "sk-0123456789", "initial_model_settings": {"voice": "ash"}}
    assert await model.connect(options) == "connected"
    assert inner.options[0] is options
    assert await model.send_event(SPEECH) == ("sent", SPEECH)
    assert inner.sent[0] is SPEECH
    assert await model.close() == "closed"
    await recorder.close()
    done = one(rows(store), "sent_done")
    assert (done.of, done.payload["outcome"]) == (one(rows(store), "sent").seq, "returned")


async def test_exceptions_are_the_very_same(model: Any, inner: TalkativeModel, recorder: Recorder) -> None:
    inner.raises = LookupError("no such line")
    await model.connect({})
    with pytest.raises(LookupError) as raised:
        await model.send_event(SPEECH)
    assert raised.value is inner.raises
    assert raised.value.__context__ is None
    await recorder.close()


async def test_a_cancelled_send_is_cancelled_inside_too(
    model: Any, inner: FakeRealtimeModel, recorder: Recorder, store: Path
) -> None:
    seen: list[BaseException] = []

    async def never(event: Any) -> None:
        inner.sent.append(event)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            seen.append(error)
            raise

    inner.send_event = never
    await model.connect({})
    sending = asyncio.create_task(model.send_event(SPEECH))
    await until(lambda: inner.sent)
    sending.cancel("enough")
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert [error.args for error in seen] == [("enough",)]
    await recorder.close()
    assert one(rows(store), "sent_done").payload["outcome"] == "cancelled"


async def test_a_conditional_send_asks_where_the_model_asks(
    model: Any, inner: FakeRealtimeModel, recorder: Recorder, store: Path
) -> None:
    await model.connect({})
    answers = [True, False]
    for expected in list(answers):
        sent = await model.send_event_if(RealtimeModelSendUserInput(user_input="x"), lambda: answers.pop(0))
        assert sent is expected
    assert (len(inner.sent), answers) == (1, [])
    await recorder.close()
    outcomes = [row.payload["outcome"] for row in find(rows(store), "sent_done")]
    assert outcomes == ["returned", "withheld"]


async def test_an_inner_model_that_cannot_send_conditionally_says_so(recorder: Recorder) -> None:
    class Plain(FakeRealtimeModel):
        pass

    conditional = getattr(RealtimeModel, "send_event_if", None)  # the default: sends nothing, returns False
    Plain.send_event_if = conditional  # pyright: ignore[reportAttributeAccessIssue]
    inner = Plain()
    model = recorder.wrap(inner)
    await model.connect({})
    if conditional is not None:
        assert await model.send_event_if(SPEECH, lambda: True) is False
    else:  # before 0.20
        with pytest.raises(TypeError):
            await model.send_event_if(SPEECH, lambda: True)
    assert inner.sent == []
    await recorder.close()


# --- members ------------------------------------------------------------------------------------------


def test_every_other_member_of_the_sdks_class_is_the_inner_models(model: Any, inner: Any) -> None:
    names = {name for base in RealtimeModel.__mro__[:-1] for name in vars(base)}
    for name in names - set(dir(RecordingBase)):
        if not name.startswith(("__", "_abc_")):
            assert getattr(model, name) == getattr(inner, name)
    model._retire_response_audio("resp_1")
    assert inner.retired == ["resp_1"]


def test_a_hook_that_the_sdk_adds_later_is_forwarded(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    class LaterModel(RealtimeModel):
        def _future_hook(self) -> str:
            return "default"

    class Wrapper(RecordingBase, LaterModel):
        def _realtape_relay(self, handler: Any) -> Any:
            return Listener(handler)

    class Inner(FakeRealtimeModel):
        def _future_hook(self) -> str:
            return "inner"

    monkeypatch.setattr(forwarding, "RealtimeModel", LaterModel)
    decorate = forwarding.forward_the_rest(RecordingBase, lambda model: model._realtape_tap.inner)
    wrapper: Any = decorate(Wrapper)(Inner(), recorder=recorder)
    assert wrapper._future_hook() == "inner"


async def test_unknown_attributes_are_the_inner_models(model: Any, inner: Any) -> None:
    assert model.line == "line of talky"
    assert await model.transfer("Oslo", soon=True) == ("Oslo", True)
    model.nickname = "quiet"
    assert (inner.nickname, model.line) == ("quiet", "line of quiet")
    del model.nickname
    assert inner.nickname == "talky"
    assert {"transfer", "line", "connect"} <= set(dir(model))
    with pytest.raises(AttributeError, match=r"TalkativeModel.*nonsense"):
        _ = model.nonsense
    assert not hasattr(object.__new__(RecordingModel), "connected")


async def test_a_method_put_on_the_wrapper_is_put_on_the_model(model: Any, inner: Any) -> None:
    sent: list[Any] = []

    async def send_event(event: Any) -> None:
        sent.append(event)

    model.send_event = send_event
    await model.send_event(SPEECH)
    assert sent == [SPEECH]
    assert inner.send_event is send_event


# --- listeners ----------------------------------------------------------------------------------------


async def test_listeners_get_the_event_itself_in_their_order_each_once(
    model: Any, inner: FakeRealtimeModel
) -> None:
    order: list[str] = []

    def named(name: str) -> Listener:
        async def note(event: Any) -> None:
            assert event is CONNECTED
            order.append(name)

        return Listener(note)

    first, second = named("first"), named("second")
    for listener in (first, second, first):
        model.add_listener(listener)
    await model.connect({})
    await inner.emit(CONNECTED)
    model.remove_listener(first)
    model.remove_listener(first)
    await inner.emit(CONNECTED)
    assert order == ["first", "second", "second"]


async def test_one_listener_stands_at_the_model_and_only_while_there_are_any(model: Any, inner: Any) -> None:
    listeners = [Listener(), Listener()]
    for listener in listeners:
        model.add_listener(listener)
    assert len(inner._listeners) == 1
    for listener in listeners:
        model.remove_listener(listener)
    assert inner._listeners == []


async def test_a_listener_may_remove_another_during_an_event(model: Any, inner: FakeRealtimeModel) -> None:
    last = Listener()

    async def remove(event: Any) -> None:
        model.remove_listener(last)

    model.add_listener(Listener(remove))
    model.add_listener(last)
    await model.connect({})
    await inner.emit(CONNECTED, CONNECTED)
    assert len(last.events) == 1  # the event at hand is still given, as the SDK's model does it


async def test_what_a_listener_raises_reaches_the_model_and_stops_the_rest(
    model: Any, inner: FakeRealtimeModel, recorder: Recorder, store: Path
) -> None:
    error = ZeroDivisionError("of mine")
    rest = Listener()

    async def fail(event: Any) -> None:
        raise error

    model.add_listener(Listener(fail))
    model.add_listener(rest)
    await model.connect({})
    await inner.emit(CONNECTED)
    assert inner.raised == [error]
    assert rest.events == []
    await recorder.close()
    handled = one(rows(store), "handled")
    assert handled.of == one(rows(store), "received").seq
    assert (handled.payload["outcome"], handled.payload["listener"]) == ("raised", "Listener")


async def test_events_are_recorded_as_they_were_when_they_came(
    model: Any, inner: FakeRealtimeModel, recorder: Recorder, store: Path
) -> None:
    async def tamper(event: Any) -> None:
        event.data.clear()

    model.add_listener(Listener(tamper))
    await model.connect({})
    await inner.emit(RealtimeModelRawServerEvent(data={"type": "session.created"}))
    await recorder.close()
    assert one(rows(store), "received").payload["data"] == {"type": "session.created"}
