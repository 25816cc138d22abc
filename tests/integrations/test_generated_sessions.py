"""Generated conversations against the SDK's own model: for the same messages it gives the same events, and
tells the server the same."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from agents.realtime import (
    OpenAIRealtimeWebSocketModel,
    RealtimeModelListener,
    RealtimePlaybackTracker,
    _default_tracker,
    openai_realtime,
)
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from realtape.integrations.openai_agents import VOCABULARY
from realtape.lab.client import Client, Given
from realtape.lab.invariants import Findings, check
from realtape.lab.strategies import plans
from realtape.lab.strategies.plans import Plan
from realtape.lab.strategies.sessions import acted
from realtape.provider import Message, RequestRefused, ServerSession, Settings, parse
from realtape.schema.codec import Codec
from realtape.schema.entries import Kind
from realtape.session import Recording
from realtape.session.drafts import Draft
from support import switchboard_recorded
from support.releases import of_today

WITHOUT_MESSAGE = {"connection_status", "end_of_stream", "exception"}
"""Events that come of the socket's end, and of no message."""

UNHEARD = {"send_audio", "send_session_update"}
"""Sends that give no event by themselves."""


class Socket:
    """Takes whatever is sent."""

    async def send(self, text: str) -> None:
        pass


class Heard(RealtimeModelListener):
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    async def on_event(self, event: Any) -> None:
        self.events.append(event)


async def through_the_sdk(draft: Draft) -> tuple[list[Any], list[Any]]:
    """The events of a generated session; and those that the SDK's model gives when it is told the same
    messages, is sent the same, and has the same played."""
    model: Any = OpenAIRealtimeWebSocketModel()
    tracker, heard, codec = RealtimePlaybackTracker(), Heard(), Codec(VOCABULARY)
    model._websocket, model._playback_tracker, model._tracing_config = Socket(), tracker, None
    model.add_listener(heard)
    events: list[Any] = []
    for entry in draft.entries:
        value = codec.decode(entry.payload, draft.bytes_at).value
        if entry.kind == Kind.RECEIVED and entry.type not in WITHOUT_MESSAGE:
            events.append(value)
            if entry.type == "raw_server_event":
                await model._handle_ws_event(value.data)
        elif entry.kind == Kind.SENT and entry.type not in UNHEARD:
            await model.send_event(value)
        elif entry.kind == Kind.PLAYBACK and entry.type == "application":
            state = tracker.get_state()
            before_ms = state["elapsed_ms"] if state["current_item_id"] == entry.item_id else 0.0
            tracker.on_play_ms(str(entry.item_id), 0, (entry.elapsed_ms or 0.0) - (before_ms or 0.0))
    await model._cancel_response_create_tasks()
    return events, heard.events


def content(event: Any) -> Any:
    """What an event says: fields that the SDK adds as None say nothing, errors are of its own class."""
    if event.type == "item_updated":
        return event.item.model_dump(exclude_none=True)
    if event.type == "error":
        error: Any = event.error
        return getattr(error, "code", None) or error["code"]
    return event


