"""`Transport`: running, pausing, stepping and seeking in a live replay."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ..schema.entries import Entry
from ..schema.errors import UsageError
from ..session.messages import TURN_STARTED
from ..session.recording import Recording
from ..session.state import State
from ..session.states import States
from .breakpoints import Breakpoint, Breakpoints, Moment, Predicate
from .core.machine import NOWHERE, ReplayCore
from .loop.pacing import Pacer
from .terms.acts import CallTracker, CancelHandler, Complete, Deliver
from .terms.steps import Step

Reason = Literal["paused", "stepped", "reached", "breakpoint", "waits", "ended", "failed"]
Doing = Deliver | Complete | CancelHandler | CallTracker


@dataclass(frozen=True, slots=True)
class Stop:
    """Where a replay stopped, and why.

    Attributes:
        reason: `paused` by `pause()`; `stepped`: so much was done as was asked for; `reached`: what was
            sought comes next; `breakpoint`: it comes next; `waits`: nothing goes on until the application
            does something; `ended`: everything was played; `failed`: it diverged, or cannot be read.
        seq: all entries before this one have happened.
        breakpoint: the one that was met.
    """

    reason: Reason
    seq: int
    breakpoint: Breakpoint | None = None


@dataclass(frozen=True, slots=True)
class Goal:
    """How far to go. Whatever it says, a breakpoint or a pause may come before, if `breaks`.

    Attributes:
        acts: so many acts of the model's side.
        before: not beyond what meets this.
        seq: not beyond this entry.
        breaks: breakpoints count.
    """

    acts: int = NOWHERE
    before: Predicate | None = None
    seq: int = NOWHERE
    breaks: bool = True


def steps(count: int) -> Goal:
    """So many acts of the model's side.

    Raises:
        UsageError: less than one.
    """
    if count < 1:
        raise UsageError(f"{count} steps: give a number from 1 up")
    return Goal(acts=count)


def starts_turn(moment: Moment) -> bool:
    """A turn of the model's begins: its first event is about to be delivered."""
    return moment.what == "deliver" and moment.entry.type == TURN_STARTED


def _moment_of(act: Doing, state: Callable[[], State]) -> Moment:
    match act:
        case Deliver(step, _):
            assert isinstance(step, Step), "who watches gets no runs"
            return Moment("deliver", step.entry, step.seq, state)
        case Complete(call, _):
            return Moment("return", call.step.entry, call.seq if call.end is None else call.end.seq, state)
        case CancelHandler(step):
            return Moment("cancel", step.entry, step.seq, state)
        case CallTracker(step):
            return Moment("play", step.entry, step.seq, state)


@dataclass(frozen=True, slots=True)
class _Playing:
    """What plays."""

    core: ReplayCore
    pacer: Pacer
    advance: Callable[[], None]
    handles: Callable[[], bool]


