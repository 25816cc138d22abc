"""What a fork does to the recorders of a process: nothing to the parent's, and the child's begin anew."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Protocol


class Forked(Protocol):
    """What is told of forks; see `Recorder`."""

    def hold_still(self) -> threading.Lock | None:
        """Before the fork; returns what is to be released after it."""
        ...

    def begin_anew(self) -> None:
        """In the child."""
        ...


_living: weakref.WeakSet[Forked] = weakref.WeakSet()
_here = threading.local()  # the locks that the forking thread holds


def watch(forked: Forked) -> None:
    """Tell this object of forks for as long as it lives."""
    _living.add(forked)


def _before() -> None:
    held = [forked.hold_still() for forked in list(_living)]
    _here.locks = [lock for lock in held if lock is not None]


def _after_in_parent() -> None:
    for lock in _here.locks:
        lock.release()


def _after_in_child() -> None:
    for forked in list(_living):
        forked.begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
