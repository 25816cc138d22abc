"""The wall's clocks under virtual time: on request `time.time`, `datetime.now` and `time.monotonic` tell the
loop's time, too."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator
from typing import TYPE_CHECKING
from unittest import mock

from ...schema.errors import UsageError

if TYPE_CHECKING:
    from .virtual_loop import VirtualLoop


@contextlib.contextmanager
def wall_clock_of(loop: VirtualLoop, started_ns: int) -> Generator[None]:
    """In this block the clocks of the process follow the loop's.

    `time.perf_counter` stays real; so does what was imported by `from time import monotonic` before.

    Args:
        loop: whose time they tell.
        started_ns: Unix nanoseconds at the loop's beginning.

    Raises:
        UsageError: time-machine, which turns the clocks, is not installed.
    """
    try:
        import time_machine
    except ModuleNotFoundError as error:
        raise UsageError("clocks that follow need time-machine: pip install 'realtape[clocks]'") from error
    base_ns = time.monotonic_ns()

    def monotonic_ns() -> int:
        return base_ns + loop.now_ns

    def monotonic() -> float:
        return monotonic_ns() / 1e9

    with contextlib.ExitStack() as stack:
        traveller = stack.enter_context(time_machine.travel(started_ns / 1e9, tick=False))
        stack.enter_context(mock.patch("time.monotonic_ns", monotonic_ns))
        stack.enter_context(mock.patch("time.monotonic", monotonic))
        loop.on_move = lambda now_ns: traveller.move_to((started_ns + now_ns) / 1e9)
        try:
            yield
        finally:
            loop.on_move = None