class Transport:
    """Controls a live replay, from its own event loop.

    Paused, nothing of the model's side happens: nothing is delivered, what the application sends is
    held. Under virtual time the clock stands, too, for timers of the application as well; what is
    ready to run runs. On an ordinary loop the application's timers ring all the same.

    The coroutines let it go and return where it holds again; one at a time. Cancelled, they leave it
    paused; when all was played, they return at once. Whoever has paused it and then closes the model,
    or awaits `finished()`, lets it go.

    The player asks it before each act of the model's side. Unused, it costs a look at two attributes.

    Args:
        recording: that will be played.
        rate: how many times faster than recorded; None: as fast as can be.

    Attributes:
        paused: it holds, or will before it does anything more.
        watches: it wants to see every act.
        on_stop: called with each `Stop`, inside the replay: the event loop stands still meanwhile. If it
            lets the replay go (`resume`, `go`), that goes on as if it had never stopped.
    """

    def __init__(self, recording: Recording, rate: float | None = None) -> None:
        self.paused = False
        self.watches = False
        self.on_stop: Callable[[Stop], None] | None = None
        self._states = States(recording)
        self._playing: _Playing | None = None
        self._rate = rate
        self._rate_wanted = False
        self._controller: asyncio.Task[object] | None = None
        self._last_seq = 0
        self._over: Stop | None = None  # with which the session ended
        self._breakpoints = Breakpoints()
        self._goal: Goal | None = None
        self._acts_left = NOWHERE
        self._held: Moment | None = None
        self._stop: Stop | None = None  # that it comes to, or has come to
        self._told = False
        self._waiter: asyncio.Future[Stop] | None = None
        self._inside = False  # a listener is that

    # --- where it is ----------------------------------------------------------------------------------

    @property
    def seq(self) -> int:
        """The cursor: all entries before this one have happened."""
        if self._playing is None:
            return self._last_seq
        cursor = self._playing.core.cursor
        return cursor if self._held is None else min(cursor, self._held.seq)

    @property
    def state(self) -> State:
        """What is true at the cursor. Reads the log, blocking."""
        return self._states.now(self.seq)

    @property
    def next(self) -> Entry | None:
        """The entry at the cursor; None at the end. Reads the log, blocking."""
        return self._states.entry(self.seq)

    @property
    def states(self) -> States:
        """Those of the session that is played."""
        return self._states

    @property
    def rate(self) -> float | None:
        """How many times faster than recorded time passes; None: as fast as can be. May be set at any
        time; on an ordinary loop only where the model was given a `pace`.

        Raises:
            UsageError: it is not above 0, or this replay keeps no time.
        """
        return self._rate if self._playing is None else self._playing.pacer.rate

    @rate.setter
    def rate(self, rate: float | None) -> None:
        if rate is not None and not 0 < rate < float("inf"):
            raise UsageError(f"rate {rate}: give a number above 0, or None for as fast as can be")
        if self._playing is not None:
            self._playing.pacer.set_rate(rate)
        self._rate, self._rate_wanted = rate, True

    # --- letting it go and holding it -----------------------------------------------------------------

    def pause(self) -> None:
        """Hold before the next act. Returns at once; may be called in a handler of signals."""
        self._controller = _task()
        if not self.paused:
            self._hold("paused")
            if self._waiter is not None:
                self._waiter.get_loop().call_soon_threadsafe(self._tell)

    def resume(self) -> None:
        """Let it go; it stops at the next breakpoint, or at the end."""
        self.go(Goal())

    def go(self, goal: Goal) -> None:
        """Let it go as far as this, and return at once."""
        self._goal, self._acts_left, self._stop, self._told = goal, goal.acts, None, False
        self._watch()
        self._set_limit()
        self.paused = False
        playing = self._playing
        if playing is not None:
            playing.pacer.release()
            playing.advance()

    async def run(self) -> Stop:
        """Let it go, until it stops by itself or by `pause()`."""
        return await self._gone(Goal())

    async def step(self, count: int = 1) -> Stop:
        """One act of the model's side, or `count`: an event is delivered, a call returns, the playback
        tracker is called. Returns, too, when nothing goes on before the application does something.

        Raises:
            UsageError: `count` is below 1.
        """
        return await self._gone(steps(count))

    async def step_turn(self) -> Stop:
        """To the beginning of the conversation's next turn."""
        return await self._gone(Goal(before=starts_turn))

    async def run_until(self, predicate: Predicate) -> Stop:
        """To the next act that meets this, which has not happened, then. The predicate must not raise."""
        return await self._gone(Goal(before=predicate))

    async def seek(self, *, seq: int | None = None, at: float | None = None) -> Stop:
        """Forwards to an entry, or to the first one so many seconds after the session began. Breakpoints
        do not count. Backwards: `Rewindable`.

        Raises:
            UsageError: it lies behind the cursor; or not one of both was given.
        """
        return await self._gone(self.goal_at(seq=seq, at=at))

    def goal_at(self, *, seq: int | None = None, at: float | None = None) -> Goal:
        """As `seek` takes it, for `go`."""
        if (seq is None) == (at is None):
            raise UsageError("seek to an entry or to a time: give one of seq= and at=")
        if seq is None:
            seq = self._states.seq_now(at or 0.0)
        if seq < self.seq:
            raise UsageError(
                f"entry {seq} lies behind the cursor, which is at {self.seq}: a replay goes forwards only; "
                "play again from the start, as `Rewindable` does"
            )
        return Goal(seq=seq, breaks=False)

    # --- breakpoints ----------------------------------------------------------------------------------

    def add_breakpoint(
        self,
        *,
        type: str | None = None,
        item: str | None = None,
        tool: str | None = None,
        playback_ms: float | None = None,
    ) -> Breakpoint:
        """Stop before what meets all of these; see `Breakpoint`.

        Raises:
            UsageError: none is given.
        """
        made = self._breakpoints.add(type, item, tool, playback_ms)
        self._watch()
        return made

    def remove_breakpoint(self, number: int) -> None:
        """Take one away.

        Raises:
            UsageError: there is none of that number.
        """
        self._breakpoints.remove(number)
        self._watch()

    @property
    def breakpoints(self) -> tuple[Breakpoint, ...]:
        """Those that are set."""
        return self._breakpoints.all()

    # --- for who drives it ----------------------------------------------------------------------------

    def take_over(self, other: Transport) -> None:
        """What was set in another replay: breakpoints, and the rate."""
        self._breakpoints.set(other.breakpoints)
        self._watch()
        if other.rate != self.rate:
            self.rate = other.rate

    def let_go(self) -> None:
        """The model is closed, or its end awaited: by whoever has paused it, it is let go."""
        if self.paused and self._controller is not None and self._controller is _task():
            self.resume()

    # --- for the player -------------------------------------------------------------------------------

    def attach(
        self,
        recording: Recording,
        core: ReplayCore,
        pacer: Pacer,
        advance: Callable[[], None],
        handles: Callable[[], bool],
    ) -> None:
        """A session begins to be played.

        Args:
            advance: does what the core says.
            handles: says whether the running task is giving an event to the listeners.
        """
        if recording is not self._states.recording:
            self._states = States(recording)
        self._breakpoints.forget()
        self._playing, self._held, self._over = _Playing(core, pacer, advance, handles), None, None
        self._set_limit()
        if self.paused:
            pacer.hold(self.stand)
        if self._rate_wanted:
            pacer.set_rate(self._rate)

    def holds(self) -> bool:
        """It is paused: tell whoever wants to know; whether it still is."""
        self._tell()
        return self.paused

    def may(self, act: Doing) -> bool:
        """Whether this may happen now; if not, it is kept until the replay is let go."""
        if self._held is None:
            self._held = _moment_of(act, lambda: self.state)  # it has not happened: for `state`
            stop = self._judge(self._held)
        else:  # this one, and it was let go
            stop = ("reached", None) if self._is_behind_goal(self._held) else None
        if stop is not None:
            self._hold(*stop)
            return False
        self._held = None
        self._watch()
        self._acts_left -= 1
        if self._acts_left <= 0:
            self._hold("stepped")
        return True

    def reached(self) -> None:
        """The cursor has come to where it was to stop."""
        self._hold("reached")

    def waits(self, *, inside: bool = False) -> bool:
        """The application is at rest, and the replay waits for it: whether somebody wants to know.

        Args:
            inside: whether a listener does, which itself is waited for.
        """
        if self._goal is None or self._goal.acts == NOWHERE or (inside and not self._inside):
            return False
        self._hold("waits")
        self._tell()
        return True

    def ended(self, core: ReplayCore, reason: Literal["ended", "failed"]) -> None:
        """Nothing more of a session is played."""
        playing = self._playing
        if playing is not None and playing.core is core:
            self._last_seq = self.seq
            self._playing = self._held = None
            playing.pacer.release()
            self.paused = self._told = False
            self._stop = self._over = Stop(reason, self._last_seq)
            self._tell()

    def stand(self) -> None:
        """Nothing is left to run while it is paused."""
        self._tell()

    # --- helpers --------------------------------------------------------------------------------------

    def _hold(self, reason: Reason, breakpoint: Breakpoint | None = None) -> None:
        self.paused, self._told = True, False
        self._stop = Stop(reason, -1, breakpoint)
        if self._playing is not None:
            self._playing.pacer.hold(self.stand)

    def _tell(self) -> None:
        """Once a stop: whoever waits for it."""
        if self._told or self._stop is None:
            return
        self._told = True
        self._goal = None
        self._watch()
        stop = self._stop = Stop(self._stop.reason, self.seq, self._stop.breakpoint)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(stop)
        if self.on_stop is not None:
            self.on_stop(stop)

    def _judge(self, moment: Moment) -> tuple[Reason, Breakpoint | None] | None:
        goal = self._goal or Goal()
        met = self._breakpoints.met(moment) if goal.breaks else None
        if met is not None:
            return "breakpoint", met
        reached = goal.before is not None and goal.before(moment)
        return ("reached", None) if reached else None

    def _is_behind_goal(self, held: Moment) -> bool:
        goal, playing = self._goal, self._playing
        if goal is None or playing is None or held.seq < goal.seq:
            return False
        return playing.core.is_at(held.seq)

    def _watch(self) -> None:
        goal = self._goal
        limited = goal is not None and (goal.before is not None or goal.acts != NOWHERE)
        self.watches = limited or bool(self._breakpoints) or self._held is not None

    def _set_limit(self) -> None:
        if self._playing is not None:
            self._playing.core.stop_before(NOWHERE if self._goal is None else self._goal.seq)

    async def _gone(self, goal: Goal) -> Stop:
        if self._waiter is not None:
            raise UsageError("this replay is on its way for somebody else: pause() it first")
        self._inside = self._playing is not None and self._playing.handles()
        if self._inside and goal.acts == NOWHERE:
            raise UsageError(
                "a listener cannot wait for what happens only after it has returned: do this in a task"
            )
        if self._over is not None:
            return self._over
        self._controller = _task()
        waiter = self._waiter = asyncio.get_running_loop().create_future()
        try:
            self.go(goal)
            return await waiter
        except asyncio.CancelledError:
            self._hold("paused")
            raise
        finally:
            self._waiter = None
            self._inside = False


def _task() -> asyncio.Task[object] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:  # from outside the event loop
        return None
