"""An ordinary event loop for those who wait on it for long."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

_Result = TypeVar("_Result")


def run_impatiently(main: Coroutine[Any, Any, _Result]) -> _Result:
    """As `asyncio.run`, but nobody waits for a timer."""
    with asyncio.Runner(loop_factory=Impatient) as runner:
        return runner.run(main)


class Impatient(asyncio.SelectorEventLoop):
    """An ordinary loop, of whose time none passes but where it would wait for a timer: that it is at once.
    How long the machine stands still does not count."""

    def __init__(self) -> None:
        super().__init__(Jumping(self))
        self.now = 0.0

    def time(self) -> float:
        return self.now

    async def shutdown_default_executor(self, *_: Any) -> None:
        """Of threads nobody knows how long they take: who waits for them waits without a timer."""
        await super().shutdown_default_executor()


class Jumping(selectors.DefaultSelector):
    def __init__(self, loop: Impatient) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(timeout and 0)
        self._loop.now += 0 if ready else timeout or 0
        return ready
