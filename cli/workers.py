"""Workers: processes that do one thing after another for us; one that hangs or dies takes nothing along.

The standard library's pools cannot end a single job, and lose all the others with a process that dies.
pebble's (5.2) can, and keeps the others; but it takes a process that ends with code 0 for one that ended in
order: the job that it did is given up only when its time is over, and never without a limit
(`tests/cli/test_workers.py`).
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, cast

_Job = TypeVar("_Job")
_Result = TypeVar("_Result")

POLL_SECONDS = 0.2

START_SECONDS = 60.0
"""How long a process may take to be ready for its first job, beyond that job's time: it imports what the job
needs, on a machine that may be busy."""

_READY = "ready"
"""What a process sends before its first answer."""

_PIECE = "piece"
"""What it sends with a part of its answer."""


@dataclass(frozen=True)
class PartlyDone:
    """A part of what comes of a job, which is not done yet."""

    value: Any


class WorkerDied(Exception):
    """The process that did this job ended in the middle of it."""


class TookTooLong(Exception):
    """The job was ended because its time was over."""


@dataclass
class _Worker(Generic[_Job]):
    process: BaseProcess
    pipe: Connection
    place: int = -1  # of the job that it does
    since: float = 0.0
    limit: float | None = None  # wall seconds for it
    ready: bool = False  # for its first job


class Workers(Generic[_Job, _Result]):
    """Does jobs in processes of their own.

    Args:
        prepare: called first in each process, with `setup`; answers the function that does a job. Both
            must be importable, and whatever goes to and fro picklable.
        number: how many processes.
        timeout: wall seconds for one job, or for a job, once its process is ready; None: as long as it takes.
            From each piece on they are counted anew.
        pieces: the function that does a job gets another one beside it, which tells what is known already.
        ahead: modules that a job imports; all find them imported, as they do what `prepare`'s module imports.
    """

    def __init__(
        self,
        prepare: Callable[[Any], Callable[..., _Result]],
        setup: Any,
        number: int,
        timeout: float | Callable[[_Job], float] | None = None,
        *,
        pieces: bool = False,
        ahead: Sequence[str] = (),
    ) -> None:
        self._context = _context((prepare.__module__, *ahead))
        self._prepare = prepare
        self._setup = setup
        self._number = number
        self._timeout = timeout
        self._pieces = pieces
        self._workers: list[_Worker[_Job]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            _end(worker)
        self._workers = []

    def results(self, jobs: Sequence[_Job]) -> Iterator[tuple[int, _Result | PartlyDone | Exception]]:
        """What comes of each job, as soon as it is done, with its place in the sequence; its pieces before.

        An exception that the job raises is its result; so are `WorkerDied` and `TookTooLong`.

        Raises:
            Exception: what `prepare` raised, which must be picklable.
        """
        todo = iter(range(len(jobs)))
        left = len(jobs)
        while left:
            while len(self._workers) < min(self._number, left):
                self._workers.append(self._start())
            for worker in self._workers:
                if worker.place < 0:
                    worker.place = next(todo, -1)
                    if worker.place >= 0:
                        job, timeout = jobs[worker.place], self._timeout
                        worker.pipe.send(job)
                        worker.since = time.monotonic()
                        worker.limit = timeout(job) if callable(timeout) else timeout
            for place, result in self._next():
                left -= not isinstance(result, PartlyDone)
                yield place, result

    def _next(self) -> list[tuple[int, _Result | PartlyDone | Exception]]:
        """What has come in the meantime."""
        busy = [worker for worker in self._workers if worker.place >= 0]
        ready = cast("list[Connection]", wait([worker.pipe for worker in busy], POLL_SECONDS))
        found: list[tuple[int, _Result | PartlyDone | Exception]] = []
        for worker in busy:
            if worker.pipe in ready:
                try:
                    prepared, result = worker.pipe.recv()
                    if prepared == _READY:
                        worker.ready, worker.since = True, time.monotonic()
                        continue
                    if prepared == _PIECE:
                        worker.since = time.monotonic()
                        found.append((worker.place, PartlyDone(result)))
                        continue
                    if not prepared:
                        raise cast("Exception", result)
                except (EOFError, ConnectionError):
                    _end(worker)
                    self._workers.remove(worker)
                    result = WorkerDied(f"its process ended with code {worker.process.exitcode}")
            elif worker.limit is not None and time.monotonic() - worker.since > (
                worker.limit if worker.ready else worker.limit + START_SECONDS
            ):
                _end(worker)
                self._workers.remove(worker)
                result = TookTooLong(f"not done within {worker.limit:g} s; its process was ended")
            else:
                continue
            found.append((worker.place, result))
            worker.place = -1
        return found

    def _start(self) -> _Worker[_Job]:
        ours, theirs = cast("tuple[Connection, Connection]", self._context.Pipe())
        process = self._context.Process(
            target=_work,
            args=(self._prepare, self._setup, theirs, self._pieces),
            name="realtape worker",
            daemon=True,
        )
        process.start()
        theirs.close()  # so that the pipe ends when the process does
        return _Worker[_Job](process, ours)


def _context(modules: Sequence[str]) -> ForkServerContext | SpawnContext:
    """A fork of a process with threads may hang; so a process is forked that has none, and has imported what
    all of them need: the next is there at once, also where one that died or hung is replaced."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*modules])
    return context


def _end(worker: _Worker[Any]) -> None:
    """It has one second to end by itself: killed, it could not end what it has started."""
    worker.pipe.close()
    if worker.place >= 0:
        worker.process.terminate()
    worker.process.join(1.0)
    if worker.process.is_alive():
        worker.process.kill()
        worker.process.join()


def _work(prepare: Callable[[Any], Callable[..., Any]], setup: Any, pipe: Connection, pieces: bool) -> None:
    """In the worker's process."""
    try:
        prepared, do = True, prepare(setup)
        pipe.send((_READY, None))
    except Exception as error:  # noqa: BLE001 - raised again by who waits for the first job
        prepared, do = False, partial(_again, error)
    try:
        while True:
            job = pipe.recv()
            try:
                result = do(job, partial(_tell, pipe)) if pieces else do(job)
            except Exception as error:  # noqa: BLE001 - it is the job's result
                result = error
            pipe.send((prepared, result))
    except (EOFError, OSError, KeyboardInterrupt):
        return  # nobody waits for us any more


def _tell(pipe: Connection, piece: Any) -> None:
    pipe.send((_PIECE, piece))


def _again(error: Exception, job: Any, tell: Any = None) -> Any:
    raise error
