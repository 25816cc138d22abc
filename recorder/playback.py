"""The playback state at every moment, as columns: of the application's tracker, or of an assumed one."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

from ..schema.shadows import Shadows, bare
from ..session.audio_tracker import AudioTracker, played_ms
from ..session.sound import SoundFormats
from .ctrl_c import may_be_ctrl_c

logger = logging.getLogger("realtape.recorder")

METHODS = ("on_play_bytes", "on_play_ms", "on_interrupted", "set_audio_format", "get_state")


class Playing(NamedTuple):
    """What plays by itself: how much of it was heard follows from when one asks.

    Attributes:
        since_ns: when it began, by the session's clock.
        limit_ms: how much there is of it.
    """

    since_ns: int
    limit_ms: float

    def elapsed_ms(self, at_ns: int) -> float | None:
        """At an instant of that clock; None where that tells no time."""
        try:
            elapsed_ms = float(played_ms(*self, at_ns)) + 0.0
        except (TypeError, ValueError, OverflowError):
            return None
        return elapsed_ms if math.isfinite(elapsed_ms) else None


Playback = tuple[str | None, int | None, float | Playing | None, bool]
"""(item id, content index, elapsed milliseconds, assumed)."""

NO_PLAYBACK: Playback = (None, None, None, False)

Columns = tuple[str | None, int | None, float | None, int | None, bool]
"""The same of plain parts, as an entry that waits holds them: of what plays by itself its limit in
milliseconds, and since when."""

NO_COLUMNS: Columns = (None, None, None, None, False)
_MAX_INT = (1 << 31) - 1  # of an integer column on PostgreSQL


class PlaybackColumns:
    """Makes columns of a playback state. A tracker is the application's, and may say anything."""

    def __init__(self) -> None:
        self._item: tuple[Any, str | None] = (None, None)  # most states tell of the same item

    def of(self, state: Playback) -> Columns:
        """The state, as columns. Raises what converting the tracker's own objects raises."""
        item_id, content_index, elapsed_ms, assumed = state
        item = self._item
        if item_id is not item[0]:
            self._item = item = (item_id, None if item_id is None else str.__str__(str(item_id)))
        if content_index is not None:
            content_index = int(content_index)
            if abs(content_index) > _MAX_INT:
                content_index = None
        since_ns = None
        if isinstance(elapsed_ms, Playing):
            since_ns, elapsed_ms = elapsed_ms
        elif elapsed_ms is not None:
            elapsed_ms = float(elapsed_ms) + 0.0  # SQLite stores -0.0 as 0.0
            if not math.isfinite(elapsed_ms):
                elapsed_ms = None
        return (item[1], content_index, elapsed_ms, since_ns, assumed)


class TrackerTap:
    """Observes a tracker that the application made, without the application changing a line.

    Its methods are shadowed by attributes of the instance: calls by the application, from any
    thread, and by the model are appended to the log. Its state is also looked at, now and then, which is no
    call: a method that the application had taken hold of before is not seen, and what it changed, or what
    passes by itself where a tracker reads a clock, is found so.

    Args:
        tracker: the application's.
        append: called with a method's name, what becomes the entry's payload, and the state after the call.
    """

    def __init__(self, tracker: Any, append: Callable[[str, dict[str, Any], Playback], object]) -> None:
        self._tracker = tracker
        self._append_call = append
        self._calls = threading.local()
        self._get_state: Callable[[], Mapping[str, Any]] | None = bare(getattr(tracker, "get_state", None))
        self._known: Playback = NO_PLAYBACK
        self._shadows: Shadows | None = None
        self.attach()

    def attach(self) -> None:
        """Begin to observe (again)."""
        self._shadows = Shadows(self._tracker, METHODS, self._call)
        for name in self._shadows.missing:
            logger.warning("%s.%s cannot be observed", type(self._tracker).__qualname__, name)

    def playback(self) -> Playback:
        """The state now; of a tracker that does not say, the last one."""
        if self._get_state is None:
            return NO_PLAYBACK
        outermost = not getattr(self._calls, "inside", False)
        self._calls.inside = True  # what it calls of its own is no call
        try:
            self._known = _state_in(self._get_state())
        except BaseException as error:  # the application's own tracker may do anything
            if may_be_ctrl_c(error):
                raise
            logger.debug("the tracker's state cannot be read: %s", type(error).__name__)
        finally:
            if outermost:
                self._calls.inside = False
        return self._known

    def detach(self) -> None:
        """Give the tracker back as it was, and stop observing."""
        if self._shadows is not None:
            self._shadows.lift()
            self._shadows = None

    def _call(self, name: str, method: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
        """Make a call on the tracker, and append it: the outermost one only."""
        if getattr(self._calls, "inside", False):
            return method(*args, **kwargs)
        self._calls.inside = True
        result: Any = None
        try:
            result = method(*args, **kwargs)
            return result
        finally:
            self._calls.inside = False
            value: dict[str, Any] = {"args": [_length(arg) for arg in args]}
            if kwargs:
                value["kwargs"] = {key: _length(arg) for key, arg in kwargs.items()}
            state = self._answered(result) if name == "get_state" else None
            state = self.playback() if state is None else state
            self._append_call(name, {**value, "state": list(state[:3])}, state)

    def _answered(self, state: Any) -> Playback | None:
        """The state that the tracker has just answered; None where it is none."""
        try:
            self._known = _state_in(state)
        except BaseException as error:  # the application's own tracker may answer anything
            if may_be_ctrl_c(error):
                raise
            return None
        return self._known


def _state_in(state: Any) -> Playback:
    return state["current_item_id"], state["current_item_content_index"], state["elapsed_ms"], False


def _length(arg: Any) -> Any:
    """Bytes that were played are in the log already: only their number is kept."""
    return {"bytes": len(cast("bytes", arg))} if isinstance(arg, bytes | bytearray | memoryview) else arg


class AssumedTracker:
    """Where the application has no tracker: audio plays as it arrives, at real-time speed.

    What the SDK assumes as well (`AudioTracker`): what came last is playing since the first of it came,
    and no further than what came of it.
    """

    def __init__(self, clock: Callable[[], int], settings: Mapping[str, Any] | None) -> None:
        self._clock = clock
        self._formats = SoundFormats()
        self._audio = AudioTracker()
        self.ask(settings)

    def playback(self) -> Playback:
        """The state from now on, until something else is received."""
        if self._audio.latest is None:
            return NO_PLAYBACK
        audio = self._audio.parts[self._audio.latest]
        return (*self._audio.latest, Playing(audio.since_ns, audio.ms), True)

    def on_received(self, event: Any) -> None:
        """An event from the model, before it is recorded."""
        try:
            kind = getattr(event, "type", None)
            if kind == "audio":
                part, length = (event.item_id, event.content_index), len(event.data)
                self._audio.came(part, length, self._formats.model.ms(length), at_ns=self._clock())
            elif kind == "audio_interrupted":
                self._audio.interrupted()
            elif kind == "raw_server_event" and isinstance(event.data, dict):
                self._formats.tell(cast("dict[str, Any]", event.data))
        except BaseException as error:  # a transport may call anything an audio event
            if may_be_ctrl_c(error):
                raise
            logger.debug("no playback can be assumed from %s: %s", type(event).__qualname__, error)

    def ask(self, settings: Any) -> None:
        """Settings for the model, at connect or later."""
        try:
            self._formats.ask(settings)
        except BaseException as error:  # they are the application's, and may be anything
            if may_be_ctrl_c(error):
                raise
            logger.debug("the settings name no audio format: %s", type(error).__name__)
