"""Looking for the smallest session that still fails: delta debugging, after Zeller and Hildebrandt
("Simplifying and Isolating Failure-Inducing Input", 2002).

The search is pure. `Shrinking.search` is a generator: it proposes drafts, a list of them at a time, the
best one first, and is told which of them is the first that fails. Whoever drives it may ask about
several at once: which one it gets does not depend on that.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

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
