"""Runs: given as one, or event by event, events come the same, whatever listeners do in their midst."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from realtape.replay import ReplayModel, run
from realtape.replay.core.machine import ReplayCore
from realtape.replay.core.window import LOOK_AHEAD
from realtape.replay.loop.virtual_loop import VirtualLoop
from realtape.replay.reader import Reader
from realtape.replay.reporting.report_builder import ReportBuilder
from realtape.replay.terms.acts import Approach, Complete, Deliver, End, More
from realtape.replay.terms.runs import Run
from realtape.replay.terms.steps import RETURNED, Step
from realtape.schema import CorruptRecordError, Kind
from realtape.schema.clocks import Round
from realtape.session import Recording
from support.impatient_loop import run_impatiently
from support.plain_bursts import SEVEN, Doing, Ear, Item, OneByOne, acting, record, replay, sessions
from support.stored import only

FEW = settings(max_examples=settings().max_examples // 2)
"""Each is recorded, and played several times."""


async def _play(model: ReplayModel) -> None:
    await model.connect({})
    await model.finished()


def check(
    items: list[Item],
    doings: dict[int, Doing],
    begin: Callable[[Coroutine[Any, Any, Any]], Any],
    *,
    recorded: bool,
) -> None:
    """Given as runs; one by one; and each by a task that is woken for it alone."""
    with tempfile.TemporaryDirectory() as folder:
        store, *into = (Path(folder, f"{name}.db") for name in ("log", "runs", "one by one", "watched"))
        run(record(store, items))
        ways: list[dict[str, Any]] = [{}, {"opened": OneByOne}]
        if not recorded and "breakpoint" not in doings.values():  # whose number is told
            ways.append({"watched": True})
        found = [
            begin(replay(store, doings, path if recorded else None, **way))
            for path, way in zip(into, ways, strict=False)
        ]
        assert all(one == found[0] for one in found)
        if recorded:
            kept = [[one[:-1] for one in asyncio.run(only(path)).entries] for path in into[: len(ways)]]
            assert all(one == kept[0] for one in kept)


@settings(FEW)
@given(sessions(), acting())
def test_on_virtual_time(items: list[Item], doings: dict[int, Doing]) -> None:
    check(items, doings, run, recorded=False)


@settings(FEW)
@given(sessions(), acting())
def test_recorded_again(items: list[Item], doings: dict[int, Doing]) -> None:
    """In every column but the digest, which is of a session's own."""
    check(items, doings, run, recorded=True)


WAITING: set[Doing] = {
    "sleep", "pause", "pause a while", "breakpoint", "close", "close later", "send", "send later", "timer",
}  # fmt: skip


@settings(FEW)
@given(sessions(), acting())
def test_on_an_ordinary_loop(items: list[Item], doings: dict[int, Doing]) -> None:
    """Where nothing depends on the wall's clock."""
    doings = {at: doing for at, doing in doings.items() if doing not in WAITING}
    items = [item for item in items if item != "sent"]
    check(items, doings, run_impatiently, recorded=False)


@pytest.mark.parametrize("broken", range(3, 200, 28))
def test_what_comes_before_a_damaged_record_is_given(tmp_path: Path, broken: int) -> None:
    store = tmp_path / "log.db"
    items: list[Item] = [*SEVEN, "round"] * 200
    asyncio.run(record(store, items))
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("DROP TRIGGER entries_no_update")
        connection.execute("UPDATE entries SET payload = '{' WHERE seq = ?", (broken * 7,))

    async def play(opened: type[Recording]) -> tuple[list[Any], str]:
        trace: list[Any] = []
        async with await opened.open(store) as recording:
            model = ReplayModel(recording)
            model.add_listener(Ear("one", model, model, {}, trace))
            with pytest.raises(CorruptRecordError) as caught:
                await _play(model)
        return trace, str(caught.value)

    folded = run(play(Recording))
    assert len(folded[0]) == broken * 7 - 2 + 1  # less the connection, and an exception
    assert run(play(OneByOne)) == folded


