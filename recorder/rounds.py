"""Where in the program an entry was appended: rounds of the event loop and tasks, by number."""

from __future__ import annotations

import asyncio
import weakref
from typing import Any

from ..schema.entries import SETTLED_TICKS

BLIND_ROUNDS = 4
"""How long rounds are counted on a loop whose queue cannot be seen."""


class _LoopRounds:
    """Counts the rounds of one event loop as long as anything is left to run, for all sessions on
    it together: were each of them to count, none would ever see an empty queue.

    A round ends with a callback that stands in the loop's queue while rounds are counted. Whatever
    an entry wakes is queued behind it: two entries of one round had nothing running in between
    that the first one woke.
    """

    def __init__(self) -> None:
        self.count = 0
        self.settled = 0  # how often nothing was left to run
        self._counting = False
        self._since_entry = 0

    def entry(self, loop: asyncio.AbstractEventLoop) -> None:
        """An entry is appended in this round."""
        self._since_entry = 0
        if not self._counting:
            self._counting = True
            loop.call_soon(self._end_round, loop)

    def _end_round(self, loop: asyncio.AbstractEventLoop) -> None:
        self.count += 1
        self._since_entry += 1
        ready = getattr(loop, "_ready", None)
        over = not ready if ready is not None else self._since_entry >= BLIND_ROUNDS
        if over or self._since_entry >= SETTLED_TICKS - 1:
            self._counting = False
            self.settled += 1
        else:
            loop.call_soon(self._end_round, loop)


_loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _LoopRounds] = weakref.WeakKeyDictionary()


class Rounds:
    """Numbers the rounds and tasks of one session.

    Entries whose ticks differ by less than SETTLED_TICKS have so many rounds between them. Once
    nothing is left to run, the next entry's tick is SETTLED_TICKS further.
    """

    def __init__(self) -> None:
        self._tick = -SETTLED_TICKS  # of the last entry, which saw these:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._rounds = _LoopRounds()
        self._seen = (0, 0)
        self._tasks: weakref.WeakKeyDictionary[asyncio.Task[Any], int] = weakref.WeakKeyDictionary()
        self._task_count = 0
        self._latest: weakref.ref[asyncio.Task[Any]] | None = None  # most entries come from one task
        self._latest_number = 0

    def place(self) -> tuple[int | None, int | None]:
        """The round and the task that we are in; None for what we are not in. The caller sees to
        it that no two threads are here at once."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return None, None
        further = SETTLED_TICKS
        if self._loop is not loop:  # the first entry; or it is another loop, in another thread
            self._loop = loop
            self._rounds = _loops.setdefault(loop, _LoopRounds())
        elif self._seen[1] == self._rounds.settled:
            further = min(self._rounds.count - self._seen[0], SETTLED_TICKS)
        self._rounds.entry(loop)
        self._seen = (self._rounds.count, self._rounds.settled)
        self._tick += further
        task = asyncio.current_task(loop)
        if task is None:
            return self._tick, None
        if self._latest is None or self._latest() is not task:
            number = self._tasks.get(task)
            if number is None:
                number = self._tasks[task] = self._task_count
                self._task_count += 1
            self._latest, self._latest_number = weakref.ref(task), number
        return self._tick, self._latest_number
