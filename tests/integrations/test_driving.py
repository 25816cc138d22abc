"""A driven replay: the recorded user comes again, through the real session's own methods.

Recorded over a socket, in real time. Where nobody closes, a replay on an ordinary loop waits for it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from agents import function_tool
from agents.realtime import (
    RealtimeAgent,
    RealtimeModelSendInterrupt,
    RealtimeModelSendRawMessage,
    RealtimeModelSendSessionUpdate,
    RealtimeSession,
)
from realtape.integrations.openai_agents import VOCABULARY, drive, stub_tools
from realtape.provider import USER_QUESTION, FunctionCall, Reply, Script, Speech, chunks, silence
from realtape.replay import ReplayReport
from realtape.replay.loop import virtual_loop
from realtape.schema import same
from realtape.session import Recording
from realtape.session.stimuli import Stimulus, stimuli
from support.conversation import Told, record, replaying

LONG = " ".join(["I have a lot to say about trains."] * 12)


def timetable() -> RealtimeAgent[Any]:
    @function_tool
    async def departure(destination: str) -> str:
        """When the next train leaves."""
        await asyncio.sleep(0.005)
        return f"9:15 to {destination}"

    return RealtimeAgent(name="Timetable", instructions="Answer briefly.", tools=[departure])


class Calls:
    """Which methods of a session were called, by name."""

    def __init__(self, session: RealtimeSession) -> None:
        self.names: list[str] = []
        for name in ("send_message", "send_audio", "interrupt", "update_agent"):
            vars(session)[name] = self._watched(name, getattr(session, name))

    def _watched(self, name: str, method: Any) -> Any:
        async def call(*args: Any, **kwargs: Any) -> Any:
            self.names.append(name)
            return await method(*args, **kwargs)

        return call


async def speak(session: RealtimeSession) -> None:
    for chunk in chunks(USER_QUESTION.pcm + silence(1000), 100):
        await session.send_audio(chunk)
        await asyncio.sleep(0.005)


async def user(session: RealtimeSession, told: Told) -> None:
    """Types, interrupts, clears what was said, asks by voice."""
    await session.send_message("Good morning!")
    await asyncio.sleep(0.05)
    await session.interrupt()
    await told.until_turn(1)
    await session.model.send_event(RealtimeModelSendRawMessage(message={"type": "input_audio_buffer.clear"}))
    await session.model.send_event(RealtimeModelSendInterrupt(force_response_cancel=True))
    await speak(session)
    await told.until_turn(3)
    await session.model.send_event(RealtimeModelSendSessionUpdate(session_settings={"voice": "cedar"}))
    await asyncio.sleep(0.05)


SCRIPT = Script(
    replies=(
        Reply(outputs=(Speech(LONG),)),
        Reply(outputs=(FunctionCall("departure", {"destination": "Brno"}),)),
        Reply(outputs=(Speech("At nine fifteen."),)),
    ),
    transcripts=(USER_QUESTION.text,),
)


@pytest.mark.parametrize(
    ("run", "closes"),
    [(asyncio.run, True), (virtual_loop.run, False)],
    ids=["ordinary loop", "virtual time"],
)
def test_a_driven_replay_is_the_recorded_session(tmp_path: Path, run: Any, closes: bool) -> None:
    store, told = tmp_path / "log.db", Told()
    recorded = asyncio.run(record(store, SCRIPT, timetable(), user))

    async def drives() -> tuple[Any, Any, list[str]]:
        async with await Recording.open(store) as recording:
            agent = await stub_tools(timetable(), recording)  # takes the recorded time
        async with replaying(store, agent, told) as (session, model):
            calls = Calls(session)
            did = await drive(session, model, close=closes)
        return did, model.report, calls.names

    did, report, called = run(drives())
    assert not report.divergences
    assert report.finished
    assert (report.unsent, report.unmatched_audio, report.changes) == (0, 0, ())
    if run is virtual_loop.run:
        assert (report.early, report.late) == ((), ())
    assert same(told.history, recorded.history)
    assert same(told.heard, recorded.heard)
    assert (did.sent, did.notes, did.raised) == (len(asyncio.run(recorded_stimuli(store))) + closes, (), ())
    assert set(called) == {"send_message", "send_audio", "interrupt"}
    assert [called.count(name) for name in ("send_message", "interrupt")] == [1, 1]


async def recorded_stimuli(store: Path) -> list[Stimulus]:
    async with await Recording.open(store, vocabulary=VOCABULARY) as recording:
        return [one async for one in stimuli(recording) if one.kind == "sent"]


def test_the_session_is_closed_where_it_was_if_that_is_asked(tmp_path: Path) -> None:
    async def brief(session: RealtimeSession, told: Told) -> None:
        await session.send_message("Good morning!")
        await told.until_turn(1)

    store, told = tmp_path / "log.db", Told()
    script = Script(replies=(Reply.speech("Hello."),))
    recorded = asyncio.run(record(store, script, timetable(), brief))

    async def drives() -> tuple[Any, Any]:
        async with replaying(store, timetable(), told) as (session, model):
            did = await drive(session, model, close=True)
        return did, model.report

    did, report = virtual_loop.run(drives())
    assert did.sent == 2
    assert (report.unsent, report.divergences) == (0, ())
    assert same(told.heard, recorded.heard)


def test_approvals_are_given_and_denied_as_they_were(tmp_path: Path) -> None:
    ran: list[str] = []

    def agent() -> RealtimeAgent[Any]:
        async def costly(context: Any, arguments: dict[str, Any], call_id: str) -> bool:
            return arguments["seats"] > 1

        @function_tool(needs_approval=costly)
        async def book(seats: int) -> str:
            """Book a seat."""
            ran.append(f"{seats} seats")
            return "booked"

        return RealtimeAgent(name="Clerk", tools=[book])

    async def decide(session: RealtimeSession, event: Any) -> None:
        if "9" in event.arguments:
            await session.reject_tool_call(event.call_id, rejection_message="Nine are too many.")
        elif "8" in event.arguments:
            await session.reject_tool_call(event.call_id)
        else:
            await session.approve_tool_call(event.call_id)

    calls = [Reply(outputs=(FunctionCall("book", {"seats": seats}),)) for seats in (1, 2, 8, 9)]
    script = Script(replies=(*calls, Reply.text("Well.")))

    async def asks(session: RealtimeSession, told: Told) -> None:
        await session.send_message("Seats!")
        await told.until_turn(5)

    store, told = tmp_path / "log.db", Told()
    recorded = asyncio.run(record(store, script, agent(), asks, answer=decide))
    assert ran == ["1 seats", "2 seats"]
    rejections = ("Tool execution was not approved.", "Nine are too many.")

    async def drives() -> tuple[RealtimeSession, ReplayReport]:
        async with replaying(store, agent(), told) as (session, model):
            await drive(session, model, rejections=rejections)
        return session, model.report

    session, report = virtual_loop.run(drives())
    assert ran == ["1 seats", "2 seats"] * 2
    assert not report.divergences
    assert report.unsent == 0
    assert [one.type for one in report.unchecked] == ["close"]  # which was left to the caller
    assert same(told.history, recorded.history)
    asked = [one["call_id"] for one in told.events if one["type"] == "tool_approval_required"]
    assert len(asked) == 3
    assert "_put" not in vars(vars(session)["_event_queue"])  # given back as it was


def test_another_agent_is_given_to_the_session_if_it_is_known(tmp_path: Path) -> None:
    """On virtual time: when the session has which agent matters."""

    def agents() -> tuple[RealtimeAgent[Any], RealtimeAgent[Any]]:
        return RealtimeAgent(name="Host", instructions="Greet."), timetable()

    host, clerk = agents()

    async def switches(session: RealtimeSession, told: Told) -> None:
        await session.send_message("Good morning!")
        await told.until_turn(1)
        await asyncio.sleep(0.2)  # in the midst of a burst, `drive` may come with it some rounds late
        await session.update_agent(clerk)
        await session.send_message("To Brno?")
        await told.until_turn(3)

    outputs = (FunctionCall("departure", {"destination": "Brno"}),)
    script = Script(replies=(Reply.text("Hello."), Reply(outputs=outputs), Reply.text("At nine.")))
    store, told = tmp_path / "log.db", Told()
    recorded = asyncio.run(record(store, script, host, switches))
    host, clerk = agents()

    async def drives() -> tuple[Any, Any, list[str]]:
        async with replaying(store, host, told) as (session, model):
            calls = Calls(session)
            did = await drive(session, model, agents=[host, clerk])
        return did, model.report, calls.names

    did, report, called = virtual_loop.run(drives())
    assert called == ["send_message", "update_agent", "send_message"]
    assert not did.notes
    assert (report.unsent, report.changes, report.divergences) == (0, (), ())
    assert same(told.heard, recorded.heard)
