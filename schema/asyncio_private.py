"""The private parts of asyncio that we touch: all of them, and nowhere else.

They are those of the standard library's loops, from Python 3.11 to 3.13. The tests of this module fail on a
Python that lacks one, or in which one means something else.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import itertools
import selectors
import socket
import sys
from collections import deque
from collections.abc import Callable
from typing import Any, cast

_numbers = itertools.count(1)


def _current_task_of() -> Callable[[asyncio.AbstractEventLoop | None], asyncio.Task[Any] | None]:
    """`asyncio.current_task` of a loop that is known; before Python 3.12 that is Python."""
    tasks: Any = asyncio.tasks
    return tasks._current_tasks.get if sys.version_info < (3, 12) else asyncio.current_task


current_task_of = _current_task_of()
"""The task that runs on a loop, asked on its thread; None where it is a callback."""


def never_got(queue: asyncio.Queue[Any]) -> int:
    """How many things lie in a queue out of which nobody has ever taken one; 0 of any other. (Who tells it
    that they are done has taken some.)"""
    put: int = cast("Any", queue)._unfinished_tasks
    return queue.qsize() if queue.qsize() == put else 0


def ready_of(loop: asyncio.AbstractEventLoop) -> deque[Any] | None:
    """What is ready to run on a loop; None where that cannot be seen."""
    return getattr(loop, "_ready", None)


class InEachRound(asyncio.Handle):
    """Stands in a loop's queue in each round until its callback, given that queue, says that this is over.

    It costs a third of a handle that is made for each round: it runs without a context of its own, so the
    callback must raise nothing."""

    __slots__ = ("_queue",)

    def __init__(
        self, callback: Callable[[deque[Any]], bool], loop: asyncio.AbstractEventLoop, queue: deque[Any]
    ) -> None:
        super().__init__(callback, (queue,), loop)
        self._queue = queue
        queue.append(self)

    def _run(self) -> None:
        if self._callback(self._queue):  # type: ignore[attr-defined]
            self._queue.append(self)


class OpenLoop(asyncio.SelectorEventLoop):
    """A loop whose queue may be looked at, and in which some things are urgent: they run before whatever is
    next in the queue.

    Args:
        selector: asked between two rounds.

    Attributes:
        urgent: what is.
    """

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self.urgent: deque[asyncio.Handle] = deque()
        super().__init__(selector)
        self._ready: deque[asyncio.Handle] = _Queue(self)

    def soon(self, callback: Callable[..., object], *args: Any) -> asyncio.Handle:
        """Call this right after what is running now, before anything else that is ready."""
        handle = _Soon(callback, args, self)
        self.urgent.append(handle)
        return handle

    def wake(self, wake: Callable[..., object], *args: Any) -> None:
        """Call this: who is woken by it runs right after what is running now, in the same round."""
        before, self._ready = self._ready, self.urgent
        try:
            wake(*args)
        finally:
            self._ready = before

    def run_urgent(self) -> None:
        """Run what is urgent now."""
        urgent = self.urgent
        while urgent:
            handle = urgent.popleft()
            if not handle.cancelled():  # as the loop itself does with what is ready
                handle._run()  # type: ignore[attr-defined]

    @property
    def has_ready(self) -> bool:
        """Whether anything is ready: another thread may have seen to that."""
        return bool(self._ready)

    @property
    def timers(self) -> list[asyncio.TimerHandle]:
        """Those that are set, as a heap; a cancelled one may be among them."""
        return cast("list[asyncio.TimerHandle]", self._scheduled)  # type: ignore[attr-defined]

    def goes_on(self) -> bool:
        """Whether the loop would do anything now: something is ready, a timer is due, or it is to stop."""
        if self._ready or self.urgent or self._stopping:  # type: ignore[attr-defined]
            return True
        return bool(self._scheduled) and self._is_due()  # type: ignore[attr-defined]

    def runs_alone(self, kept: asyncio.Handle | None) -> bool:
        """Whether nothing but who runs now would do anything in this round, and what is kept to be called
        soon after him."""
        urgent = self.urgent
        while urgent and urgent[0].cancelled():
            urgent.popleft()
        if len(urgent) > 1 or (urgent and urgent[0] is not kept):
            return False
        if self._ready or self._stopping:  # type: ignore[attr-defined]
            return False
        return not (self._scheduled and self._is_due())  # type: ignore[attr-defined]

    def wake_from_thread(self) -> None:
        """Let the selector return, in whatever thread we are."""
        self._write_to_self()  # type: ignore[attr-defined]

    @property
    def waking(self) -> set[int]:
        """The descriptors by which the loop is woken."""
        return {ours.fileno() for ours in (self._ssock, self._csock)}  # type: ignore[attr-defined]

    def go_on_forked(self) -> None:
        """In a forked child, on the thread that runs this loop: it goes on, with descriptors of its own. (A
        child shares its parent's; and asyncio takes the loop for the parent's.)"""
        asyncio._set_running_loop(self)
        for ours in cast("tuple[socket.socket, ...]", (self._ssock, self._csock)):  # type: ignore[attr-defined]
            ours.close()
        self._internal_fds -= 1  # type: ignore[attr-defined]
        self._make_self_pipe()  # type: ignore[attr-defined]

    def forget_wakes(self) -> None:
        """The selector has returned for that."""
        self._read_from_self()  # type: ignore[attr-defined]

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """As ever; timers of one instant fire in the order in which they were made."""
        timer = _Timer(when, callback, args, self, context)
        heapq.heappush(self._scheduled, timer)  # type: ignore[attr-defined]
        timer._scheduled = True  # type: ignore[attr-defined]
        return timer

    def _is_due(self) -> bool:
        """Whether a timer is, in this instant: by the loop's own words, or it would never ring."""
        timers = self.timers
        until = self.time() + cast("float", self._clock_resolution)  # type: ignore[attr-defined]
        return bool(timers) and not timers[0].cancelled() and timers[0].when() < until


class _Queue(deque[asyncio.Handle]):
    """The loop's queue: what is urgent runs before its next."""

    def __init__(self, loop: OpenLoop) -> None:
        super().__init__()
        self._loop = loop

    def popleft(self) -> asyncio.Handle:
        if self._loop.urgent:
            self._loop.run_urgent()
        return super().popleft()


class _Soon(asyncio.Handle):
    """A handle that costs half of what one does: it keeps nothing for a loop that is being debugged."""

    __slots__ = ()

    def __init__(
        self, callback: Callable[..., object], args: tuple[Any, ...], loop: asyncio.AbstractEventLoop
    ) -> None:
        self._callback = callback
        self._args = args
        self._loop = loop
        self._context = contextvars.copy_context()
        self._repr = None
        self._cancelled = False
        self._source_traceback = None

    def cancel(self) -> None:
        """Do not call it."""
        self._cancelled = True


class _Timer(asyncio.TimerHandle):
    """Of timers that fire at one instant, the one that was made first comes first."""

    def __init__(self, *args: Any) -> None:
        self._number = next(_numbers)
        super().__init__(*args)

    def __lt__(self, other: asyncio.TimerHandle) -> bool:
        mine, theirs = self.when(), other.when()
        return mine < theirs or (mine == theirs and self._number < cast("_Timer", other)._number)
