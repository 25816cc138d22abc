"""The gate: the player asks it before each act of the model's side whether that may happen now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal, Protocol

from ...session.recording import Recording
from ...session.state import State
from ...session.states import States
from ..core.machine import ReplayCore
from ..loop.pacing import Pacer
from .breakpoints import Breakpoint, Breakpoints, Moment
from .goals import NOWHERE, Doing, Goal, Reason, Stop, moment_of


class Playing(Protocol):
    """What plays, as the gate sees it."""

    core: ReplayCore
    pacer: Pacer
    recording: Recording

    def advance(self) -> None:
        """Do what the core says."""
        ...

    def handles(self) -> bool:
        """Whether the running task is giving an event to the listeners."""
        ...


class Gate:
    """Holds a replay, or lets it go as far as a goal. Unused, it costs a look at two attributes.

    Args:
        recording: that will be played.

    Attributes:
        paused: it holds, or will before it does anything more.
        watches: it wants to see every act.
        on_stop: called with each `Stop`, inside the replay: the event loop stands still meanwhile. If it
            lets the replay go (`resume`, `go`), that goes on as if it had never stopped.
    """

    def __init__(self, recording: Recording) -> None:
        self.paused = False
        self.watches = False
        self.on_stop: Callable[[Stop], None] | None = None
        self._states = States(recording)
        self._playing: Playing | None = None
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

    # --- for the player -------------------------------------------------------------------------------

    def attach(self, playing: Playing) -> None:
        """A session begins to be played."""
        if playing.recording is not self._states.recording:
            self._states = States(playing.recording)
        self._breakpoints.forget()
        self._playing, self._held, self._over = playing, None, None
        self._set_limit()
        if self.paused:
            playing.pacer.hold(self.stand)

    def holds(self) -> bool:
        """It is paused: tell whoever wants to know; whether it still is."""
        self._tell()
        return self.paused

    def may(self, act: Doing) -> bool:
        """Whether this may happen now; if not, it is kept until the replay is let go."""
        if self._held is None:
            self._held = moment_of(act, lambda: self.state)  # it has not happened: for `state`
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

    def ended(self, playing: Playing, reason: Literal["ended", "failed"]) -> None:
        """Nothing more is played."""
        if self._playing is playing:
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
        first = None if self._playing is None else self._playing.core.window.first
        is_first = first is not None and first.seq == held.seq
        return is_first and self._goal is not None and held.seq >= self._goal.seq

    def _watch(self) -> None:
        goal = self._goal
        limited = goal is not None and (goal.before is not None or goal.acts != NOWHERE)
        self.watches = limited or bool(self._breakpoints) or self._held is not None

    def _set_limit(self) -> None:
        if self._playing is not None:
            self._playing.core.stop_at = NOWHERE if self._goal is None else self._goal.seq
