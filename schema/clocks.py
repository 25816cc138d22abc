"""What an event loop tells about its time: its clock, where that is virtual, and its rounds.

An ordinary loop has the wall's time, and does not count its rounds; they are counted here, for all
that ask, as long as anything is left to run. A loop on virtual time (`replay/loop/virtual_loop.py`) knows
both by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import weakref
from collections import deque
from collections.abc import Callable, Generator
from typing import Any, NamedTuple, Protocol, cast, runtime_checkable

from .asyncio_private import ready_of
from .entries import SETTLED_TICKS

BLIND_ROUNDS = 12
"""How long rounds are counted on a loop whose queue cannot be seen."""

PATIENT_ROUNDS = 200
"""How many rounds something may keep the loop busy, before that is taken for its rest."""


_new: Any = cast("Any", tuple).__new__  # past the class's own, which is Python


class Round(NamedTuple):
    """A round of an event loop.

    Attributes:
        burst: how often nothing had been left to run, before it.
        number: since then.
    """

    burst: int
    number: int


@runtime_checkable
class VirtualTime(Protocol):
    """A loop on virtual time."""

    now_ns: int

    def round(self) -> Round:
        """The round that is running."""
        ...

    def hold(self) -> contextlib.AbstractContextManager[None]:
        """While in this block, a thread owes an answer: the clock does not jump."""
        ...


def virtual_time() -> VirtualTime | None:
    """The loop that is running here, if it is on virtual time."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return None
    return loop if isinstance(loop, VirtualTime) else None


def clock_here() -> Callable[[], int]:
    """A clock of monotonic nanoseconds, for what happens on the loop that is running here."""
    virtual = virtual_time()
    return time.monotonic_ns if virtual is None else lambda: virtual.now_ns


@contextlib.contextmanager
def clock_held() -> Generator[None]:
    """While in this block, a thread owes an answer: virtual time does not jump."""
    virtual = virtual_time()
    if virtual is None:
        yield
    else:
        with virtual.hold():
            yield


class CountedRounds:
    """Counts the rounds of an ordinary loop while anything is left to run, for all who ask together:
    were each of them to count, none would ever see an empty queue.

    A round ends with a callback that stands in the loop's queue while rounds are counted. Whatever
    is woken is queued behind it: in one round, nothing that was woken in it has run.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)
        self._round = Round(0, 0)
        self._counting = False
        self._since_asked = 0
        self._at_rest: list[Callable[[], object]] = []

    def round(self) -> Round:
        """The round that is running."""
        self._since_asked = 0
        if not self._counting:
            self._count()
        return self._round

    def when_settled(self, callback: Callable[[], object]) -> None:
        """Call back once nothing is left to run, or after PATIENT_ROUNDS."""
        self._at_rest.append(callback)
        self._since_asked = 0
        self._count()

    def _count(self) -> None:
        loop = self._loop()
        if not self._counting and loop is not None:
            self._counting = True
            itself: list[asyncio.Handle] = []
            itself.append(loop.call_soon(self._end_round, loop, ready_of(loop), itself))

    def _end_round(
        self, loop: asyncio.AbstractEventLoop, ready: deque[Any] | None, itself: list[asyncio.Handle]
    ) -> None:
        self._since_asked += 1
        over = not ready if ready is not None else self._since_asked >= BLIND_ROUNDS
        if over or self._since_asked >= (PATIENT_ROUNDS if self._at_rest else SETTLED_TICKS - 1):
            self._counting = False
            self._round = Round(self._round.burst + 1, 0)
            callbacks, self._at_rest = self._at_rest, []
            for callback in callbacks:
                callback()
        else:
            burst, number = self._round
            self._round = _new(Round, (burst, number + 1))
            if ready is None:
                loop.call_soon(self._end_round, loop, None, itself)
            else:
                ready.append(itself[0])  # as `call_soon` does, which makes another handle


_counted: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, CountedRounds] = weakref.WeakKeyDictionary()


def counted_rounds(loop: asyncio.AbstractEventLoop) -> CountedRounds:
    """Counts the rounds of an ordinary loop."""
    counted = _counted.get(loop)
    if counted is None:
        counted = _counted[loop] = CountedRounds(loop)
    return counted


def rounds_of(loop: asyncio.AbstractEventLoop) -> Callable[[], Round]:
    """Tells the round of this loop that is running."""
    return loop.round if isinstance(loop, VirtualTime) else counted_rounds(loop).round
