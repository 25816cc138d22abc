"""The pace of a replay on virtual time: exact, and without a single timer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from ...schema.clocks import Round
from ...session.places import Place
from ..terms.acts import Approach, Until
from ..terms.steps import START
from .pacing import not_driven
from .virtual_loop import VirtualLoop

_new: Any = cast("Any", tuple).__new__  # past the class's own, which is Python


class VirtualPacer:
    """Is asked by the loop when nothing is left to run.

    Args:
        patience_ns: virtual nanoseconds for which the application may be awaited while timers of its
            own go on.
    """

    def __init__(self, loop: VirtualLoop, patience_ns: int) -> None:
        self.paced = True
        self.reached: Callable[[Approach], object] = not_driven
        self.quiet: Callable[..., object] = not_driven
        self.wake: Callable[..., None] = loop.wake
        self.soon: Callable[..., asyncio.Handle] = loop.soon
        self._loop = loop
        self._patience_ns = patience_ns
        self._here = START
        self._round: Round | None = None  # of `_here`
        self._act: Approach | None = None
        self._targets: dict[int, tuple[int, int]] = {}  # rounds that steps wait for, by seq
        self._there: set[int] = set()  # steps whose round has come before their turn
        self._waiting_since: int | None = None
        self._finishes_at: int | None = None
        self._stand: Callable[[], object] | None = None
        loop.idlers.append(self)

    @property
    def weaker(self) -> list[str]:
        """What could not be guaranteed."""
        found: list[str] = []
        if self._loop.foreign:
            found.append(
                f"{len(self._loop.foreign)} descriptors of others (sockets, pipes) were open: time "
                "flowed with the wall while they were busy"
            )
        if self._loop.disordered:
            found.append("a job of a thread answered before one that was begun earlier")
        if self._loop.hasty:
            found.append("time went on while a thread waited, perhaps for another one that was at work")
        return found

    @property
    def overdue(self) -> float | None:
        """Virtual seconds for which what is given up now was awaited, while timers went on."""
        return self._patience_ns / 1e9 if self._loop.timers else None

    def now(self) -> Place:
        """Where in time the replay is."""
        loop, here = self._loop, self._here
        if loop.here is not self._round or loop.now_ns != here.ns:
            burst, number = self._round = loop.here
            here = self._here = _new(Place, (loop.now_ns, burst, number, False))
        return here

    def still(self) -> bool:
        """Whether the loop's thread does nothing but wait for other threads."""
        return self._loop.blocked

    def owed(self) -> bool:
        """Whether one owes the loop an answer."""
        return self._loop.owed

    def stands_for(self, thread: int) -> bool:
        """Whether it owes the loop an answer."""
        return self._loop.stands_for(thread)

    def early(self) -> bool:
        """Whoever is woken runs in the same round."""
        return False

    def approach(self, act: Approach) -> None:
        """Call back there."""
        before, seq, at_ns = self._act, act.seq, act.until.at_ns
        if before is not None and before.seq == seq and before.until.at_ns == at_ns:
            return
        self._act, self._waiting_since, self._finishes_at = act, None, None
        if at_ns is None and seq in self._there:
            self._act = None
            self._there.discard(seq)
            self.reached(act)
        elif at_ns is None and seq not in self._targets:
            self.begin(act)

    def begin(self, act: Approach) -> None:
        """Whoever does this has begun to wait for its round just now."""
        seq, rounds = act.seq, act.until.rounds
        if seq in self._targets or seq in self._there:
            return
        burst, number = self._loop.here
        self._targets[seq] = (burst, number + rounds)
        if not rounds:
            self._count(act)
        elif act.first:
            self._loop.at_round_start(number + rounds, lambda: self._arrive(act))
        else:
            self._loop.call_soon(self._count, act)

    def pass_rounds(self, rounds: int, to: int, task: asyncio.Task[Any], acted: asyncio.Handle | None) -> int:
        """Let rounds pass at once in which nothing would run but the task that asks."""
        if to in self._targets or to in self._there:
            return rounds
        self._act = self._waiting_since = self._finishes_at = None
        skip_round = self._loop.skip_round
        while rounds and skip_round(task, acted):
            rounds -= 1
        return rounds

    def wait(self) -> None:
        """Call back when the application is at rest."""
        if self._waiting_since is None:
            self.clear()
            self._waiting_since = self._loop.now_ns

    def finish(self, *, busy: bool) -> None:
        """Call back when the application has come to rest."""
        if self._finishes_at is None or not busy:
            self.clear()
            self._finishes_at = self._loop.now_ns + (self._patience_ns if busy else 0)

    def progress(self) -> None:
        """Something happened."""
        if self._waiting_since is not None:
            self._waiting_since = self._loop.now_ns

    def stop(self) -> None:
        """Call back no more."""
        self.clear()
        self.release()
        if self in self._loop.idlers:
            self._loop.idlers.remove(self)

    def happens(self) -> None:
        """Nothing is waited for any more."""
        self._act = self._waiting_since = self._finishes_at = None

    def hold(self, stand: Callable[[], object]) -> None:
        """The loop's clock stands."""
        self.release()
        self._stand = stand
        self._loop.holders.append(stand)

    def release(self) -> None:
        """It goes on; nobody has waited meanwhile."""
        if self._stand is not None:
            self._loop.holders.remove(self._stand)
            self._stand = None

    @property
    def rate(self) -> float | None:
        """That of the loop."""
        return self._loop.pace

    def set_rate(self, rate: float | None) -> None:
        """That of the loop."""
        self._loop.pace = rate

    # --- for the loop, when it is idle ------------------------------------------------------------

    def next_ns(self) -> int | None:
        """When we want to act."""
        if self._act is not None:
            return self._act.until.at_ns
        if self._waiting_since is not None:
            return self._waiting_since + self._patience_ns if self._loop.timers else None
        return self._finishes_at

    def act(self) -> None:
        """That instant has come."""
        act, self._act = self._act, None
        if act is None:
            self.clear()
            self.quiet(gives_up=True)
        elif act.until.rounds:
            self.approach(act._replace(until=Until(None, act.until.rounds)))
        else:
            self.reached(act)

    def rest(self) -> bool:
        """Nothing is left that could ever happen by itself."""
        if self._waiting_since is None:
            return False
        self.clear()
        self.quiet(gives_up=True)
        return True

    # --- counting rounds ----------------------------------------------------------------------------

    def _count(self, act: Approach) -> None:
        if self._loop.here < self._targets[act.seq]:
            self._loop.call_soon(self._count, act)
        elif act.patient:
            self._loop.at_round_end(lambda: self._arrive(act))
        else:
            self._arrive(act)

    def _arrive(self, act: Approach) -> None:
        seq, awaited = act.seq, self._act
        del self._targets[seq]
        if awaited is not None and awaited.seq == seq:
            self._act = None
            self.reached(awaited)
        elif not act.patient:  # else the application has done it meanwhile
            self._there.add(seq)

    def clear(self) -> None:
        """Nothing is waited for."""
        self._act = None
        self._waiting_since = None
        self._finishes_at = None
