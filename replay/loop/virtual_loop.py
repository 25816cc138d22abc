"""An event loop on virtual time: when nothing is left to run, its clock jumps to what comes next.

`asyncio.sleep(3600)` returns at once, after everything that would have happened in that hour. Who
has something to do at an instant of its own, such as a replay, is asked when the loop is idle: that
costs no timer.

What the loop cannot see does not pass unnoticed. Jobs in an executor, and threads that say so by
`hold()`, stop the clock until they have answered. While a descriptor that is not the loop's own is
registered (a socket), the clock flows with the wall until it has been quiet for `io_grace` seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import time
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextvars import Context
from typing import Any, Protocol, TypeVar, cast

from ...schema.errors import RealtapeError
from .jobs import OrderedJobs
from .numbered import NumberedFuture, NumberedTimer, numbered_task
from .rounds_loop import RoundsLoop
from .wall_clock import wall_clock_of

IO_GRACE_SECONDS = 0.05
"""Of wall time, for which a foreign descriptor must be quiet before the clock jumps."""

NAP_SECONDS = 0.05
"""Of wall time, for which a clock with a pace sleeps at once: so soon it can be held."""

FOREIGN_PATIENCE_SECONDS = 5.0
"""Of wall time, for which a foreign descriptor is awaited where nothing else could happen."""

_Result = TypeVar("_Result")


class StuckLoopError(RealtapeError):
    """Nothing is left that could ever happen, and the main coroutine has not returned."""


class Idler(Protocol):
    """Has things to do at instants of its own, and is asked when the loop is idle."""

    def next_ns(self) -> int | None:
        """The virtual instant, in nanoseconds, at which it wants to act; None if at none."""
        ...

    def act(self) -> None:
        """That instant has come, and nothing else is left to run."""
        ...

    def rest(self) -> bool:
        """Neither a timer nor an instant is left: do what is done then. False if there is nothing."""
        ...


class VirtualLoop(RoundsLoop):
    """An event loop on virtual time.

    Args:
        io_grace: wall seconds for which foreign descriptors must be quiet.
        pace: how many times faster than the wall the clock may go; None: as fast as it can.

    Attributes:
        now_ns: virtual nanoseconds since the loop was made.
        foreign: descriptors for which the clock has flowed with the wall.
        idlers: asked when the loop is idle.
        on_stuck: told, in a sentence, that nothing will ever happen; who then sees to it that something does
            says so.
        on_move: told the time whenever the clock has moved.
        blocked: the loop's thread does nothing but wait for other threads.
        pace: how many times faster than the wall the clock goes; None: as fast as it can.
        holders: as long as there are any, the clock stands; each is called when nothing is left to run.
    """

    def __init__(self, *, io_grace: float = IO_GRACE_SECONDS, pace: float | None = None) -> None:
        self.now_ns = 0
        self.foreign: set[int] = set()
        self.idlers: list[Idler] = []
        self.on_stuck: list[Callable[[str], bool]] = []
        self.on_move: Callable[[int], object] | None = None
        self.blocked = False
        self._io_grace = io_grace
        self.pace = pace
        self.holders: list[Callable[[], object]] = []
        self._held = 0
        self._executor: ThreadPoolExecutor | None = None
        super().__init__()
        self._jobs = OrderedJobs(self._answered)
        self.set_task_factory(numbered_task)

    # --- time ----------------------------------------------------------------------------

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self.now_ns / 1e9

    @property
    def timers(self) -> bool:
        """Whether any timer is set."""
        return bool(self._scheduled)  # type: ignore[attr-defined]

    @property
    def disordered(self) -> bool:
        """A thread answered out of order: see `OrderedJobs`."""
        return self._jobs.disordered

    @contextlib.contextmanager
    def hold(self) -> Generator[None]:
        """While in this block, a thread owes an answer: the clock does not jump."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1

    # --- the loop's own methods -----------------------------------------------------------------------

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """As ever; timers of one instant fire in the order in which they were made."""
        timer = NumberedTimer(when, callback, args, self, context)
        heapq.heappush(self._scheduled, timer)  # type: ignore[attr-defined]
        timer._scheduled = True  # type: ignore[attr-defined]
        return timer

    def create_future(self) -> asyncio.Future[Any]:
        """A future whose hash is its number."""
        return NumberedFuture(loop=self)

    def run_in_executor(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, executor: Executor | None, func: Callable[..., _Result], *args: Any
    ) -> asyncio.Future[_Result]:
        """As ever; the clock is held until the job has returned, and answers keep their order."""
        if executor is None:
            executor = self._default()
        return super().run_in_executor(self._jobs.watch(executor), func, *args)

    def set_default_executor(self, executor: ThreadPoolExecutor) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """As ever."""
        super().set_default_executor(executor)
        self._executor = executor

    async def shutdown_default_executor(self, *args: Any, **kwargs: Any) -> None:
        """As ever; a thread of its own waits for the jobs, and owes us the answer."""
        with self.hold():
            await super().shutdown_default_executor(*args, **kwargs)

    # --- for the selector -----------------------------------------------------------------------------

    def idle(self, poll: Callable[[float | None], list[Any]]) -> list[Any]:
        """Nothing is left to run now. Returns what the selector says, or jumps and returns nothing.

        Args:
            poll: asks the real selector, for so many wall seconds; None: until something comes.

        Raises:
            StuckLoopError: nothing will ever happen.
        """
        found = self._threads(poll) if self._held or self._jobs else None
        if found is not None:
            return found
        if self.holders:
            return self._stand(poll)
        timers = cast("list[asyncio.TimerHandle]", self._scheduled)  # type: ignore[attr-defined]
        if timers and timers[0].cancelled():
            return []  # the loop takes it away
        timer_ns = round(timers[0].when() * 1e9) if timers else None
        foreign = self.foreign_watched
        if foreign:
            self.foreign |= foreign
            found = self._flow(poll, timer_ns)
            if found:
                self.begin_burst()
                return found
        soonest: Idler | None = None
        for idler in self.idlers:
            at_ns = idler.next_ns()
            if at_ns is not None and (timer_ns is None or at_ns <= timer_ns):
                soonest, timer_ns = idler, at_ns
        self.begin_burst()
        if timer_ns is None:
            found = poll(FOREIGN_PATIENCE_SECONDS) if foreign and self.idlers else []
            if found or any(idler.rest() for idler in self.idlers):
                return found
            if foreign:
                return poll(None)
            return self._stuck("nothing is left that could ever happen")
        if self._jump(timer_ns) and soonest is not None:
            soonest.act()
        return []

    def _jump(self, to_ns: int) -> bool:
        """Whether the clock came there: it may be held on the way."""
        while self.pace is not None and self.now_ns < to_ns:
            left_s = (to_ns - self.now_ns) / 1e9 / self.pace
            time.sleep(min(left_s, NAP_SECONDS))
            if self.holders:
                return False
            if left_s <= NAP_SECONDS:
                break
            self._moved(self.now_ns + round(NAP_SECONDS * self.pace * 1e9))
        self._moved(max(self.now_ns, to_ns))
        return True

    def _moved(self, now_ns: int) -> None:
        self.now_ns = now_ns
        if self.on_move is not None:
            self.on_move(now_ns)

    def _stand(self, poll: Callable[[float | None], list[Any]]) -> list[Any]:
        """The clock is held: tell those who hold it, or wait for descriptors of others."""
        for holder in list(self.holders):
            holder()
        if not self.holders or self._ready or self._urgent:
            return []
        foreign = self.foreign_watched
        if foreign:
            self.foreign |= foreign
            found = poll(None)
            self.begin_burst()
            return found
        return self._stuck("the replay is paused, and nothing could let it go")

    def _threads(self, poll: Callable[[float | None], list[Any]]) -> list[Any] | None:
        """Wait until the threads have answered; None where none of them owes anything any more."""
        self.blocked = True
        try:
            while self._held or self._jobs:
                found: list[Any] = []
                if not self._jobs.turn() and not self._ready and (self._held or self._jobs):
                    found = self.without_wakes(poll(self._jobs.patience()))
                    if not found and not self._ready:
                        continue
                self.begin_burst()
                return found
            return None
        finally:
            self.blocked = False

    def _flow(self, poll: Callable[[float | None], list[Any]], timer_ns: int | None) -> list[Any]:
        """Let the clock flow with the wall: until something comes, a timer is due, or it was quiet."""
        began = time.perf_counter_ns()
        limit_ns = None if timer_ns is None else max(0, timer_ns - self.now_ns)
        found = poll(self._io_grace if limit_ns is None else min(limit_ns / 1e9, self._io_grace))
        if found:
            passed = time.perf_counter_ns() - began
            self._moved(self.now_ns + (passed if limit_ns is None else min(passed, limit_ns)))
        return found

    def _stuck(self, what: str) -> list[Any]:
        sentence = f"{what}: {_waiting(self)}"
        if any(helps(sentence) for helps in self.on_stuck):
            return []
        raise StuckLoopError(sentence)

    def _answered(self) -> None:
        self._write_to_self()  # type: ignore[attr-defined]

    def _default(self) -> ThreadPoolExecutor:
        if self._executor is None:
            self.set_default_executor(ThreadPoolExecutor(thread_name_prefix="asyncio"))
        assert self._executor is not None
        return self._executor