@of_today
@seed(1)
@settings(
    max_examples=30, database=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(plans(max_connections=1))
def test_the_sdks_model_gives_the_same_events(plan: Plan):
    (draft,) = acted(plan, VOCABULARY)
    generated, real = asyncio.run(through_the_sdk(draft))
    assert [(event.type, content(event)) for event in generated] == [
        (event.type, content(event)) for event in real
    ]


# --- any order at all -----------------------------------------------------------------------------------


class Clock:
    """Stands where the SDK imports `time`."""

    def __init__(self) -> None:
        self.now_ns = 0

    def monotonic(self) -> float:
        return self.now_ns / 1e9


class Beside(RealtimeModelListener):
    """The SDK's model and ours beside it: between the same server and the same application.

    Attributes:
        real, ours: what each gave its listeners and told the server, in order.
    """

    def __init__(self, clock: Clock, *, tracked: bool, server_cancels: bool) -> None:
        detection: Message = {"type": "server_vad", "interrupt_response": server_cancels}
        asked: Message = {"audio": {"input": {"turn_detection": detection}}}
        self.server = ServerSession(Settings.speaking("g711_ulaw").updated(asked))
        self.trackers = (RealtimePlaybackTracker(), RealtimePlaybackTracker()) if tracked else None
        self.real: list[tuple[str, Any]] = []
        self.ours: list[tuple[str, Any]] = []
        self.calls: list[Any] = []
        self._held = 0  # so much of both is the same
        self._clock = clock
        self._model: Any = OpenAIRealtimeWebSocketModel()
        self._model._websocket, self._model._tracing_config = self, None
        self._model._playback_tracker = self.trackers[0] if self.trackers else None
        self._model.add_listener(self)
        tracker = self.trackers[1] if self.trackers else None
        self._client = Client(VOCABULARY, tracker, lambda: clock.now_ns)

    async def on_event(self, event: Any) -> None:
        self.real.append((event.type, content(event)))
        if event.type == "function_call":
            self.calls.append(event)

    @property
    def responses(self) -> list[str]:
        return [event.response_id for type, event in self.real if type == "turn_started"]

    @property
    def played(self) -> tuple[str, int] | None:
        heard = [(event.item_id, event.content_index) for type, event in self.real if type == "audio"]
        return heard[-1] if heard else None

    async def send(self, text: str) -> None:
        message = json.loads(text)
        if message["type"] != "response.create":  # when it may go out is not followed
            self.real.append(("told", message))

    async def hear(self, messages: list[Message]) -> None:
        for message in messages:
            await self._model._handle_ws_event(message)
            await self._follow(self._client.receive(message))

    async def ask(self, name: str, **fields: Any) -> None:
        event = VOCABULARY.make(name, **fields)
        await self._model.send_event(event)
        await self._follow(self._client.send(event))

    async def retire(self, response_id: str) -> None:
        self._model._retire_response_audio(response_id)
        self._client.retire(response_id)

    async def _follow(self, steps: Any) -> None:
        told: list[Message] = []
        for step in steps:
            if isinstance(step, Given):
                self.ours.append((step.event.type, content(step.event)))
            elif step.message["type"] != "response.create":
                self.ours.append(("told", step.message))
                told.append(step.message)
        assert self.ours[self._held :] == self.real[self._held :]
        self._held = len(self.ours)
        if self.trackers:
            assert self.trackers[0].get_state() == self.trackers[1].get_state()
        for message in told:
            await self._answer(message)

    async def _answer(self, message: Message) -> None:
        try:
            await self.hear(self.server.answer(parse(message)))  # pyright: ignore[reportArgumentType]
        except RequestRefused as refused:
            await self.hear(self.server.error(refused))

    async def end(self) -> None:
        await self._model._cancel_response_create_tasks()


async def speaks(both: Beside, number: int) -> None:
    server = both.server
    if server.response is None:
        await both.hear(server.respond())
    response = server.response
    if response is not None and response.open is not None and response.open.kind != "speech":
        await both.hear(server.end_item())
    if response is not None and response.open is None:
        await both.hear(server.begin_item("speech"))
    await both.hear(server.say("word", bytes(83 + 57 * number)))


async def calls(both: Beside, number: int) -> None:
    server = both.server
    if server.response is None:
        await both.hear(server.respond())
    if server.response is not None and server.response.open is not None:
        await both.hear(server.end_item())
    await both.hear([*server.begin_item("call", "look_up"), *server.say("{}"), *server.end_item()])


async def ends(both: Beside, number: int) -> None:
    server = both.server
    if server.response is not None:
        messages = server.end_item() if server.response.open is not None else []
        await both.hear([*messages, *server.end_response()])


async def breaks_in(both: Beside, number: int) -> None:
    server = both.server
    if server.speaking is not None:
        stopped = server.speech_stopped(server.input_ms + 100)
        await both.hear([*stopped, *server.commit(bytes(800))])
        item = server.conversation.last
        await both.hear([*server.transcribing(item, "Hm."), *server.transcribed(item, "Hm.")])
        return
    await both.hear(server.speech_started(server.input_ms))
    detection = server.settings.audio.input.turn_detection
    if detection is not None and detection.interrupt_response and server.response is not None:
        await both.hear(server.cancel("turn_detected"))


async def plays(both: Beside, number: int) -> None:
    part = both.played
    if part is not None:
        for tracker in both.trackers or ():
            tracker.on_play_ms(*part, number * 3.7)


async def interrupts(both: Beside, number: int) -> None:
    fields: dict[str, Any] = {"force_response_cancel": bool(number & 1)}
    if number & 2 and both.responses:
        fields["response_id"] = both.responses[number % len(both.responses)]
    if number & 4 and not number & 1:
        fields["playback_only"] = True
    await both.ask("send_interrupt", **fields)


async def cancels(both: Beside, number: int) -> None:
    if both.responses:
        response_id = both.responses[number % len(both.responses)]
        await both.ask("send_interrupt", cancel_response_only=True, response_id=response_id)


async def answers(both: Beside, number: int) -> None:
    if both.calls:
        call = both.calls[number % len(both.calls)]
        await both.ask("send_tool_output", tool_call=call, output="sunny", start_response=bool(number & 1))


async def types(both: Beside, number: int) -> None:
    await both.ask("send_user_input", user_input="Hello." if number else "")


async def retires(both: Beside, number: int) -> None:
    if both.responses:
        await both.retire(both.responses[number % len(both.responses)])


ACTS = [
    *(speaks, speaks, speaks, plays, plays, breaks_in, breaks_in, interrupts, interrupts),
    *(ends, calls, answers, cancels, types, retires),
]


@of_today
@pytest.mark.parametrize("tracked", [True, False], ids=["tracker", "no tracker"])
def test_the_sdks_model_does_the_same_whatever_happens(tracked: bool, monkeypatch: pytest.MonkeyPatch):
    acting = st.tuples(st.sampled_from(ACTS), st.integers(0, 7))

    @seed(1)
    @settings(
        max_examples=15,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(st.booleans(), st.lists(acting, min_size=30, max_size=40))
    def hold(server_cancels: bool, acts: list[tuple[Callable[[Beside, int], Any], int]]) -> None:
        clock = Clock()
        monkeypatch.setattr(_default_tracker, "time", clock)
        monkeypatch.setattr(openai_realtime, "time", clock)

        async def main() -> None:
            both = Beside(clock, tracked=tracked, server_cancels=server_cancels)
            await both.hear(both.server.created())
            for act, number in acts:
                await act(both, number)
                clock.now_ns += number * 1_300_000
            await both.end()

        asyncio.run(main())

    hold()


def test_all_rules_hold_in_the_switchboard():
    """The SDK's own model against the local provider, with everything that can happen."""
    recorded = switchboard_recorded.recorded()

    async def findings() -> Findings:
        async with await Recording.open(recorded.store, recorded.session) as recording:
            assert len(recording.drafts()) == 2
            return check(recording)

    assert asyncio.run(findings()) == Findings()
