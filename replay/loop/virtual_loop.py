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
import itertools
import logging
import selectors
import threading
import time
from collections.abc import Callable, Coroutine, Generator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any, Protocol, TypeVar, cast
from unittest import mock

from ...schema.asyncio_private import OpenLoop
from ...schema.clocks import Round
from ...schema.errors import RealtapeError, UsageError
from .jobs import OrderedJobs
from .waiting_threads import is_alive, waits, where

IO_GRACE_SECONDS = 0.05
"""Of wall time, for which a foreign descriptor must be quiet before the clock jumps."""

NAP_SECONDS = 0.05
"""Of wall time, for which a clock with a pace sleeps at once: so soon it can be held."""

SHORTEST_NAP_SECONDS = 0.0005
"""Of wall time, after which a thread that is at work is looked at again; then twice as long, each time."""

POLL_GRACE_SECONDS = 2.0
"""Of wall time, for which the clock stands still for a thread that waits for a time: it may do so again and
again, and then it is one that waits."""

THREAD_PATIENCE_SECONDS = 10.0
"""The same, where nothing else could happen; and after which who waits for a thread is told."""

FOREIGN_PATIENCE_SECONDS = 5.0
"""Of wall time, for which a foreign descriptor is awaited where nothing else could happen."""

UNASKED = 16
"""Every so many rounds of a busy loop the real selector is asked, though only threads could wake the loop."""

_log = logging.getLogger("realtape")
_numbers = itertools.count(1)
_new: Any = cast("Any", tuple).__new__  # past the class's own, which is Python
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


