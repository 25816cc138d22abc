"""The player: drives the core behind the ABC, on a plain event loop, for one connection."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from typing import Any

from ..schema.entries import Kind
from . import explain
from .acts import (
    CancelHandler,
    Complete,
    Deliver,
    End,
    HandlerDiffers,
    Linger,
    More,
    Play,
    RecordedCall,
    Settle,
    Wait,
)
from .core import ReplayCore
from .divergence import Divergence
from .lanes import Lanes, LiveCall, pass_rounds
from .matching import content_key
from .reader import Reader
from .recording import Recording
from .settling import Settler, Watch
from .steps import Outcome, Step
from .tracker import ReplayTracker

_cause: contextvars.ContextVar[tuple[int, int] | None] = contextvars.ContextVar(
    "realtape_replay_cause", default=None
)
"""(player, seq) of the event that is being handled; tasks that its listeners start inherit it."""

HOLD_SECONDS = 0.05
"""Without any progress for so long, a plain loop is taken to be at rest, and a held send is let go."""


class Player:
    """Plays one session of the recording into a live application.

    Args:
        recording: open; closed by `stop`.
        core: decides.
        fan_out: gives an event to the listeners.
        diverged: told of each divergence; raises, or not.
        played: called once everything was played.
        delivered: called before the listeners get an event.
        broken: told that the recording cannot be read any further.
        stuck_after: wall seconds without progress after which what is waited for is given up.
    """

    def __init__(
        self,
        recording: Recording,
        core: ReplayCore,
        *,
        fan_out: Callable[[Any], Awaitable[None]],
        diverged: Callable[[Divergence], None],
        played: Callable[[bool], None],
        delivered: Callable[[Step], None],
        broken: Callable[[Exception], None],
        stuck_after: float,
    ) -> None:
        self.recording = recording
        self.core = core
        self.tracker: ReplayTracker | None = None
        self._fan_out = fan_out
        self._diverged = diverged
        self._played = played
        self._delivered = delivered
        self._stuck_after = stuck_after
        loop = self._loop = asyncio.get_running_loop()
        self._settler = Settler(loop, self._on_settled)
        self._watch = Watch(loop, min(HOLD_SECONDS, stuck_after), self._on_quiet)
        self._context = contextvars.copy_context()
        self._lanes = Lanes(self._handle)
        self._calls: dict[RecordedCall, LiveCall] = {}
        self._reader = Reader(recording, core, self._on_read, broken)
        self._failure: Exception | None = None
        self._advancing = False
        self._again = False
        self._starting: Step | None = None  # delivered, and its listeners have not begun yet
        self._cancelled: set[int] = set()  # handlings that we cancelled, as recorded
        self._lingering: Step | None = None
        self._wait: Wait | None = None
        self._at_rest = False
        self._ended = False
        self._stopped = False

    # --- the application's side -------------------------------------------------------------------

    async def start(self) -> None:
        """Begin to read; returns once the core can judge the first call."""
        self._reader.start()
        await self._reader.fill()

    async def call(
        self, kind: Kind, type: str | None, event: Any, unmatched: Callable[[str], Any]
    ) -> tuple[Outcome, RecordedCall | None]:
        """Make a call of the application; returns how the recorded one ended.

        Raises:
            DivergenceError: the replay diverged, here or elsewhere.
            asyncio.CancelledError: the application cancelled it.
        """
        await self._reader.fill()
        if self._failure is not None:
            raise self._failure
        key = content_key(self.recording.codec, type, event) if kind == Kind.SENT else ""
        recorded = self.core.call(kind, type, key, self._live_cause())
        self._watch.progress()
        if recorded is None:
            unmatched(key)
            return Outcome(), None
        live = self._calls[recorded] = LiveCall(recorded, contextvars.copy_context())
        try:
            self.advance()
            while live.outcome is None:
                if live.failure is not None:
                    raise live.failure
                if live.inbox:
                    step, rounds = live.inbox.popleft()
                    await pass_rounds(rounds)
                    await self._handle(step)
                else:
                    live.wake.clear()
                    await live.wake.wait()
        except asyncio.CancelledError:
            self.core.cancelled(recorded)
            self._watch.progress()
            self.advance()
            raise
        finally:
            self._calls.pop(recorded, None)
        return live.outcome, recorded

    def fail(self, error: Exception) -> None:
        """Stop playing; every call that waits raises."""
        self._stopped = True
        self._failure = error
        self._watch.disarm()
        for live in list(self._calls.values()):
            live.failure = error
            live.wake.set()

    async def stop(self) -> None:
        """End the player: no task of it is left, but the one that is calling this."""
        self._stopped = True
        self._watch.disarm()
        if self.tracker is not None:
            self.tracker.detach()
        doomed = self._lanes.retire()
        if self._reader.task is not None:
            doomed.append(self._reader.task)
        for live in self._calls.values():
            live.failure = asyncio.CancelledError("the recording ends while this call is open")
            live.wake.set()
        mine = asyncio.current_task()
        doomed = [task for task in doomed if task is not mine]
        for task in doomed:
            task.cancel()
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
            while not self._stopped and self._starting is None:
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
            case Deliver(step, call, rounds):
                self._deliver(step, call, rounds)
            case Complete(call, outcome):
                live = self._calls.get(call)
                if live is not None:
                    live.outcome = outcome
                    live.wake.set()
            case CancelHandler(step):
                if self._lanes.cancel(step):
                    self._cancelled.add(step.seq)
            case HandlerDiffers():
                self._diverged(explain.handler(self.core, act))
            case Play(step):
                if self.tracker is not None:
                    self.tracker.play(step)
            case Settle():
                self._settler.start()
                return False
            case Linger():
                if self._lingering is not act.step:
                    self._lingering = act.step
                    self._loop.call_soon(self._linger, act, act.rounds)
                return False
            case More():
                self._reader.go_on()
                return False
            case Wait():
                self._wait = act
                self._watch.arm()
                return False
            case End(closed):
                self._end(closed)
                return False
        if not self.core.window.full:
            self._reader.go_on()
        self._watch.progress()
        return True

    def _deliver(self, step: Step, call: RecordedCall | None, rounds: int) -> None:
        self._starting = step
        live = None if call is None else self._calls.get(call)
        if live is not None:
            live.inbox.append((step, rounds))
            live.wake.set()
        else:
            context = self._context_of(step.entry.cause)
            self._lanes.of(step.entry.task, context).give(step, rounds)

    def _context_of(self, cause: int | None) -> contextvars.Context:
        """A task that a send started inherits that send's context; the read loop, that of connect."""
        for recorded, live in self._calls.items():
            if recorded.seq == cause:
                return live.context
        return self._context

    async def _handle(self, step: Step) -> None:
        """Give one event to the listeners, and tell the core how they took it."""
        outcome = Outcome()
        if step is self._starting:
            # What follows in the recording happens once the listeners have run as far as they come.
            self._loop.call_soon(self._begun, step)
        self._delivered(step)
        token = _cause.set((id(self), step.seq))
        try:
            await self._fan_out(step.value)
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

    def _begun(self, step: Step) -> None:
        if self._starting is step:
            self._starting = None
            self.advance()

    def _tell_handled(self, step: Step, outcome: Outcome) -> None:
        if self._starting is step:
            self._starting = None
        if step.seq >= 0:  # not of our own making
            self.core.handled(step, outcome)
        self._watch.progress()
        self.advance()

    def _on_read(self) -> None:
        if not self._stopped:
            self.advance()

    def _on_settled(self) -> None:
        self.core.settled()
        self.advance()

    def _linger(self, act: Linger, rounds: int) -> None:
        if rounds > 1:
            self._loop.call_soon(self._linger, act, rounds - 1)
        else:
            self.core.lingered(act)
            self.advance()

    def _on_quiet(self, quiet_for: float) -> None:
        wait = self._wait
        if self._stopped:
            return
        if wait is None:
            self._at_rest = True
            self.advance()
        elif self.core.quiescent():
            self.advance()
        elif quiet_for >= self._stuck_after:
            divergence = explain.missing(self.core, wait)
            self._watch.progress()
            self.core.give_up(wait)
            self._diverged(divergence)
            self.advance()
        else:
            self._watch.arm()

    def _end(self, closed: bool) -> None:
        """All was played: wait for the application to come to rest, but not for ever."""
        if self._ended:
            return
        if not self._at_rest and self._lanes.busy:
            self._watch.arm()
            return
        self._watch.disarm()
        self._ended = True
        self._played(closed)
