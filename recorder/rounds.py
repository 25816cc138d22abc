"""Where in the program an entry was appended: rounds of the event loop and tasks, by number."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from typing import Any

from ..schema.clocks import Round, rounds_of
from ..schema.entries import LONG_TICKS, SETTLED_TICKS


class Rounds:
    """Numbers the rounds and tasks of one session.

    Between entries of one burst of activity the ticks count the rounds (SETTLED_TICKS or more of them with
    LONG_TICKS on top). Once nothing is left to run,
    the next entry's tick is SETTLED_TICKS further, and so many more as rounds have passed since.
    """

    def __init__(self) -> None:
        self._tick: int | None = None  # of the last entry, which was appended in this round:
        self._last: Round | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._round: Callable[[], Round] = lambda: Round(0, 0)
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
        if self._loop is not loop:  # the first entry; or it is another loop, in another thread
            self._loop, self._round, self._last = loop, rounds_of(loop), None
        here, last = self._round(), self._last
        if self._tick is None:
            self._tick = 0
        elif last is not None and last.burst == here.burst:
            passed = here.number - last.number
            self._tick += passed if passed < SETTLED_TICKS else LONG_TICKS + passed
        else:
            self._tick += SETTLED_TICKS + here.number
        self._last = here
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