async def test_ordinary_bursts_lie_together(tmp_path: Path) -> None:
    """Or the tests above would say nothing."""
    store = tmp_path / "log.db"
    items: list[Item] = [*SEVEN, "raw", "round"] * 200
    async with asyncio.timeout(60):
        await asyncio.to_thread(lambda: run(record(store, items)))
    async with await Recording.open(store) as recording:
        core = ReplayCore(ReportBuilder())
        reader = Reader(recording, core)
        reader.fill()
        assert core.call(Kind.CONNECT) is not None
        lengths: list[int] = []
        while not isinstance(act := core.next(runs=True), End):
            match act:
                case Approach():
                    core.arrived(act)
                case Deliver(Run() as events):
                    lengths.append(len(events))
                    events.last = events.end - 1
                    core.handled(core.given_last(events), RETURNED)
                case Deliver(Step() as step):
                    core.handled(step, RETURNED)
                case _:
                    assert isinstance(act, Complete | More)
            reader.fill()
        assert sum(lengths) > 1500
        assert core.report.delivered == 1600
        assert max(lengths) > 200  # from round to round


async def test_in_the_midst_of_a_run_as_much_is_in_memory_as_ever(tmp_path: Path) -> None:
    """Before a call is judged that a listener makes there: it may be one that is recorded far ahead."""
    store = tmp_path / "log.db"
    items: list[Item] = ["delta"] * 1500
    await asyncio.to_thread(lambda: run(record(store, items)))
    async with await Recording.open(store) as recording:
        core = ReplayCore(ReportBuilder())
        reader = Reader(recording, core)
        reader.fill()
        assert core.call(Kind.CONNECT) is not None
        ahead: list[int] = []
        while core.next_to_read < len(items):
            match core.next(runs=True):
                case Deliver(Run() as events):
                    events.last = events.end - 1
                    reader.fill()
                    if core.next_to_read < len(items):  # else there is no more
                        ahead.append(core.next_to_read - core.cursor)
                    core.handled(core.given_last(events), RETURNED)
                case More():
                    reader.read()
                case act:
                    assert isinstance(act, Complete)
        assert len(ahead) > 2
        assert min(ahead) >= LOOK_AHEAD // 2


@pytest.mark.parametrize("opened", [Recording, OneByOne])
async def test_what_comes_after_the_first_of_a_run_is_the_next_of_it(
    tmp_path: Path, opened: type[Recording]
) -> None:
    """Also where a call returns that was let go before its place: the model sets out on that, and on nothing
    that is far from it."""
    store = tmp_path / "log.db"
    items: list[Item] = ["round", "delta", "round", "delta", "delta", "round", "other task", "round", "delta"]
    await asyncio.to_thread(lambda: run(record(store, items)))
    async with await opened.open(store) as recording:
        core = ReplayCore(ReportBuilder())
        Reader(recording, core).fill()
        call = core.call(Kind.CONNECT)
        assert call is not None
        while not isinstance(act := core.next(runs=True), Approach):
            assert isinstance(act, Complete | More)
        assert act.seq == 2
        assert [one.seq for one in core.upcoming(call)] == [3]


@pytest.mark.parametrize("at", [0, 3, 7])
def test_a_listener_that_is_given_up_gets_the_rest_in_order(tmp_path: Path, at: int) -> None:
    """What comes behind an event that keeps it busy for longer than it is awaited waits, one by one."""
    store, heard = tmp_path / "log.db", list[str]()
    items: list[Item] = [*["delta"] * 4, "round", *["delta"] * 4]  # pyright: ignore[reportAssignmentType]
    run(record(store, items))

    class Slow:
        async def on_event(self, event: Any) -> None:
            heard.append(event.delta)
            if len(heard) == at + 1:
                await asyncio.sleep(100)

    async def main() -> None:
        async with await Recording.open(store) as recording:
            model = ReplayModel(recording, on_divergence="collect", at_end="hold", patience=10)
            model.add_listener(Slow())
            await _play(model)
            await asyncio.sleep(1000)

    run(main())
    assert heard == [f"{number} " for number, item in enumerate(items) if item == "delta"]


