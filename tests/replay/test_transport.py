"""The transport of a live replay: it holds, steps, stops and seeks where it is told to, and nowhere else."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from realtape.recorder import Recorder
from realtape.replay import Recording, ReplayModel, StuckLoopError, run
from realtape.replay.control.goals import Goal, Stop, steps
from realtape.replay.control.state import Fold, State
from realtape.schema import Entry, Kind, RealtimeModelSendUserInput, UsageError
from support.stored import only
from support.telephone import ITEM, Application, Telephone, app, other


@pytest.fixture(scope="module", autouse=True)
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The telephone call, recorded under virtual time."""
    path = tmp_path_factory.mktemp("transport") / "call.db"

    async def main() -> None:
        async with Recorder(path) as recorder:
            await app(recorder.wrap(Telephone()))

    run(main())
    assert len(entries(path)) > 40
    return path


@functools.cache
def entries(path: Path) -> list[Entry]:
    """Read once; for the call that is replayed, by its fixture."""
    return asyncio.run(only(path)).entries


def first(path: Path, type: str) -> int:
    """The number of the first entry of a type."""
    return next(entry.seq for entry in entries(path) if entry.type == type)


class Call:
    """A replay of it, and what its application was given."""

    def __init__(self, model: ReplayModel) -> None:
        self.model = model
        self.transport = model.transport
        self.heard: list[str] = []
        model.add_listener(self)  # pyright: ignore[reportArgumentType]

    async def on_event(self, event: Any) -> None:
        self.heard.append(event.type)


async def tidy(model: Any, application: Callable[[Any], Awaitable[Any]] = app) -> None:
    """The application, and nothing is left of it when it is cancelled."""
    try:
        await application(model)
    finally:
        for task in asyncio.all_tasks():
            if "Application." in repr(task.get_coro()):
                task.cancel()


async def controlled(store: Path, script: Callable[[Call], Awaitable[Any]], **options: Any) -> Any:
    """The script beside the application, in a replay that is paused at its beginning."""
    application = options.pop("application", app)
    async with await Recording.open(store) as recording:
        call = Call(ReplayModel(recording, **options))
        call.transport.pause()
        running = asyncio.create_task(tidy(call.model, application))
        try:
            return await script(call)
        finally:
            await call.model.abandon()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def replay(store: Path, script: Callable[[Call], Awaitable[Any]], **options: Any) -> Any:
    return run(controlled(store, script, **options))


# --- holding ------------------------------------------------------------------------------------------


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


# --- stepping -----------------------------------------------------------------------------------------


def received(path: Path) -> list[str]:
    return [str(entry.type) for entry in entries(path) if entry.kind == Kind.RECEIVED]


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


# --- stopping -----------------------------------------------------------------------------------------


def fold(some: list[Entry]) -> State:
    """The state after these."""
    folded = Fold()
    for entry in some:
        folded.add(entry)
    return folded.state()


def test_until_a_predicate_stops_before_what_meets_it(store: Path) -> None:
    async def script(call: Call) -> None:
        stop = await call.transport.run_until(lambda moment: moment.text == "'morning.'")
        assert stop.reason == "reached"
        assert entries(store)[stop.seq].type == "transcript_delta"
        assert [said.text for said in call.transport.state.transcript] == ["hello", "Good "]
        again = await call.transport.run_until(lambda one: one.state.turn == 1 and one.what == "return")
        assert again.reason == "reached"
        assert entries(store)[again.seq].kind == Kind.SENT_DONE

    replay(store, script)


@pytest.mark.parametrize(
    ("breakpoint", "places"),
    [
        ({"type": "audio"}, [("received", "audio"), ("received", "audio")]),
        ({"type": "send_tool_output"}, [("sent_done", None)]),
        ({"tool": "departure"}, [("received", "function_call"), ("sent_done", None)]),
        ({"tool": "arrival"}, []),
        ({"item": ITEM, "type": "item_deleted"}, [("received", "item_deleted")]),
        ({"item": "nobody"}, []),
    ],
)
def test_breakpoints_stop_before_what_they_name(
    store: Path, breakpoint: dict[str, Any], places: list[tuple[str, str | None]]
) -> None:
    async def script(call: Call) -> None:
        made = call.transport.add_breakpoint(**breakpoint)
        found: list[tuple[str, str | None]] = []
        while (stop := await call.transport.run()).reason == "breakpoint":
            assert stop.breakpoint == made
            entry = call.transport.next
            assert entry is not None
            assert entry.seq == stop.seq
            found.append((entry.kind, entry.type))
        assert found == places
        assert stop.reason == "ended"

    replay(store, script)


