"""When: where in the replay the recorded places are."""

from __future__ import annotations

import functools

from ...session.places import Place
from ..terms.acts import Until


class Schedule:
    """Where in the replay the recorded places are.

    It keeps the distances: within a burst in rounds from what happened last, between bursts in time.
    Where the application is slower than it was, all that follows is later by as much.

    Args:
        paced: between bursts time must pass as recorded; if not, everything must have run that can.

    Attributes:
        live: where in the replay something happened last.
    """

    def __init__(self, *, paced: bool) -> None:
        self._paced = paced
        self._offset_ns: int | None = None
        self._recorded = Place(0, 0, 0)
        self.live = Place(0, 0, 0)

    def happened(self, recorded: Place, live: Place, *, waited: bool = False) -> None:
        """What stands at this recorded place has happened.

        Args:
            waited: the replay had to wait for it: where it is late, so is what follows.
        """
        if self._offset_ns is None or (waited and live.ns > recorded.ns + self._offset_ns):
            self._offset_ns = live.ns - recorded.ns
        early = self._paced and live.ns < recorded.ns + self._offset_ns
        if not recorded.timed and not early and live >= self.live:
            self._recorded, self.live = recorded, live

    def due_ns(self, recorded: Place) -> int:
        """When in the replay this recorded place is due, or its burst is."""
        return recorded.ns + (self._offset_ns or 0)

    def until(self, recorded: Place, now: Place) -> Until | None:
        """How far it is from now to this recorded place; None: it is here."""
        due_ns = self.due_ns(recorded)
        if recorded.timed:
            return Until(due_ns, 0) if self._paced and now.ns < due_ns else None
        if recorded.burst == self._recorded.burst:
            rounds = 0
            if now.burst == self.live.burst:
                rounds = self.live.round + recorded.round - self._recorded.round - now.round
        elif now.burst == self.live.burst or (self._paced and now.ns < due_ns):
            is_late = not self._paced or now.ns > due_ns
            return Until(now.ns, 0) if is_late else Until(due_ns, recorded.round)
        else:
            rounds = recorded.round - now.round if self._paced and now.ns == due_ns else 0
        return _rounds_on(rounds) if rounds > 0 else None

    def is_here(self, recorded: Place, now: Place) -> bool:
        """Whether this recorded place is now, to the round."""
        if not self._paced or recorded.ns + (self._offset_ns or 0) != now.ns:
            return False
        if recorded.burst == self._recorded.burst and now.burst == self.live.burst:
            return recorded.round - self._recorded.round == now.round - self.live.round
        return recorded.round == now.round


@functools.lru_cache(maxsize=64)
def _rounds_on(rounds: int) -> Until:
    """The same for all that are as far: there is one for most rounds that pass."""
    return Until(None, rounds)