def test_what_was_given_up_counts_from_where_the_listeners_get_it(tmp_path: Path) -> None:
    """They keep their distances from there on, and not from where they would have got it."""
    store, heard = tmp_path / "log.db", list[Round]()
    items: list[Item] = ["delta", "round"] * 6
    run(record(store, items))

    class Slow:
        async def on_event(self, event: Any) -> None:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, VirtualLoop)
            heard.append(loop.here)
            if len(heard) == 2:
                await asyncio.sleep(100)

    async def main() -> None:
        async with await Recording.open(store) as recording:
            model = ReplayModel(recording, on_divergence="collect", at_end="hold", patience=60)
            model.add_listener(Slow())
            await _play(model)
            await asyncio.sleep(1000)

    run(main())
    burst, number = heard[2]
    assert burst > heard[1].burst
    assert heard[2:] == [Round(burst, number + more) for more in range(4)]


def test_a_listener_that_cancels_its_task_hears_no_other_round(tmp_path: Path) -> None:
    store = tmp_path / "log.db"
    items: list[Item] = ["delta", "round"] * 40
    run(record(store, items))
    heard: list[Any] = []

    class Cancelling:
        async def on_event(self, event: Any) -> None:
            heard.append(event)
            task = asyncio.current_task()
            if len(heard) == 10 and task is not None:
                task.cancel()

    async def main() -> None:
        async with await Recording.open(store) as recording:
            model = ReplayModel(recording)
            model.add_listener(Cancelling())
            await model.connect({})
            await asyncio.sleep(60)

    run(main())
    assert len(heard) == 10


def test_who_closes_in_the_midst_of_a_burst_leaves_nothing_behind(tmp_path: Path) -> None:
    store = tmp_path / "log.db"
    items: list[Item] = ["delta", "round"] * 20
    run(record(store, items))
    wrong: list[Any] = []

    async def main() -> int:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: wrong.append(context))
        tenth, count = asyncio.Event(), 0

        class Counting:
            async def on_event(self, event: Any) -> None:
                nonlocal count
                count += 1
                if count == 10:
                    tenth.set()

        async with await Recording.open(store) as recording:
            model = ReplayModel(recording)
            model.add_listener(Counting())
            await model.connect({})
            await tenth.wait()
            await model.close()
        await asyncio.sleep(1)
        return count

    assert run(main()) == 20  # the recording has no close: it is matched where that ends
    gc.collect()  # a task that ended with an error says so when it goes
    assert not wrong


def test_a_loop_that_is_stopped_by_a_listener_stops_there(tmp_path: Path) -> None:
    store = tmp_path / "log.db"
    rounds: list[Item] = ["delta", "round"] * 8
    items: list[Item] = ["pause", *rounds]
    run(record(store, items))
    loop, heard = VirtualLoop(), list[Any]()

    class Stopping:
        async def on_event(self, event: Any) -> None:
            heard.append(event)
            if len(heard) == 8:
                loop.stop()

    async def play() -> None:
        async with await Recording.open(store) as recording:
            model = ReplayModel(recording, at_end="hold")
            model.add_listener(Stopping())
            await model.connect({})
            await asyncio.sleep(60)

    asyncio.set_event_loop(loop)
    try:
        task = loop.create_task(play())
        loop.run_forever()
        assert (len(heard), loop.now_ns) == (8, 250_000_000)
        tasks = asyncio.all_tasks(loop)
        for one in tasks:
            one.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        assert task.cancelled()
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def test_another_thread_may_ask_for_the_report_at_any_moment(tmp_path: Path) -> None:
    store = tmp_path / "log.db"
    items: list[Item] = [*SEVEN, *SEVEN, "round"] * 60
    run(record(store, items))

    async def play() -> tuple[list[Any], bool]:
        trace: list[Any] = []
        async with await Recording.open(store) as recording:
            model = ReplayModel(recording, at_end="hold")
            model.add_listener(Ear("one", model, model, {}, trace))
            over = threading.Event()

            def ask() -> None:
                while not over.is_set():
                    assert 0 <= model.transport.seq <= len(items) + 2
                    assert model.report.delivered <= len(items)

            with ThreadPoolExecutor(1) as pool:
                asking = pool.submit(ask)
                await _play(model)
                over.set()
            asking.result()
        return trace, model.report.diverged

    trace, diverged = run(play())
    assert not diverged
    assert len({what for _, what, _, _ in trace}) == len(trace) == 14 * 60
