"""`Transport`: running, pausing, stepping and seeking in a live replay."""

from __future__ import annotations

import asyncio

from ...schema.entries import Entry
from ...schema.errors import UsageError
from ...session.recording import Recording
from ...session.states import States
from .breakpoints import Breakpoint, Predicate
from .gate import Gate, Playing
from .goals import NOWHERE, Goal, Stop, starts_turn, steps


class Transport(Gate):
    """Controls a live replay, from its own event loop.

    Paused, nothing of the model's side happens: nothing is delivered, what the application sends is
    held. Under virtual time the clock stands, too, for timers of the application as well; what is
    ready to run runs. On an ordinary loop the application's timers ring all the same.

    The coroutines let it go and return where it holds again; one at a time. Cancelled, they leave it
    paused; when all was played, they return at once. Whoever has paused it and then closes the model,
    or awaits `finished()`, lets it go.

    Args:
        recording: that will be played.
        rate: how many times faster than recorded; None: as fast as can be.
    """

    def __init__(self, recording: Recording, rate: float | None = None) -> None:
        super().__init__(recording)
        self._rate = rate
        self._rate_wanted = False
        self._controller: asyncio.Task[object] | None = None

    # --- where it is ----------------------------------------------------------------------------------

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

    def attach(self, playing: Playing) -> None:
        """A session begins to be played."""
        super().attach(playing)
        if self._rate_wanted:
            playing.pacer.set_rate(self._rate)

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
