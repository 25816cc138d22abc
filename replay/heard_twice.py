"""What the user heard by the application's own player, against what he heard when it was recorded.

Players are not compared call by call: one that reports twice as often, or a chunk later, plays the same.
What counts is how much of an item was heard where somebody acted: where the model asked, or interrupted; and
where the application sent something, but audio.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from ..schema.playback import RealtimePlaybackTracker
from .reporting.report import HeardOtherwise

PlaybackMatching: TypeAlias = Literal["exact", "tolerant", "ignore"]
"""How what the application's player reports is compared; see `ReplayBase`."""

_REPORTS = ("on_play_bytes", "on_play_ms")
_ACTED = ("get_state", "on_interrupted")
_NOTHING = (None, 0.0)


class HeardTwice:
    """Two ledgers, as recorded and live, and where they differ. Any thread may tell, one at a time.

    Args:
        tolerance_ms: how much more, or less, is the same; None: the longest piece that the recorded player
            reported at once.
    """

    def __init__(self, tolerance_ms: float | None = None) -> None:
        self.differences: list[HeardOtherwise] = []
        self.reports = 0  # of the live player
        self._tolerance_ms = tolerance_ms
        self._longest_ms = 0.0
        self._last: int | None = None  # recorded call
        self._recorded = RealtimePlaybackTracker()
        self._live = RealtimePlaybackTracker()

    @property
    def tolerance_ms(self) -> float:
        """How much more, or less, is the same by now."""
        return self._longest_ms if self._tolerance_ms is None else self._tolerance_ms

    def recorded(self, seq: int, by: str | None, name: str, args: list[Any], kwargs: dict[str, Any]) -> None:
        """A recorded call has its place here.

        Args:
            by: who made it: the `application`, or the model.
        """
        self._last = seq
        if by != "application":
            if name in _ACTED:
                self._compare(seq)
            for ledger in (self._recorded, self._live):
                _tell(ledger, name, args, kwargs)
            return
        before = self._state(self._recorded)
        _tell(self._recorded, name, args, kwargs)
        item, ms = self._state(self._recorded)
        if name in _REPORTS:
            self._longest_ms = max(self._longest_ms, ms - (before[1] if before[0] == item else 0.0))

    def live(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """The live application calls its tracker."""
        self.reports += name in _REPORTS
        _tell(self._live, name, list(args), kwargs)

    def acted(self, seq: int) -> None:
        """The application sends something, at its place."""
        self._compare(seq)

    def ended(self) -> None:
        """All was played: a player that goes on where nobody acts any more has played otherwise, too."""
        if self._last is not None:
            self._compare(self._last)

    def _compare(self, seq: int) -> None:
        item, ms = self._state(self._recorded)
        live_item, live_ms = self._state(self._live)
        if item is None or item != live_item:  # where one has begun another item: what is heard of that
            ms, live_ms = (0.0, live_ms) if item is None else (ms, 0.0)
            item = item or live_item
        if item is not None and abs(ms - live_ms) > self.tolerance_ms:
            self.differences.append(HeardOtherwise(seq, item, round(ms, 3), round(live_ms, 3)))

    @staticmethod
    def _state(ledger: RealtimePlaybackTracker) -> tuple[str | None, float]:
        state = ledger.get_state()
        item, ms = state["current_item_id"], state["elapsed_ms"]
        return _NOTHING if item is None or ms is None else (item, ms)


def _tell(ledger: RealtimePlaybackTracker, name: str, args: list[Any], kwargs: dict[str, Any]) -> None:
    method = getattr(ledger, name, None)
    if method is not None and name != "get_state":
        try:
            method(*args, **kwargs)
        except (TypeError, ValueError):  # the application's own tracker takes other arguments
            return
