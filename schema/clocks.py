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
from collections.abc import Callable, Collection, Generator
from typing import Any, NamedTuple, Protocol, runtime_checkable

from .asyncio_private import InEachRound, ready_of
from .entries import SETTLED_TICKS

BLIND_ROUNDS = 12
"""How long rounds are counted on a loop whose queue cannot be seen."""

PATIENT_ROUNDS = 200
"""How many rounds something may keep the loop busy, before that is taken for its rest."""


BURST = 1 << 40
"""Between the stamps of rounds in different bursts: one of 34 years, at a thousand rounds a second."""


class Round(NamedTuple):
    """A round of an event loop.

    Attributes:
        burst: how often nothing had been left to run, before it.
        number: since then.
    """

    burst: int
    number: int

    @property
    def stamp(self) -> int:
        """Both, as one number."""
        return self.burst * BURST + self.number


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
        self._stamp = 0
        self._counting = False
        self._since_asked = 0
        self._limit = SETTLED_TICKS - 1
        self._at_rest: list[Callable[[], object]] = []

    def stamp(self) -> int:
        """The round that is running, as a `Round` is stamped."""
        self._since_asked = 0
        if not self._counting:
            self._count()
        return self._stamp

    def round(self) -> Round:
        """The round that is running."""
        return Round(*divmod(self.stamp(), BURST))

    def when_settled(self, callback: Callable[[], object]) -> None:
        """Call back once nothing is left to run, or after PATIENT_ROUNDS."""
        self._at_rest.append(callback)
        self._since_asked, self._limit = 0, PATIENT_ROUNDS
        self._count()

    def _count(self) -> None:
        loop = self._loop()
        if self._counting or loop is None:
            return
        self._counting = True
        queue = ready_of(loop)
        if queue is None:
            loop.call_soon(self._end_unseen_round)
        else:
            InEachRound(self._end_round, loop, queue)

    def _end_round(self, queue: Collection[Any]) -> bool:
        """Whether another one begins that is to be counted."""
        self._since_asked = asked = self._since_asked + 1
        if not queue or asked >= self._limit:
            self._rest()
            return False
        self._stamp += 1
        return True

    def _end_unseen_round(self) -> None:
        loop = self._loop()
        # Nobody knows whether anything is left to run.
        if loop is not None and self._end_round((None,) * (self._since_asked + 1 < BLIND_ROUNDS)):
            loop.call_soon(self._end_unseen_round)

    def _rest(self) -> None:
        self._counting = False
        self._stamp = (self._stamp // BURST + 1) * BURST
        callbacks, self._at_rest = self._at_rest, []
        self._limit = SETTLED_TICKS - 1
        for callback in callbacks:
            try:
                callback()
            except Exception as error:  # noqa: BLE001 - as the loop does with what it calls
                if (loop := self._loop()) is not None:
                    loop.call_exception_handler({"message": f"{callback} raised", "exception": error})


_counted: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, CountedRounds] = weakref.WeakKeyDictionary()


def counted_rounds(loop: asyncio.AbstractEventLoop) -> CountedRounds:
    """Counts the rounds of an ordinary loop."""
    counted = _counted.get(loop)
    if counted is None:
        counted = _counted[loop] = CountedRounds(loop)
    return counted


def stamps_of(loop: asyncio.AbstractEventLoop) -> Callable[[], int]:
    """Tells the stamp of the round of this loop that is running."""
    return (lambda: loop.round().stamp) if isinstance(loop, VirtualTime) else counted_rounds(loop).stamp
