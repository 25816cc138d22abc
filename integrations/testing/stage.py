"""Where the application of an example runs: on virtual time, recorded in memory, held against rules."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Generator, Sequence
from typing import Any, cast

from ...lab.invariants import Invariant, InvariantError, Watch
from ...recorder import InMemory, Recorder
from ...replay import StartedTasks, VirtualLoop
from ...session import Draft

SETTLE_S = 1e-6
"""So much virtual time passes between two steps: everything runs that can."""


class Stage:
    """One example's.

    Args:
        recorder_class: records the application.
        checks: rules that must hold.

    Attributes:
        recorder: records in memory.
        failed: something was raised within `failing()`.
    """

    def __init__(self, recorder_class: type[Recorder], checks: Sequence[Invariant]) -> None:
        in_memory = type("InMemoryRecorder", (InMemory, recorder_class), {})
        self.recorder = cast("InMemory", in_memory("in memory"))
        self.failed = False
        self._loop = VirtualLoop()
        self._tasks = StartedTasks(self._loop)
        self._watch = Watch(checks)
        self._watched: list[int] = []  # how many entries of each session
        self._started: list[asyncio.Task[None]] = []

    @contextlib.contextmanager
    def failing(self) -> Generator[None]:
        """What is raised in this block fails the example."""
        try:
            yield
        except Exception:
            self.failed = True
            raise

    def start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Something begins to run; what it raises is raised by `look`."""
        self._started.append(self._tasks.start(work, name))

    def settle(self, seconds: float = 0.0) -> None:
        """Let so much virtual time pass, and everything run that can."""
        with self.failing():
            self._loop.run_until_complete(asyncio.sleep(max(seconds, SETTLE_S)))

    def look(self) -> None:
        """Hold what was recorded since the last time against the rules.

        Raises:
            InvariantError: it breaks some.
            Exception: what was raised by anything that was started.
        """
        with self.failing():
            for number, draft in enumerate(self.recorder.drafts()):
                self._watch_on(number, draft)
            for task in self._started:
                if task.done() and not task.cancelled():
                    task.result()

    def end(self, wait_s: float) -> None:
        """The conversation is left alone for a while; then it is over. As `look`, with the rules that can
        be judged only then."""
        with self.failing():
            self.settle(wait_s)
            self.recorder.mark("the end of the example")
            self.look()
            _require(self._watch.end() if self._watched else [])

    def drafts(self) -> list[Draft]:
        """What was recorded; nothing more is."""
        self.recorder.close_blocking()
        return self.recorder.drafts()

    def close(self) -> None:
        """Let everything go."""
        self.recorder.close_blocking()
        loop = self._loop
        try:
            loop.run_until_complete(self._tasks.end())
            for task in self._started:
                if task.done() and not task.cancelled():
                    task.exception()  # was raised by a step, or comes of the cancelling
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            loop.close()

    def _watch_on(self, number: int, draft: Draft) -> None:
        if number == len(self._watched):
            if number:
                _require(self._watch.end())
            self._watch.begin(draft.header)
            self._watched.append(0)
        begin, self._watched[number] = self._watched[number], len(draft.entries)
        if number + 1 == len(self._watched):  # what comes late in a session of before is not looked at
            for entry in draft.entries[begin:]:
                _require(self._watch.add(entry))


def _require(violations: list[Any]) -> None:
    if violations:
        raise InvariantError(tuple(violations))
