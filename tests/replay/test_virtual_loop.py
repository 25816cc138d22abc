"""The loop on virtual time: its clock jumps, is held, flows with the wall, and never hangs."""

from __future__ import annotations

import asyncio
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from realtape.replay.loop.virtual_loop import StuckLoopError, VirtualLoop, run
from realtape.schema.clocks import clock_held


def test_an_hour_takes_no_time() -> None:
    async def main() -> float:
        await asyncio.sleep(3600)
        return asyncio.get_running_loop().time()

    assert run(main()) == 3600  # or the test's own timeout ends it


@given(st.lists(st.integers(0, 10**12), max_size=20))
def test_timers_fire_at_their_instants_in_order(delays_ns: list[int]) -> None:
    async def main() -> list[tuple[int, float]]:
        fired: list[tuple[int, float]] = []
        loop = asyncio.get_running_loop()

        async def wait(index: int, delay_ns: int) -> None:
            await asyncio.sleep(delay_ns / 1e9)
            fired.append((index, loop.time()))

        await asyncio.gather(*(wait(index, delay) for index, delay in enumerate(delays_ns)))
        return fired

    fired = run(main())
    assert [index for index, _ in fired] == sorted(range(len(delays_ns)), key=delays_ns.__getitem__)
    for index, at in fired:
        assert abs(at - delays_ns[index] / 1e9) < 1e-6


def test_timeouts_are_virtual() -> None:
    async def main() -> None:
        async with asyncio.timeout(600):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        run(main())


def test_what_will_never_happen_is_known() -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(StuckLoopError, match="1 tasks wait"):
        run(main())


def test_executor_jobs_hold_the_clock() -> None:
    async def main() -> tuple[float, list[str]]:
        order: list[str] = []

        async def timer() -> None:
            await asyncio.sleep(10)
            order.append("timer")

        waiting = asyncio.create_task(timer())
        await asyncio.to_thread(time.sleep, 0.05)
        order.append("job")
        at = asyncio.get_running_loop().time()
        await waiting
        return at, order

    at, order = run(main())
    assert order == ["job", "timer"]
    assert at == 0


def test_a_thread_that_owes_an_answer_holds_the_clock() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        answer = loop.create_future()
        threading.Timer(0.05, loop.call_soon_threadsafe, (answer.set_result, 1)).start()
        timer = asyncio.create_task(asyncio.sleep(10))
        with loop.hold():
            await answer
        at = loop.time()
        await timer
        return at

    assert run(main()) == 0


def test_a_socket_lets_the_clock_flow() -> None:
    """A peer in another thread, that takes its time, while a timer of an hour is waiting."""

    def peer(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            line = connection.recv(100)
            time.sleep(0.02)
            connection.sendall(line)

    async def main(port: int) -> tuple[bytes, float, int]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        timer = asyncio.create_task(asyncio.sleep(3600))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"hello\n")
        line = await reader.readline()
        at = loop.time()
        writer.close()
        await timer
        return line, at, len(loop.foreign)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=peer, args=(listener,))
        thread.start()
        line, at, foreign = run(main(listener.getsockname()[1]), io_grace=60.0)
        thread.join()
    assert line == b"hello\n"
    assert 0 < at < 60
    assert foreign == 1


_SETS = """
import asyncio
from realtape.replay.loop.virtual_loop import run
async def main():
    tasks = {asyncio.create_task(asyncio.sleep(1), name=str(n)) for n in range(40)}
    futures = {asyncio.get_running_loop().create_future() for _ in range(3)}
    print([task.get_name() for task in tasks], len(futures))
    await asyncio.gather(*tasks)
run(main())
"""


def test_sets_of_tasks_iterate_alike_in_every_process() -> None:
    outputs = {
        subprocess.run(
            [sys.executable, "-c", _SETS], capture_output=True, check=True, env={"PYTHONHASHSEED": str(seed)}
        ).stdout
        for seed in (1, 2, 3)
    }
    assert len(outputs) == 1


