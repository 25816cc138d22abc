"""An event loop that counts its rounds, and lets things run between two others.

What time it is, and what is done when nothing is left to run, is another's business (`virtual_loop.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Any, cast

from ...schema.clocks import Round
from .loop_queue import IdleSelector, ReadyQueue, Soon, Waking, run_handle


class RoundsLoop(asyncio.SelectorEventLoop):
    """A loop whose rounds have numbers.

    Attributes:
        own_descriptors: how many are registered that the loop itself needs.
    """

    def __init__(self) -> None:
        self._round = Round(0, 0)
        self._ending = False
        self._urgent: deque[asyncio.Handle] = deque()
        self._at_round_end: list[Callable[[], object]] = []
        self._at_round_start: list[tuple[Round, Callable[[], object]]] = []
        self._own = frozenset[int]()
        self.own_descriptors = 0
        self._asking = IdleSelector(self)
        super().__init__(self._asking)
        self._ready: deque[asyncio.Handle] = ReadyQueue(self._urgent)
        self._own = frozenset(self.watched())
        self.own_descriptors = len(self._own)

    def round(self) -> Round:
        """The round that is running, counted from the last time that nothing was left to run."""
        return self._round

    # --- for who must act between two steps of others -------------------------------------------------

    def soon(self, callback: Callable[..., object], *args: Any) -> Soon:
        """Call this right after what is running now, before anything else that is ready."""
        soon = Soon(callback, args, self)
        self._urgent.append(soon)
        return soon

    def skip_round(self, task: asyncio.Task[Any], kept: asyncio.Handle | None = None) -> bool:
        """A task that is running now has nothing more to do in this round: let it end at once, if nothing
        else is left to run in it, and nothing in the next one but this task. Whether it has ended.

        Args:
            kept: what was to be called soon after the task, is to be called after it then.
        """
        urgent = self._urgent
        while urgent and urgent[0].cancelled():
            urgent.popleft()
        if len(urgent) > 1 or (urgent and urgent[0] is not kept):
            return False
        if self._ready or self._at_round_end or self._at_round_start:
            return False
        # What the loop itself looks at between two rounds, and the task where it gives it back.
        if self._ending or self._stopping or (self._scheduled and self._is_due()):  # type: ignore[attr-defined]
            return False
        if task.cancelling() or not self._asking.may_skip():
            return False
        burst, number = self._round
        self._round = Round(burst, number + 1)
        return True

    def waking(self) -> contextlib.AbstractContextManager[None]:
        """Who is woken in this block runs right after what is running now, in the same round."""
        return Waking(self, self._urgent)

    def queue_into(self, ready: deque[asyncio.Handle]) -> deque[asyncio.Handle]:
        """From now on what becomes ready is queued there; returns where it was."""
        self._ready, before = ready, self._ready
        return before

    def at_round_end(self, callback: Callable[[], object]) -> None:
        """Call this when everything that is ready in this round has run."""
        self._at_round_end.append(callback)

    def at_round_start(self, number: int, callback: Callable[[], object]) -> None:
        """Call this before anything else runs in a round to come of this burst."""
        self._at_round_start.append((Round(self._round.burst, number), callback))

    # --- for the selector -----------------------------------------------------------------------------

    def end_round(self) -> bool:
        """Everything that was ready has run. Returns whether more is ready now."""
        self._ending = True
        try:
            while self._urgent or self._at_round_end:
                while self._urgent:
                    run_handle(self._urgent.popleft())
                callbacks, self._at_round_end = self._at_round_end, []
                for callback in callbacks:
                    callback()
        finally:
            self._ending = False
        burst, number = self._round
        self._round = Round(burst, number + 1)
        if self._at_round_start:
            self._start_round()
        if self._ready or self._urgent or self._at_round_start:
            return True
        # By what ran here: the loop has not looked since.
        return bool(self._stopping) or self._is_due()  # type: ignore[attr-defined]

    @property
    def has_ready(self) -> bool:
        """Whether anything is ready: another thread may have seen to that."""
        return bool(self._ready)

    def without_wakes(self, found: list[Any]) -> list[Any]:
        """What the selector found, but for threads that only woke us: that must not cost a round."""
        foreign = [event for event in found if event[0].fd not in self._own]
        if len(foreign) < len(found):
            self._read_from_self()  # type: ignore[attr-defined]
        return foreign

    def idle(self, poll: Callable[[float | None], list[Any]]) -> list[Any]:
        """Nothing is left to run now. Returns what the selector says."""
        raise NotImplementedError

    # --- for who knows what is done then --------------------------------------------------------------

    def watched(self) -> list[int]:
        """The descriptors that are registered."""
        return [key.fd for key in self._asking.get_map().values()]

    @property
    def foreign_watched(self) -> set[int]:
        """Those of them that are not the loop's own."""
        return set(self.watched()) - self._own

    def begin_burst(self) -> None:
        """Nothing was left to run: what comes is another burst."""
        self._round = Round(self._round.burst + 1, 0)

    def _is_due(self) -> bool:
        """Whether a timer is, in this instant: by the loop's own words, or it would never ring."""
        timers = cast("list[asyncio.TimerHandle]", self._scheduled)  # type: ignore[attr-defined]
        until = self.time() + cast("float", self._clock_resolution)  # type: ignore[attr-defined]
        return bool(timers) and not timers[0].cancelled() and timers[0].when() < until

    def _start_round(self) -> None:
        here = self._round
        due = [callback for at, callback in self._at_round_start if at <= here]
        self._at_round_start = [one for one in self._at_round_start if one[0] > here]
        for callback in due:
            callback()