class VirtualLoop(OpenLoop):
    """An event loop on virtual time.

    Args:
        io_grace: wall seconds for which foreign descriptors must be quiet.
        pace: how many times faster than the wall the clock may go; None: as fast as it can.

    Attributes:
        now_ns: virtual nanoseconds since the loop was made.
        here: the round that is running, counted from the last time that nothing was left to run.
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
        self.here = Round(0, 0)
        self.foreign: set[int] = set()
        self.idlers: list[Idler] = []
        self.on_stuck: list[Callable[[str], bool]] = []
        self.on_move: Callable[[int], object] | None = None
        self.blocked = False
        self.pace = pace
        self.holders: list[Callable[[], object]] = []
        self._io_grace = io_grace
        self._held = 0
        self._executor: ThreadPoolExecutor | None = None
        self._at_round_end: list[Callable[[], object]] = []
        self._at_round_start: list[tuple[Round, Callable[[], object]]] = []
        self._asking = _Selector(self)
        super().__init__(self._asking)
        self._asking.all_are_own()
        self._jobs = OrderedJobs(self.wake_from_thread)
        self._callers: set[int] = set()
        self._standing_since_s: float | None = None  # on the wall, for threads
        self._told_of_threads = False
        self.set_task_factory(_numbered_task)

    # --- time ----------------------------------------------------------------------------

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self.now_ns / 1e9

    @property
    def disordered(self) -> bool:
        """A thread answered out of order: see `OrderedJobs`."""
        return self._jobs.disordered

    @property
    def hasty(self) -> bool:
        """The clock went on while a thread that owes an answer may have been waiting for another one, which
        was at work: see `OtherThreads`."""
        return self._jobs.others.mistakable

    @contextlib.contextmanager
    def hold(self) -> Generator[None]:
        """While in this block, a thread owes an answer: the clock does not jump."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1

    @property
    def owed(self) -> bool:
        """Whether a thread owes an answer."""
        return bool(self._held or self._jobs.owed)

    def stands_for(self, thread: int) -> bool:
        """Whether the clock stands as long as this thread, which calls, is at work: it does a job of an
        executor's, or somebody holds the clock for threads."""
        return self._held > 0 or thread in self._jobs.doing

    # --- the loop's own methods -----------------------------------------------------------------------

    def create_future(self) -> asyncio.Future[Any]:
        """A future whose hash is its number."""
        return _Future(loop=self)

    def run_in_executor(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, executor: Executor | None, func: Callable[..., _Result], *args: Any
    ) -> asyncio.Future[_Result]:
        """As ever; the clock is held until the job has returned, and answers keep their order."""
        if executor is None:
            executor = self._default()
        return super().run_in_executor(self._jobs.watch(executor), func, *args)

    def call_soon_threadsafe(
        self, callback: Callable[..., object], *args: Any, **kwargs: Any
    ) -> asyncio.Handle:
        """As ever; a thread that calls is known from then on."""
        self._callers.add(threading.get_ident())
        return super().call_soon_threadsafe(callback, *args, **kwargs)

    def set_default_executor(self, executor: ThreadPoolExecutor) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """As ever."""
        super().set_default_executor(executor)
        self._executor = executor

    async def shutdown_default_executor(self, *args: Any, **kwargs: Any) -> None:
        """As ever; a thread of its own waits for the jobs, and owes us the answer."""
        with self.hold():
            await super().shutdown_default_executor(*args, **kwargs)

    # --- forks -----------------------------------------------------------------------------------------

    @property
    def is_alone(self) -> bool:
        """Whether no thread owes an answer, and no descriptor but its own is registered: a forked child could
        go on as this does."""
        return not (self.owed or self._asking.foreign or self.holders)

    @property
    def threads(self) -> set[threading.Thread]:
        """Those of its executor, which wait for jobs."""
        pool: Any = self._executor
        return set() if pool is None else set(pool._threads)

    @property
    def descriptors(self) -> set[int]:
        """Its own."""
        return self._asking.descriptors | self.waking

    def go_on_forked(self) -> None:
        """In a forked child, of a loop that is alone: go on where the parent was."""
        self._asking.renew()
        super().go_on_forked()
        self._asking.all_are_own()
        self._executor = self._default_executor = None  # its threads are the parent's

    # --- rounds ----------------------------------------------------------------------------------------

    def round(self) -> Round:
        """The round that is running."""
        return self.here

    def skip_round(self, task: asyncio.Task[Any], kept: asyncio.Handle | None = None) -> bool:
        """A task that is running now has nothing more to do in this round: let it end at once, if nothing
        else is left to run in it, and nothing in the next one but this task. Whether it has ended.

        Args:
            kept: what was to be called soon after the task, is to be called after it then.
        """
        # What the loop itself looks at between two rounds, and the task where it gives it back.
        if not self.runs_alone(kept) or self._at_round_end or self._at_round_start:
            return False
        if task.cancelling() or not self._asking.may_skip():
            return False
        burst, number = self.here
        self.here = _new(Round, (burst, number + 1))
        return True

    def at_round_end(self, callback: Callable[[], object]) -> None:
        """Call this when everything that is ready in this round has run."""
        self._at_round_end.append(callback)

    def at_round_start(self, number: int, callback: Callable[[], object]) -> None:
        """Call this before anything else runs in a round to come of this burst."""
        self._at_round_start.append((Round(self.here.burst, number), callback))

    def begin_burst(self) -> None:
        """Nothing was left to run: what comes is another burst."""
        self.here = Round(self.here.burst + 1, 0)

    # --- for the selector -----------------------------------------------------------------------------

    def end_round(self) -> bool:
        """Everything that was ready has run. Returns whether more is ready now."""
        while self.urgent or self._at_round_end:
            self.run_urgent()
            callbacks, self._at_round_end = self._at_round_end, []
            for callback in callbacks:
                callback()
        burst, number = self.here
        self.here = _new(Round, (burst, number + 1))
        if self._at_round_start:
            self._start_round()
        # By what ran here something may be ready, or due, that the loop has not seen.
        return bool(self._at_round_start) or self.goes_on()

    def idle(self, poll: Callable[[float | None], list[Any]]) -> list[Any]:
        """Nothing is left to run now. Returns what the selector says, or jumps and returns nothing.

        Args:
            poll: asks the real selector, for so many wall seconds; None: until something comes.

        Raises:
            StuckLoopError: nothing will ever happen.
        """
        found = self._threads(poll) if self.owed else None
        if found is not None:
            return found
        self._standing_since_s = None
        if self.holders:
            return self._stand(poll)
        timers = self.timers
        if timers and timers[0].cancelled():
            return []  # the loop takes it away
        timer_ns = round(timers[0].when() * 1e9) if timers else None
        foreign = self._asking.foreign
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
        self.now_ns = max(self.now_ns, to_ns)
        if self.on_move is not None:
            self.on_move(self.now_ns)
        return True

    def _moved(self, now_ns: int) -> None:
        self.now_ns = now_ns
        if self.on_move is not None:
            self.on_move(now_ns)

    def _stand(self, poll: Callable[[float | None], list[Any]]) -> list[Any]:
        """The clock is held: tell those who hold it, or wait for descriptors of others."""
        for holder in list(self.holders):
            holder()
        if not self.holders or self.has_ready or self.urgent:
            return []
        foreign = self._asking.foreign
        if foreign:
            self.foreign |= foreign
            found = poll(None)
            self.begin_burst()
            return found
        return self._stuck("the replay is paused, and nothing could let it go")

    def _threads(self, poll: Callable[[float | None], list[Any]]) -> list[Any] | None:
        """Wait until the threads have answered; None where none of them owes anything any more, or where each
        waits for somebody else."""
        self.blocked = True
        nap_s = SHORTEST_NAP_SECONDS
        self._standing_since_s = self._standing_since_s or time.perf_counter()
        try:
            while self.owed:
                found: list[Any] = []
                if not self._jobs.turn() and not self.has_ready and self.owed:
                    if self._all_wait():
                        break
                    found = self._asking.without_wakes(poll(nap_s))
                    nap_s = min(2 * nap_s, NAP_SECONDS)  # that a thread waits wakes nobody
                    if not found and not self.has_ready:
                        continue
                self.begin_burst()
                return found
            return None
        finally:
            self.blocked = False

    def _all_wait(self) -> bool:
        """Whether each thread that owes an answer waits, and for nobody but this loop. Which it is that holds
        the clock is not known: it may be any that has called."""
        assert self._standing_since_s is not None, "it stands still for threads"
        stood_s = time.perf_counter() - self._standing_since_s
        if stood_s >= THREAD_PATIENCE_SECONDS:
            self._tell_of_threads()
        more = bool(self.timers) or any(idler.next_ns() is not None for idler in self.idlers)
        # Who gives up after a while may do so again and again, until something comes that the clock brings.
        polls = self._jobs.disordered or stood_s >= (POLL_GRACE_SECONDS if more else THREAD_PATIENCE_SECONDS)
        if not self._jobs.all_wait(for_a_time=polls):
            return False
        callers = {*self._callers} - {threading.get_ident()}
        gone = {one for one in callers if not is_alive(one)}
        self._callers -= gone
        callers -= gone
        if self._held and not (callers and all(map(waits, callers))):
            return False
        return not self._jobs.others.at_work({*callers, *self._jobs.threads})

    def _tell_of_threads(self) -> None:
        if self._told_of_threads:
            return
        self._told_of_threads = True
        at_work = ", ".join(map(where, self._jobs.threads)) or "one that holds the clock"
        _log.warning(
            "virtual time has stood still for %g s on the wall, for a thread owes an answer: %s. If it waits "
            "for something that this loop is to do, let it wait with a Queue, an Event, a Condition or a "
            "Future: nobody sees it wait for a SimpleQueue or a Lock",
            THREAD_PATIENCE_SECONDS,
            at_work,
        )

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

    def _start_round(self) -> None:
        here = self.here
        due = [callback for at, callback in self._at_round_start if at <= here]
        self._at_round_start = [one for one in self._at_round_start if one[0] > here]
        for callback in due:
            callback()

    def _default(self) -> ThreadPoolExecutor:
        if self._executor is None:
            self.set_default_executor(ThreadPoolExecutor(thread_name_prefix="asyncio"))
        assert self._executor is not None
        return self._executor


