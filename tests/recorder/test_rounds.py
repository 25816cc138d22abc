"""Entries stand in their round of the event loop, and in their task."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from realtape.recorder import Recorder
from realtape.schema.clocks import counted_rounds
from realtape.schema.entries import SETTLED_TICKS, Kind
from support.stored import Stored, begin, intact, mark, only

pytestmark = pytest.mark.real_time


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


def places(stored: Stored) -> dict[str, tuple[int | None, int | None]]:
    """Round and task of each marker, by its text."""
    return {
        json.loads(entry.payload)["at"]: (entry.tick, entry.task) for entry in stored.of_kind(Kind.MARKER)
    }


class Stepped:
    """An ordinary loop that goes round when it is told to, and never waits."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()

    def turn(self, callback: Callable[[], object] | None = None) -> None:
        """Go round once, and run what is there to run; a callback, too, if there is one."""
        if callback is not None:
            self.loop.call_soon(callback)
        self.loop.stop()
        self.loop.run_forever()


@pytest.fixture
def stepped() -> Generator[Stepped]:
    stepped = Stepped()
    yield stepped
    stepped.loop.close()


def test_what_happens_in_one_round_has_one_tick(path: Path, stepped: Stepped):
    recorder = Recorder(path)
    log = begin(recorder)
    stepped.turn(lambda: mark(log, 0, 1))
    stepped.turn(lambda: mark(log, 2))
    stepped.turn()  # nothing is left to run
    stepped.turn(lambda: mark(log, 3))
    asyncio.run(recorder.close())
    ticks = [entry.tick for entry in asyncio.run(only(path)).entries]
    assert ticks == [0, 0, 1, 1 + SETTLED_TICKS]


def test_sessions_do_not_keep_each_other_from_settling(path: Path, stepped: Stepped):
    """Each of them counts rounds; were the counting itself something to run, it would never end."""
    recorder = Recorder(path)
    logs = [begin(recorder, str(number)) for number in range(5)]
    for number in range(4):
        stepped.turn(lambda number=number: [mark(log, number) for log in logs])
        stepped.turn()  # counts, and finds nothing else to run
    asyncio.run(recorder.close())
    for stored in asyncio.run(intact(path)):
        assert [entry.tick for entry in stored.entries] == [n * SETTLED_TICKS for n in range(4)]


async def test_counting_ends_though_the_loop_never_rests(path: Path):
    async with Recorder(path) as recorder:
        log = begin(recorder)
        busy = asyncio.create_task(spin(200))
        mark(log, 0)
        for _ in range(3):
            await asyncio.sleep(0)
        mark(log, 1)
        await busy
        mark(log, 2)
    ticks = [entry.tick for entry in (await only(path)).entries]
    assert ticks == [0, 3, 3 + SETTLED_TICKS]


async def spin(rounds: int) -> None:
    for _ in range(rounds):
        await asyncio.sleep(0)


async def test_what_an_entry_wakes_runs_in_another_tick(path: Path):
    async with Recorder(path) as recorder:
        log = begin(recorder)
        woken = asyncio.Event()

        async def sleeper() -> None:
            await woken.wait()
            log.append(Kind.MARKER, {"at": "woken"})

        task = asyncio.create_task(sleeper())
        await asyncio.sleep(0)
        log.append(Kind.MARKER, {"at": "waker"})
        woken.set()
        log.append(Kind.MARKER, {"at": "after"})
        await task
    at = places(await only(path))
    assert at["waker"][0] == at["after"][0]
    assert at["woken"][0] == (at["waker"][0] or 0) + 1


async def test_callbacks_that_were_queued_before_share_the_tick(path: Path):
    """They were runnable already: nothing that the entry woke ran in between."""
    async with Recorder(path) as recorder:
        log = begin(recorder)

        async def one(name: str) -> None:
            log.append(Kind.MARKER, {"at": name})

        await asyncio.gather(one("a"), one("b"), one("c"))
    assert {tick for tick, _ in places(await only(path)).values()} == {0}


async def test_no_two_entries_of_one_tick_surround_what_the_first_woke(path: Path):
    """Many tasks that wake each other: what was woken is never seen in its waker's tick."""
    woken_by: dict[int, int] = {}
    async with Recorder(path) as recorder:
        log = begin(recorder)
        count = itertools.count()
        waiting: list[asyncio.Future[int]] = []

        async def work() -> None:
            for _ in range(50):
                future = asyncio.get_running_loop().create_future()
                waiting.append(future)
                number = next(count)
                mark(log, number)
                if len(waiting) > 3:
                    waiting.pop(0).set_result(number)
                waker = await future if len(waiting) > 2 else None
                if waker is not None:
                    number = next(count)
                    woken_by[number] = waker
                    mark(log, number)

        tasks = [asyncio.create_task(work()) for _ in range(8)]
        await asyncio.sleep(0)
        at_rest = asyncio.Event()
        counted_rounds(asyncio.get_running_loop()).when_settled(at_rest.set)
        await at_rest.wait()
        for task in tasks:  # nobody is left to wake those that sleep
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    stored = await only(path)
    ticks = {json.loads(entry.payload)["number"]: entry.tick for entry in stored.of_kind(Kind.MARKER)}
    assert len(woken_by) > 20
    for number, waker in woken_by.items():
        before, after = ticks[waker], ticks[number]
        assert before is not None
        assert after is not None
        assert before < after


async def test_tasks_are_numbered_in_order_of_appearance(path: Path):
    async with Recorder(path) as recorder:
        log = begin(recorder)

        async def one(name: str, turns: int) -> None:
            for _ in range(turns):
                await asyncio.sleep(0)
            log.append(Kind.MARKER, {"at": name})

        late, early = asyncio.create_task(one("late", 5)), asyncio.create_task(one("early", 1))
        await asyncio.gather(late, early)
        log.append(Kind.MARKER, {"at": "main"})
        loop = asyncio.get_running_loop()
        loop.call_soon(lambda: log.append(Kind.MARKER, {"at": "callback"}))
        await asyncio.sleep(0)
    at = {name: task for name, (_, task) in places(await only(path)).items()}
    assert at == {"early": 0, "late": 1, "main": 2, "callback": None}


async def test_a_thread_is_in_no_round_and_no_task(path: Path):
    async with Recorder(path) as recorder:
        log = begin(recorder)
        await asyncio.to_thread(log.append, Kind.MARKER, {"at": "thread"})
    assert places(await only(path)) == {"thread": (None, None)}


def test_one_session_may_see_several_loops(path: Path):
    recorder = Recorder(path)
    log = begin(recorder)

    async def one(name: str) -> None:
        log.append(Kind.MARKER, {"at": name})
        await asyncio.sleep(0)
        log.append(Kind.MARKER, {"at": name + " again"})

    asyncio.run(one("first"))
    asyncio.run(one("second"))
    asyncio.run(recorder.close())
    at = places(asyncio.run(only(path)))
    assert at == {"first": (0, 0), "first again": (1, 0), "second": (17, 1), "second again": (18, 1)}