def _waiting(loop: asyncio.AbstractEventLoop) -> str:
    names = sorted(task.get_name() for task in asyncio.all_tasks(loop))
    return f"{len(names)} tasks wait ({', '.join(names[:5])})"


def run(
    main: Coroutine[Any, Any, _Result],
    *,
    io_grace: float = IO_GRACE_SECONDS,
    pace: float | None = None,
    clocks_from_ns: int | None = None,
) -> _Result:
    """`asyncio.run` on virtual time; see `VirtualLoop`.

    Args:
        main: what to run.
        io_grace: wall seconds for which foreign descriptors must be quiet.
        pace: how many times faster than the wall the clock may go; None: as fast as it can.
        clocks_from_ns: `time.time`, `datetime.now` and `time.monotonic` follow, from this Unix time in
            nanoseconds on (say, a recording's `header.started_ns`); None: they stay real.

    Raises:
        StuckLoopError: `main` waits for what will never happen.
        UsageError: the clocks are to follow, and time-machine is not installed.
    """
    with contextlib.ExitStack() as stack:
        runner = stack.enter_context(
            asyncio.Runner(loop_factory=lambda: VirtualLoop(io_grace=io_grace, pace=pace))
        )
        if clocks_from_ns is not None:
            stack.enter_context(wall_clock_of(cast("VirtualLoop", runner.get_loop()), clocks_from_ns))
        return runner.run(main)
