"""The transport of a live replay: while it holds, nothing happens, and no time passes."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from realtape.replay import StuckLoopError
from realtape.schema import Kind, RealtimeModelSendUserInput, UsageError
from support.controlled import Call, controlled, entries, first, received, replay


def test_paused_nothing_happens_and_the_clock_stands(store: Path) -> None:
    async def script(call: Call) -> None:
        await call.transport.seek(seq=first_event + 1)
        loop = asyncio.get_running_loop()
        before = (call.transport.seq, list(call.heard), loop.time())
        rang: list[int] = []
        loop.call_later(0.001, rang.append, 1)
        for _ in range(100):
            await asyncio.sleep(0)
        await loop.run_in_executor(None, time.sleep, 0.01)
        assert (call.transport.seq, list(call.heard), loop.time()) == before
        assert call.heard == ["turn_started"]
        assert rang == []
        await call.transport.run()
        assert rang == [1]

    first_event = first(store, "turn_started")
    replay(store, script)


def test_nobody_left_to_let_it_go_is_said_at_once(store: Path) -> None:
    async def script(call: Call) -> None:
        await call.transport.step(3)
        await asyncio.sleep(1)

    with pytest.raises(StuckLoopError, match="the replay is paused"):
        replay(store, script)


def test_sends_made_while_paused_are_held(store: Path) -> None:
    async def script(call: Call) -> None:
        while call.transport.next is None or call.transport.next.kind != Kind.SENT_DONE:
            await call.transport.step()
        hello = asyncio.create_task(call.model.send_event(RealtimeModelSendUserInput(user_input="yes")))
        for _ in range(20):
            await asyncio.sleep(0)
        assert not hello.done()
        hello.cancel()

    replay(store, script, on_divergence="collect")


def test_resume_plays_to_the_end_as_without(store: Path) -> None:
    async def script(call: Call) -> None:
        await call.transport.step(5)
        call.transport.resume()
        report = await call.model.finished()
        assert not report.diverged, str(report)
        assert call.heard == received(store)
        assert call.transport.seq == len(entries(store))

    replay(store, script)


def test_whoever_has_paused_and_closes_lets_it_go(store: Path) -> None:
    async def script(call: Call) -> None:
        await call.transport.step(5)
        report = await call.model.finished()
        assert report.finished

    replay(store, script)


def test_pausing_by_somebody_else_ends_a_run(store: Path) -> None:
    async def script(call: Call) -> None:
        running = asyncio.create_task(call.transport.run())
        asyncio.get_running_loop().call_later(0.005, call.transport.pause)
        stop = await running
        assert stop.reason == "paused"
        assert call.transport.seq == stop.seq == first(store, "function_call")
        assert asyncio.get_running_loop().time() == pytest.approx(0.005)  # pyright: ignore[reportUnknownMemberType]

    replay(store, script)


def test_a_cancelled_run_leaves_it_paused(store: Path) -> None:
    async def script(call: Call) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.005):
                await call.transport.run()
        assert call.transport.paused
        assert (await call.transport.run()).reason == "ended"

    replay(store, script)


def test_the_rate_may_change_on_the_way(store: Path) -> None:
    async def script(call: Call) -> None:
        await call.transport.seek(seq=first(store, "function_call"))
        call.transport.rate = 0.05
        began = time.monotonic()
        await call.transport.seek(seq=first(store, "turn_ended"))
        assert time.monotonic() - began > 0.2  # 10 ms until the call, and 10 of the tool
        call.transport.rate = None
        assert call.transport.rate is None
        with pytest.raises(UsageError, match="above 0"):
            call.transport.rate = 0

    replay(store, script)


@pytest.mark.real_time
async def test_on_an_ordinary_loop_deliveries_stop(store: Path) -> None:
    async def script(call: Call) -> None:
        seq = first(store, "function_call")
        await call.transport.seek(seq=seq)
        await asyncio.sleep(1.1)  # `stuck_after` passes
        assert call.heard == [entry.type for entry in entries(store)[:seq] if entry.kind == Kind.RECEIVED]
        assert call.transport.seq == seq
        assert (await call.transport.step()).reason == "stepped"
        assert call.heard[-1] == "function_call"
        with pytest.raises(UsageError, match=r"give ReplayModel\(pace=...\)"):
            call.transport.rate = 2.0
        assert (await call.transport.run()).reason == "ended"
        assert not call.model.report.diverged, str(call.model.report)

    await controlled(store, script, stuck_after=1.0)
