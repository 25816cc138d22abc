"""The player: one connection of the application to a recording, from its first call to its last."""

from __future__ import annotations

import asyncio
import contextvars
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from ..schema.entries import Kind
from ..schema.errors import RealtapeError
from ..session.recording import Recording
from . import explain
from .core.machine import ReplayCore
from .delivery_tasks import DeliveryTasks, Turn
from .loop.pacing import NextRound, Pacer
from .reader import Reader
from .terms import acts
from .terms.acts import Approach, Complete, Deliver, Until, Wait
from .terms.runs import Run
from .terms.steps import RETURNED, Outcome, RecordedCall, Step
from .tracker import ReplayTracker
from .transport import Transport
from .verdicts import Verdicts

CONTEXTS_REMEMBERED = 1024
"""For how many calls back a task that one of them started finds its context."""

_cause: contextvars.ContextVar[tuple[int, int] | None] = contextvars.ContextVar(
    "realtape_replay_cause", default=None
)
"""(player, seq) of the event that is being handled; tasks that its listeners start inherit it."""


@dataclass(eq=False, slots=True)
class Giving:
    """A task that gives events to the listeners: which one just now, alone or out of a run."""

    what: Step | Run
    task: asyncio.Task[Any] | None

    @property
    def seq(self) -> int:
        """Its number."""
        return self.what.last if isinstance(self.what, Run) else self.what.seq


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
    inbox: deque[Deliver] = field(default_factory=deque[Deliver])
    outcome: Outcome | None = None
    failure: BaseException | None = None
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    async def ended(self, give: Callable[[Deliver], Awaitable[object]], turn: Turn) -> Outcome:
        """Wait for its end, and give what is to be given inside it; in the task that makes it.

        Args:
            turn: awaited before what has come while that task ran.
        """
        while True:
            if self.inbox or self.outcome is not None:
                await turn()
            elif self.failure is None:
                self.wake.clear()
                await self.wake.wait()
            if self.outcome is not None:
                return self.outcome
            if self.failure is not None:
                raise self.failure
            if self.inbox:
                await give(self.inbox.popleft())

    def deliver(self, act: Deliver) -> None:
        """Deliver this next, inside it."""
        self.inbox.append(act)
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

    def get(self, recorded: RecordedCall) -> LiveCall | None:
        """The one that is this call, if that is still waited for."""
        return self._calls.get(recorded)

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


