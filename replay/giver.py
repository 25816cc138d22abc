"""Gives events to the listeners: one after another, as long as nothing else is to be looked at."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from .control.transport import Transport
from .core import straight_on
from .core.machine import ReplayCore
from .core.runs import Run
from .terms.acts import Approach
from .terms.steps import RETURNED, Outcome, Step

_cause: contextvars.ContextVar[tuple[int, int] | None] = contextvars.ContextVar(
    "realtape_replay_cause", default=None
)
"""(giver, seq) of the event that is being handled; tasks that its listeners start inherit it."""


@dataclass(eq=False, slots=True)
class Giving:
    """A task that gives events to the listeners: which one just now."""

    seq: int
    task: asyncio.Task[Any] | None


class Host(Protocol):
    """Whose events are given.

    Attributes:
        acting: the step that is happening just now; as long as it is the one that was given, the listeners
            have not let anything else happen.
        over: nothing more is to be given.
    """

    acting: Step | None
    over: bool

    def cancelled_by_others(self) -> None:
        """The task was cancelled, and not because it was when this was recorded."""
        ...

    def handled(self, step: Step, acting: Step, outcome: Outcome) -> None:
        """The listeners have returned from an event, or raised."""
        ...

    def follow(self, way: Approach) -> bool:
        """The next event comes in another round; whether the task lets these pass itself."""
        ...

    def pass_rounds(self, run: Run, task: asyncio.Task[Any] | None) -> bool:
        """The next event of a run comes in another round; whether that has come, at once."""
        ...


class Giver:
    """Gives events to the listeners, in whatever task asks it to.

    Args:
        host: told of what they do.
        core: decides.
        transport: asked whether to go on.
        listeners: get the events; may change at any time.
        delivered: called before the listeners get an event.

    Attributes:
        cancelled: tasks that we cancelled, as recorded.
    """

    def __init__(
        self,
        host: Host,
        core: ReplayCore,
        transport: Transport,
        listeners: list[Any],
        delivered: Callable[[Step], None],
    ) -> None:
        self.cancelled: set[asyncio.Task[Any]] = set()
        self._host = host
        self._core = core
        self._transport = transport
        self._listeners = listeners
        self._delivered = delivered
        self._giving: list[Giving] = []

    def __bool__(self) -> bool:
        """Whether anything is being given."""
        return bool(self._giving)

    def gives_in(self, task: asyncio.Task[Any] | None) -> bool:
        """Whether this task is giving an event to the listeners."""
        return task is not None and any(one.task is task for one in self._giving)

    def gives(self, seq: int | None) -> bool:
        """Whether this event is being given."""
        return any(one.seq == seq for one in self._giving)

    def task_of(self, seq: int) -> asyncio.Task[Any] | None:
        """The task that is giving this event."""
        return next((one.task for one in self._giving if one.seq == seq), None)

    def cause(self) -> int | None:
        """The event in whose dynamic extent the caller runs."""
        cause = _cause.get()
        return cause[1] if cause is not None and cause[0] == id(self) else None

    async def give(self, step: Step, *, in_call: bool = False) -> Approach | None:
        """Give an event to the listeners, and those that come right after it; tell how they took it.

        Args:
            in_call: the task is the one of a call, and waits for more.

        Returns:
            The way to the next event, where the task is to follow it.
        """
        acting, outcome = step, RETURNED
        way: Approach | None = None
        self._core.begun(step)
        giving = Giving(step.seq, asyncio.current_task())
        self._giving.append(giving)
        token = _cause.set(None)
        following = straight_on.folded(self._core, step, runs=bool(self._listeners))
        try:
            while following is not None:
                if isinstance(following, Run):
                    try:
                        goes_on = not in_call
                        whole = await self._give_run(following, step, giving, acting, goes_on=goes_on)
                        way = straight_on.way_on(self._core, following) if whole else None
                    finally:
                        if way is None:
                            step = straight_on.given(self._core, following)
                    if way is not None:
                        break
                else:
                    step = following
                    await self._give(step, giving)
                following = self._run_on(step, acting)
        except asyncio.CancelledError as error:
            if giving.task not in self.cancelled:
                self._host.cancelled_by_others()
            outcome = Outcome("cancelled", error=error)
            self._host.handled(step, acting, outcome)
            raise
        except Exception as error:  # noqa: BLE001 - as in the recorded model, it goes no further
            outcome = Outcome("raised", error=error)
        finally:
            _cause.reset(token)
            self._giving.remove(giving)
        if way is None and outcome is RETURNED and not in_call and step.seq >= 0 and self._goes_on(acting):
            way = straight_on.pass_on(self._core, step, runs=bool(self._listeners))
        if way is not None:
            return way if self._host.follow(way) else None
        self._host.handled(step, acting, outcome)
        return None

    async def _give(self, step: Step, giving: Giving) -> None:
        giving.seq = step.seq
        _cause.set((id(self), step.seq))
        self._delivered(step)
        event = self._core.matching.ids.live_value(step.value)
        for listener in list(self._listeners):
            await listener.on_event(event)

    async def _give_run(self, run: Run, step: Step, giving: Giving, acting: Step, *, goes_on: bool) -> bool:
        """Give the events of this round to the listeners, one after another, until something else is to
        be looked at; whether nothing was.

        Args:
            step: that stands before them, or is the first of them.
            goes_on: and those of the rounds after it, if they come at once.
        """
        host, transport, listeners = self._host, self._transport, self._listeners
        ids = self._core.matching.ids
        renames = ids.renames  # which only a send changes, and then somebody looks
        here = id(self)
        begin = run.begin(step)
        while True:
            for at, event in enumerate(run.values[begin : run.round_end], begin):
                run.given = at + 1
                giving.seq = seq = run.seq + at
                _cause.set((here, seq))
                live = ids.live_value(event) if renames else event
                if len(listeners) == 1:  # no copy of them is needed
                    await listeners[0].on_event(live)
                else:
                    for listener in list(listeners):
                        await listener.on_event(live)
                if run.current is not None or host.acting is not acting or not listeners:
                    return False
                if host.over or transport.watches or transport.paused:
                    return False
            if not goes_on or not host.pass_rounds(run, giving.task):
                return True
            begin = run.given

    def _run_on(self, step: Step, acting: Step) -> Step | Run | None:
        """What to give right after this event; None where something else is to be looked at first."""
        if step.seq < 0 or not self._goes_on(acting):
            return None
        return straight_on.run_on(self._core, step, runs=bool(self._listeners))

    def _goes_on(self, acting: Step) -> bool:
        host, transport = self._host, self._transport
        return host.acting is acting and not (host.over or transport.watches or transport.paused)
