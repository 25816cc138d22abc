"""In whose dynamic extent we are: which entry an event happened because of.

A context variable, so that tasks inherit it. One variable serves all recorders and sessions of the
process: it holds a chain of frames, at most one a session, the innermost first.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from contextvars import ContextVar
from dataclasses import dataclass

MAX_NESTED_SESSIONS = 4
"""Models wrapped in models; deeper frames are those of sessions long gone (a loop that reconnects)."""


@dataclass(frozen=True, slots=True)
class Frame:
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


def enter(session: int, seq: int | None, *, model: bool) -> None:
    """From now on, in this context: what happens is caused by `seq`."""
    _frame.set(Frame(session, seq, model, _others(session)))


@contextlib.contextmanager
def extent(session: int, seq: int | None, *, model: bool) -> Generator[None]:
    """For the length of a `with` block: what happens is caused by `seq`."""
    token = _frame.set(Frame(session, seq, model, _others(session)))
    try:
        yield
    finally:
        _frame.reset(token)


@contextlib.contextmanager
def none() -> Generator[None]:
    """For the length of a `with` block: no cause at all (a task that lives on starts here)."""
    token = _frame.set(None)
    try:
        yield
    finally:
        _frame.reset(token)


def _others(session: int) -> Frame | None:
    """The frames of other sessions, as many as can be nested."""
    frame, kept = _frame.get(), list[Frame]()
    while frame is not None and len(kept) < MAX_NESTED_SESSIONS - 1:
        if frame.session != session:
            kept.append(frame)
        frame = frame.outer
    chain: Frame | None = None
    for one in reversed(kept):
        chain = Frame(one.session, one.seq, one.model, chain)
    return chain