def test_an_idler_acts_at_its_instants() -> None:
    class Ticker:
        def __init__(self, loop: VirtualLoop) -> None:
            self.loop = loop
            self.due_ns: int | None = 5
            self.acted: list[int] = []
            self.rested = 0

        def next_ns(self) -> int | None:
            return self.due_ns

        def act(self) -> None:
            self.acted.append(self.loop.now_ns)
            self.due_ns = self.loop.now_ns * 2 if self.loop.now_ns < 40 else None

        def rest(self) -> bool:
            self.rested += 1
            self.loop.call_soon(done.set)
            return self.rested == 1

    done = asyncio.Event()

    async def main() -> Ticker:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        ticker = Ticker(loop)
        loop.idlers.append(ticker)
        await done.wait()
        return ticker

    ticker = run(main())
    assert ticker.acted == [5, 10, 20, 40]
    assert ticker.rested == 1


def test_the_wall_follows_on_request() -> None:
    """In one hour of virtual time an hour passes on every clock, but on that which measures."""

    async def main() -> tuple[float, datetime, float, object]:
        monotonic = time.monotonic()
        await asyncio.sleep(3600)
        passed = time.monotonic() - monotonic
        return time.time(), datetime.now(UTC), passed, time.perf_counter

    clocks = (time.time, time.monotonic, time.monotonic_ns, time.perf_counter)
    told, now, passed, measures = run(main(), clocks_from_ns=1_000_000_000 * 10**9)
    assert told == 1_000_003_600
    assert now == datetime.fromtimestamp(1_000_003_600, UTC)
    assert passed == pytest.approx(3600)
    assert measures is clocks[-1]
    assert (time.time, time.monotonic, time.monotonic_ns, time.perf_counter) == clocks  # given back
    assert time.time() > 1_700_000_000


def test_jobs_answer_in_the_order_in_which_they_began() -> None:
    """However long each of them takes."""

    async def main() -> list[int]:
        order: list[int] = []

        async def job(number: int, seconds: float) -> None:
            await asyncio.to_thread(time.sleep, seconds)
            order.append(number)

        await asyncio.gather(*(job(number, 0.05 / (number + 1)) for number in range(4)))
        return order

    assert run(main()) == [0, 1, 2, 3]


@pytest.mark.parametrize(("is_seen", "disordered"), [(True, False), (False, True)])
def test_a_job_that_waits_for_a_later_one_is_answered(is_seen: bool, disordered: bool) -> None:
    """Where nobody sees that it waits (it does so in C), their order cannot be kept; the loop says so."""

    async def main() -> tuple[list[str], bool]:
        order: list[str] = []
        later: queue.Queue[int] | queue.SimpleQueue[int] = queue.Queue() if is_seen else queue.SimpleQueue()

        async def job(name: str, work: Callable[[], object]) -> None:
            await asyncio.to_thread(work)
            order.append(name)
            if name == "second":
                later.put(1)

        await asyncio.gather(job("first", later.get), job("second", lambda: None))
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        return order, loop.disordered

    assert run(main()) == (["second", "first"], disordered)


def _asks(work: Callable[[asyncio.AbstractEventLoop], object]) -> Callable[[], Coroutine[Any, Any, object]]:
    """What a job comes to that asks the loop for something, or waits for it."""
    return lambda: asyncio.to_thread(work, asyncio.get_running_loop())


