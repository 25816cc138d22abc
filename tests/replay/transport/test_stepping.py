"""It steps, and goes to a place, and no further."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from realtape.replay.transport import Stop
from realtape.schema import Kind, UsageError
from support.controlled import Call, entries, first, fold, received, replay


def test_a_step_is_one_act_and_leads_through_the_whole_call(store: Path) -> None:
    async def script(call: Call) -> list[Stop]:
        stops: list[Stop] = []
        while not stops or stops[-1].reason != "ended":
            heard = len(call.heard)
            stops.append(await call.transport.step())
            assert len(call.heard) <= heard + 1
        assert call.heard == received(store)
        return stops

    stops: list[Stop] = replay(store, script)
    happens = [Kind.RECEIVED, Kind.SENT_DONE, Kind.CONNECTED, Kind.CLOSED]  # it plays by itself
    cancelled = 1  # by the application, and no act of the model's
    acts = [entry for entry in entries(store) if entry.kind in happens]
    assert len([stop for stop in stops if stop.reason == "stepped"]) == len(acts) - cancelled
    assert {stop.reason for stop in stops} <= {"stepped", "waits", "ended"}
    assert [stop.seq for stop in stops] == sorted(stop.seq for stop in stops)


def test_a_listener_may_step_and_gets_the_next_event_when_it_has_returned(store: Path) -> None:
    stops: list[Stop] = []

    async def script(call: Call) -> None:
        async def on_event(event: Any) -> None:
            call.heard.append(event.type)
            if event.type == "turn_started":
                with pytest.raises(UsageError, match="listener cannot wait"):
                    await call.transport.seek(seq=45)
                stops.append(await call.transport.step())
                call.transport.resume()

        call.on_event = on_event
        call.transport.resume()
        report = await call.model.finished()
        assert not report.diverged, str(report)
        assert call.heard == received(store)

    replay(store, script)
    assert [stop.reason for stop in stops] == ["waits", "waits"]


def test_a_turn_is_stepped_over(store: Path) -> None:
    async def script(call: Call) -> None:
        turns = [entry.seq for entry in entries(store) if entry.type == "turn_started"]
        assert [(await call.transport.step_turn()).seq for _ in turns] == turns
        assert call.transport.state.turn == len(turns) - 1
        assert (await call.transport.step_turn()).reason == "ended"

    replay(store, script)


def test_one_at_a_time(store: Path) -> None:
    async def script(call: Call) -> None:
        running = asyncio.create_task(call.transport.run())
        await asyncio.sleep(0)
        with pytest.raises(UsageError, match="somebody else"):
            await call.transport.step()
        await running

    replay(store, script)


def test_seeking_goes_forwards_to_entries_and_times(store: Path) -> None:
    async def script(call: Call) -> None:
        call.transport.add_breakpoint(type="audio")
        call_seq = first(store, "function_call")
        assert await call.transport.seek(seq=7) == Stop("reached", 7)
        assert await call.transport.seek(seq=7) == Stop("reached", 7)
        with pytest.raises(UsageError, match="behind the cursor"):
            await call.transport.seek(seq=6)
        wrongs: list[dict[str, Any]] = [{}, {"seq": 1, "at": 1.0}]
        for wrong in wrongs:
            with pytest.raises(UsageError, match="one of seq= and at="):
                await call.transport.seek(**wrong)
        assert await call.transport.seek(at=0.005) == Stop("reached", call_seq)
        assert call.transport.state == fold(entries(store)[:call_seq])
        assert (await call.transport.seek(at=99.0)).reason == "ended"

    replay(store, script)
