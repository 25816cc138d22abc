"""Driving, send by send: what raised, was cancelled, overlapped, or is of an agent that nobody knows."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from agents.realtime import RealtimeAgent, RealtimeModelSendInterrupt, RealtimeRunner, RealtimeSession
from agents.realtime.model_events import (
    RealtimeModelAudioInterruptedEvent,
    RealtimeModelToolCallEvent,
    RealtimeModelTranscriptDeltaEvent,
)
from realtape.integrations.openai_agents import Recorder, ReplayModel, drive
from realtape.replay import DivergenceError
from realtape.schema import UsageError
from realtape.session import Recording
from support.sdk_model import FakeRealtimeModel, until


async def scripted(store: Path, act: Any) -> None:
    """Record a session over a fake model: `act` is the user and the model in one."""
    inner = FakeRealtimeModel()
    async with Recorder(store) as recorder:
        runner = RealtimeRunner(RealtimeAgent(name="host"), model=recorder.wrap(inner))
        async with await runner.run() as session:
            await act(session, inner)


async def driven(store: Path, **options: Any) -> Any:
    """Drive a replay of it; returns what `drive` did, and the report."""
    async with await Recording.open(store) as recording:
        model = ReplayModel(recording)
        async with await RealtimeRunner(RealtimeAgent(name="host"), model=model).run() as session:
            did = await drive(session, model, **options)
        return did, model.report


async def test_a_settings_update_of_an_unknown_agent_goes_to_the_model_with_a_note(tmp_path: Path) -> None:
    async def act(session: RealtimeSession, inner: FakeRealtimeModel) -> None:
        await session.update_agent(RealtimeAgent(name="clerk"))

    await scripted(tmp_path / "log.db", act)
    did, report = await driven(tmp_path / "log.db")
    assert did.sent == 1
    assert "none of `agents`" in did.notes[0]
    assert (report.unsent, report.divergences) == (0, ())


async def test_a_reaction_is_left_to_the_application(tmp_path: Path) -> None:
    async def act(session: RealtimeSession, inner: FakeRealtimeModel) -> None:
        call = RealtimeModelToolCallEvent(name="unknown", call_id="call_1", arguments="{}")
        await inner.emit(call)
        await until(lambda: inner.sent)
        await session.send_message("Good morning!")

    await scripted(tmp_path / "log.db", act)
    did, report = await driven(tmp_path / "log.db")
    assert did.sent == 1
    assert report.matched == 4  # the connect, the session's own answer, ours, and the close


@pytest.mark.parametrize("long", [10, 1_500])
async def test_what_was_typed_is_found_however_far_behind_the_beginning_of_its_burst(
    tmp_path: Path, long: int
) -> None:
    """More entries lie in between than are looked ahead at otherwise: the event loop was never idle."""

    async def act(session: RealtimeSession, inner: FakeRealtimeModel) -> None:
        await asyncio.sleep(1)
        for turn in range(2):
            for _ in range(long):
                await inner.emit(RealtimeModelTranscriptDeltaEvent(item_id="i", delta="w", response_id="r"))
            await session.send_message(f"Question {turn}?")

    await scripted(tmp_path / "log.db", act)
    did, report = await driven(tmp_path / "log.db")
    assert (did.sent, did.notes) == (2, ())
    assert (report.unsent, report.divergences) == (0, ())


async def test_sends_that_raised_raise_again_and_are_told(tmp_path: Path) -> None:
    class Down(FakeRealtimeModel):
        async def send_event(self, event: Any) -> None:
            if getattr(event, "user_input", None) == "fail":
                raise ConnectionResetError("the line is dead")
            await super().send_event(event)

    async with Recorder(tmp_path / "log.db") as recorder:
        model = recorder.wrap(Down())
        async with await RealtimeRunner(RealtimeAgent(name="host"), model=model).run() as session:
            with pytest.raises(ConnectionResetError):
                await session.send_message("fail")
            await session.send_message("again")
    did, report = await driven(tmp_path / "log.db")
    assert did.sent == 2
    [(seq, error)] = did.raised
    assert seq == 2
    assert isinstance(error, ConnectionResetError)
    assert (report.unsent, report.unchecked) == (0, ())


async def test_a_send_that_was_cancelled_is_cancelled_again(tmp_path: Path) -> None:
    class Slow(FakeRealtimeModel):
        async def send_event(self, event: Any) -> None:
            if getattr(event, "user_input", None) == "wait":
                await asyncio.Event().wait()
            await super().send_event(event)

    async with Recorder(tmp_path / "log.db") as recorder:
        model = recorder.wrap(Slow())
        async with await RealtimeRunner(RealtimeAgent(name="host"), model=model).run() as session:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(session.send_message("wait"), 0.02)
            await session.send_message("again")
    did, report = await driven(tmp_path / "log.db")
    assert did.sent == 2
    assert not did.raised
    assert (report.unsent, report.divergences) == (0, ())


async def test_sends_of_two_tasks_overlap_as_they_did(tmp_path: Path) -> None:
    """An interruption that takes its time does not hold up the microphone."""
    inside = RealtimeModelAudioInterruptedEvent(item_id="item_1", content_index=0)

    class Slow(FakeRealtimeModel):
        async def send_event(self, event: Any) -> None:
            if isinstance(event, RealtimeModelSendInterrupt):
                await asyncio.sleep(0.03)
            await super().send_event(event)

    inner = Slow()
    inner.replies[RealtimeModelSendInterrupt] = [inside]
    async with Recorder(tmp_path / "log.db") as recorder:
        model = recorder.wrap(inner)
        async with await RealtimeRunner(RealtimeAgent(name="host"), model=model).run() as session:
            interrupting = asyncio.create_task(session.interrupt())
            for number in range(5):
                await asyncio.sleep(0.002)
                await session.send_audio(bytes([number, 0]))
            await interrupting
    did, report = await driven(tmp_path / "log.db")
    assert did.sent == 6
    assert (report.unsent, report.divergences) == (0, ())


async def test_a_replay_that_diverges_ends_the_drive(tmp_path: Path) -> None:
    async def act(session: RealtimeSession, inner: FakeRealtimeModel) -> None:
        await asyncio.sleep(0.02)
        await session.send_message("Good morning!")

    await scripted(tmp_path / "log.db", act)
    async with await Recording.open(tmp_path / "log.db") as recording:
        model = ReplayModel(recording)
        session = await (await RealtimeRunner(RealtimeAgent(name="host"), model=model).run()).enter()
        with pytest.raises(DivergenceError):
            await session.send_message("something else")
        with pytest.raises(DivergenceError):
            await drive(session, model)
        with pytest.raises(DivergenceError):
            await session.close()


async def test_a_pace_must_be_more_than_nothing(tmp_path: Path) -> None:
    async def act(session: RealtimeSession, inner: FakeRealtimeModel) -> None:
        await session.send_message("Good morning!")

    await scripted(tmp_path / "log.db", act)
    with pytest.raises(UsageError, match="more than 0"):
        await driven(tmp_path / "log.db", pace=0)
    did, _ = await driven(tmp_path / "log.db", pace=0.001)
    assert did.sent == 1
