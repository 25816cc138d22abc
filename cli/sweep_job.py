"""One place of a sweep: the variation is made and replayed, in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..integrations.soundness import Failure, observe
from ..lab import Swept, varied
from ..lab.invariants import ALL
from ..session import Draft
from .check_job import Unloadable
from .user_code import ApplicationError, load_application, load_rule, traceback_of


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


def prepare(setup: tuple[str, tuple[Draft, ...], tuple[str, ...]]) -> Callable[[Job], Swing]:
    """Load the application, and rules of the user's own; answer what replays a place of these sessions.

    Raises:
        UsageError: it is not there.
        Unloadable: its module raises.
    """
    app, drafts, named = setup
    try:
        application = load_application(app)
    except ApplicationError as error:
        raise Unloadable(traceback_of(error.cause)) from None
    rules = (*ALL, *map(load_rule, named))

    def swing(job: Job) -> Swing:
        chain = variation(drafts, job.place)
        return Swing(tuple(observe(chain, application, job.patience, rules)), len(chain[0].entries))

    return swing


def variation(drafts: Sequence[Draft], place: Swept) -> list[Draft]:
    """The sessions with the interruption at a place. Where it is moved, those that followed are left out:
    whether they would have come nobody knows."""
    return list(drafts) if place.edit is None else [varied(drafts[0], [place.edit])]
