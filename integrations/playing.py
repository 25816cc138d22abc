"""An application on virtual time: called, awaited for as long as that makes sense, and what is left of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

from ..replay import DivergenceError, VirtualLoop
from ..replay.model import ReplayBase

Application = Callable[[Any], Awaitable[Any]]
"""`async def app(model): ...`"""

GRACE_SECONDS = 1.0
"""For an application to return after a divergence: often nobody told it, because its task swallowed
what the send raised."""

MAX_ROUNDS = 10
"""How often tasks that are left are cancelled: some start others when they are."""


class ApplicationError(Exception):
    """The application raised; `__cause__` is what."""


class Holding:
    """Cancels an application that holds on to its model after the recording's end, and waits for what
    nobody recorded. Asked by the loop when it is idle: no timer of ours lets time pass.

    Args:
        patience: virtual seconds after the end.
        tell: gets the sentence that says so.

    Attributes:
        ended: it was cancelled.
    """

    def __init__(
        self,
        loop: VirtualLoop,
        model: ReplayBase,
        running: asyncio.Task[Any],
        patience: float,
        *,
        tell: Callable[[str], object] = lambda sentence: None,
    ) -> None:
        self.ended = False
        self._tell = tell
        self._loop = loop
        self._model = model
        self._running = running
        self._patience = patience
        self._until_ns: int | None = None

    def next_ns(self) -> int | None:
        """When its time is over, in virtual nanoseconds; None while the replay goes on."""
        if not self._model.over or self._running.done():
            self._until_ns = None
        elif self._until_ns is None:
            patience = min(self._patience, GRACE_SECONDS) if self._model.failed else self._patience
            self._until_ns = self._loop.now_ns + round(patience * 1e9)
        return self._until_ns

    def act(self) -> None:
        """Its time is over."""
        self.ended = not self._model.failed
        if self.ended:
            self._tell(
                f"the recording is over, and the application did not return within {self._patience:g} s: "
                "cancelled"
            )
        self._running.cancel()

    def rest(self) -> bool:
        """Nothing that we would do then."""
        return False


async def call(application: Application, model: ReplayBase) -> None:
    """Run the application.

    Raises:
        ApplicationError: it raises, whatever it is.
    """
    try:
        await application(model)
    except (asyncio.CancelledError, KeyboardInterrupt):
        raise
    except BaseException as error:  # `sys.exit()` too: here it ends the application only
        raise ApplicationError from error


async def end_tasks() -> None:
    """Cancel what the application, or an interrupted replay, has left running."""
    mine = asyncio.current_task()
    for _ in range(MAX_ROUNDS):
        left = asyncio.all_tasks() - {mine}
        if not left:
            return
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=GRACE_SECONDS)


def is_divergence(error: BaseException | None, depth: int = 0) -> bool:
    """Whether an application's exception is the replay's own, or comes of it."""
    if error is None or depth > 10:
        return False
    if isinstance(error, DivergenceError):
        return True
    inner: list[BaseException | None] = [error.__cause__, error.__context__]
    if isinstance(error, BaseExceptionGroup):
        inner += cast("BaseExceptionGroup[BaseException]", error).exceptions
    return any(is_divergence(one, depth + 1) for one in inner)
