"""Places of a sweep: variations are made and replayed, in a process of its own; those of one job together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..integrations.branching import Branch, Copyable, Died, Grown, Told, Trunk, Unbranched, tried
from ..integrations.soundness import Failure, Observation
from ..lab import Swept, varied
from ..lab.edits import branches_at
from ..lab.invariants import ALL
from ..session import Draft, Staged, Structure
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
        before: so many sessions come before the one that they are in.
    """

    branches: tuple[Branch, ...]
    patience: float
    timeout: float
    together: bool = False
    before: int = 0

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
        reached: its session was replayed at all.
    """

    failures: tuple[Failure, ...]
    entries: int
    is_cut: bool = False
    reached: bool = True


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

        chain = drafts[: job.before + 1]
        if not job.branches:
            observation = Observation(Staged.chain(drafts), application, job.patience, rules)
            failures = tuple(observation.failures())
            length = sum(len(one.entries) for one in drafts)
            told(0, Grown(failures, length, is_cut=False, reached=observation.reached))
        elif job.together:
            grown: Told = told
            Trunk(chain, job.branches, grown, copyable, job.timeout).grow(application, job.patience, rules)
        for branch in () if job.together else job.branches:
            told(branch.number, tried(chain, branch, application, job.patience, rules))

    return swing


def jobs_of(
    drafts: Sequence[Draft],
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
        drafts: the sessions of a model object, in order.
        turns: of the how-manieth place: so many responses, for which it is judged; None: to the end.
    """
    structures = [Structure(draft) for draft in drafts]
    found: list[Job] = []
    branches: list[tuple[int, Branch]] = []
    for at, place in enumerate(places):
        if place.where is None:
            found.append(Job((), patience, timeout))
        elif place.edit is not None:
            seq = branches_at(structures[place.before], place)
            branches.append((place.before, Branch(place.number, place.edit, seq, turns(at))))
    first = 0
    for end in (FIRST, 5 * FIRST, len(branches)):
        some, first = branches[first:end], max(first, end)
        for before in range(len(drafts)):
            of_session = [branch for its, branch in some if its == before]
            if len(of_session) < MIN_TOGETHER * number:
                found += [Job((one,), patience, timeout, before=before) for one in of_session]
            else:
                shares = [tuple(of_session[share::number]) for share in range(number)]
                found += [Job(share, patience, timeout, together=True, before=before) for share in shares]
    return found


FIRST = 64
"""So many places are tried first, and to the end of the session."""


def variation(drafts: Sequence[Draft], place: Swept) -> list[Draft]:
    """The sessions with the interruption at a place. Where it is moved, those that followed are left out:
    whether they would have come nobody knows."""
    if place.edit is None:
        return list(drafts)
    before, draft = list(drafts[: place.before]), drafts[place.before]
    return [*before, varied(draft, [place.edit], previous_session=draft.header.previous_session)]