def test_a_breakpoint_on_playback_stops_once_so_much_was_heard(store: Path) -> None:
    async def script(call: Call) -> None:
        call.transport.add_breakpoint(playback_ms=150, item="nobody")
        call.transport.add_breakpoint(playback_ms=150)
        stop = await call.transport.run()
        assert stop.reason == "breakpoint"
        played = call.transport.state.played
        assert played is not None
        assert (played.item_id, played.elapsed_ms) == (ITEM, 200.0)
        said_so = max(entry.seq for entry in entries(store)[: stop.seq] if entry.kind == Kind.PLAYBACK)
        before = fold(entries(store)[:said_so]).played
        assert before is not None
        assert before.elapsed_ms == 100.0
        assert (await call.transport.run()).reason == "ended"

    replay(store, script)


def test_calls_on_the_tracker_are_acts_where_they_are_made_for_the_application(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Deaf(Application):
        async def on_event(self, event: Any) -> None:
            if event.type != "audio":
                await super().on_event(event)

    async def script(call: Call) -> None:
        call.transport.add_breakpoint(type="on_play_bytes")
        stop = await call.transport.run()
        assert entries(store)[stop.seq].kind == Kind.PLAYBACK
        assert (await call.transport.step()).seq == stop.seq + 1
        assert (await call.transport.run()).reason == "breakpoint"
        assert (await call.transport.run()).reason == "ended"

    monkeypatch.setattr("support.telephone.Application", Deaf)
    replay(store, script)


def test_breakpoints_are_taken_away(store: Path) -> None:
    async def script(call: Call) -> None:
        one = call.transport.add_breakpoint(type="audio")
        two = call.transport.add_breakpoint(type="function_call")
        call.transport.remove_breakpoint(one.number)
        assert call.transport.breakpoints == (two,)
        with pytest.raises(UsageError, match="no breakpoint 1; set are 2"):
            call.transport.remove_breakpoint(1)
        with pytest.raises(UsageError, match="needs a type"):
            call.transport.add_breakpoint()
        assert (await call.transport.run()).breakpoint == two

    replay(store, script)


def test_a_divergence_stops_it(store: Path) -> None:
    async def script(call: Call) -> None:
        stop = await call.transport.run()
        assert stop.reason == "failed"
        assert call.model.report.diverged
        assert await call.transport.step() == stop

    replay(store, script, application=other)


# --- seeking ------------------------------------------------------------------------------------------


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


# --- from inside, and elsewhere -----------------------------------------------------------------------


def test_stopping_from_inside_leaves_no_trace(store: Path, tmp_path: Path) -> None:
    """Stepped through act by act, and recorded again, it is the same in every column."""
    stops: list[Stop] = []

    async def main(into: Path, *, stepped: bool) -> None:
        async with await Recording.open(store) as recording, Recorder(into) as recorder:
            model = ReplayModel(recording)

            def on_stop(stop: Stop) -> None:
                stops.append(stop)
                model.transport.go(steps(1) if len(stops) % 3 else Goal(before=lambda moment: True))

            if stepped:
                model.transport.on_stop = on_stop
                model.transport.pause()
            await app(recorder.wrap(model))
            assert not (await model.finished()).diverged

    def rows(path: Path) -> list[Any]:
        return [row for row in asyncio.run(only(path)).rows() if "trace" not in str(row)]

    run(main(tmp_path / "straight.db", stepped=False))
    run(main(tmp_path / "stepped.db", stepped=True))
    assert len(stops) > 30
    assert rows(tmp_path / "stepped.db") == rows(tmp_path / "straight.db")


def test_the_rate_may_change_on_the_way(store: Path) -> None:
    async def script(call: Call) -> None:
        await call.transport.seek(seq=first(store, "function_call"))
        call.transport.rate = 0.05
        began = time.monotonic()
        await call.transport.seek(seq=first(store, "turn_ended"))
        assert 0.2 < time.monotonic() - began < 5  # 10 ms until the call, and 10 of the tool
        call.transport.rate = None
        assert call.transport.rate is None
        with pytest.raises(UsageError, match="above 0"):
            call.transport.rate = 0

    replay(store, script)


async def test_on_an_ordinary_loop_deliveries_stop(store: Path) -> None:
    async def script(call: Call) -> None:
        seq = first(store, "function_call")
        await call.transport.seek(seq=seq)
        await asyncio.sleep(0.3)  # `stuck_after` passes
        assert call.heard == [entry.type for entry in entries(store)[:seq] if entry.kind == Kind.RECEIVED]
        assert call.transport.seq == seq
        assert (await call.transport.step()).reason == "stepped"
        assert call.heard[-1] == "function_call"
        with pytest.raises(UsageError, match=r"give ReplayModel\(pace=...\)"):
            call.transport.rate = 2.0
        assert (await call.transport.run()).reason == "ended"
        assert not call.model.report.diverged, str(call.model.report)

    await asyncio.wait_for(controlled(store, script, stuck_after=0.2), 10)
