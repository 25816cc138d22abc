"""Looking for the smallest session that still fails: delta debugging, after Zeller and Hildebrandt
("Simplifying and Isolating Failure-Inducing Input", 2002).

The search is pure. `Shrinking.search` is a generator: it proposes drafts, a list of them at a time, the
best one first, and is told which of them is the first that fails. `Hunt` drives it, and asks about several
at once: which one it gets does not depend on that.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Protocol

from ...schema.entries import Entry
from ...session.drafts import Draft
from .checks import Problem, new_problems, problems
from .levels import LEVELS, Level, Unit
from .needs import Needs
from .removal import Rest

SUBSETS = 4
"""Up to so many parts, each is tried alone, too; in more parts that hardly ever fails."""


class Proposal:
    """A smaller draft, made when it is looked at.

    Args:
        needs: of the draft that it is made of.
        level: how it is made smaller.
        out: the units that go.
        known: problems that need not be new.
    """

    def __init__(self, needs: Needs, level: Level, out: Sequence[Unit], known: Sequence[Problem]) -> None:
        self._needs = needs
        self._level = level
        self._out = out
        self._known = known

    @cached_property
    def rest(self) -> Rest | None:
        """What is left; None where it is no smaller, or could not have happened."""
        found = self._level.less(self._needs, frozenset[int]().union(*self._out))
        same = found.draft.entries == self._needs.draft.entries
        return None if same or new_problems(found.draft, self._known) else found

    @property
    def draft(self) -> Draft | None:
        """The draft to be asked about: numbered, not sealed; None where there is nothing to ask."""
        return None if self.rest is None else self.rest.draft


Search = Generator[Sequence[Proposal], int | None, Draft]
"""Proposes, is sent the place of the first proposal that fails, or None; returns the smallest draft."""


@dataclass
class Shrinking:
    """A search for the smallest draft that still fails.

    What it finds fails, and is minimal: without any one more of its units (a message of the server, a
    call, any other entry, with what needs it) it does not fail any more.

    Attributes:
        draft: fails.
        levels: what it is made smaller by, from the coarsest to the finest.
        best: the smallest so far.
        level: the one at which the search is.
    """

    draft: Draft
    levels: Sequence[Level] = LEVELS

    def __post_init__(self) -> None:
        self.best = self.draft
        self.level = ""
        self._known = problems(self.draft)

    def search(self) -> Search:
        """Go down the levels, again and again until none of them comes any further."""
        while True:
            before = self.best
            for level in self.levels:
                self.level = level.name
                yield from self._reduce(level)
            if self.best is before:
                return self.best

    def _reduce(self, level: Level) -> Generator[Sequence[Proposal], int | None, None]:
        """`ddmin` over the units of one level."""
        needs = Needs(self.best)
        units = level.units(needs)
        parts = 1
        while units:
            parts = min(parts, len(units))
            proposals = [Proposal(needs, level, out, self._known) for out in _ways(units, parts)]
            found = yield proposals
            rest = None if found is None else proposals[found].rest
            if rest is None:
                if parts == len(units):
                    return
                parts = min(len(units), parts * 2)
                continue
            self.best = rest.draft
            needs = Needs(self.best)
            before = len(units)
            units = _left(level, needs, units, rest)
            # As fine as it was: what was asked about parts of that size is not asked again.
            parts = max(1, round(parts * len(units) / before)) if before else 1


def _ways(units: Sequence[Unit], parts: int) -> list[list[Unit]]:
    """What to leave out: each part but one, where they are few; then one part each, the last one first."""
    chunks = _chunks(units, parts)
    alone = [
        [unit for other in chunks if other is not chunk for unit in other]
        for chunk in (chunks if 2 < parts <= SUBSETS else ())
    ]
    return [*alone, *reversed(chunks)]


def _chunks(units: Sequence[Unit], parts: int) -> list[list[Unit]]:
    bounds = [round(place * len(units) / parts) for place in range(parts + 1)]
    return [list(units[begin:end]) for begin, end in pairwise(bounds)]


def _left(level: Level, needs: Needs, units: Sequence[Unit], rest: Rest) -> list[Unit]:
    """The units of what is left, by their new numbers; those of them that still are units."""
    still: set[int] = set[int]().union(*level.units(needs))
    numbers = rest.numbers
    moved = (frozenset(numbers[seq] for seq in unit if seq in numbers) & still for unit in units)
    return [unit for unit in moved if unit]


def smallest(draft: Draft, fails: Callable[[Draft], bool], *, levels: Sequence[Level] = LEVELS) -> Draft:
    """The smallest draft that still fails, asking about one at a time, and never twice about the same.

    Args:
        draft: fails.
        fails: is asked about drafts that are numbered and not sealed.
    """
    shrinking = Shrinking(draft, levels)
    asked: dict[tuple[Entry, ...], bool] = {draft.entries: True}

    def first(proposals: Sequence[Proposal]) -> int | None:
        for place, proposal in enumerate(proposals):
            candidate = proposal.draft
            if candidate is None:
                continue
            if candidate.entries not in asked:
                asked[candidate.entries] = fails(candidate)
            if asked[candidate.entries]:
                return place
        return None

    search = shrinking.search()
    proposals = next(search)
    while True:
        try:
            proposals = search.send(first(proposals))
        except StopIteration as end:
            return end.value


class Trial(Protocol):
    """Somebody is being asked whether a draft fails."""

    def fails(self) -> bool:
        """Wait for the answer; in a thread of its own. After `end` it does not matter what it says."""
        ...

    def end(self) -> None:
        """Nobody waits for the answer any more; from another thread, at any time."""
        ...


Judge = Callable[[Draft], Trial]
"""Begins to ask about a draft, which is numbered and not sealed."""


@dataclass
class _Asked:
    """A proposal that is being asked about."""

    place: int
    draft: Draft
    trial: Trial
    answer: Future[bool]


class Hunt:
    """Drives a search.

    Args:
        shrinking: the search, not begun.
        judge: says whether a draft fails.
        jobs: how many are asked about at once.
        seconds: wall seconds after which the search is given up; None: never.
        on_news: called with this after each answer.

    Attributes:
        runs: how many answers came.
        remembered: how many were not asked for, because they had been given before.
        over_time: the search was given up.
    """

    def __init__(
        self,
        shrinking: Shrinking,
        judge: Judge,
        *,
        jobs: int = 1,
        seconds: float | None = None,
        on_news: Callable[[Hunt], object] = lambda hunt: None,
    ) -> None:
        self.shrinking = shrinking
        self.runs = 0
        self.remembered = 0
        self.over_time = False
        self._judge = judge
        self._jobs = jobs
        self._deadline = None if seconds is None else time.monotonic() + seconds
        self._on_news = on_news
        self._answers: dict[tuple[Entry, ...], bool] = {shrinking.draft.entries: True}
        self._open: list[_Asked] = []

    @property
    def best(self) -> Draft:
        """The smallest draft so far that fails."""
        return self.shrinking.best

    def run(self) -> Draft:
        """Search to the end, or to the end of the time. Whoever interrupts it finds `best`."""
        search = self.shrinking.search()
        pool = ThreadPoolExecutor(self._jobs, "realtape-shrink")
        try:
            proposals = next(search)
            while True:
                proposals = search.send(self._first(proposals, pool))
        except StopIteration as end:
            return end.value
        except _OverTime:
            self.over_time = True
            return self.best
        finally:
            self._give_up()
            pool.shutdown()

    def _first(self, proposals: Sequence[Proposal], pool: ThreadPoolExecutor) -> int | None:
        """The place of the first that fails."""
        todo = iter(enumerate(proposals))
        found: int | None = None
        while True:
            while found is None and len(self._open) < self._jobs:
                place, proposal = next(todo, (-1, None))
                if proposal is None:
                    break
                found = self._ask(place, proposal, pool)
            if not self._open:
                return found
            done, _ = wait([one.answer for one in self._open], self._left(), FIRST_COMPLETED)
            if not done:
                raise _OverTime
            for one in [one for one in self._open if one.answer in done]:
                self._open.remove(one)
                fails = self._answers[one.draft.entries] = one.answer.result()
                self.runs += 1
                if fails and (found is None or one.place < found):
                    found = one.place
                self._on_news(self)
            if found is not None:
                self._give_up(found)

    def _ask(self, place: int, proposal: Proposal, pool: ThreadPoolExecutor) -> int | None:
        """Begin to ask; the place, if it is known to fail."""
        self._left()
        draft = proposal.draft
        if draft is None:
            return None
        known = self._answers.get(draft.entries)
        if known is not None:
            self.remembered += 1
            return place if known else None
        trial = self._judge(draft)
        self._open.append(_Asked(place, draft, trial, pool.submit(trial.fails)))
        return None

    def _left(self) -> float | None:
        if self._deadline is None:
            return None
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise _OverTime
        return left

    def _give_up(self, behind: int = -1) -> None:
        """Nobody needs the answers about those that come later."""
        for one in [one for one in self._open if one.place > behind]:
            self._open.remove(one)
            one.trial.end()


class _OverTime(Exception):
    pass
