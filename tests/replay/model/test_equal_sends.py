"""Which of equal recorded sends a live one is, where their places tell."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from realtape.recorder import Recorder
from realtape.replay import ReplayModel, ReplayReport, run
from realtape.schema import (
    RealtimeModel,
    RealtimeModelSendInterrupt,
    RealtimeModelTurnEndedEvent,
    RealtimeModelTurnStartedEvent,
)
from realtape.session import Recording
from support.scripted import Listening, Scripted, ScriptedModel

TURN_SECONDS = 60.0


async def script(model: Scripted) -> None:
    """A turn after a minute, which takes a minute."""
    await asyncio.sleep(TURN_SECONDS)
    await model.emit(RealtimeModelTurnStartedEvent(response_id="r"))
    await asyncio.sleep(TURN_SECONDS)
    await model.emit(RealtimeModelTurnEndedEvent(response_id="r"))


async def app(model: RealtimeModel, user_at: float | None, *, helped: bool = False) -> list[float]:
    """A listener interrupts the turn, perhaps by a task that was there before; and the user may.
    Returns when that listener was given the two events."""
    asked: asyncio.Queue[asyncio.Future[None]] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    times: list[float] = []

    async def help() -> None:
        while True:
            done = await asked.get()
            await model.send_event(RealtimeModelSendInterrupt())
            done.set_result(None)

    async def react(event: Any) -> None:
        times.append(round(loop.time() - began, 3))
        if event.type != "turn_started":
            return
        await asyncio.sleep(0.1)
        if helped:
            done: asyncio.Future[None] = loop.create_future()
            asked.put_nowait(done)
            await done
        else:
            await model.send_event(RealtimeModelSendInterrupt())

    helper = asyncio.create_task(help())
    listening = Listening(react)
    model.add_listener(listening)
    await model.connect({})
    began = loop.time()
    if user_at is not None:
        await asyncio.sleep(user_at)
        await model.send_event(RealtimeModelSendInterrupt())
    await listening.over.wait()
    await model.close()
    helper.cancel()
    return times


async def record(store: Path, user_at: float) -> list[float]:
    async with Recorder(store) as recorder:
        return await app(recorder.wrap(ScriptedModel(script)), user_at)


async def replay(store: Path, user_at: float | None, *, helped: bool) -> tuple[list[float], ReplayReport]:
    async with await Recording.open(store) as recording:
        model = ReplayModel(recording)
        times = await app(model, user_at, helped=helped)
        return times, await model.finished()


@pytest.mark.parametrize("user_again", [True, False])
@pytest.mark.parametrize("helped", [True, False])
@pytest.mark.parametrize("user_at", [1.0, TURN_SECONDS + 30])
def test_a_reaction_that_another_task_makes_is_the_reaction(
    tmp_path: Path, user_at: float, helped: bool, user_again: bool
) -> None:
    """And not what the user did long before, and has not done now, or will do long after."""
    recorded = run(record(tmp_path / "log.db", user_at))
    times, report = run(replay(tmp_path / "log.db", user_at if user_again else None, helped=helped))
    assert times == recorded
    assert not report.diverged
    assert (report.early, report.late) == ((), ())
    assert report.matched == 3 + user_again  # connect, the reaction and close
