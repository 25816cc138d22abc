"""The pace of a replay on an ordinary event loop: as well as can be.

Such a loop shows its queue: when that is empty, everything has run that can. What timers, sockets
and threads will bring it does not show: there, a while without any progress has to do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from ...schema.clocks import counted_rounds
from ...schema.errors import UsageError
from ...session.places import Place
from ..terms.acts import Approach
from .pacing import not_driven

HOLD_SECONDS = 0.05
"""Without any progress for so long, the application is taken to be at rest."""


class PlainPacer:
    """Counts rounds, and watches the clock on the wall.

    Args:
        stuck_after: seconds without progress after which nothing will come.
        pace: how many times faster than recorded; None: as fast as the application takes it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, stuck_after: float, pace: float | None) -> None:
        self.paced = pace is not None
        self.weaker = ["the event loop is an ordinary one: the application's own timers ring in real time"]
        self.reached: Callable[[Approach], object] = not_driven
        self.quiet: Callable[..., object] = not_driven
        self.wake: Callable[..., None] = _wake
        self.soon: Callable[..., asyncio.Handle] = loop.call_soon
        self._loop = loop
        self._stuck_after = stuck_after
        self._grace = min(HOLD_SECONDS, stuck_after)
        self._pace = pace or 1.0
        self._began = loop.time()
        self._rounds = counted_rounds(loop)
        self._act: Approach | None = None
        self._due: tuple[int, int] = (0, 0)
        self._target: tuple[int, int] = (0, 0)
        self._watching = False
        self._last = loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._held_at: float | None = None

    @property
    def overdue(self) -> float | None:
        """Seconds for which what is given up now was awaited: that nothing is left is not to be known."""
        return self._stuck_after

    def now(self) -> Place:
        """Where in time the replay is."""
        burst, number = self._rounds.round()
        return Place(round((self._loop.time() - self._began) * self._pace * 1e9), burst, number)

    def still(self) -> bool:
        """Such a loop goes on while other threads run."""
        return False

    def owed(self) -> bool:
        """Time stands still for none."""
        return False

    def stands_for(self, thread: int) -> bool:
        """Its time is everybody's."""
        return True

    def early(self) -> bool:
        """Whether what was reached is due in a round that is still to come."""
        return self._rounds.round() < self._due

    def approach(self, act: Approach) -> None:
        """Call back there."""
        if self._act is not None and self._act.seq == act.seq and self._act.until.at_ns == act.until.at_ns:
            return
        self.clear()
        self._act = act
        at_ns, rounds = act.until
        if at_ns is not None:  # to the round it is not as exact
            delay = (at_ns - self.now().ns) / 1e9 / self._pace if self.paced else 0.0
            if delay > 0:
                self._timer = self._loop.call_later(delay, self._settle, act)
            else:
                self._settle(act)
        elif not rounds:
            self._reach(act)
        else:
            burst, number = self._rounds.round()
            self._due = (burst, number + rounds)
            # Whoever is woken there runs a round later.
            self._target = self._due if act.patient else (burst, number + rounds - 1)
            self._count(act)

    def begin(self, act: Approach) -> None:
        """Such a loop is not as exact as that."""

    def pass_rounds(self, rounds: int, to: int, task: asyncio.Task[Any], acted: asyncio.Handle | None) -> int:
        """Such a loop is not asked."""
        return rounds

    def wait(self) -> None:
        """Call back when nothing has happened for a while, and again."""
        if not self._watching:
            self.clear()
            self._watching = True
            self._timer = self._loop.call_later(self._grace, self._check)

    def finish(self, *, busy: bool) -> None:
        """Call back when the application has come to rest."""
        if busy:
            self.wait()
        else:
            self.clear()
            self._loop.call_soon(lambda: self.quiet(gives_up=True))

    def progress(self) -> None:
        """Something happened."""
        self._last = self._loop.time()

    def happens(self) -> None:
        """Nothing is waited for any more."""
        self.clear()
        self._last = self._loop.time()

    def hold(self, stand: Callable[[], object]) -> None:
        """Such a loop's clock cannot be held: what is passed meanwhile does not count."""
        if self._held_at is None:
            self._held_at = self._loop.time()

    def release(self) -> None:
        """What comes, comes later by as much as it was held."""
        if self._held_at is not None:
            self._began += self._loop.time() - self._held_at
            self._held_at = None
            self.progress()

    @property
    def rate(self) -> float | None:
        """That of the wall's clock, where it counts."""
        return self._pace if self.paced else None

    def set_rate(self, rate: float | None) -> None:
        """As fast as can be is only what was so from the beginning."""
        if self.paced != (rate is not None):
            raise UsageError("on an ordinary event loop: give ReplayModel(pace=...), and set numbers only")
        if rate is not None:
            now = self._loop.time() if self._held_at is None else self._held_at
            self._began = now - (now - self._began) * self._pace / rate
            self._pace = rate

    def stop(self) -> None:
        """Call back no more."""
        self.clear()

    def _settle(self, act: Approach) -> None:
        self._rounds.when_settled(lambda: self._reach(act))

    def _count(self, act: Approach) -> None:
        if self._act is not act:
            return
        if self._rounds.round() < self._target:
            self._loop.call_soon(self._count, act)
        else:
            self._reach(act)

    def _reach(self, act: Approach) -> None:
        if self._act is act:
            self._act = None
            self.reached(act)

    def _check(self) -> None:
        self._watching = False
        self._timer = None
        quiet_for = self._loop.time() - self._last
        if quiet_for >= self._grace * 0.9:
            self.quiet(gives_up=quiet_for >= self._stuck_after)
        else:
            self._watching = True
            self._timer = self._loop.call_later(self._grace - quiet_for, self._check)

    def clear(self) -> None:
        """Nothing is waited for."""
        self._act = None
        self._watching = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _wake(wake: Callable[..., object], *args: Any) -> None:
    """Such a loop runs who is woken in the next round."""
    wake(*args)