class Player:
    """Plays one session of the recording into a live application: brings about what the model's side did, as
    the core says, an act after another. What the application, the listeners and the pacer do is the occasion
    for the next one.

    Args:
        recording: open; what was opened to play it is closed by `stop`.
        core: decides.
        pacer: the event loop's side; calls back.
        transport: asked before each act.
        verdicts: told of each divergence; raises, or not.
        listeners: get the events; may change at any time.
        played: called once everything was played.
        stand_in: makes, in the user's place, a call that nobody has made; None: it is left out.

    Attributes:
        tracker: the live playback tracker, if there is one.
    """

    def __init__(
        self,
        recording: Recording,
        core: ReplayCore,
        pacer: Pacer,
        transport: Transport,
        verdicts: Verdicts,
        *,
        listeners: list[Any],
        played: Callable[[bool], None],
        stand_in: Callable[[RecordedCall], object] | None = None,
    ) -> None:
        self.recording = recording
        self.core = core
        self.pacer = pacer
        self.tracker: ReplayTracker | None = None
        self._transport = transport
        self._verdicts = verdicts
        self._listeners = listeners
        self._played = played
        self._stand_in = stand_in
        core.stands_in = stand_in is not None
        if recording.staged is not None:
            core.sparing, core.comes = True, recording.staged.comes
        self._reader = Reader(recording, core)
        self._calls = LiveCalls()
        self._tasks = DeliveryTasks(self._give, self._turn, self._shut_down)
        self._givings: list[Giving] = []
        self._cancelled: set[asyncio.Task[Any]] = set()  # by us, as recorded
        self._failure: BaseException | None = None
        self._doomed: list[asyncio.Task[None]] = []
        # What is happening: what the core said last. Until it has begun, nothing else does.
        self._acting: Deliver | Complete | None = None
        self._soon: asyncio.Handle | None = None  # asks whether it has begun by then
        self._returned = False  # that is the return of a call, to a caller who runs already
        self._kept: acts.Act | None = None  # what the core has said, and was not done yet
        self._wait: Wait | None = None  # what the core waits for
        self._advancing = False
        self._again = False
        self._at_rest = False  # the application is
        self._ended = False  # all was played
        self._over = False  # nothing more is done
        self._down = False  # the event loop is being shut down
        self._stopped = False
        pacer.reached = self._reached
        pacer.quiet = self._quiet

    # --- the application's side ---------------------------------------------------------------------

    async def call(
        self, kind: Kind, type: str | None = None, event: Any = None
    ) -> tuple[Outcome, RecordedCall | None]:
        """Make a call of the application; returns how the recorded one ended.

        Raises:
            DivergenceError, CorruptRecordError: the replay diverged, or cannot go on, here or elsewhere.
            asyncio.CancelledError: the application cancelled it.
        """
        core = self.core
        self.fill()
        if self._failure is not None:
            raise self._failure
        key = core.matching.live(type, event) if kind == Kind.SENT else ""
        cause = self._cause_here()
        recorded = core.call(kind, type, key, cause)
        while recorded is None and self._failure is None:
            if not (core.within_burst or core.may_be_ahead(kind, type)):
                break
            self._read(self._reader.read)
            recorded = core.call(kind, type, key, cause)
        self._told()
        if recorded is None:
            recorded = self._verdicts.unmatched(kind, type, key, cause)
        if recorded is None:
            self.advance()  # once told, it may have nothing to wait for
            return Outcome(), None
        live = self._calls.begin(recorded)
        if kind == Kind.CLOSE and recorded.ahead:
            self._verdicts.diverge(explain.closed_early(core, recorded))
        self._calls.making = recorded
        try:
            self.advance()
            self._calls.making = None
            outcome = await live.ended(lambda act: self._give(act, in_call=True), self._turn)
        except asyncio.CancelledError:
            core.cancelled(recorded)
            self.pacer.progress()
            self.advance()
            raise
        finally:
            self._calls.end(recorded)
        if recorded.end is not None:
            core.begun(recorded.end)
        if kind == Kind.CLOSE:  # what is left of the recording does not wait for what comes after
            self._go_on()
        return outcome, recorded

    def fill(self) -> None:
        """Read until the core can judge a call."""
        if self.core.hungry and self._failure is None:
            self._read(self._reader.fill)

    def give(self, own: Step) -> None:
        """Deliver a step of our own making, in the task that stands for the read loop."""
        if not self._down:
            first = self._tasks.first
            task = self._tasks.get(first) or self._tasks.begin(first, self._calls.context_of(None))
            task.deliver(Deliver(own, None))

    def handles(self) -> bool:
        """Whether the running task is giving an event to the listeners."""
        task = asyncio.current_task()
        return task is not None and any(one.task is task for one in self._givings)

    def fail(self, error: BaseException) -> None:
        """Stop playing; every call that waits raises."""
        self._failure = error
        self._end("failed")
        self._calls.fail(lambda: error)

    def stop(self) -> None:
        """End the player: no task of it goes on, but the one that is calling this."""
        self._stopped = True
        self._end("ended")
        if self.tracker is not None:
            self.tracker.detach()
        self._calls.fail(lambda: asyncio.CancelledError("the recording ends while this call is open"))
        mine = asyncio.current_task()
        self._doomed += [task for task in self._tasks.retire() if task is not mine]
        for task in self._doomed:
            task.cancel()
        self.recording.close_blocking()

    async def stopped(self) -> None:
        """Wait until nothing is left of it."""
        doomed, self._doomed = self._doomed, []
        await asyncio.gather(*doomed, return_exceptions=True)
        await self.recording.close()

    # --- what the core says -------------------------------------------------------------------------

    def advance(self) -> None:
        """Do what the core says, until it waits for something."""
        if self._advancing:
            self._again = True
            return
        self._advancing = True
        try:
            while not self._over and self._acting is None:
                self._again = False
                if not self._do() and not self._again:
                    return
        finally:
            self._advancing = False

    def _go_on(self) -> None:
        """Whatever is happening: what comes after it does not wait for it."""
        self._acting = None
        self.advance()

    def _do(self) -> bool:
        """One act; False where there is nothing to do for now."""
        transport = self._transport
        if transport.paused and transport.holds():
            return False
        runs = bool(self._listeners) and not transport.watches  # else each event is asked after
        act, self._kept = self._kept or self.core.next(runs=runs), None
        self._wait = None
        match act:
            case Approach():
                self.pacer.approach(act)
                return False
            case Wait():
                self._wait = act
                self.pacer.wait()
                return False
            case acts.End(closed):
                self._end_of_recording(closed)
                return False
            case acts.More():
                self._read(self._reader.read)
                return True
            case acts.Stand():
                transport.reached()
                return True
            case acts.HandlerDiffers() | acts.StandIn():
                pass
            case _:
                if transport.watches and not transport.may(act):
                    self._kept = act
                    return True
        self.pacer.happens()
        match act:
            case Deliver():
                self._deliver(act)
            case Complete():
                self._complete(act)
            case acts.HandlerDiffers():
                self._verdicts.diverge(explain.handler(self.core, act))
            case acts.CancelHandler(step):
                self._cancel(step)
            case acts.CallTracker(step):
                if self.tracker is not None:
                    self.tracker.play(step)
            case acts.StandIn(call):
                assert self._stand_in is not None, "the core was told that there is somebody"
                self.pacer.wake(self._stand_in, call)
        return True

    def _read(self, read: Callable[[], None]) -> None:
        try:
            read()
        except RealtapeError as error:  # a damaged log must not leave the application waiting
            self._verdicts.end(error)

    def _deliver(self, act: Deliver) -> None:
        """Somebody is woken; what follows in the recording happens once he has run as far as he comes."""
        self._acting, self._returned = act, False
        self.pacer.wake(self._hand_over, act)
        self._soon = self.pacer.soon(self._acted, act)

    def _hand_over(self, act: Deliver) -> None:
        """To the task that gives it to the listeners, which this may begin."""
        what, call = act.step, act.call
        live = None if call is None else self._calls.get(call)
        task = self._tasks.get(what.task) if live is None else live
        if task is None:
            cause = what.entry.cause if isinstance(what, Step) else None
            task = self._tasks.begin(what.task, self._calls.context_of(cause))
        task.deliver(act)

    def _complete(self, act: Complete) -> None:
        sent = act.call.step
        in_place = not (act.call.early or act.call.late)
        if (
            self.tracker is not None
            and sent.kind == Kind.SENT
            and sent.entry.type != "send_audio"
            and in_place
        ):
            self.tracker.acted(act.call.seq)
        for upcoming in self.core.upcoming(act.call):
            self.pacer.begin(upcoming)
        live = self._calls.get(act.call)
        if live is not None:
            self._acting = act
            self.pacer.wake(live.end, act.outcome)
            self._soon = self.pacer.soon(self._acted, act)
            self._returned = act.call is self._calls.making

    def _cancel(self, step: Step) -> None:
        task = next((one.task for one in self._givings if one.seq == step.seq), None)
        if task is not None:
            self._cancelled.add(task)
            self.pacer.wake(task.cancel)

    def _acted(self, act: Deliver | Complete) -> None:
        """Who was woken has run as far as he comes."""
        if self._acting is act:
            self._go_on()

    async def _turn(self) -> None:
        """Who runs already when something is for him: let the round come to which it belongs. What follows in
        the recording comes after that, too."""
        if not self.pacer.early():
            return
        acting, returned, self._returned = self._acting, self._returned, False
        if self._soon is not None:
            self._soon.cancel()

        def queued() -> None:
            if acting is not None:
                self._soon = self.pacer.soon(self._acted, acting)

        await NextRound(queued)
        if self._acting is acting:
            self._returned = returned

    def _told(self) -> None:
        """The application has done something."""
        if self._returned:  # and so it has gone on from the call that has just returned
            self._returned, self._acting = False, None
        self.pacer.progress()

    # --- giving events to the listeners -------------------------------------------------------------

    def _cause_here(self) -> int | None:
        """The event in whose dynamic extent the caller runs."""
        cause = _cause.get()
        return cause[1] if cause is not None and cause[0] == id(self) else None

    async def _give(self, act: Deliver, *, in_call: bool = False) -> None:
        """Give an event to the listeners, or those of a run; and those that the task gives after it, as long
        as nothing else is to be done.

        Args:
            in_call: the task is that of a call, which waits for more.
        """
        acting, task = act, asyncio.current_task()
        self.core.begun(act.step)
        following: Deliver | None = act
        while following is not None:
            what, outcome = following.step, RETURNED
            giving = Giving(what, task)
            self._givings.append(giving)
            token = _cause.set(None)
            try:
                if isinstance(what, Step):
                    await self._give_one(what, giving)
                else:
                    try:
                        await self._give_run(what, giving, acting, in_call=in_call)
                    finally:
                        what = self.core.given_last(what)
            except asyncio.CancelledError as error:
                if task not in self._cancelled and self._tasks.is_cancelled():
                    self._shut_down()
                assert isinstance(what, Step), "somebody has looked at the run"
                self._handled(what, Outcome("cancelled", error=error), acting)
                raise
            except Exception as error:  # noqa: BLE001 - as in the recorded model, it goes no further
                outcome = Outcome("raised", error=error)
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:  # a test's verdict, such as `pytest.fail`: for who runs the replay
                self._verdicts.end(error)
                if in_call:
                    raise
                return
            finally:
                _cause.reset(token)
                self._givings.remove(giving)
            assert isinstance(what, Step), "somebody has looked at the run"
            following = self._handled(what, outcome, acting, None if in_call else task)

    async def _give_one(self, step: Step, giving: Giving) -> None:
        giving.what = step
        _cause.set((id(self), step.seq))
        if not self._listeners and self.core.listeners > 0 and not self._stopped:
            self._verdicts.unheard(step)
        ids = self.core.matching.ids
        event = ids.live_value(step.value) if ids.renames else step.value
        for listener in list(self._listeners):
            await listener.on_event(event)

    async def _give_run(self, run: Run, giving: Giving, acting: Deliver, *, in_call: bool) -> None:
        """Give the events of a run one after another, from round to round if these come at once; until
        something else is to be looked at."""
        core, transport, listeners, task = self.core, self._transport, self._listeners, giving.task
        if core.giving is not run:  # somebody has looked already
            return await self._give_one(core.given_last(run), giving)
        ids = core.matching.ids
        renames = ids.renames  # which only a send changes, and then somebody looks
        here = id(self)
        begin, first = run.given - 1, run.end - len(run.rows)
        while True:
            for seq, event in enumerate(run.values[begin : run.round_end], first + begin):
                run.last = seq
                _cause.set((here, seq))
                live = ids.live_value(event) if renames else event
                if len(listeners) == 1:  # no copy of them is needed
                    await listeners[0].on_event(live)
                else:
                    for listener in list(listeners):
                        await listener.on_event(live)
                if core.giving is not run or self._acting is not acting or not listeners:
                    return None
                if self._over or transport.watches or transport.paused:
                    return None
            begin = run.given
            rounds = core.rounds_on(run)
            if task is None or in_call or not rounds:
                return None
            if self.pacer.pass_rounds(rounds, first + begin, task, self._soon):
                return None
            core.go_on(run)

    def _handled(
        self, step: Step, outcome: Outcome, acting: Deliver, task: asyncio.Task[Any] | None = None
    ) -> Deliver | None:
        """The listeners have returned from an event, or raised.

        Args:
            acting: with which the task that gave it was woken.
            task: which may give them the next one right away.

        Returns:
            That; None where the task is to be woken again.
        """
        core, pacer = self.core, self.pacer
        if step.seq >= 0:  # not of our own making
            core.handled(step, outcome)
            way = core.continuation(step)
            transport = self._transport
            free = not (self._over or self._kept or transport.paused or transport.watches)
            if task is not None and outcome is RETURNED and self._acting is acting and free:
                runs = bool(self._listeners)
                act = core.next(runs=runs)
                if way is not None and isinstance(act, Approach) and act.seq == way.seq:
                    left = pacer.pass_rounds(way.until.rounds, way.seq, task, self._soon)
                    if not left:
                        way = None
                        core.arrived(act)
                        act = core.next(runs=runs)
                    elif left < way.until.rounds:
                        way = way._replace(until=Until(None, left))
                if isinstance(act, Deliver) and act.call is None and act.step.task == step.task:
                    pacer.happens()
                    return act
                self._kept = act
            if way is not None:
                pacer.begin(way)
        if self._acting is acting or self._returned:  # what runs has gone on from the call that returned
            self._returned, self._acting = False, None
        pacer.progress()
        self.advance()
        return None

    def _shut_down(self) -> None:
        """The loop is being shut down: begin nothing more, or it would never be ended."""
        self._over = self._down = True

    # --- called back by the pacer -------------------------------------------------------------------

    def _reached(self, act: Approach) -> None:
        """The time and the rounds of this have passed."""
        self.core.arrived(act)
        self.advance()

    def _quiet(self, *, gives_up: bool) -> None:
        """The application is at rest: let what is held go, or do without what does not come."""
        wait, core, transport = self._wait, self.core, self._transport
        if self._over or transport.paused:
            return
        if wait is None:
            self._at_rest = True
        elif transport.waits(inside=True):
            pass
        elif (early := core.quiescent()) is not None:
            first = core.overtaken(early)
            if first is not None:
                self._verdicts.diverge(explain.overtaken(core, early, first))
        elif transport.waits():
            pass
        elif not gives_up:
            return self.pacer.wait()
        elif self._is_behind(wait):
            core.report.note("listeners never returned: events that came after were not given to them")
            core.give_up(wait)
        else:
            divergence = explain.missing(core, wait, self.pacer.overdue) if core.needs(wait) else None
            self.pacer.progress()
            core.give_up(wait)
            if divergence is not None:
                self._verdicts.diverge(divergence)
        return self.advance()

    def _is_behind(self, wait: Wait) -> bool:
        """Whether an event's turn with the listeners has not come, for another that keeps them busy."""
        of = wait.step.seq if wait.step.kind == Kind.RECEIVED else wait.step.entry.of
        return wait.what == "handler" and bool(self._givings) and all(one.seq != of for one in self._givings)

    def _end_of_recording(self, closed: bool) -> None:
        """All was played: wait for the application to come to rest, but not for ever."""
        if self._ended:
            return
        if not self._at_rest and (self._tasks.busy or not closed):
            self.pacer.finish(busy=self._tasks.busy)
            return
        self.pacer.clear()
        if self.core.unreadable is not None:  # behind a close that is not made again
            self._read(self._reader.read)
            return
        self._ended = True
        self._transport.ended(self.core, "ended")
        self._played(closed)

    def _end(self, reason: Literal["ended", "failed"]) -> None:
        self._over = True
        self._transport.ended(self.core, reason)
        self.pacer.stop()
