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
import itertools
import selectors
import time
from collections.abc import Callable, Coroutine, Generator, Mapping
from concurrent.futures import Executor
from contextvars import Context
from typing import Any, Protocol, TypeVar, cast

from ..schema.errors import RealtapeError

IO_GRACE_SECONDS = 0.05
"""Of wall time, for which a foreign descriptor must be quiet before the clock jumps."""

_Result = TypeVar("_Result")
_numbers = itertools.count(1)


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


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on virtual time.

    Args:
        io_grace: wall seconds for which foreign descriptors must be quiet.

    Attributes:
        foreign: descriptors for which the clock has flowed with the wall.
    """

    def __init__(self, *, io_grace: float = IO_GRACE_SECONDS) -> None:
        self.now_ns = 0
        self.foreign: set[int] = set()
        self.idlers: list[Idler] = []
        self._io_grace = io_grace
        self._held = 0
        self._own: set[int] | None = None
        super().__init__(_IdleSelector(self))
        self._own = set(self.watched())
        # A set of tasks is iterated in the order of their hashes: by address, it would be another
        # order in every process.
        self.set_task_factory(_numbered_task)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self.now_ns / 1e9

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """As ever; timers of one instant fire in the order in which they were made."""
        timer = _NumberedTimer(when, callback, args, self, context)
        heapq.heappush(self._scheduled, timer)  # type: ignore[attr-defined]
        timer._scheduled = True  # type: ignore[attr-defined]
        return timer

    def create_future(self) -> asyncio.Future[Any]:
        """A future whose hash is its number."""
        return _NumberedFuture(loop=self)

    @contextlib.contextmanager
    def hold(self) -> Generator[None]:
        """While in this block, a thread owes an answer: the clock does not jump."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1

    def run_in_executor(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, executor: Executor | None, func: Callable[..., _Result], *args: Any
    ) -> asyncio.Future[_Result]:
        """As ever; the clock is held until the job has returned."""
        future = super().run_in_executor(executor, func, *args)
        self._held += 1
        future.add_done_callback(lambda _: self._release())
        return future

    async def shutdown_default_executor(self, *args: Any, **kwargs: Any) -> None:
        """As ever; a thread of its own waits for the jobs, and owes us the answer."""
        with self.hold():
            await super().shutdown_default_executor(*args, **kwargs)

    def watched(self) -> list[int]:
        """The descriptors that are registered."""
        selector = cast("_IdleSelector", self._selector)  # type: ignore[attr-defined]
        return [key.fd for key in selector.get_map().values()]

    def idle(self, poll: Callable[[float | None], list[Any]], timeout: float | None) -> list[Any]:
        """Nothing is left to run now. Returns what the selector says, or jumps and returns nothing.

        Args:
            poll: asks the real selector, for so many wall seconds; None: until something comes.
            timeout: virtual seconds until the next timer; None if there is none.

        Raises:
            StuckLoopError: nothing will ever happen.
        """
        if self._held:
            return poll(None)
        foreign = set(self.watched()) - (self._own or set())
        if foreign:
            self.foreign |= foreign
            found = self._flow(poll, timeout)
            if found:
                return found
        timer_ns = None if timeout is None else self.now_ns + round(timeout * 1e9)
        soonest: Idler | None = None
        for idler in self.idlers:
            at_ns = idler.next_ns()
            if at_ns is not None and (timer_ns is None or at_ns <= timer_ns):
                soonest, timer_ns = idler, at_ns
        if timer_ns is None:
            if any(idler.rest() for idler in self.idlers):
                return []
            if foreign:
                return poll(None)
            raise StuckLoopError("nothing is left that could ever happen: " + _waiting(self))
        self.now_ns = max(self.now_ns, timer_ns)
        if soonest is not None:
            soonest.act()
        return []

    def _flow(self, poll: Callable[[float | None], list[Any]], timeout: float | None) -> list[Any]:
        """Let the clock flow with the wall: until something comes, a timer is due, or it was quiet."""
        began = time.monotonic_ns()
        found = poll(self._io_grace if timeout is None else min(timeout, self._io_grace))
        if found:
            passed = time.monotonic_ns() - began
            self.now_ns += passed if timeout is None else min(passed, round(timeout * 1e9))
        return found

    def _release(self) -> None:
        self._held -= 1


class _IdleSelector(selectors.BaseSelector):
    """Asks the real selector without waiting, and the loop where waiting would be."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._real = selectors.DefaultSelector()

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = self._real.select(0)
        if found or (timeout is not None and timeout <= 0):
            return found
        return self._loop.idle(self._real.select, timeout)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()


class _NumberedTimer(asyncio.TimerHandle):
    """Of timers that fire at one instant, the one that was made first comes first."""

    def __init__(self, *args: Any) -> None:
        self._number = next(_numbers)
        super().__init__(*args)

    def __lt__(self, other: asyncio.TimerHandle) -> bool:
        mine, theirs = self.when(), other.when()
        return mine < theirs or (mine == theirs and self._number < cast("_NumberedTimer", other)._number)


class _NumberedTask(asyncio.Task[Any]):
    """Hashes by its number of creation."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._number = next(_numbers)
        super().__init__(*args, **kwargs)

    def __hash__(self) -> int:
        return self._number


class _NumberedFuture(asyncio.Future[Any]):
    """Hashes by its number of creation."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._number = next(_numbers)
        super().__init__(*args, **kwargs)

    def __hash__(self) -> int:
        return self._number


def _numbered_task(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
    return _NumberedTask(coroutine, loop=loop, **options)


def _waiting(loop: asyncio.AbstractEventLoop) -> str:
    names = sorted(task.get_name() for task in asyncio.all_tasks(loop))
    return f"{len(names)} tasks wait ({', '.join(names[:5])})"


def run(main: Coroutine[Any, Any, _Result], *, io_grace: float = IO_GRACE_SECONDS) -> _Result:
    """`asyncio.run` on virtual time.

    Raises:
        StuckLoopError: `main` waits for what will never happen.
    """
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(io_grace=io_grace)) as runner:
        return runner.run(main)
