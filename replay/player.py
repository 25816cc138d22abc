"""The player: drives the core behind the ABC, on a plain event loop, for one connection."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from typing import Any

from ..schema.entries import Kind, Status
from . import explain
from .acts import (
    CancelHandler,
    Complete,
    Deliver,
    End,
    HandlerDiffers,
    More,
    Play,
    RecordedCall,
    Settle,
    Wait,
)
from .core import ReplayCore
from .divergence import Divergence
from .lanes import Lane, LiveCall, pass_rounds
from .matching import content_key
from .own_events import deliverable
from .recording import Recording
from .settling import Settler, Watch
from .steps import CALL_ENDS, Outcome, Step, outcome_of
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
        self._broken = broken
        self._stuck_after = stuck_after
        loop = self._loop = asyncio.get_running_loop()
        self._settler = Settler(loop, self._on_settled)
        self._watch = Watch(loop, min(HOLD_SECONDS, stuck_after), self._on_quiet)
        self._context = contextvars.copy_context()
        self._lanes: dict[int | None, Lane] = {}
        self._calls: dict[RecordedCall, LiveCall] = {}
        self._reader: asyncio.Task[None] | None = None
        self._fed = asyncio.Event()
        self._room = asyncio.Event()
        self._failure: Exception | None = None
        self._advancing = False
        self._again = False
        self._starting: Step | None = None  # delivered, and its listeners have not begun yet
        self._cancelled: set[int] = set()  # handlings that we cancelled, as recorded
        self._wait: Wait | None = None
        self._at_rest = False
        self._ended = False
        self._stopped = False

    # --- the application's side -------------------------------------------------------------------

    async def start(self) -> None:
        """Begin to read; returns once the core can judge the first call."""
        self._reader = asyncio.get_running_loop().create_task(self._read(), name="realtape-replay-reader")
        await self._fill()

    async def call(
        self, kind: Kind, type: str | None, event: Any, unmatched: Callable[[str], Any]
    ) -> tuple[Outcome, RecordedCall | None]:
        """Make a call of the application; returns how the recorded one ended.

        Raises:
            DivergenceError: the replay diverged, here or elsewhere.
            asyncio.CancelledError: the application cancelled it.
        """
        await self._fill()
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
        tasks = [lane.task for lane in self._lanes.values()]
        if self._reader is not None:
            tasks.append(self._reader)
        for live in self._calls.values():
            live.failure = asyncio.CancelledError("the recording ends while this call is open")
            live.wake.set()
        mine = asyncio.current_task()
        # A lane that is handling an event was so when this was recorded, too: it ends by itself.
        busy = {lane.task for lane in self._lanes.values() if lane.busy}
        doomed = [task for task in tasks if task is not mine and task not in busy]
        for task in doomed:
            task.cancel()
        await asyncio.gather(*doomed, return_exceptions=True)
        await self.recording.close()

    def give(self, event_step: Step) -> None:
        """Deliver a step of our own making, on the lane of the read loop."""
        self._lane(_read_task(self._lanes), None).give(event_step)

    # --- reading ------------------------------------------------------------------------------------

    async def _read(self) -> None:
        core, recording = self.core, self.recording
        try:
            ended = await recording.ended()
            async for entry, value in recording.values():
                step = Step(entry, value, ends=entry.seq in ended)
                if entry.kind == Kind.RECEIVED:
                    step.value = deliverable(recording.codec.vocabulary, value)
                elif entry.kind == Kind.SENT:
                    step.key = content_key(recording.codec, entry.type, value)
                elif entry.kind in CALL_ENDS or entry.kind == Kind.HANDLED:
                    step.outcome = outcome_of(value)
                elif entry.seq == 0 and entry.kind == Kind.CONNECT:
                    core.listeners = len(value.get("listeners", ()))
                core.feed(step)
                if core.full:
                    self._tell_fed()
                    self._room.clear()
                    await self._room.wait()
            core.feed_end()
        except Exception as error:  # noqa: BLE001 - a damaged log must not leave the application waiting
            self._broken(error)
        for note in sorted(recording.notes):
            core.report.note(note)
        if recording.status is Status.INTERRUPTED:
            core.report.note("the recording was interrupted: its process died")
        self._tell_fed()

    def _tell_fed(self) -> None:
        self._fed.set()
        if not self._stopped:
            self.advance()

    async def _fill(self) -> None:
        while self.core.hungry and not self._stopped:
            self._fed.clear()
            self._room.set()
            await self._fed.wait()

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
                for lane in self._lanes.values():
                    if lane.current is step:
                        self._cancelled.add(step.seq)
                        lane.task.cancel()
            case HandlerDiffers():
                self._diverged(explain.handler(self.core, act))
            case Play(step):
                if self.tracker is not None:
                    self.tracker.play(step)
            case Settle():
                self._settler.start()
                return False
            case More():
                self._room.set()
                return False
            case Wait():
                self._wait = act
                self._watch.arm()
                return False
            case End(closed):
                self._end(closed)
                return False
        if not self.core.full:
            self._room.set()
        self._watch.progress()
        return True

    def _deliver(self, step: Step, call: RecordedCall | None, rounds: int) -> None:
        self._starting = step
        live = None if call is None else self._calls.get(call)
        if live is not None:
            live.inbox.append((step, rounds))
            live.wake.set()
        else:
            self._lane(step.entry.task, step.entry.cause).give(step, rounds)

    def _lane(self, task: int | None, cause: int | None) -> Lane:
        lane = self._lanes.get(task)
        if lane is None or lane.task.done():
            lane = self._lanes[task] = Lane(self._handle, self._context_of(cause).copy())
        return lane

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
            if step.seq not in self._cancelled and self._lane_is_cancelled():
                self._stopped = True  # the loop is being shut down: begin nothing more
            outcome = Outcome("cancelled", error=error)
            self._tell_handled(step, outcome)
            raise
        except Exception as error:  # noqa: BLE001 - as in the recorded model, it goes no further
            outcome = Outcome("raised", error=error)
        finally:
            _cause.reset(token)
        self._tell_handled(step, outcome)

    def _lane_is_cancelled(self) -> bool:
        """Whether we are in a lane that somebody else cancels; a listener may also raise the like."""
        task = asyncio.current_task()
        lanes = [lane.task for lane in self._lanes.values()]
        return task is not None and task in lanes and task.cancelling() > 0

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

    def _on_settled(self) -> None:
        self.core.settled()
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
        if not self._at_rest and any(lane.busy for lane in self._lanes.values()):
            self._watch.arm()
            return
        self._watch.disarm()
        self._ended = True
        self._played(closed)


def _read_task(lanes: dict[int | None, Lane]) -> int | None:
    return next(iter(lanes), None)
