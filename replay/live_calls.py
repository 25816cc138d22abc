"""The application's calls that wait for what was recorded of them."""

from __future__ import annotations

import asyncio
import contextvars
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from .terms.acts import RecordedCall
from .terms.steps import Outcome, Step

CONTEXTS_REMEMBERED = 1024
"""For how many calls back a task that one of them started finds its context."""


@dataclass(eq=False)
class LiveCall:
    """A call that the application is waiting for.

    Attributes:
        inbox: events that are to be given inside it.
        outcome: how it ends, once it does.
        failure: raised in its place.
        wake: one of these has changed.
    """

    recorded: RecordedCall
    inbox: deque[Step] = field(default_factory=deque[Step])
    outcome: Outcome | None = None
    failure: BaseException | None = None
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    async def ended(self, give: Callable[[Step], Awaitable[object]]) -> Outcome:
        """Wait for its end, and give what is to be given inside it; in the task that makes it."""
        while self.outcome is None:
            if self.failure is not None:
                raise self.failure
            if self.inbox:
                await give(self.inbox.popleft())
            else:
                self.wake.clear()
                await self.wake.wait()
        return self.outcome

    def give(self, step: Step) -> None:
        """Deliver this next, inside it."""
        self.inbox.append(step)
        self.wake.set()

    def end(self, outcome: Outcome) -> None:
        """It returns, or raises."""
        self.outcome = outcome
        self.wake.set()

    def fail(self, failure: BaseException) -> None:
        """It raises this."""
        self.failure = failure
        self.wake.set()


class LiveCalls:
    """Those of one connection, by the recorded ones that they are.

    Attributes:
        making: the one whose caller we are called by.
    """

    def __init__(self) -> None:
        self.making: RecordedCall | None = None
        self._calls: dict[RecordedCall, LiveCall] = {}
        self._context = contextvars.copy_context()
        self._contexts: OrderedDict[int, contextvars.Context] = OrderedDict()

    def begin(self, recorded: RecordedCall) -> LiveCall:
        """The application, which is running now, makes this call."""
        live = self._calls[recorded] = LiveCall(recorded)
        self._contexts[recorded.seq] = contextvars.copy_context()
        if len(self._contexts) > CONTEXTS_REMEMBERED:
            self._contexts.popitem(last=False)
        return live

    def get(self, recorded: RecordedCall | None) -> LiveCall | None:
        """The one that is this call, if that is still waited for."""
        return None if recorded is None else self._calls.get(recorded)

    def end(self, recorded: RecordedCall) -> None:
        """It is not waited for any more."""
        self._calls.pop(recorded, None)

    def fail(self, failure: Callable[[], BaseException]) -> None:
        """All that wait raise such an exception."""
        for live in list(self._calls.values()):
            live.fail(failure())

    def context_of(self, cause: int | None) -> contextvars.Context:
        """A task that a send started inherits that send's context; the read loop, that of connect."""
        return self._context if cause is None else self._contexts.get(cause, self._context)
