"""What a `VirtualLoop` is made of besides itself: its queue, in which some things are urgent, and a selector
that does not wait."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import selectors
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Protocol

UNASKED = 16
"""Every so many rounds of a busy loop the real selector is asked, though only threads could wake the loop."""

Found = list[tuple[selectors.SelectorKey, int]]


class ReadyQueue(deque[asyncio.Handle]):
    """The loop's queue: what is urgent runs before its next."""

    def __init__(self, urgent: deque[asyncio.Handle]) -> None:
        super().__init__()
        self._urgent = urgent

    def popleft(self) -> asyncio.Handle:
        while self._urgent:
            run_handle(self._urgent.popleft())
        return super().popleft()


class Soon(asyncio.Handle):
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


def run_handle(handle: asyncio.Handle) -> None:
    """As the loop itself does with what is ready."""
    if not handle.cancelled():
        handle._run()  # type: ignore[attr-defined]


class Queued(Protocol):
    """A loop of which others may set the queue."""

    def queue_into(self, ready: deque[asyncio.Handle]) -> deque[asyncio.Handle]:
        """From now on what becomes ready is queued there; returns where it was."""
        ...


class Waking(contextlib.AbstractContextManager[None]):
    """While in this block, what becomes ready is urgent."""

    __slots__ = ("_before", "_loop", "_urgent")

    def __init__(self, loop: Queued, urgent: deque[asyncio.Handle]) -> None:
        self._loop = loop
        self._urgent = urgent

    def __enter__(self) -> None:
        self._before = self._loop.queue_into(self._urgent)

    def __exit__(self, *_: object) -> None:
        self._loop.queue_into(self._before)


class Idling(Protocol):
    """A loop that is asked where another would wait."""

    own_descriptors: int

    def end_round(self) -> bool:
        """Everything that was ready has run. Returns whether more is ready now."""
        ...

    @property
    def has_ready(self) -> bool:
        """Whether anything is ready."""
        ...

    def without_wakes(self, found: list[Any]) -> list[Any]:
        """What the selector found, but for threads that only woke the loop."""
        ...

    def idle(self, poll: Callable[[float | None], list[Any]]) -> list[Any]:
        """Nothing is left to run now."""
        ...


class IdleSelector(selectors.BaseSelector):
    """Asks the real selector without waiting, and the loop where waiting would be."""

    def __init__(self, loop: Idling) -> None:
        self._loop = loop
        self._real = selectors.DefaultSelector()
        self.registered = 0
        self._unasked = 0

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = self._real.register(fileobj, events, data)
        self.registered = len(self._real.get_map())
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        key = self._real.unregister(fileobj)
        self.registered = len(self._real.get_map())
        return key

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def select(self, timeout: float | None = None) -> Found:
        ready = self._loop.end_round()
        if ready and self.may_wait():
            return []  # a thread that has something ready is heard of without it
        self._unasked = 0
        found = self._loop.without_wakes(self._real.select(0))
        if found or ready or self._loop.has_ready or (timeout is not None and timeout <= 0):
            return found
        return self._loop.idle(self._real.select)

    def may_wait(self) -> bool:
        """Another round has passed: whether the real selector need not be asked yet."""
        self._unasked += 1
        return self._unasked < UNASKED and self.registered == self._loop.own_descriptors

    def may_skip(self) -> bool:
        """Another round is to pass without the loop: whether there is nothing of which it would hear."""
        if self.may_wait():
            return True
        if self.registered != self._loop.own_descriptors or self._real.select(0):
            return False  # it will ask again
        self._unasked = 0
        return True

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()
