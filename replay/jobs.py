"""Jobs of threads under virtual time: however long each takes, their answers come in the order in
which they were begun, once nothing else is left to run."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

ORDER_GRACE_SECONDS = 1.0
"""Of wall time, for which answers wait for that of a job begun earlier, which may itself wait for one
of them."""


class OrderedJobs:
    """The jobs that owe an answer.

    Args:
        wake: called by a thread that has answered.

    Attributes:
        disordered: an answer was given before that of a job begun earlier.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self.disordered = False
        self._wake = wake
        self._jobs: list[tuple[Future[Any], Future[Any]]] = []
        self._first_answer: float | None = None

    def __len__(self) -> int:
        return len(self._jobs)

    def watch(self, executor: Executor) -> Executor:
        """An executor whose jobs answer through here."""
        return _Watched(executor, self)

    def begin(self, job: Future[Any]) -> Future[Any]:
        """A job has been handed to a thread. Returns what is answered in its place."""
        answer: Future[Any] = Future()
        answer.add_done_callback(lambda given: job.cancel() if given.cancelled() else None)
        self._jobs.append((job, answer))
        job.add_done_callback(lambda _: self._wake())
        return answer

    def patience(self) -> float | None:
        """Wall seconds for which to wait for the next thread; None: until one answers."""
        if self._first_answer is None:
            return None
        return max(0.0, self._first_answer + ORDER_GRACE_SECONDS - time.monotonic())

    def give(self) -> bool:
        """Give the answers, if it is time; whether any was given."""
        answered = [pair for pair in self._jobs if pair[0].done()]
        if not answered:
            return False
        if len(answered) < len(self._jobs):
            if self._first_answer is None:
                self._first_answer = time.monotonic()
            if self.patience():
                return False
            self.disordered = True
        self._first_answer = None
        self._jobs = [pair for pair in self._jobs if not pair[0].done()]
        for job, answer in answered:
            _copy(job, answer)
        return True


class _Watched(Executor):
    def __init__(self, executor: Executor, jobs: OrderedJobs) -> None:
        self._executor = executor
        self._jobs = jobs

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return self._jobs.begin(self._executor.submit(fn, *args, **kwargs))


def _copy(job: Future[Any], answer: Future[Any]) -> None:
    if job.cancelled():
        answer.cancel()
    elif answer.set_running_or_notify_cancel():
        error = job.exception()
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(job.result())
