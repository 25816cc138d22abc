"""Knowing, on a plain event loop, when everything that could run has run.

A plain loop does not tell; the standard library's keeps its queue in `_ready`, and empty means
settled. Other loops (uvloop) are given a fixed number of rounds. What timers, sockets and threads
will bring is not known on a plain loop at all: there, a while without any progress has to do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

MAX_ROUNDS = 200
"""After so many rounds we go on, though something keeps the loop busy."""

BLIND_ROUNDS = 12
"""Rounds given to a loop whose queue cannot be seen."""


class Settler:
    """Calls back when the loop's queue has run empty."""

    def __init__(self, loop: asyncio.AbstractEventLoop, done: Callable[[], None]) -> None:
        self._loop = loop
        self._done = done
        self._running = False

    @property
    def sees_queue(self) -> bool:
        """Whether this loop tells when it has settled."""
        return hasattr(self._loop, "_ready")

    def start(self) -> None:
        """Begin, unless it has begun already."""
        if not self._running:
            self._running = True
            self._loop.call_soon(self._round, 0)

    def _round(self, count: int) -> None:
        ready = getattr(self._loop, "_ready", None)
        settled = not ready if ready is not None else count >= BLIND_ROUNDS
        if settled or count >= MAX_ROUNDS:
            self._running = False
            self._done()
        else:
            self._loop.call_soon(self._round, count + 1)


class Watch:
    """Calls back when nothing has happened for a while; the callee asks again.

    Args:
        quiet: called with the seconds since the last progress, every `grace` of them.
        grace: seconds without progress after which the application is taken to be at rest.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, grace: float, quiet: Callable[[float], None]) -> None:
        self._loop = loop
        self._grace = grace
        self._quiet = quiet
        self._last = loop.time()
        self._timer: asyncio.TimerHandle | None = None

    def progress(self) -> None:
        """Something happened."""
        self._last = self._loop.time()

    def arm(self) -> None:
        """Watch from now on."""
        if self._timer is None:
            self._timer = self._loop.call_later(self._grace, self._check)

    def disarm(self) -> None:
        """Stop watching."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        self._timer = None
        quiet_for = self._loop.time() - self._last
        if quiet_for >= self._grace * 0.9:
            self._quiet(quiet_for)
        else:
            self._timer = self._loop.call_later(self._grace - quiet_for, self._check)
