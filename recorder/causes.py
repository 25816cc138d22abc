"""In whose dynamic extent we are: which entry an event happened because of.

A context variable, so that tasks inherit it. One variable serves all recorders and sessions of the
process: it holds a chain of frames, at most one a session, the innermost first.
"""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import NamedTuple, TypeVar

_T = TypeVar("_T")

MAX_NESTED_SESSIONS = 4
"""Models wrapped in models; deeper frames are those of sessions long gone (a loop that reconnects)."""


class Frame(NamedTuple):
    """One entry's extent.

    Attributes:
        session: the session's number in this process.
        seq: the entry; None inside the model, where nothing is known of a cause.
        model: inside the inner model (its calls on the tracker are not the application's).
        outer: frames of other sessions.
    """

    session: int
    seq: int | None
    model: bool
    outer: Frame | None


_frame: ContextVar[Frame | None] = ContextVar("realtape_cause", default=None)


def current(session: int) -> Frame | None:
    """The innermost frame of this session; a cause of another session is none."""
    frame = _frame.get()
    while frame is not None and frame.session != session:
        frame = frame.outer
    return frame


def here() -> Frame | None:
    """All that is known here, to be carried to another place: the frames of the application, also
    where the model's code is on the stack."""
    return _as_application(_frame.get())


def enter(frame: Frame | None) -> None:
    """From now on, in this context: what happens is caused as it was where `frame` was taken."""
    _frame.set(frame)


class within:
    """For the length of a `with` block: as where `frame` was taken. (A generator would cost the event
    loop 2 µs at each event.)"""

    __slots__ = ("_entered", "_token")

    def __init__(self, frame: Frame | None) -> None:
        self._entered = frame

    def __enter__(self) -> None:
        self._token = _frame.set(self._entered)

    def __exit__(self, *exception: object) -> None:
        leave(_frame, self._token)


def extent(session: int, seq: int | None, *, model: bool) -> within:
    """For the length of a `with` block: what happens is caused by `seq`."""
    return within(Frame(session, seq, model, _others(session)))


def none() -> within:
    """For the length of a `with` block: no cause at all (a task that lives on starts here). Only
    where we are is still known: inside a model that another one wraps."""
    return within(_without_causes(_frame.get()))


def leave(variable: ContextVar[_T], token: Token[_T]) -> None:
    """Give a context variable its value back."""
    try:
        variable.reset(token)
    except ValueError:
        # A coroutine that nobody awaited to its end is closed wherever the collector runs; there
        # the variable was never set.
        pass


def _without_causes(frame: Frame | None) -> Frame | None:
    if frame is None:
        return None
    outer = _without_causes(frame.outer)
    return outer if frame.seq is not None else Frame(frame.session, None, frame.model, outer)


def _as_application(frame: Frame | None) -> Frame | None:
    if frame is None:
        return None
    outer = _as_application(frame.outer)
    if outer is frame.outer and not frame.model:
        return frame
    return Frame(frame.session, frame.seq, False, outer)


def _others(session: int) -> Frame | None:
    """The frames of other sessions, as many as can be nested."""
    frame, kept = _frame.get(), list[Frame]()
    if frame is None or (frame.outer is None and frame.session == session):
        return None  # nearly always
    while frame is not None and len(kept) < MAX_NESTED_SESSIONS - 1:
        if frame.session != session:
            kept.append(frame)
        frame = frame.outer
    chain: Frame | None = None
    for one in reversed(kept):
        chain = Frame(one.session, one.seq, one.model, chain)
    return chain
