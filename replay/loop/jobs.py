"""Jobs of threads under virtual time: one after another, each when nothing else is left to run. So what
they do, and when they answer, does not depend on how long they take."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import Any

ORDER_GRACE_SECONDS = 1.0
"""Of wall time, after which the next job begins beside one that has not answered: it may be waiting for
that one."""


@dataclass(eq=False)
class _Job:
    begin: Callable[[], Future[Any]]
    answer: Future[Any] = field(default_factory=Future[Any])
    running: Future[Any] | None = None


class OrderedJobs:
    """The jobs that owe an answer.

    Args:
        wake: called by a thread that has answered.

    Attributes:
        disordered: jobs ran beside one another.
        owed: so many answers.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self.disordered = False
        self.owed = 0
        self._wake = wake
        self._waiting: deque[_Job] = deque()
        self._running: list[_Job] = []
        self._began = 0.0

    def watch(self, executor: Executor) -> Executor:
        """An executor whose jobs are begun here."""
        return _Watched(executor, self)

    def add(self, begin: Callable[[], Future[Any]]) -> Future[Any]:
        """A job for a thread, to be begun in its turn. Returns its answer."""
        job = _Job(begin)
        self._waiting.append(job)
        self.owed += 1
        return job.answer

    def patience(self) -> float | None:
        """Wall seconds for which to wait for the next answer; None: until one comes."""
        if not self._waiting:
            return None
        return max(0.0, self._began + ORDER_GRACE_SECONDS - time.perf_counter())

    def turn(self) -> bool:
        """Nothing else is left to run: give answers that there are, or begin the next job; whether an
        answer was given."""
        answered = [job for job in self._running if job.running is not None and job.running.done()]
        self._running = [job for job in self._running if job not in answered]
        self.owed -= len(answered)
        for job in answered:
            _give(job)
        if answered:
            return True
        if self._waiting and (not self._running or not self.patience()):
            return self._begin_next()
        return False

    def _begin_next(self) -> bool:
        job = self._waiting.popleft()
        if job.answer.cancelled():
            self.owed -= 1
            return True
        self.disordered = self.disordered or bool(self._running)
        self._began = time.perf_counter()
        try:
            running = job.running = job.begin()
        except RuntimeError as error:  # the executor was shut down meanwhile
            self.owed -= 1
            job.answer.set_exception(error)
            return True
        self._running.append(job)
        job.answer.add_done_callback(lambda given: running.cancel() if given.cancelled() else None)
        running.add_done_callback(lambda _: self._wake())
        return False


class _Watched(Executor):
    def __init__(self, executor: Executor, jobs: OrderedJobs) -> None:
        self._executor = executor
        self._jobs = jobs

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return self._jobs.add(lambda: self._executor.submit(fn, *args, **kwargs))


def _give(job: _Job) -> None:
    ran, answer = job.running, job.answer
    assert ran is not None, "it was begun"
    if ran.cancelled():
        answer.cancel()
    elif answer.set_running_or_notify_cancel():
        error = ran.exception()
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(ran.result())
