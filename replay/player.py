"""The player: one connection of the application to a recording, from its first call to its last."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal

from ..schema.entries import Kind
from ..session.recording import Recording
from .control.transport import Transport
from .core.machine import ReplayCore
from .explaining import explain
from .live_calls import LiveCalls
from .loop.pacing import Pacer
from .performer import Performer
from .reader import Reader
from .reporting.divergence import Divergence
from .terms.acts import RecordedCall
from .terms.steps import Outcome, Step
from .tracker import ReplayTracker

Unmatched = Callable[[str, int | None], RecordedCall | None]
"""(content, cause) of a call that no recorded one equals → the recorded one that it is taken for."""


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
        tracker: the live playback tracker, if there is one.
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
        self.pacer = pacer
        self.tracker: ReplayTracker | None = None
        self._diverged = diverged
        self._played = played
        self._transport = transport
        self._calls = LiveCalls()
        self._performer = Performer(
            core,
            Reader(recording, core),
            pacer,
            self._calls,
            transport,
            listeners=listeners,
            play=self._play,
            diverged=diverged,
            played=self._on_played,
            delivered=delivered,
            broken=broken,
        )
        self._failure: Exception | None = None
        self._doomed: list[asyncio.Task[None]] = []

    async def call(
        self, kind: Kind, type: str | None, event: Any, unmatched: Unmatched
    ) -> tuple[Outcome, RecordedCall | None]:
        """Make a call of the application; returns how the recorded one ended.

        Raises:
            DivergenceError, CorruptRecordError: the replay diverged, or cannot go on, here or elsewhere.
            asyncio.CancelledError: the application cancelled it.
        """
        performer = self._performer
        self.fill()
        if self._failure is not None:
            raise self._failure
        key = self.core.matching.live(type, event) if kind == Kind.SENT else ""
        cause = performer.giver.cause()
        recorded = self.core.call(kind, type, key, cause)
        performer.told()
        if recorded is None:
            recorded = unmatched(key, cause)
        if recorded is None:
            self.advance()  # once told, it may have nothing to wait for
            return Outcome(), None
        live = self._calls.begin(recorded)
        if kind == Kind.CLOSE and recorded.ahead:
            self._diverged(explain.closed_early(self.core, recorded))
        self._calls.making = recorded
        try:
            self.advance()
            self._calls.making = None
            outcome = await live.ended(lambda step: performer.giver.give(step, in_call=True))
        except asyncio.CancelledError:
            self.core.cancelled(recorded)
            self.pacer.progress()
            self.advance()
            raise
        finally:
            self._calls.end(recorded)
        if recorded.end is not None:
            self.core.begun(recorded.end)
        if kind == Kind.CLOSE:  # what is left of the recording does not wait for what comes after
            performer.go_on()
        return outcome, recorded

    def fill(self) -> None:
        """Read until the core can judge a call."""
        if self._failure is None:
            self._performer.fill()

    def advance(self) -> None:
        """Do what the core says, until it waits for something."""
        self._performer.advance()

    def give(self, own: Step) -> None:
        """Deliver a step of our own making, on the lane of the read loop."""
        self._performer.give(own)

    def handles(self) -> bool:
        """Whether the running task is giving an event to the listeners."""
        return self._performer.giver.gives_in(asyncio.current_task())

    def fail(self, error: Exception) -> None:
        """Stop playing; every call that waits raises."""
        self._failure = error
        self._end("failed")
        self._calls.fail(lambda: error)

    def stop(self) -> None:
        """End the player: no task of it goes on, but the one that is calling this."""
        self._end("ended")
        if self.tracker is not None:
            self.tracker.detach()
        self._calls.fail(lambda: asyncio.CancelledError("the recording ends while this call is open"))
        mine = asyncio.current_task()
        self._doomed += [task for task in self._performer.lanes.retire() if task is not mine]
        for task in self._doomed:
            task.cancel()
        self.recording.close_blocking()

    async def stopped(self) -> None:
        """Wait until nothing is left of it."""
        doomed, self._doomed = self._doomed, []
        await asyncio.gather(*doomed, return_exceptions=True)
        await self.recording.close()

    def _end(self, reason: Literal["ended", "failed"]) -> None:
        self._performer.over = True
        self._transport.ended(self, reason)
        self.pacer.stop()

    def _play(self, step: Step) -> None:
        if self.tracker is not None:
            self.tracker.play(step)

    def _on_played(self, closed: bool) -> None:
        self._transport.ended(self, "ended")
        self._played(closed)