class _Selector(selectors.BaseSelector):
    """Asks the real selector without waiting, and the loop where waiting would be.

    Attributes:
        foreign: the descriptors that are registered and are not the loop's own.
    """

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._real = selectors.DefaultSelector()
        self.foreign: frozenset[int] = frozenset()
        self._own: frozenset[int] = frozenset()
        self._unasked = 0

    def all_are_own(self) -> None:
        """What is registered now is what the loop itself needs."""
        self._own, self.foreign = self.foreign, frozenset()

    @property
    def descriptors(self) -> set[int]:
        """The loop's own: those that are registered, and the real selector's."""
        fileno: Any = getattr(self._real, "fileno", None)
        return {*self._own, *(() if fileno is None else (fileno(),))}

    def renew(self) -> None:
        """In a forked child: ask a selector of its own, and not the parent's."""
        self._real.close()
        self._real = selectors.DefaultSelector()
        self._registered = 0

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = self._real.register(fileobj, events, data)
        self.foreign |= {key.fd}
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        key = self._real.unregister(fileobj)
        self.foreign -= {key.fd}
        return key

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._loop.end_round()
        if ready and self._may_wait():
            return []  # a thread that has something ready is heard of without it
        self._unasked = 0
        found = self._real.select(0)
        if found:
            found = self.without_wakes(found)
        if found or ready or self._loop.has_ready or (timeout is not None and timeout <= 0):
            return found
        return self._loop.idle(self._real.select)

    def may_skip(self) -> bool:
        """Another round is to pass without the loop: whether there is nothing of which it would hear."""
        if self._may_wait():
            return True
        if self.foreign or self._real.select(0):
            return False  # it will ask again
        self._unasked = 0
        return True

    def without_wakes(self, found: list[Any]) -> list[Any]:
        """What the real one found, but for threads that only woke the loop: that must not cost a round."""
        foreign = [event for event in found if event[0].fd not in self._own]
        if len(foreign) < len(found):
            self._loop.forget_wakes()
        return foreign

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()

    def _may_wait(self) -> bool:
        """Another round has passed: whether the real selector need not be asked yet."""
        self._unasked += 1
        return self._unasked < UNASKED and not self.foreign


