"""The playback tracker during a replay: what the user had heard is again what it was.

The application's own calls on its tracker are compared with the recorded ones if it makes them, and
made for it where they were made; those of the model are made again.
"""

from __future__ import annotations

import contextvars
import math
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, cast

from ..schema.entries import Entry
from ..schema.errors import RealtapeError
from ..schema.shadows import Shadows
from .busy_clocks import busy_clocks
from .heard_twice import HeardTwice, PlaybackMatching
from .reporting.report import HeardOtherwise, Unreported
from .reporting.report_builder import ReportBuilder
from .terms.steps import Step

METHODS = ("on_play_bytes", "on_play_ms", "on_interrupted", "set_audio_format")
REMEMBERED = 4096
"""Calls that one side made and the other has not yet; older ones are forgotten."""

_detached: weakref.WeakSet[ReplayTracker] = weakref.WeakSet()
"""Replays that are over, and whose tracker still gets calls that were made for the application."""


class ReplayTracker:
    """Drives the live application's tracker from the recording.

    The tracker changes only where the recording says so: what the model decided by it, it would
    decide again. A call that the live application makes at its place is made. At another time it is
    compared, and goes no further; at its place in the recording it is made for the application. A
    player that lags behind the replay goes on when that is over: what was made for it is not made
    twice then either.

    Args:
        tracker: the one in the live connection options.
        due: the recorded call that is at its place now, if one is.
        report: gets a note of calls that differ.
        still: whether the replay waits for other threads, so that what one of them calls has its place.
        stands_for: whether time stands still for what a thread does, by its identity: one for which it does
            not plays in real time.
        playback: how the application's calls are compared.
        tolerance_ms: of what was heard; None: one chunk.
        timed: what comes, comes at its time: else a player is behind, or ahead, of all else.
        session: the id of the session that is replayed.
        recorded: its entries, asked for where something was heard otherwise.
        model_calls: told each call on the tracker, whether it is a model's: where one runs, it makes its own
            itself. None: none runs, and they are made for it.
    """

    def __init__(
        self,
        tracker: Any,
        due: Callable[[], Step | None],
        report: ReportBuilder,
        still: Callable[[], bool] = lambda: False,
        stands_for: Callable[[int], bool] = lambda thread: True,
        playback: PlaybackMatching = "tolerant",
        tolerance_ms: float | None = None,
        *,
        timed: bool = True,
        session: str = "",
        recorded: Callable[[], Iterable[Entry]] = tuple,
        model_calls: Callable[[str], bool] | None = None,
    ) -> None:
        for earlier in list(_detached):
            earlier.give_back(tracker)
        self._tracker = tracker
        self._report = report
        self._due = due
        self._still = still
        self._stands_for = stands_for
        self._apart = False  # the application's player has a thread of its own
        self._thread = threading.get_ident()
        self._lock = threading.RLock()
        self._inside = False
        self._over = False
        self._ahead: deque[str] = deque(maxlen=REMEMBERED)  # made live, not yet at their place
        self._behind: deque[str] = deque(maxlen=REMEMBERED)  # their place is passed, not made live
        self._behind_seqs: deque[int] = deque(maxlen=REMEMBERED)  # of these
        self._playback: PlaybackMatching = playback
        self._heard = HeardTwice(tolerance_ms)
        self._timed = timed
        self._session = session
        self._recorded = recorded
        self._explains = tolerance_ms is None
        self._model_calls = model_calls
        self._judged = False
        self._methods: dict[str, Callable[..., Any]] = {
            name: method for name in METHODS if (method := getattr(tracker, name, None)) is not None
        }
        asked = METHODS if model_calls is None else (*METHODS, "get_state")
        self._shadows = Shadows(tracker, asked, self._called)

    def play(self, step: Step) -> None:
        """A recorded call has its place here."""
        entry = step.entry
        if entry.method == "get_state":
            with self._lock:
                self._heard.recorded(entry.seq, entry.type, "get_state", [], {})
            return  # it was answered with the state, which the other calls make
        with self._lock:
            name, args, kwargs = _call_of(entry, step.value)
            self._heard.recorded(entry.seq, entry.type, name, args, kwargs)
            if self._model_calls is not None and entry.type == "model":
                return
            if entry.method != "observed" and entry.type == "application":
                sign = _sign(name, args, kwargs)
                if sign not in self._ahead:
                    self._behind_seqs.append(entry.seq)
                self._compare(sign, self._ahead, self._behind)
            self._inside = True
            try:
                self._make(entry, name, args, kwargs)
            finally:
                self._inside = False

    def acted(self, seq: int) -> None:
        """The application has sent something, at its place."""
        with self._lock:
            self._heard.acted(seq)

    def detach(self) -> None:
        """The replay is over; note what the application called that was not recorded. The tracker is
        given back as it was, once the application has made the calls that were made for it."""
        with self._lock:
            self._over = True
            if self._behind:
                _detached.add(self)
            else:
                self._shadows.lift()
        self.judge()

    def judge(self) -> bool:
        """All was played: say in the report, once, what the application's player did otherwise; whether it
        did."""
        with self._lock:
            if self._playback == "ignore" or self._judged:
                return False
            self._judged, exact = True, self._playback == "exact"
            self._heard.ended()
            report, silent = self._report, not self._heard.reports
            lost = list(self._behind_seqs) if exact or silent else []
            apart = self._apart and self._timed
            heard = self._unexplained() if self._timed and not (silent or apart) else []
            report.unreported += [Unreported(seq, self._session) for seq in lost]
            report.heard += [replace(one, session=self._session) for one in heard]
            report.uncompared += [self._session] if apart else []
            if exact and self._ahead:
                count = len(self._ahead)
                report.note(f"{count} calls on the playback tracker differ from the recorded ones")
            return bool(lost or heard or apart or (exact and self._ahead))

    def _unexplained(self) -> list[HeardOtherwise]:
        """Where something was heard otherwise, and not because a machine was busy."""
        heard = self._heard.differences
        if not heard or not self._explains:
            return heard
        try:
            apart = busy_clocks(self._recorded(), {one.seq: one.item_id for one in heard})
        except RealtapeError:  # damaged behind what was replayed: nothing explains it
            return heard
        tolerance_ms = self._heard.tolerance_ms

        def is_told(one: HeardOtherwise) -> bool:
            more_ms, less_ms = apart.get(one.seq, (0.0, 0.0))
            return not -less_ms <= _beyond(one.live_ms - one.recorded_ms, tolerance_ms) <= more_ms

        return list(filter(is_told, heard))

    def give_back(self, tracker: Any) -> None:
        """Another replay begins with this tracker: give it back as it was, if it is ours."""
        if tracker is self._tracker:
            _detached.discard(self)
            self._shadows.lift()

    def _make(self, entry: Entry, name: str, args: list[Any], kwargs: dict[str, Any]) -> None:
        if name not in self._methods:
            self._report.note(f"the tracker has no {name}, which was called when this was recorded")
            return
        # An application's call is not made in the model's context: whoever records this replay must
        # see whose call it is.
        context = contextvars.Context() if entry.type == "application" else contextvars.copy_context()
        if entry.method == "observed":
            context.run(self._methods["on_interrupted"])  # adds up from nothing
        context.run(self._methods[name], *args, **kwargs)

    def _called(
        self, name: str, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """The application calls its tracker."""
        with self._lock:
            if self._inside or self._is_models(name) or name not in METHODS:
                return method(*args, **kwargs)
            sign = _sign(name, list(args), kwargs)
            if not self._over:
                self._heard.live(name, args, kwargs)
            if self._over:
                return self._called_afterwards(sign, lambda: method(*args, **kwargs))
            thread = threading.get_ident()
            placed = thread == self._thread or self._still()
            self._apart = self._apart or not (thread == self._thread or self._stands_for(thread))
            # Who owes a call that was made for him makes that one now, and none that has its place here.
            due = self._due() if placed and sign not in self._behind else None
            if due is not None and sign == _sign(*_call_of(due.entry, due.value)):
                due.performed = True
                self._heard.recorded(due.seq, due.entry.type, *_call_of(due.entry, due.value))
                self._inside = True  # what the method calls on itself is a part of it
                try:
                    return method(*args, **kwargs)
                finally:
                    self._inside = False
            if sign in self._behind:
                del self._behind_seqs[self._behind.index(sign)]
            self._compare(sign, self._behind, self._ahead)
        return None

    def _is_models(self, name: str) -> bool:
        return self._model_calls is not None and self._model_calls(name)

    def _called_afterwards(self, sign: str, call: Callable[[], Any]) -> Any:
        if sign not in self._behind:
            return call()
        self._behind.remove(sign)
        if not self._behind:
            self.give_back(self._tracker)
        return None

    @staticmethod
    def _compare(sign: str, there: deque[str], here: deque[str]) -> None:
        if sign in there:
            there.remove(sign)
        else:
            here.append(sign)


def _beyond(difference: float, tolerance: float) -> float:
    """How far a difference goes beyond what is tolerated, with its sign."""
    return math.copysign(max(0.0, abs(difference) - tolerance), difference)


def _call_of(entry: Entry, value: Any) -> tuple[str, list[Any], dict[str, Any]]:
    facts = cast("dict[str, Any]", value)
    if entry.method == "observed":
        # What changed the state was not seen, only the state: bring the tracker to it.
        item_id, content_index, elapsed_ms = facts["state"]
        if item_id is None:
            return "on_interrupted", [], {}
        return "on_play_ms", [item_id, content_index or 0, elapsed_ms or 0.0], {}
    args: list[Any] = list(facts.get("args", ()))
    kwargs: dict[str, Any] = dict(facts.get("kwargs", {}))
    if entry.method == "on_play_bytes":
        args = [_as_bytes(arg) for arg in args]
        kwargs = {name: _as_bytes(arg) for name, arg in kwargs.items()}
    return str(entry.method), args, kwargs


def _as_bytes(arg: Any) -> Any:
    """The log keeps how many bytes were played; which ones does not matter to any tracker."""
    return bytes(cast("dict[str, int]", arg)["bytes"]) if isinstance(arg, dict) else arg


def _sign(name: str, args: list[Any], kwargs: dict[str, Any]) -> str:
    def plain(arg: Any) -> Any:
        is_bytes = isinstance(arg, bytes | bytearray | memoryview)
        return ("bytes", len(cast("bytes", arg))) if is_bytes else arg

    return repr([name, *map(plain, args), *sorted((key, plain(arg)) for key, arg in kwargs.items())])
