"""What an application of the SDK does is recorded with the entry that it did it because of."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from agents import GuardrailFunctionOutput, OutputGuardrail, function_tool
from agents.realtime import (
    AssistantMessageItem,
    AssistantText,
    RealtimeAgent,
    RealtimeModelConnectionStatusEvent,
    RealtimeModelItemUpdatedEvent,
    RealtimeModelSendAudio,
    RealtimeModelSendUserInput,
    RealtimeModelToolCallEvent,
    RealtimeModelTranscriptDeltaEvent,
    RealtimeRunner,
    RealtimeSession,
    realtime_handoff,
)
from realtape.integrations.openai_agents import Recorder, RecordingModel
from realtape.integrations.openai_agents.event_queue import CausalQueue
from support.sdk_model import FakeRealtimeModel, Listener, Row, find, one, rows, until

CALL = RealtimeModelToolCallEvent(name="weather", call_id="call_1", arguments='{"city": "Oslo"}')


class Take:
    """A session of the SDK over a recorded fake model."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self.inner = FakeRealtimeModel()
        self.recorder = Recorder(store)
        self.model: RecordingModel = self.recorder.wrap(self.inner)

    async def session(self, agent: RealtimeAgent[Any], **settings: Any) -> RealtimeSession:
        config: Any = {"tracing_disabled": True, **settings}
        runner = RealtimeRunner(agent, model=self.model, config=config)
        return await (await runner.run()).enter()

    async def entries(self) -> list[Row]:
        await self.recorder.close()
        return rows(self.store)


@pytest.fixture
def take(tmp_path: Path) -> Take:
    return Take(tmp_path / "log.db")


def message(item_id: str) -> RealtimeModelItemUpdatedEvent:
    item = AssistantMessageItem(item_id=item_id, content=[AssistantText(text="Hello")])
    return RealtimeModelItemUpdatedEvent(item=item)


def weather_agent(needs_approval: bool = False) -> RealtimeAgent[Any]:
    @function_tool(needs_approval=needs_approval)
    async def weather(city: str) -> str:
        await asyncio.sleep(0)
        return f"Rain in {city}"

    return RealtimeAgent(name="host", tools=[weather])


async def test_tool_output_is_caused_by_its_call(take: Take) -> None:
    session = await take.session(weather_agent())
    await take.inner.emit(message("item_1"), CALL, message("item_2"))
    await until(lambda: take.inner.sent)
    await session.close()

    entries = await take.entries()
    output = one(entries, "sent", "send_tool_output")
    assert output.cause == one(entries, "received", "function_call").seq
    assert one(entries, "sent_done", of=output.seq).payload == {"outcome": "returned"}


async def test_approved_tool_output_is_caused_by_its_call_and_not_by_the_approval(take: Take) -> None:
    session = await take.session(weather_agent(needs_approval=True))

    async def approve() -> None:
        async for event in session:
            if event.type == "tool_approval_required":
                await take.inner.emit(message("item_9"))  # the conversation has gone on
                await session.approve_tool_call("call_1")
            elif event.type == "tool_end":
                return

    await take.inner.emit(CALL)
    await approve()
    await session.close()

    entries = await take.entries()
    call = one(entries, "received", "function_call").seq
    assert one(entries, "sent", "send_tool_output").cause == call


async def test_both_sends_of_a_handoff_are_caused_by_its_call(take: Take) -> None:
    clerk = RealtimeAgent[Any](name="clerk", instructions="Take orders.")
    session = await take.session(RealtimeAgent(name="host", handoffs=[realtime_handoff(clerk)]))
    call = RealtimeModelToolCallEvent(name="transfer_to_clerk", call_id="call_2", arguments="{}")
    await take.inner.emit(call)
    await until(lambda: len(take.inner.sent) == 2)
    await session.close()

    entries = await take.entries()
    cause = one(entries, "received", "function_call").seq
    assert one(entries, "sent", "send_session_update").cause == cause
    assert one(entries, "sent", "send_tool_output").cause == cause


async def test_both_sends_of_a_guardrail_are_caused_by_the_words_that_tripped_it(take: Take) -> None:
    async def no_prices(context: Any, agent: Any, output: str) -> GuardrailFunctionOutput:
        del context, agent
        await asyncio.sleep(0)
        return GuardrailFunctionOutput(output_info=None, tripwire_triggered="price" in output)

    guardrail = OutputGuardrail[Any](guardrail_function=no_prices, name="no prices")
    agent = RealtimeAgent[Any](name="host", output_guardrails=[guardrail])
    session = await take.session(agent, guardrails_settings={"debounce_text_length": 1})
    words = ["The ", "price is", " three."]
    await take.inner.emit(*[RealtimeModelTranscriptDeltaEvent("item_1", word, "resp_1") for word in words])
    await until(lambda: len(take.inner.sent) == 2)
    await session.close()

    entries = await take.entries()
    tripping = find(entries, "received", "transcript_delta")[1]
    assert tripping.payload["delta"] == "price is"
    assert one(entries, "sent", "send_interrupt").cause == tripping.seq
    follow_up = one(entries, "sent", "send_user_input")
    assert follow_up.cause == tripping.seq
    assert one(entries, "sent_done", of=follow_up.seq).payload["outcome"] == "returned"
    if hasattr(FakeRealtimeModel.__mro__[1], "send_event_if"):  # older releases have `send_event` only
        assert follow_up.method == "send_event_if"


