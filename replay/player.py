"""The player: drives the core behind the ABC, for one connection."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Generator
from typing import Any

from ..schema.entries import Kind
from ..schema.errors import RealtapeError
from . import explain
from .acts import (
    Approach,
    CancelHandler,
    Complete,
    Deliver,
    End,
    HandlerDiffers,
    More,
    Play,
    RecordedCall,
    Wait,
)
from .core import ReplayCore
from .divergence import Divergence
from .lanes import Lanes, LiveCall
from .pacing import Pacer
from .reader import Reader
from .recording import Recording
from .steps import Outcome, Step
from .tracker import ReplayTracker

_cause: contextvars.ContextVar[tuple[int, int] | None] = contextvars.ContextVar(
    "realtape_replay_cause", default=None
)
"""(player, seq) of the event that is being handled; tasks that its listeners start inherit it."""

CONTEXTS_REMEMBERED = 1024
"""For how many calls back a task that one of them started finds its context."""


class Player:
    """Plays one session of the recording into a live application.

    Args:
        recording: open; what was opened to play it is closed by `stop`.
        core: decides.
        pacer: the event loop's side.
        fan_out: gives an event to the listeners.
        diverged: told of each divergence; raises, or not.
        played: called once everything was played.
        delivered: called before the listeners get an event.
        broken: told that the recording cannot be read any further.
    """

    def __init__(
        self,
        recording: Recording,
        core: ReplayCore,
        pacer: Pacer,
        *,
        fan_out: Callable[[Any], Awaitable[None]],
        diverged: Callable[[Divergence], None],
        played: Callable[[bool], None],
        delivered: Callable[[Step], None],
        broken: Callable[[Exception], None],
    ) -> None:
        self.recording = recording
        self.core = core
        self.tracker: ReplayTracker | None = None
        self._fan_out = fan_out
        self._diverged = diverged
        self._played = played
        self._delivered = delivered
        self._broken = broken
        self._pacer = pacer
        pacer.driver = self
        self._context = contextvars.copy_context()
        self._contexts: OrderedDict[int, contextvars.Context] = OrderedDict()
        self._lanes = Lanes(self._handle)
        self._calls: dict[RecordedCall, LiveCall] = {}
        self._reader = Reader(recording, core)
        self._failure: Exception | None = None
        self._advancing = False
        self._again = False
        self._acting: Step | None = None  # what the core said last, and has not begun yet
        self._returned = False  # that is the return of a call, to a caller who runs already
        self._making: RecordedCall | None = None  # whose caller we are called by
        self._cancelled: set[int] = set()  # handlings that we cancelled, as recorded
        self._wait: Wait | None = None
        self._at_rest = False
        self._ended = False
        self._stopped = False
        self._doomed: list[asyncio.Task[None]] = []

    # --- the application's side -------------------------------------------------------------------

    async def call(
        self, kind: Kind, type: str | None, event: Any, unmatched: Callable[[str], Any]
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
        recorded = self.core.call(kind, type, key, self._live_cause())
        self._told()
        if recorded is None:
            unmatched(key)
            self.advance()  # `_told` may have taken the place of `_acted`
            return Outcome(), None
        live = self._calls[recorded] = LiveCall(recorded)
        self._remember_context(recorded.seq)
        self._making = recorded
        try:
            self.advance()
            self._making = None
            while live.outcome is None:
                if live.failure is not None:
                    raise live.failure
                if live.inbox:
                    await self._handle(live.inbox.popleft())
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
            self._acting = None
            self.advance()
        return live.outcome, recorded

    def fill(self) -> None:
        """Read until the core can judge a call."""
        if self.core.window.hungry and self._failure is None:
            self._read(self._reader.fill)

    def fail(self, error: Exception) -> None:
        """Stop playing; every call that waits raises."""
        self._stopped = True
        self._failure = error
        self._pacer.stop()
        for live in list(self._calls.values()):
            live.failure = error
            live.wake.set()

    def stop(self) -> None:
        """End the player: no task of it goes on, but the one that is calling this."""
        self._stopped = True
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
        self._lanes.first(self._context).give(event_step)

    # --- driving the core ---------------------------------------------------------------------------

    def advance(self) -> None:
        """Do what the core says, until it waits for something."""
        if self._advancing:
            self._again = True
            return
        self._advancing = True
        try:
            while not self._stopped and self._acting is None:
                self._again = False
                if not self._do() and not self._again:
                    return
        finally:
            self._advancing = False

    def _do(self) -> bool:
        """One act; False where there is nothing to do for now."""
        act = self.core.next()
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
            case _:
                pass
        self._pacer.clear()
        self._pacer.progress()
        self.fill()
        match act:
            case Deliver(step, call):
                self._deliver(step, call)
            case Complete(call, outcome):
                self._complete(call, outcome)
            case CancelHandler(step):
                if self._lanes.cancel(step):
                    self._cancelled.add(step.seq)
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
        with self._act(step):
            if live is not None:
                live.inbox.append(step)
                live.wake.set()
            else:
                context = self._context_of(step.entry.cause)
                self._lanes.of(step.entry.task, context).give(step)

    def _complete(self, call: RecordedCall, outcome: Outcome) -> None:
        for upcoming in self.core.upcoming(call):
            self._pacer.begin(upcoming)
        live = self._calls.get(call)
        if live is not None:
            with self._act(call.step):
                live.outcome = outcome
                live.wake.set()
            self._returned = call is self._making

    @contextlib.contextmanager
    def _act(self, step: Step) -> Generator[None]:
        """Wake somebody; what follows in the recording happens once he has run as far as he comes."""
        self._acting, self._returned = step, False
        with self._pacer.waking():
            yield
        self._pacer.soon(self._acted, step)

    def _acted(self, step: Step) -> None:
        if self._acting is step:
            self._acting = None
            self.advance()

    def _context_of(self, cause: int | None) -> contextvars.Context:
        """A task that a send started inherits that send's context; the read loop, that of connect."""
        return self._context if cause is None else self._contexts.get(cause, self._context)

    def _remember_context(self, seq: int) -> None:
        self._contexts[seq] = contextvars.copy_context()
        if len(self._contexts) > CONTEXTS_REMEMBERED:
            self._contexts.popitem(last=False)

    async def _handle(self, step: Step) -> None:
        """Give one event to the listeners, and tell the core how they took it."""
        outcome = Outcome()
        self.core.begun(step)
        self._delivered(step)
        token = _cause.set((id(self), step.seq))
        try:
            await self._fan_out(self.core.matching.ids.live_value(step.value))
        except asyncio.CancelledError as error:
            if step.seq not in self._cancelled and self._lanes.is_cancelled():
                self._stopped = True  # the loop is being shut down: begin nothing more
            outcome = Outcome("cancelled", error=error)
            self._tell_handled(step, outcome)
            raise
        except Exception as error:  # noqa: BLE001 - as in the recorded model, it goes no further
            outcome = Outcome("raised", error=error)
        finally:
            _cause.reset(token)
        self._tell_handled(step, outcome)

    def _live_cause(self) -> int | None:
        cause = _cause.get()
        return cause[1] if cause is not None and cause[0] == id(self) else None

    def _tell_handled(self, step: Step, outcome: Outcome) -> None:
        if step.seq >= 0:  # not of our own making
            self.core.handled(step, outcome)
            continuation = self.core.continuation(step)
            if continuation is not None:
                self._pacer.begin(continuation)
        if self._acting is step:
            self._acting = None
        self._told()
        self.advance()

    def _told(self) -> None:
        """The application has done something."""
        if self._returned:  # and so it has gone on from the call that has just returned
            self._returned, self._acting = False, None
        self._pacer.progress()

    # --- called back by the pacer -----------------------------------------------------------------------

    def reached(self, act: Approach) -> None:
        """The time and the rounds of this have passed."""
        self.core.arrived(act)
        self.advance()

    def quiet(self, *, gives_up: bool) -> None:
        """The application is at rest: let what is held go, or do without what does not come."""
        wait = self._wait
        if self._stopped:
            return
        if wait is None:
            self._at_rest = True
            self.advance()
        elif self.core.quiescent():
            self.advance()
        elif gives_up:
            divergence = explain.missing(self.core, wait)
            self._pacer.progress()
            self.core.give_up(wait)
            self._diverged(divergence)
            self.advance()
        else:
            self._pacer.wait()

    def _end(self, closed: bool) -> None:
        """All was played: wait for the application to come to rest, but not for ever."""
        if self._ended:
            return
        if not self._at_rest and (self._lanes.busy or not closed):
            self._pacer.finish(busy=self._lanes.busy)
            return
        self._pacer.clear()
        self._ended = True
        self._played(closed)
