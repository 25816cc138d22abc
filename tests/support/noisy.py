"""A machine that stumbles, for `make test-noisy`: a plugin that holds up appends, commits and threads that
start, on one core.

What a test asserts exactly must not depend on how long any of these took. The delays come from a seed, for
each test anew: `REALTAPE_TEST_NOISE=<seed>` makes them again, whatever runs beside the test.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from realtape.recorder.session_log import SessionLog
from realtape.recorder.store import Store

LONGEST_SECONDS = 0.006
ALL_HELD_UP = 300
"""So many of one test's calls are held up, each; of those that follow fewer and fewer, or the tests of large
counts would never end."""

VARIABLE = "REALTAPE_TEST_NOISE"


class Stumbles:
    """Delays of 0 to 6 ms, of the wall, for whoever calls it in this process."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a signal handler may append while its thread is in here
        self.begin("")

    def begin(self, seed: str) -> None:
        """From now on, those that this seed gives."""
        with self._lock:
            self._random, self._calls = random.Random(seed), 0

    def __call__(self) -> None:
        with self._lock:
            self._calls += 1
            held_up = self._random.random() * self._calls < ALL_HELD_UP
            seconds = self._random.uniform(0.0, LONGEST_SECONDS)
        if held_up:
            _sleep(seconds)


_sleep = time.sleep  # a test may put something in its place
_stumble = Stumbles()


def _held_up(method: Callable[..., Any]) -> Callable[..., Any]:
    def late(*args: Any, **kwargs: Any) -> Any:
        _stumble()
        return method(*args, **kwargs)

    return late


def _starts_late(start: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
    """Both are held up: who starts the thread, and the thread itself."""

    def late(thread: threading.Thread) -> None:
        _stumble()
        thread.run = _held_up(thread.run)  # type: ignore[method-assign]
        start(thread)

    return late


def pytest_configure(config: pytest.Config) -> None:
    """Choose the seed, here where the workers inherit it, and the core."""
    if os.environ[VARIABLE] in ("", "random"):
        os.environ[VARIABLE] = str(random.SystemRandom().randrange(1_000_000))
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    for owner, name, wrapped in (
        (SessionLog, "append_caused", _held_up),
        (Store, "commit", _held_up),
        (threading.Thread, "start", _starts_late),
    ):
        setattr(owner, name, wrapped(getattr(owner, name)))


def pytest_report_header() -> str:
    """The seed, to make the same delays again."""
    return f"noise: {VARIABLE}={os.environ[VARIABLE]}"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> None:
    """The same delays for the same test, whatever ran before."""
    _stumble.begin(f"{os.environ[VARIABLE]} {item.nodeid}")
