"""The performer: does what the core says next, in the application's event loop."""

from __future__ import annotations

import asyncio
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
from .lanes import Lanes
from .live_calls import LiveCalls
from .loop.pacing import Pacer
from .reader import Reader
from .reporting.divergence import Divergence
from .terms import acts
from .terms.acts import Approach, RecordedCall, Wait
from .terms.steps import Outcome, Step


class Performer:
    """Brings about what the model's side did, an act after another: what the giver, the pacer and the
    player tell it is the occasion for the next one.

    Args:
        core: decides.
        reader: feeds it.
        pacer: the event loop's side; calls back.
        calls: of the application, that wait.
        transport: asked before each act.
        listeners: get the events; may change at any time.
        play: makes a recorded call on the live tracker.
        diverged: told of each divergence; raises, or not.
        played: called once everything was played.
        delivered: called before the listeners get an event.
        broken: told that the recording cannot be read any further.

    Attributes:
        acting: the step that is happening: what the core said last, and has not begun yet.
        over: nothing more is done.
        down: the event loop is being shut down.
        giver: gives events to the listeners.
        lanes: the tasks in which it does, but for those of calls.
    """

    def __init__(
        self,
        core: ReplayCore,
        reader: Reader,
        pacer: Pacer,
        calls: LiveCalls,
        transport: Transport,
        *,
        listeners: list[Any],
        play: Callable[[Step], None],
        diverged: Callable[[Divergence], None],
        played: Callable[[bool], None],
        delivered: Callable[[Step], None],
        broken: Callable[[Exception], None],
    ) -> None:
        self.acting: Step | None = None
        self.over = False
        self.down = False
        self.giver = Giver(self, core, transport, listeners, delivered)
        self.lanes = Lanes(self.giver.give, pacer, self._shut_down)
        self._core = core
        self._reader = reader
        self._pacer = pacer
        self._calls = calls
        self._transport = transport
        self._play = play
        self._diverged = diverged
        self._played = played
        self._broken = broken
        self._kept: Doing | None = None  # an act that the transport does not let go yet
        self._advancing = False
        self._again = False
        self._soon: asyncio.Handle | None = None  # asks whether it has begun by then
        self._returned = False  # that is the return of a call, to a caller who runs already
        self._wait: Wait | None = None
        self._at_rest = False
        self._ended = False
        pacer.driver = self

    # --- what the core says ------------------------------------------------------------------------------

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

    def go_on(self) -> None:
        """Whatever is happening: what comes after it does not wait for it."""
        self.acting = None
        self.advance()

    def give(self, own: Step) -> None:
        """Deliver a step of our own making, on the lane of the read loop."""
        if self.down:
            return
        lane = self.lanes.first(self._calls.context_of(None))
        if lane.follows:
            lane.give_late(own, self._pacer.waking)
        else:
            lane.give(own)

    def _is_free(self) -> bool:
        """Whether nothing but the core decides what is done next."""
        transport = self._transport
        held = transport.paused or transport.watches or self._kept is not None
        return self.acting is None and not (self._advancing or self.over or held)

    def _do(self) -> bool:
        """One act; False where there is nothing to do for now."""
        if self._transport.paused and self._transport.holds():
            return False
        act, self._kept = self._kept or self._core.next(), None
        self._wait = None
        match act:
            case Approach():
                self._pacer.approach(act)
                return False
            case Wait():
                self._wait = act
                self._pacer.wait()
                return False
            case acts.End(closed):
                self._end(closed)
                return False
            case acts.More():
                self._read(self._reader.read)
                return True
            case acts.Stand():
                self._transport.reached()
                return True
            case acts.HandlerDiffers():
                pass
            case _:
                if self._transport.watches and not self._transport.may(act):
                    self._kept = act
                    return True
        self._pacer.clear()
        self._pacer.progress()
        self.fill()
        match act:
            case acts.Deliver(step, call):
                self._deliver(step, call)
            case acts.Complete(call, outcome):
                self._complete(call, outcome)
            case acts.CancelHandler(step):
                task = self.giver.task_of(step.seq)
                if task is not None:
                    self.giver.cancelled.add(task)
                    with self._pacer.waking():
                        task.cancel()
            case acts.HandlerDiffers():
                self._diverged(explain.handler(self._core, act))
            case acts.Play(step):
                self._play(step)
        return True

    def fill(self) -> None:
        """Read until the core can judge a call."""
        if self._core.window.hungry:
            self._read(self._reader.fill)

    def _read(self, read: Callable[[], None]) -> None:
        try:
            read()
        except RealtapeError as error:  # a damaged log must not leave the application waiting
            self._broken(error)

    def _deliver(self, step: Step, call: RecordedCall | None) -> None:
        live = self._calls.get(call)
        self._begin(step)
        with self._pacer.waking():
            if live is not None:
                live.give(step)
            else:
                context = self._calls.context_of(step.entry.cause)
                self.lanes.of(step.task, context).give(step)
        self._soon = self._pacer.soon(self._acted, step)

    def _complete(self, call: RecordedCall, outcome: Outcome) -> None:
        for upcoming in self._core.upcoming(call):
            self._pacer.begin(upcoming)
        live = self._calls.get(call)
        if live is not None:
            self._begin(call.step)
            with self._pacer.waking():
                live.end(outcome)
            self._pacer.soon(self._acted, call.step)
            self._returned = call is self._calls.making

    def _begin(self, step: Step) -> None:
        """Somebody is woken; what follows in the recording happens once he has run as far as he comes."""
        self.acting, self._returned = step, False

    def _acted(self, step: Step) -> None:
        if self.acting is step:
            self.go_on()

    def _shut_down(self) -> None:
        """The loop is being shut down: begin nothing more, or it would never be ended."""
        self.over = self.down = True

    # --- what the listeners did -----------------------------------------------------------------------

    def handled(self, step: Step, acting: Step, outcome: Outcome) -> None:
        """They have returned from an event, or raised."""
        if step.seq >= 0:  # not of our own making
            self._core.handled(step, outcome)
            continuation = self._core.continuation(step)
            if continuation is not None:
                self._pacer.begin(continuation)
        if self.acting is acting:
            self.acting = None
        self.told()
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
        rounds = straight_on.rounds_on(self._core, run)
        if not rounds or not self._pacer.pass_rounds(rounds, run.seq + run.given, task, self._soon):
            return False
        straight_on.pass_rounds(self._core, run)
        return True

    def cancelled_by_others(self) -> None:
        """A task that gave them an event was cancelled, and not by us."""
        if self.lanes.is_cancelled():
            self._shut_down()

    def told(self) -> None:
        """The application has done something."""
        if self._returned:  # and so it has gone on from the call that has just returned
            self._returned, self.acting = False, None
        self._pacer.progress()

    # --- called back by the pacer -----------------------------------------------------------------------

    def reached(self, act: Approach) -> None:
        """The time and the rounds of this have passed."""
        step = straight_on.come_to(self._core, act) if self._is_free() else None
        if step is not None:
            self._wait = None
            self._pacer.clear()
            self._pacer.progress()
            self.fill()
            lane = self.lanes.following(step.task)
            if lane is None:
                self._deliver(step, None)
            else:  # as that does; but nobody has to be woken
                self._begin(step)
                lane.give(step)
                self._soon = self._pacer.soon(self._acted, step)
            return
        self._core.arrived(act)
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
        elif (early := self._core.quiescent()) is not None:
            first = self._core.overtaken(early)
            if first is not None:
                self._diverged(explain.overtaken(self._core, early, first))
            self.advance()
        elif self._transport.waits():
            self.advance()
        elif gives_up and self._is_behind(wait):
            self._core.report.note("listeners never returned: events that came after were not given to them")
            self._core.give_up(wait)
            self.advance()
        elif gives_up:
            needed = self._core.needs(wait)
            divergence = explain.missing(self._core, wait, self._pacer.overdue) if needed else None
            self._pacer.progress()
            self._core.give_up(wait)
            if divergence is not None:
                self._diverged(divergence)
            self.advance()
        else:
            self._pacer.wait()

    def _is_behind(self, wait: Wait) -> bool:
        """Whether an event's turn with the listeners has not come, for another that keeps them busy."""
        of = wait.step.seq if wait.step.kind == Kind.RECEIVED else wait.step.entry.of
        return wait.what == "handler" and not self.giver.gives(of) and bool(self.giver)

    def _end(self, closed: bool) -> None:
        """All was played: wait for the application to come to rest, but not for ever."""
        if self._ended:
            return
        if not self._at_rest and (self.lanes.busy or not closed):
            self._pacer.finish(busy=self.lanes.busy)
            return
        self._pacer.clear()
        if self._core.window.unreadable is not None:  # behind a close that is not made again
            self._read(self._reader.read)
            return
        self._ended = True
        self._played(closed)
