"""Threads that wait for others: until somebody notifies them, nothing that they owe can come."""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections.abc import Collection
from concurrent.futures import thread as pools
from types import FrameType
from typing import Any, cast

_Spot = tuple[int, int]
"""Which call a thread is in, and where in that."""

_WAIT = threading.Condition.wait.__code__
_WORKER = cast("Any", pools)._worker.__code__
_IDLE = {
    _WORKER,  # of a pool, and has nothing to do
    threading.Thread.join.__code__,
    *(one.__code__ for one in [getattr(threading.Thread, "_wait_for_tstate_lock", None)] if one is not None),
}


def waits(thread: int, *, for_a_time: bool = False) -> bool:
    """Whether a thread stands in `Condition.wait`, and nobody has notified it yet: in `Queue.get`,
    `Event.wait`, `Future.result` too, which are made of it. Of who waits in C (`SimpleQueue.get`,
    `Lock.acquire`) nobody knows; nor of who is between two such waits.

    Args:
        thread: its identity.
        for_a_time: one that gives up by itself after a while counts, too.
    """
    frame = _frames().get(thread)
    return frame is not None and _stands(frame) and (for_a_time or _is_for_ever(frame))


def is_alive(thread: int) -> bool:
    """Whether there is one of this identity."""
    return thread in _frames()


def where(thread: int) -> str:
    """What a thread is doing, for who reads that it is waited for."""
    frame = _frames().get(thread)
    if frame is None:
        return "one that is over"
    code = frame.f_code
    return f"{code.co_qualname} ({code.co_filename}, line {frame.f_lineno})"


class OtherThreads:
    """Those that owe us nothing themselves: one that does may be waiting for them. Who was there before the
    loop began is not at work for it, unless he is of a pool.

    Args:
        grace_s: wall seconds after which one that has not moved is taken for one that waits, in C.

    Attributes:
        mistakable: one was; it may have been at work.
    """

    def __init__(self, grace_s: float) -> None:
        self.mistakable = False
        self._grace_s = grace_s
        self._before = _named()
        self._since_s: dict[int, tuple[_Spot, float]] = {}

    def at_work(self, known: Collection[int]) -> bool:
        """Whether any of them is, as far as can be seen.

        Args:
            known: these are not meant; nor is the one that asks.
        """
        now_s, at_work = time.perf_counter(), False
        before, self._since_s = self._since_s, {}
        named = _named()
        for thread, frame in _frames().items():
            if thread in known or thread == threading.get_ident() or frame.f_code in _IDLE or _stands(frame):
                continue
            was_there = thread in self._before and self._before[thread] is named.get(thread)
            if was_there and not _is_of_pool(frame):
                continue
            spot = _spot(frame)
            was, since_s = before.get(thread, (None, now_s))
            since_s = since_s if was == spot else now_s
            self._since_s[thread] = spot, since_s
            at_work = at_work or now_s - since_s < self._grace_s
            self.mistakable = self.mistakable or now_s - since_s >= self._grace_s
        return at_work


def _named() -> dict[int, threading.Thread | None]:
    """Each thread by its identity, which another one may have after it; None of one that is not Python's."""
    objects = {one.ident: one for one in threading.enumerate()}
    return {thread: objects.get(thread) for thread in _frames()}


def _is_of_pool(frame: FrameType | None) -> bool:
    while frame is not None and frame.f_code is not _WORKER:
        frame = frame.f_back
    return frame is not None


def _spot(frame: FrameType) -> _Spot:
    return id(frame), frame.f_lasti


def _stands(frame: FrameType) -> bool:
    if frame.f_code is not _WAIT or _starts(frame):
        return False
    # Whoever notifies it takes its lock out of these before it runs again. While we look it may go on, and
    # there is nothing in its frame any more.
    names: dict[str, Any] = frame.f_locals
    return names.get("waiter") in getattr(names.get("self"), "_waiters", ())


def _is_for_ever(frame: FrameType) -> bool:
    return frame.f_locals.get("timeout", 0.0) is None


def _starts(frame: FrameType) -> bool:
    """Whether it waits for a thread to begin, of which there is nothing to be seen yet."""
    event = frame.f_back
    start = None if event is None else event.f_back
    return start is not None and start.f_code is threading.Thread.start.__code__


def _frames() -> dict[int, FrameType]:
    """What every thread is at. While Python 3.11 gathers that it holds a lock, and takes it again to let go
    of a `threading.local`: were one found as garbage just then, it would wait for itself for ever."""
    collects = gc.isenabled()
    gc.disable()
    try:
        return sys._current_frames()
    finally:
        if collects:
            gc.enable()
