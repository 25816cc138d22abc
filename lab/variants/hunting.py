"""Asking somebody whether drafts still fail, about several at once, until the smallest is found.

Which one is found does not depend on how many are asked about at once: of several that fail the first
in the search's order counts, and what was asked in vain is given up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Protocol

from ...schema.entries import Entry
from ...session.drafts import Draft
from .shrink import Proposal, Shrinking


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
