"""Jobs of threads under virtual time: one after another, each when nothing else is left to run. So what
they do, and when they answer, does not depend on how long they take.

One that waits for somebody (a player's thread for the next piece of sound) keeps nobody waiting: the next job
begins beside it, and time goes on. Once it is told what it waits for, it is at work as before.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from .waiting_threads import OtherThreads, waits

ORDER_GRACE_SECONDS = 1.0
"""Of wall time, after which the next job begins beside one that has not answered: it may be waiting for that
one, where nobody sees it."""


@dataclass(eq=False)
class _Job:
    """What a thread is to do.

    Attributes:
        begin: hands it to the executor.
        answer: for who asked for it.
        running: the executor's, once it was begun.
        thread: which does it, once that has set out on it.
    """

    begin: Callable[[], Future[Any]]
    answer: Future[Any] = field(default_factory=Future[Any])
    running: Future[Any] | None = None
    thread: int | None = None

    @property
    def done(self) -> bool:
        return self.running is not None and self.running.done()

    def waits(self, *, for_a_time: bool = False) -> bool:
        return self.thread is not None and waits(self.thread, for_a_time=for_a_time)


class OrderedJobs:
    """The jobs that owe an answer.

    Args:
        wake: called by a thread that has answered.

    Attributes:
        disordered: jobs ran beside one another of which both may have been at work.
        owed: so many answers.
        others: the threads for which one of these may be waiting.
        doing: the threads that do one just now.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self.disordered = False
        self.owed = 0
        self.others = OtherThreads(ORDER_GRACE_SECONDS)
        self.doing: set[int] = set()
        self._wake = wake
        self._waiting: deque[_Job] = deque()
        self._running: list[_Job] = []
        self._began = 0.0

    def watch(self, executor: Executor) -> Executor:
        """An executor whose jobs are begun here."""
        return _Watched(executor, self)

    def add(self, job: _Job) -> Future[Any]:
        """To be begun in its turn. Returns its answer."""
        self._waiting.append(job)
        self.owed += 1
        return job.answer

    @property
    def threads(self) -> list[int]:
        """Those that have begun a job."""
        return [job.thread for job in self._running if job.thread is not None]

    def turn(self) -> bool:
        """Nothing else is left to run: give answers that there are, or begin the next job; whether an
        answer was given."""
        open_ = [job for job in self._running if not job.done]
        at_work = bool(open_) and (not all(job.waits() for job in open_) or self.others.at_work(self.threads))
        if at_work and not self._took(ORDER_GRACE_SECONDS):
            return False  # who answers first must not depend on how long each takes
        answered = [job for job in self._running if job.done]
        self._running = [job for job in self._running if job not in answered]
        self.owed -= len(answered)
        for job in answered:
            _give(job)
        if answered:
            return True
        if self._waiting:
            self.disordered = self.disordered or at_work
            return self._begin_next()
        return False

    def all_wait(self, *, for_a_time: bool) -> bool:
        """Whether each that owes an answer waits for somebody else: time must go on, or none will ever come.

        Args:
            for_a_time: those count, too, that give up by themselves after a while.
        """
        if self._waiting or not all(job.waits(for_a_time=for_a_time) for job in self._running):
            return False
        self.disordered = self.disordered or not all(job.waits() for job in self._running)
        return True

    def _took(self, seconds: float) -> bool:
        """Whether it is so long ago on the wall that a job began."""
        return time.perf_counter() >= self._began + seconds

    def _begin_next(self) -> bool:
        job = self._waiting.popleft()
        if job.answer.cancelled():
            self.owed -= 1
            return True
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
        if not isinstance(self._executor, ThreadPoolExecutor):
            return self._jobs.add(_Job(lambda: self._executor.submit(fn, *args, **kwargs)))

        def work() -> Any:
            thread = job.thread = threading.get_ident()
            self._jobs.doing.add(thread)
            try:
                return fn(*args, **kwargs)
            finally:
                self._jobs.doing.discard(thread)

        job = _Job(lambda: self._executor.submit(work))
        return self._jobs.add(job)


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
