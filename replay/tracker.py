"""The playback tracker during a replay: what the user had heard is again what it was.

The application's own calls on its tracker are compared with the recorded ones if it makes them, and
made for it if it does not; those of the model are made again.
"""

from __future__ import annotations

import contextvars
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, cast

from ..schema.entries import Entry
from ..schema.shadows import Shadows
from .report import ReplayReport
from .steps import Step

METHODS = ("on_play_bytes", "on_play_ms", "on_interrupted", "set_audio_format")
LOOK_BACK = 64
"""Calls made for the application that are remembered, in case it makes them after all."""


class ReplayTracker:
    """Drives the live application's tracker from the recording.

    Args:
        tracker: the one in the live connection options.
        report: gets a note of calls that the recording does not hold.
    """

    def __init__(self, tracker: Any, report: ReplayReport) -> None:
        self._tracker = tracker
        self._report = report
        self._lock = threading.RLock()
        self._inside = False
        self._ahead: deque[tuple[str, str]] = deque()  # made by the application before their place
        self._made: deque[tuple[str, str]] = deque(maxlen=LOOK_BACK)  # made for it
        self._methods: dict[str, Callable[..., Any]] = {
            name: method for name in METHODS if (method := getattr(tracker, name, None)) is not None
        }
        self._recorded = False
        self._shadows = Shadows(tracker, METHODS, self._called)

    def play(self, step: Step) -> None:
        """A recorded call has its place here: make it, unless the application has."""
        entry = step.entry
        if entry.method == "get_state":
            return
        with self._lock:
            self._recorded = True
            call = _call_of(entry, step.value)
            if call is None:
                return
            name, args, kwargs = call
            if name == "restore":
                self._restore(*args)
                return
            sign = (name, _sign(args, kwargs))
            if entry.type == "application" and sign in self._ahead:
                self._ahead.remove(sign)
                return
            if entry.type == "application":
                self._made.append(sign)
            self._apply(entry, name, args, kwargs)

    def detach(self) -> None:
        """Give the tracker back as it was."""
        self._shadows.lift()

    def _restore(self, item_id: str, content_index: int | None, elapsed_ms: float | None) -> None:
        self._inside = True
        try:
            contextvars.Context().run(self._methods["on_interrupted"])
            contextvars.Context().run(
                self._methods["on_play_ms"], item_id, content_index or 0, elapsed_ms or 0.0
            )
        finally:
            self._inside = False

    def _apply(self, entry: Entry, name: str, args: list[Any], kwargs: dict[str, Any]) -> None:
        method = self._methods.get(name)
        if method is None:
            self._report.note(f"the tracker has no {name}, which was called when this was recorded")
            return
        self._inside = True
        try:
            if entry.type == "application":
                # Not in the model's context: whoever records this replay must see whose call it is.
                contextvars.Context().run(method, *args, **kwargs)
            else:
                method(*args, **kwargs)
        finally:
            self._inside = False

    def _called(
        self, name: str, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """The application calls its tracker."""
        with self._lock:
            if self._inside or name == "set_audio_format":
                return method(*args, **kwargs)
            sign = (name, _sign(list(args), kwargs))
            if sign in self._made:
                self._made.remove(sign)  # it was made for it, in its place
                return None
            self._ahead.append(sign)
        return method(*args, **kwargs)

    @property
    def unrecorded(self) -> int:
        """Calls of the application that the recording does not hold, so far."""
        return len(self._ahead) if self._recorded else 0


def _call_of(entry: Entry, value: Any) -> tuple[str, list[Any], dict[str, Any]] | None:
    facts = cast("dict[str, Any]", value)
    if entry.method == "observed":
        # What changed the state was not seen, only the state: bring the tracker to it.
        item_id, content_index, elapsed_ms = facts["state"]
        if item_id is None:
            return "on_interrupted", [], {}
        return "restore", [item_id, content_index, elapsed_ms], {}
    args: list[Any] = list(facts.get("args", ()))
    kwargs: dict[str, Any] = dict(facts.get("kwargs", {}))
    if entry.method == "on_play_bytes":
        args = [_as_bytes(arg) for arg in args]
        kwargs = {name: _as_bytes(arg) for name, arg in kwargs.items()}
    return str(entry.method), args, kwargs


def _as_bytes(arg: Any) -> Any:
    """The log keeps how many bytes were played; which ones does not matter to any tracker."""
    return bytes(arg["bytes"]) if isinstance(arg, dict) else arg


def _sign(args: list[Any], kwargs: dict[str, Any]) -> str:
    def plain(arg: Any) -> Any:
        return ("bytes", len(arg)) if isinstance(arg, bytes | bytearray | memoryview) else arg

    return repr([plain(arg) for arg in args] + sorted((name, plain(arg)) for name, arg in kwargs.items()))
