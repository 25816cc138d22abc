"""Places of a sweep: variations are made and replayed, in a process of its own; those of one job together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..integrations.branching import Branch, Copyable, Died, Grown, Told, Trunk, Unbranched, tried
from ..integrations.soundness import Failure, observe
from ..lab import Swept, varied
from ..lab.edits import branches_at
from ..lab.invariants import ALL
from ..session import Draft, Structure
from .check_job import Unloadable
from .user_code import ApplicationError, load_application, load_rule, traceback_of

MIN_TOGETHER = 4
"""Fewer places are replayed one by one: what they have in common is not worth a replay of its own."""


@dataclass(frozen=True)
class Job:
    """What is to be done.

    Attributes:
        branches: the places; none: the session as it is.
        patience: virtual seconds for which the application is awaited.
        timeout: wall seconds for a place.
        together: what they have in common is replayed once.
    """

    branches: tuple[Branch, ...]
    patience: float
    timeout: float
    together: bool = False

    @property
    def limit(self) -> float:
        """Wall seconds between two answers: where it is done together, each place has a limit of its own."""
        return 2 * self.timeout + 5 if self.together else self.timeout


@dataclass(frozen=True)
class Swing:
    """What came of a place.

    Attributes:
        failures: what went wrong.
        entries: how many the variation has.
        is_cut: it was judged for some turns only.
    """

    failures: tuple[Failure, ...]
    entries: int
    is_cut: bool = False


Answer = tuple[int, Grown | Unbranched | Died | Exception]
"""The number of a place, and what came of it; 0 is the session as it is."""


def prepare(
    setup: tuple[str, tuple[Draft, ...], tuple[str, ...]],
) -> Callable[[Job, Callable[[Answer], object]], None]:
    """Load the application, and rules of the user's own; answer what replays places of these sessions.

    Raises:
        UsageError: it is not there.
        Unloadable: its module raises.
    """
    app, drafts, named = setup
    copyable = Copyable()
    try:
        application = load_application(app)
    except ApplicationError as error:
        raise Unloadable(traceback_of(error.cause)) from None
    rules = (*ALL, *map(load_rule, named))

    def swing(job: Job, tell: Callable[[Answer], object]) -> None:
        def told(number: int, found: Grown | Unbranched | Died | Exception) -> None:
            tell((number, found))

        if not job.branches:
            failures = observe(list(drafts), application, job.patience, rules)
            told(0, Grown(tuple(failures), len(drafts[0].entries), is_cut=False))
        elif job.together:
            grown: Told = told
            Trunk(drafts[0], job.branches, grown, copyable, job.timeout).grow(
                application, job.patience, rules
            )
        for branch in () if job.together else job.branches:
            told(branch.number, tried(drafts[0], branch, application, job.patience, rules))

    return swing


def jobs_of(
    draft: Draft,
    places: Sequence[Swept],
    *,
    turns: Callable[[int], int | None],
    patience: float,
    timeout: float,
    number: int,
) -> list[Job]:
    """Places in the order in which they should be tried, as jobs for so many processes: of those that come
    first, fewer are done together.

    Args:
        turns: of the how-manieth place: so many responses, for which it is judged; None: to the end.
    """
    structure = Structure(draft)
    found: list[Job] = []
    branches: list[Branch] = []
    for at, place in enumerate(places):
        if place.where is None:
            found.append(Job((), patience, timeout))
        elif place.edit is not None:
            branches.append(Branch(place.number, place.edit, branches_at(structure, place), turns(at)))
    first = 0
    for end in (FIRST, 5 * FIRST, len(branches)):
        some, first = branches[first:end], max(first, end)
        if len(some) < MIN_TOGETHER * number:
            found += [Job((one,), patience, timeout) for one in some]
        else:
            shares = [tuple(some[share::number]) for share in range(number)]
            found += [Job(share, patience, timeout, together=True) for share in shares]
    return found


FIRST = 64
"""So many places are tried first, and to the end of the session."""


def variation(drafts: Sequence[Draft], place: Swept) -> list[Draft]:
    """The sessions with the interruption at a place. Where it is moved, those that followed are left out:
    whether they would have come nobody knows."""
    return list(drafts) if place.edit is None else [varied(drafts[0], [place.edit])]
