"""One place of a sweep: the variation is made and replayed, in a process of its own."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..integrations.soundness import Failure, Observer
from ..lab import Swept, varied
from ..session import Draft
from .check_job import Unloadable
from .user_code import ApplicationError, load_application, traceback_of


@dataclass(frozen=True)
class Job:
    """What is to be done: a place, and the virtual seconds for which the application is awaited."""

    place: Swept
    patience: float


@dataclass(frozen=True)
class Swing:
    """What came of it.

    Attributes:
        failures: what went wrong.
        entries: how many the variation has.
    """

    failures: tuple[Failure, ...]
    entries: int


def prepare(setup: tuple[str, tuple[Draft, ...]]) -> Callable[[Job], Swing]:
    """Load the application, and answer what replays a place of these sessions into it.

    Raises:
        UsageError: it is not there.
        Unloadable: its module raises.
    """
    app, drafts = setup
    try:
        application = load_application(app)
    except ApplicationError as error:
        raise Unloadable(traceback_of(error.cause)) from None

    observer = Observer()
    atexit.register(observer.close)

    def swing(job: Job) -> Swing:
        chain = variation(drafts, job.place)
        return Swing(tuple(observer.observe(chain, application, job.patience)), len(chain[0].entries))

    return swing


def variation(drafts: Sequence[Draft], place: Swept) -> list[Draft]:
    """The sessions with the interruption at a place. Where it is moved, those that followed are left out:
    whether they would have come nobody knows."""
    return list(drafts) if place.edit is None else [varied(drafts[0], [place.edit])]
