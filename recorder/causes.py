"""In whose dynamic extent we are: which entry an event happened because of, and in which models.

A context variable, so that tasks inherit it. One variable serves all recorders and sessions of the
process: it holds a chain of frames, at most one a session, the innermost first.
"""

from __future__ import annotations

import weakref
from collections import deque
from contextvars import ContextVar, Token
from sys import getrefcount
from typing import Any, NamedTuple, cast

MAX_NESTED_SESSIONS = 4
"""Models wrapped in models; deeper frames are those of sessions long gone (a loop that reconnects)."""

LOST = -1
"""Seq of an entry that was dropped: what refers to it is marked."""

EVENTS_REMEMBERED = 1024
"""For how many events back `caused_by` finds the cause."""


class Frame(NamedTuple):
    """One entry's extent.

    Attributes:
        session: the session's number in this process.
        seq: the entry; None inside the model, where nothing is known of a cause.
        tap: the number of the model's tap; 0 where it does not matter.
        inside: the session's log where we are inside its inner model, whose calls on the tracker are not the
            application's. A model's read loop inherits it, and outlives the next connect.
        outer: frames of other sessions.
    """

    session: int
    seq: int | None
    tap: int = 0
    inside: object | None = None
    outer: Frame | None = None


_new: Any = cast("Any", tuple).__new__  # past the class's own, which is Python
WHERE: ContextVar[Frame | None] = ContextVar("realtape_cause", default=None)
"""In whose extents we are. To be looked at only; `extent` and its like set it."""
_reset = WHERE.reset


def current(session: int) -> Frame | None:
    """The innermost frame of this session; a cause of another session is none."""
    frame = WHERE.get()
    while frame is not None and frame.session != session:
        frame = frame.outer
    return frame


def log_inside(tap: int) -> object | None:
    """The log of the session whose inner model we are in, if it is this tap's."""
    frame = WHERE.get()
    while frame is not None and frame.tap != tap:
        frame = frame.outer
    return None if frame is None else frame.inside


def here() -> Frame | None:
    """All that is known here, to be carried to another place: the frames of the application, also
    where the model's code is on the stack."""
    return _as_application(WHERE.get())


def enter(frame: Frame | None) -> None:
    """From now on, in this context: what happens is caused as it was where `frame` was taken."""
    WHERE.set(frame)


def leave(token: Token[Frame | None]) -> None:
    """The end of an extent that began when the variable was set."""
    try:
        _reset(token)
    except ValueError:
        # A coroutine that nobody awaited to its end is closed wherever the collector runs; there
        # the variable was never set.
        pass


class within:
    """For the length of a `with` block: as where `frame` was taken. (A generator would cost the event
    loop 2 µs at each event.)"""

    __slots__ = ("_entered", "_token")

    def __init__(self, frame: Frame | None) -> None:
        self._entered = frame

    def __enter__(self) -> None:
        self._token: Token[Frame | None] = WHERE.set(self._entered)

    def __exit__(self, *exception: object) -> None:
        leave(self._token)


def extent(session: int, seq: int | None, tap: int = 0, inside: object | None = None) -> within:
    """For the length of a `with` block: what happens is caused by `seq`; see `Frame`."""
    return within(frame(WHERE.get(), session, seq, tap, inside))


def frame(
    around: Frame | None, session: int, seq: int | None, tap: int = 0, inside: object | None = None
) -> Frame:
    """The frame of an extent, within another one."""
    if around is not None and (around.outer is not None or around.session != session):
        around = _others(session, around)
    else:
        around = None  # nearly always
    return _new(Frame, (session, seq, tap, inside, around))


def none() -> within:
    """For the length of a `with` block: no cause at all (a task that lives on starts here). Only
    where we are is still known: inside a model that another one wraps."""
    return within(_without_causes(WHERE.get()))


class EventCauses:
    """Remembers of events what they were caused by, or are the cause of. Safe from any thread.

    Attributes:
        handled: the events that listeners are handling, each with its frame, by the frame's identity.
    """

    def __init__(self) -> None:
        self.handled: dict[int, tuple[Any, Frame]] = {}
        self._known: deque[tuple[weakref.ref[Any], Frame]] = deque(maxlen=EVENTS_REMEMBERED)

    def remember(self, event: Any, frame: Frame) -> None:
        """Keep an event's frame, as long as there are not too many younger ones."""
        try:
            self._known.append((weakref.ref(event), frame))
        except TypeError:  # a class with slots
            return

    def of(self, event: Any) -> Frame | None:
        """An event's frame, or None where it is not known (any more)."""
        for handled, frame in reversed(list(self.handled.values())):
            if handled is event:
                return frame
        return next((frame for known, frame in reversed(list(self._known)) if known() is event), None)

    def handled_of(self, session: int) -> list[int]:
        """The entries of a session that listeners are handling, in order."""
        frames = [frame for _, frame in list(self.handled.values()) if frame.session == session]
        return sorted({frame.seq for frame in frames if frame.seq is not None})


async def _count(event: object) -> int:
    return getrefcount(event)


async def _emit(event: object) -> int:
    return await _count(event)


def _unheld() -> int:
    try:
        _emit(object()).send(None)
    except StopIteration as returned:
        return returned.value
    return 0


UNHELD = _unheld()
"""What `getrefcount` tells a listener of an event that nobody has but who emits it: which nobody can ask for
later. To remember one costs the event loop as much as half of appending it."""


def _without_causes(frame: Frame | None) -> Frame | None:
    if frame is None:
        return None
    outer = _without_causes(frame.outer)
    return outer if frame.inside is None else frame._replace(seq=None, outer=outer)


def _as_application(frame: Frame | None) -> Frame | None:
    if frame is None:
        return None
    outer = _as_application(frame.outer)
    if outer is frame.outer and frame.inside is None:
        return frame
    return frame._replace(inside=None, outer=outer)


def _others(session: int, frame: Frame | None) -> Frame | None:
    """The frames of other sessions, as many as can be nested."""
    kept = list[Frame]()
    while frame is not None and len(kept) < MAX_NESTED_SESSIONS - 1:
        if frame.session != session:
            kept.append(frame)
        frame = frame.outer
    chain: Frame | None = None
    for one in reversed(kept):
        chain = one._replace(outer=chain)
    return chain