async def test_an_answer_of_the_users_own_loop_is_caused_by_the_event_that_it_got(take: Take) -> None:
    session = await take.session(RealtimeAgent(name="host"))

    async def answer() -> None:
        async for event in session:
            if event.type == "history_added":
                await asyncio.sleep(0)
                await session.send_message(f"to {event.item.item_id}")
                if event.item.item_id == "item_3":
                    return

    # All are queued before the first is answered: what was received last is not the cause.
    await take.inner.emit(message("item_1"), message("item_2"), message("item_3"))
    await answer()
    await session.close()

    entries = await take.entries()
    received = [row.seq for row in find(entries, "received", "item_updated")]
    assert [row.cause for row in find(entries, "sent", "send_user_input")] == received
    assert one(entries, "close").cause == received[-1]


async def test_a_loop_that_waits_gets_the_cause_with_the_event(take: Take) -> None:
    session = await take.session(RealtimeAgent(name="host"))

    async def answer() -> None:
        async for event in session:
            if event.type == "history_added":
                await session.send_message("Hello")

    answering = asyncio.create_task(answer())
    for name in ("item_1", "item_2"):
        await asyncio.sleep(0)
        await take.inner.emit(message(name))
    await until(lambda: len(take.inner.sent) == 2)
    await session.close()
    await answering

    entries = await take.entries()
    received = [row.seq for row in find(entries, "received", "item_updated")]
    assert [row.cause for row in find(entries, "sent", "send_user_input")] == received
    assert one(entries, "close").cause is None  # the test closed it, not the loop


async def test_caused_by_knows_session_events_that_another_task_fetched(take: Take) -> None:
    session = await take.session(RealtimeAgent(name="host"))
    await take.inner.emit(message("item_1"), message("item_2"))
    events: Any = aiter(session)
    for _ in range(5):
        event: Any = await asyncio.create_task(anext(events))  # as wait_for before Python 3.12
        if event.type == "history_added" and event.item.item_id == "item_1":
            with take.recorder.caused_by(event):
                await session.send_message("Hello")
        elif event.type == "history_added":
            await session.send_message("unnamed")
        elif event.type == "raw_model_event" and event.data.item.item_id == "item_2":
            with take.recorder.caused_by(event.data):
                await session.send_audio(b"\0\0")
    await session.close()

    entries = await take.entries()
    first, second = find(entries, "received", "item_updated")
    assert [row.cause for row in find(entries, "sent", "send_user_input")] == [first.seq, None]
    assert one(entries, "sent", "send_audio").cause == second.seq


async def test_a_microphone_started_in_a_listener_goes_on_being_caused_by_what_it_heard(take: Take) -> None:
    microphones: list[asyncio.Task[None]] = []

    async def speak() -> None:
        for _ in range(3):
            await take.model.send_event(RealtimeModelSendAudio(audio=b"\0\0"))

    async def start(event: Any) -> None:
        if event.type == "connection_status":
            microphones.append(asyncio.create_task(speak()))

    take.model.add_listener(Listener(start))
    await take.model.connect({})
    await take.inner.emit(RealtimeModelConnectionStatusEvent(status="connected"), message("item_1"))
    await asyncio.gather(*microphones)

    entries = await take.entries()
    status = one(entries, "received", "connection_status").seq
    assert [row.cause for row in find(entries, "sent", "send_audio")] == [status] * 3


async def test_a_reconnect_in_a_listener_begins_a_session_without_causes_of_the_old_one(take: Take) -> None:
    take.inner.replies[RealtimeModelSendUserInput] = [message("item_8")]
    again: list[asyncio.Task[None]] = []

    async def late() -> None:
        await until(lambda: take.inner.options[1:])
        await take.model.send_event(RealtimeModelSendUserInput(user_input="late"))

    async def reconnect(event: Any) -> None:
        if event.type == "connection_status" and event.status == "disconnected":
            again.append(asyncio.create_task(late()))
            await take.model.close()
            await take.model.connect({})
            await take.model.send_event(RealtimeModelSendUserInput(user_input="again"))

    take.model.add_listener(Listener(reconnect))
    await take.model.connect({})
    await take.inner.emit(RealtimeModelConnectionStatusEvent(status="disconnected"))
    await asyncio.gather(*again)
    await take.inner.emit(message("item_1"))

    entries = await take.entries()
    old = [row for row in entries if row.session == 1]
    new = [row for row in entries if row.session == 2]
    assert one(old, "close").cause == one(old, "received").seq
    assert one(new, "connect").seq == 0
    sends = find(new, "sent")
    nested, read = find(new, "received")[:2], find(new, "received")[2]
    assert sorted(row.payload["user_input"] for row in sends) == ["again", "late"]
    assert [row.cause for row in sends] == [None, None]
    assert sorted(row.cause or 0 for row in nested) == sorted(row.seq for row in sends)
    assert read.cause is None
    assert {row.cause for row in new} <= {None, *(row.seq for row in new)}


async def test_a_session_with_another_queue_is_left_alone(
    take: Take, caplog: pytest.LogCaptureFixture
) -> None:
    session = await RealtimeRunner(RealtimeAgent(name="host"), model=take.model).run()
    queue: asyncio.Queue[Any] = asyncio.LifoQueue()
    vars(session)["_event_queue"] = queue
    with caplog.at_level("INFO", "realtape"):
        await session.enter()
    assert type(queue) is asyncio.LifoQueue
    assert "carry no cause" in caplog.text
    await session.close()
    await take.recorder.close()


async def test_items_put_past_the_queue_are_delivered_without_a_cause(take: Take) -> None:
    session = await take.session(RealtimeAgent(name="host"))
    queue: Any = vars(session)["_event_queue"]
    assert type(queue) is CausalQueue
    await take.inner.emit(message("item_1"))
    vars(queue)["_queue"].append("smuggled")
    got = [queue.get_nowait() for _ in range(queue.qsize())]
    assert got[-1] == "smuggled"
    await take.inner.emit(message("item_2"))
    await session.send_message("Hello")
    await session.close()
    assert find(await take.entries(), "sent", "send_user_input", cause=None)
