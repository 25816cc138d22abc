"""The player: drives the core behind the ABC, for one connection."""

from __future__ import annotations

import asyncio
import contextvars
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from ..schema.entries import Kind
from ..schema.errors import RealtapeError
from .control.goals import Doing
from .control.transport import Transport
from .core import straight_on
from .core.machine import ReplayCore
from .core.runs import Run
from .explaining import explain
from .giver import Giver
from .lanes import Lanes, LiveCall
from .loop.pacing import Pacer
from .reader import Reader
from .recording import Recording
from .reporting.divergence import Divergence
from .terms.acts import (
    Approach,
    CancelHandler,
    Complete,
    Deliver,
    End,
    HandlerDiffers,
    More,
    Play,
    RecordedCall,
    Stand,
    Wait,
)
from .terms.steps import Outcome, Step
from .tracker import ReplayTracker

Unmatched = Callable[[str, int | None], RecordedCall | None]
"""(content, cause) of a call that no recorded one equals → the recorded one that it is taken for."""

CONTEXTS_REMEMBERED = 1024
"""For how many calls back a task that one of them started finds its context."""


class Player:
    """Plays one session of the recording into a live application.

    Args:
        recording: open; what was opened to play it is closed by `stop`.
        core: decides.
        pacer: the event loop's side.
        listeners: get the events; may change at any time.
        diverged: told of each divergence; raises, or not.
        played: called once everything was played.
        delivered: called before the listeners get an event.
        broken: told that the recording cannot be read any further.
        transport: asked before each act.

    Attributes:
        acting: what the core said last, and has not begun yet.
        over: nothing more is played.
    """

    def __init__(
        self,
        recording: Recording,
        core: ReplayCore,
        pacer: Pacer,
        *,
        listeners: list[Any],
        diverged: Callable[[Divergence], None],
        played: Callable[[bool], None],
        delivered: Callable[[Step], None],
        broken: Callable[[Exception], None],
        transport: Transport,
    ) -> None:
        self.recording = recording
        self.core = core
        self.tracker: ReplayTracker | None = None
        self._diverged = diverged
        self._played = played
        self._broken = broken
        self._transport = transport
        self._kept: Doing | None = None  # an act that the transport does not let go yet
        self.pacer = self._pacer = pacer
        pacer.driver = self
        self._context = contextvars.copy_context()
        self._contexts: OrderedDict[int, contextvars.Context] = OrderedDict()
        self._giver = Giver(self, core, transport, listeners, delivered)
        self._lanes = Lanes(self._giver.give, pacer, self._shut_down)
        self._calls: dict[RecordedCall, LiveCall] = {}
        self._reader = Reader(recording, core)
        self._failure: Exception | None = None
        self._advancing = False
        self._again = False
        self.acting: Step | None = None
        self._soon: asyncio.Handle | None = None  # asks whether it has begun by then
        self._returned = False  # that is the return of a call, to a caller who runs already
        self._making: RecordedCall | None = None  # whose caller we are called by
        self._wait: Wait | None = None
        self._at_rest = False
        self._ended = False
        self.over = False
        self._down = False
        self._doomed: list[asyncio.Task[None]] = []

    # --- the application's side -------------------------------------------------------------------

    async def call(
        self, kind: Kind, type: str | None, event: Any, unmatched: Unmatched
    ) -> tuple[Outcome, RecordedCall | None]:
        """Make a call of the application; returns how the recorded one ended.

        Raises:
            DivergenceError: the replay diverged, here or elsewhere.
            asyncio.CancelledError: the application cancelled it.
        """
        self.fill()
        if self._failure is not None:
            raise self._failure
        key = self.core.matching.live(type, event) if kind == Kind.SENT else ""
        cause = self._giver.cause()
        recorded = self.core.call(kind, type, key, cause)
        self._told()
        if recorded is None:
            recorded = unmatched(key, cause)
        if recorded is None:
            self.advance()  # `_told` may have taken the place of `_acted`
            return Outcome(), None
        live = self._calls[recorded] = LiveCall(recorded)
        self._remember_context(recorded.seq)
        if kind == Kind.CLOSE and recorded.ahead:
            self._diverged(explain.closed_early(self.core, recorded))
        self._making = recorded
        try:
            self.advance()
            self._making = None
            while live.outcome is None:
                if live.failure is not None:
                    raise live.failure
                if live.inbox:
                    await self._giver.give(live.inbox.popleft(), in_call=True)
                else:
                    live.wake.clear()
                    await live.wake.wait()
        except asyncio.CancelledError:
            self.core.cancelled(recorded)
            self._pacer.progress()
            self.advance()
            raise
        finally:
            self._calls.pop(recorded, None)
        if recorded.end is not None:
            self.core.begun(recorded.end)
        if kind == Kind.CLOSE:  # what is left of the recording does not wait for what comes after
            self.acting = None
            self.advance()
        return live.outcome, recorded

    def fill(self) -> None:
        """Read until the core can judge a call."""
        if self.core.window.hungry and self._failure is None:
            self._read(self._reader.fill)

    def fail(self, error: Exception) -> None:
        """Stop playing; every call that waits raises."""
        self.over = True
        self._failure = error
        self._transport.ended(self, "failed")
        self._pacer.stop()
        for live in list(self._calls.values()):
            live.failure = error
            live.wake.set()

    def stop(self) -> None:
        """End the player: no task of it goes on, but the one that is calling this."""
        self.over = True
        self._transport.ended(self, "ended")
        self._pacer.stop()
        if self.tracker is not None:
            self.tracker.detach()
        for live in self._calls.values():
            live.failure = asyncio.CancelledError("the recording ends while this call is open")
            live.wake.set()
        mine = asyncio.current_task()
        self._doomed += [task for task in self._lanes.retire() if task is not mine]
        for task in self._doomed:
            task.cancel()
        self.recording.close_blocking()

    async def stopped(self) -> None:
        """Wait until nothing is left of it."""
        doomed, self._doomed = self._doomed, []
        await asyncio.gather(*doomed, return_exceptions=True)
        await self.recording.close()

    def give(self, event_step: Step) -> None:
        """Deliver a step of our own making, on the lane of the read loop."""
        if self._down:
            return
        lane = self._lanes.first(self._context)
        if lane.follows:
            lane.give_late(event_step, self._pacer.waking)
        else:
            lane.give(event_step)

    def handles(self) -> bool:
        """Whether the running task is giving an event to the listeners."""
        return self._giver.gives_in(asyncio.current_task())

    # --- driving the core ---------------------------------------------------------------------------

    def advance(self) -> None:
        """Do what the core says, until it waits for something."""
        if self._advancing:
            self._again = True
            return
        self._advancing = True
        try:
            while not self.over and self.acting is None:
                self._again = False
                if not self._do() and not self._again:
                    return
        finally:
            self._advancing = False

    def _is_free(self) -> bool:
        """Whether nothing but the core decides what is done next."""
        transport = self._transport
        held = transport.paused or transport.watches or self._kept is not None
        return self.acting is None and not (self._advancing or self.over or held)

    def _do(self) -> bool:
        """One act; False where there is nothing to do for now."""
        if self._transport.paused and self._transport.holds():
            return False
        act, self._kept = self._kept or self.core.next(), None
        self._wait = None
        match act:
            case Approach():
                self._pacer.approach(act)
                return False
            case Wait():
                self._wait = act
                self._pacer.wait()
                return False
            case End(closed):
                self._end(closed)
                return False
            case More():
                self._read(self._reader.read)
                return True
            case Stand():
                self._transport.reached()
                return True
            case HandlerDiffers():
                pass
            case _:
                if self._transport.watches and not self._transport.may(act):
                    self._kept = act
                    return True
        self._pacer.clear()
        self._pacer.progress()
        self.fill()
        match act:
            case Deliver(step, call):
                self._deliver(step, call)
            case Complete(call, outcome):
                self._complete(call, outcome)
            case CancelHandler(step):
                task = self._giver.task_of(step.seq)
                if task is not None:
                    self._giver.cancelled.add(task)
                    with self._pacer.waking():
                        task.cancel()
            case HandlerDiffers():
                self._diverged(explain.handler(self.core, act))
            case Play(step):
                if self.tracker is not None:
                    self.tracker.play(step)
        return True

    def _read(self, read: Callable[[], None]) -> None:
        try:
            read()
        except RealtapeError as error:  # a damaged log must not leave the application waiting
            self._broken(error)

    def _deliver(self, step: Step, call: RecordedCall | None) -> None:
        live = None if call is None else self._calls.get(call)
        self._begin(step)
        with self._pacer.waking():
            if live is not None:
                live.inbox.append(step)
                live.wake.set()
            else:
                context = self._context_of(step.entry.cause)
                self._lanes.of(step.task, context).give(step)
        self._soon = self._pacer.soon(self._acted, step)

    def _complete(self, call: RecordedCall, outcome: Outcome) -> None:
        for upcoming in self.core.upcoming(call):
            self._pacer.begin(upcoming)
        live = self._calls.get(call)
        if live is not None:
            self._begin(call.step)
            with self._pacer.waking():
                live.outcome = outcome
                live.wake.set()
            self._pacer.soon(self._acted, call.step)
            self._returned = call is self._making

    def _begin(self, step: Step) -> None:
        """Somebody is woken; what follows in the recording happens once he has run as far as he comes."""
        self.acting, self._returned = step, False

    def _acted(self, step: Step) -> None:
        if self.acting is step:
            self.acting = None
            self.advance()

    def _context_of(self, cause: int | None) -> contextvars.Context:
        """A task that a send started inherits that send's context; the read loop, that of connect."""
        return self._context if cause is None else self._contexts.get(cause, self._context)

    def _shut_down(self) -> None:
        """The loop is being shut down: begin nothing more, or it would never be ended."""
        self.over = self._down = True

    def _remember_context(self, seq: int) -> None:
        self._contexts[seq] = contextvars.copy_context()
        if len(self._contexts) > CONTEXTS_REMEMBERED:
            self._contexts.popitem(last=False)

    # --- what the listeners did -----------------------------------------------------------------------

    def handled(self, step: Step, acting: Step, outcome: Outcome) -> None:
        """They have returned from an event, or raised."""
        if step.seq >= 0:  # not of our own making
            self.core.handled(step, outcome)
            continuation = self.core.continuation(step)
            if continuation is not None:
                self._pacer.begin(continuation)
        if self.acting is acting:
            self.acting = None
        self._told()
        self.advance()

    def follow(self, way: Approach) -> bool:
        """They have returned, and the next event comes in another round; whether its lane waits for that."""
        self.acting = self._wait = None
        if self._soon is not None:
            self._soon.cancel()  # they have run as far as they come
            self._soon = None
        self._pacer.progress()
        return self._pacer.follow(way)

    def pass_rounds(self, run: Run, task: asyncio.Task[Any] | None) -> bool:
        """They have returned, and the next event comes in another round; whether that has come, at once."""
        rounds = straight_on.rounds_on(self.core, run)
        if not rounds or not self._pacer.pass_rounds(rounds, run.seq + run.given, task, self._soon):
            return False
        straight_on.pass_rounds(self.core, run)
        return True

    def cancelled_by_others(self) -> None:
        """A task that gave them an event was cancelled, and not by us."""
        if self._lanes.is_cancelled():
            self._shut_down()

    def _told(self) -> None:
        """The application has done something."""
        if self._returned:  # and so it has gone on from the call that has just returned
            self._returned, self.acting = False, None
        self._pacer.progress()

    # --- called back by the pacer -----------------------------------------------------------------------

    def reached(self, act: Approach) -> None:
        """The time and the rounds of this have passed."""
        step = straight_on.come_to(self.core, act) if self._is_free() else None
        if step is not None:
            self._wait = None
            self._pacer.clear()
            self._pacer.progress()
            self.fill()
            lane = self._lanes.following(step.task)
            if lane is None:
                self._deliver(step, None)
            else:  # as that does; but nobody has to be woken
                self._begin(step)
                lane.give(step)
                self._soon = self._pacer.soon(self._acted, step)
            return
        self.core.arrived(act)
        self.advance()

    def quiet(self, *, gives_up: bool) -> None:
        """The application is at rest: let what is held go, or do without what does not come."""
        wait = self._wait
        if self.over or self._transport.paused:
            return
        if wait is None:
            self._at_rest = True
            self.advance()
        elif self._transport.waits(inside=True):
            self.advance()
        elif (early := self.core.quiescent()) is not None:
            first = self.core.overtaken(early)
            if first is not None:
                self._diverged(explain.overtaken(self.core, early, first))
            self.advance()
        elif self._transport.waits():
            self.advance()
        elif gives_up and self._is_behind(wait):
            self.core.report.note("listeners never returned: events that came after were not given to them")
            self.core.give_up(wait)
            self.advance()
        elif gives_up:
            needed = self.core.needs(wait)
            divergence = explain.missing(self.core, wait, self._pacer.overdue) if needed else None
            self._pacer.progress()
            self.core.give_up(wait)
            if divergence is not None:
                self._diverged(divergence)
            self.advance()
        else:
            self._pacer.wait()

    def _is_behind(self, wait: Wait) -> bool:
        """Whether an event's turn with the listeners has not come, for another that keeps them busy."""
        of = wait.step.seq if wait.step.kind == Kind.RECEIVED else wait.step.entry.of
        return wait.what == "handler" and not self._giver.gives(of) and bool(self._giver)

    def _end(self, closed: bool) -> None:
        """All was played: wait for the application to come to rest, but not for ever."""
        if self._ended:
            return
        if not self._at_rest and (self._lanes.busy or not closed):
            self._pacer.finish(busy=self._lanes.busy)
            return
        self._pacer.clear()
        self._ended = True
        self._transport.ended(self, "ended")
        self._played(closed)