class _Task(asyncio.Task[Any]):
    """Hashes by its number: a set of tasks is iterated in the order of their hashes, which by address
    would be another in every process. (The SDK keeps tasks and futures in sets.)"""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._number = next(_numbers)
        super().__init__(*args, **kwargs)

    def __hash__(self) -> int:
        return self._number


class _Future(asyncio.Future[Any]):
    """Hashes by its number."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._number = next(_numbers)
        super().__init__(*args, **kwargs)

    def __hash__(self) -> int:
        return self._number


def _numbered_task(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
    return _Task(coroutine, loop=loop, **options)


def _waiting(loop: asyncio.AbstractEventLoop) -> str:
    names = sorted(task.get_name() for task in asyncio.all_tasks(loop))
    return f"{len(names)} tasks wait ({', '.join(names[:5])})"


@contextlib.contextmanager
def _wall_clock_of(loop: VirtualLoop, started_ns: int) -> Generator[None]:
    """In this block the clocks of the process follow the loop's.

    `time.perf_counter` stays real; so does what was imported by `from time import monotonic` before.

    Args:
        loop: whose time they tell.
        started_ns: Unix nanoseconds at the loop's beginning.

    Raises:
        UsageError: time-machine, which turns the clocks, is not installed.
    """
    try:
        import time_machine
    except ModuleNotFoundError as error:
        raise UsageError("clocks that follow need time-machine: pip install 'realtape[clocks]'") from error
    base_ns = time.monotonic_ns()

    def monotonic_ns() -> int:
        return base_ns + loop.now_ns

    def monotonic() -> float:
        return monotonic_ns() / 1e9

    with contextlib.ExitStack() as stack:
        traveller = stack.enter_context(time_machine.travel(started_ns / 1e9, tick=False))
        stack.enter_context(mock.patch("time.monotonic_ns", monotonic_ns))
        stack.enter_context(mock.patch("time.monotonic", monotonic))
        loop.on_move = lambda now_ns: traveller.move_to((started_ns + now_ns) / 1e9)
        try:
            yield
        finally:
            loop.on_move = None


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
            stack.enter_context(_wall_clock_of(cast("VirtualLoop", runner.get_loop()), clocks_from_ns))
        return runner.run(main)