async def _held() -> object:
    """A thread of one's own, which says that it owes an answer."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[object] = loop.create_future()

    def work() -> None:
        found = asyncio.run_coroutine_threadsafe(asyncio.sleep(60, "slept"), loop).result()
        loop.call_soon_threadsafe(answer.set_result, found)

    with clock_held():
        threading.Thread(target=work).start()
        return await answer


async def _player() -> object:
    """Plays in a thread what is put into a queue, a piece a minute."""
    pieces: queue.Queue[str] = queue.Queue()
    asyncio.get_running_loop().call_later(20, pieces.put, "sle")
    asyncio.get_running_loop().call_later(60, pieces.put, "pt")
    return await asyncio.to_thread(pieces.get) + await asyncio.to_thread(pieces.get)


@pytest.mark.parametrize(
    "waits",
    [
        _asks(lambda loop: asyncio.run_coroutine_threadsafe(asyncio.sleep(60, "slept"), loop).result()),
        _held,
        _player,
    ],
    ids=["it asks the loop", "a thread of its own", "a player"],
)
def test_time_goes_on_for_a_thread_that_waits_for_it(
    waits: Callable[[], Coroutine[Any, Any, object]],
) -> None:
    async def main() -> tuple[object, float, bool]:
        found = await waits()
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        return found, loop.time(), loop.disordered or loop.hasty

    assert run(main()) == ("slept", 60.0, False)


def test_time_goes_on_for_a_thread_that_looks_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look has its own time on the wall, which is not the loop's."""
    monkeypatch.setattr("realtape.replay.loop.virtual_loop.POLL_GRACE_SECONDS", 0.05)

    async def main() -> tuple[str, float, bool]:
        pieces: queue.Queue[str] = queue.Queue()
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.call_later(60, pieces.put, "a piece")
        while True:
            with suppress(queue.Empty):
                return await asyncio.to_thread(pieces.get, timeout=0.01), loop.time(), loop.disordered

    assert run(main()) == ("a piece", 60.0, True)


def test_time_stands_still_for_a_thread_that_waits_for_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is at work: a tool with a pool of its own. However slowly: nobody is taken for one that waits."""
    monkeypatch.setattr("realtape.replay.loop.jobs.ORDER_GRACE_SECONDS", 250)

    def work(number: int) -> int:
        time.sleep(0.05)
        return number

    def tool() -> int:
        with ThreadPoolExecutor() as pool:
            return sum(pool.map(work, [1, 2]))

    async def main() -> tuple[int, float]:
        loop = asyncio.get_running_loop()
        loop.call_later(3600, lambda: None)
        return await asyncio.to_thread(tool), loop.time()

    assert run(main()) == (3, 0.0)


def test_a_thread_for_which_nothing_will_come_is_stuck() -> None:
    never = threading.Event()

    async def main() -> None:
        with ThreadPoolExecutor() as pool:
            try:
                await asyncio.get_running_loop().run_in_executor(pool, never.wait)
            finally:
                never.set()

    with pytest.raises(StuckLoopError):
        run(main())


def test_a_thread_that_keeps_time_waiting_is_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where it waits in C, nobody sees it."""
    monkeypatch.setattr("realtape.replay.loop.virtual_loop.THREAD_PATIENCE_SECONDS", 0.05)
    pieces: queue.SimpleQueue[str] = queue.SimpleQueue()
    caplog.handler.addFilter(lambda record: pieces.put(record.message) or True)

    def take_a_piece() -> str:
        return pieces.get()

    async def main() -> str:
        asyncio.get_running_loop().call_later(1, lambda: None)
        return await asyncio.to_thread(take_a_piece)

    told = run(main())
    assert "take_a_piece" in told
    assert "owes an answer" in told


def test_who_looks_at_threads_collects_no_garbage() -> None:
    """Of a database's engine, for one, a thread's own values are left: Python 3.11 would wait for itself."""
    program = [sys.executable, "-c", LOOKS]
    ran = subprocess.run(program, capture_output=True, text=True, timeout=120, check=False)
    assert (ran.stdout, ran.returncode) == ("True\nTrue\nTrue\n", 0), ran.stderr


LOOKS = """
import gc, threading
from realtape.replay.loop.waiting_threads import is_alive

class Garbage:
    def __init__(self):
        self.own, self.me = threading.local(), self
        self.own.value = 1

for _ in range(3):
    gc.disable()
    gc.collect()
    Garbage()
    free = [{} for _ in range(50)]
    del free  # a new dictionary is one of these, and no reason to collect
    gc.set_threshold(1)
    gc.enable()
    is_alive(threading.get_ident())
    print(gc.isenabled())
"""
