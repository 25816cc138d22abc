"""`ReplayModel`: a recording behind the interface of a realtime model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal

from ..schema.entries import Kind, Status
from ..schema.errors import UsageError
from ..schema.model import RealtimeModel
from ..schema.standard import STANDARD, event_name
from ..schema.vocabulary import Vocabulary
from . import explain
from .core import ReplayCore
from .divergence import Divergence, DivergenceError
from .matching import SETTINGS_TYPES, Expectation
from .own_events import end_event, exception_event, own_step
from .player import Player
from .recording import Recording
from .report import ReplayReport
from .settings import changes
from .steps import Outcome, Step
from .tracker import ReplayTracker

AtEnd = Literal["end_of_stream", "hold", "cancel"]
STUCK_AFTER_SECONDS = 5.0


class ReplayBase:
    """Plays a recording through the model's interface; subclasses add the ABC and its vocabulary.

    One `connect` plays one session; a further one plays the session that the recorded model object
    had next. On a plain event loop events come as fast as the application takes them: those of one
    round of the loop back to back, and before the next round everything runs that can.

    Args:
        recording: open; it is closed with the model.
        expect: which of the recorded calls must come again: `reactions` (those that answer
            something), `all`, `none`, or a function of the entry.
        on_divergence: `raise`: the call that diverges raises, the listeners get an exception event,
            and `close()` and `finished()` raise again. `collect`: it goes on, and is reported.
        at_end: where the recording holds no end: `end_of_stream` gives the listeners that event,
            `hold` leaves them waiting, `cancel` cancels the task that connected.
        stuck_after: wall seconds without any progress, after which what is waited for is missing.
        strict: settings that differ from the recorded ones diverge, too.
    """

    vocabulary: Vocabulary = STANDARD

    def __init__(
        self,
        recording: Recording,
        *,
        expect: Expectation = "reactions",
        on_divergence: Literal["raise", "collect"] = "raise",
        at_end: AtEnd = "end_of_stream",
        stuck_after: float = STUCK_AFTER_SECONDS,
        strict: bool = False,
    ) -> None:
        self.report = ReplayReport()
        self._recording: Recording | None = recording
        self._last_recording = recording
        self._expect: Expectation = expect
        self._raises = on_divergence == "raise"
        self._at_end: AtEnd = at_end
        self._stuck_after = stuck_after
        self._strict = strict
        self._listeners: list[Any] = []
        self._player: Player | None = None
        self._error: Exception | None = None
        self._done = asyncio.Event()
        self._stopping = asyncio.Lock()
        self._connector: asyncio.Task[Any] | None = None
        self._unheard_from: int | None = None
        recording.read_as(self.vocabulary)

    # --- the interface --------------------------------------------------------------------------------

    async def connect(self, options: Any) -> None:
        """Begin to play a session; returns, or raises, as the recorded `connect` did.

        Raises:
            DivergenceError: the recording holds no further connection.
            UsageError: the last connection is still being played.
        """
        recording = await self._next_recording()
        if recording is None:
            self._diverge(explain.exhausted())
            raise self._error or DivergenceError(explain.exhausted())
        self.report.recordings.append(recording.header.id)
        self._connector = asyncio.current_task()
        self._done.clear()
        player = self._player = Player(
            recording,
            ReplayCore(self.report, self._expect),
            fan_out=self._fan_out,
            diverged=self._diverge,
            played=self._on_played,
            delivered=self._on_delivery,
            broken=self._on_broken,
            stuck_after=self._stuck_after,
        )
        tracker = options.get("playback_tracker")
        if tracker is not None and await recording.has_playback():
            player.tracker = ReplayTracker(tracker, player.core.window.due_playback, self.report)
        await player.start()
        if not player.core.window.connects and self._error is None:
            player.advance()
            return
        outcome, recorded = await player.call(Kind.CONNECT, None, None, self._unmatched(Kind.CONNECT, None))
        if recorded is not None:
            settings = options.get("initial_model_settings", {})
            before = recorded.step.entry.payload
            self._compare(("options", "initial_model_settings"), before, settings)
        if outcome.how != "returned":
            await player.stop()
            self._player = None
        self._give_back(outcome)

    def add_listener(self, listener: Any) -> None:
        """Add a listener; one that is there already is not added twice."""
        if listener not in self._listeners:
            self._listeners.append(listener)

    def remove_listener(self, listener: Any) -> None:
        """Remove a listener; one that is not there is none to remove."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    async def send_event(self, event: Any) -> None:
        """Match a send against the recording; returns, or raises, as the recorded one did.

        Raises:
            DivergenceError: the recording holds no such send here.
        """
        self._give_back(await self._send(event))

    async def send_event_if(self, event: Any, send_if: Callable[[], bool]) -> bool:
        """As `send_event`; returns what was recorded. `send_if` is asked once, in its place."""
        outcome = await self._send(event)
        agreed = send_if()
        if agreed == (outcome.how == "withheld"):
            self.report.note("send_if answers otherwise than when this was recorded")
        return bool(self._give_back(outcome, default=agreed))

    async def close(self) -> None:
        """Match a close, and end the replay of this connection.

        Raises:
            DivergenceError: the replay has diverged, here or before.
        """
        player = self._player
        outcome = Outcome()
        if player is not None and self._error is None:
            outcome, recorded = await player.call(Kind.CLOSE, None, None, self._unmatched(Kind.CLOSE, None))
            if recorded is not None and recorded.ahead:
                self._diverge(explain.closed_early(player.core, recorded))
        if self._done.is_set():
            await self._stop()
        if self._error is not None:
            raise self._error
        self._give_back(outcome)

    # --- for those who hold the replay --------------------------------------------------------------

    async def finished(self) -> ReplayReport:
        """Wait until the session that was connected to last is played; returns the report.

        Never hangs once connected: what does not come is missing after `stuck_after`.

        Raises:
            DivergenceError: the replay has diverged, unless divergences are collected.
            CorruptRecordError: the recording cannot be read any further.
        """
        await self._done.wait()
        await self._stop()
        if self._error is not None:
            raise self._error
        return self.report

    # --- helpers --------------------------------------------------------------------------------------

    async def _next_recording(self) -> Recording | None:
        if self._player is not None and not self._done.is_set():
            raise UsageError("this model is connected already: close it before it connects again")
        if self._recording is not None:
            recording, self._recording = self._recording, None
        else:
            await self._stop()
            following = await self._last_recording.following()
            if following is None:
                return None
            recording = following
            recording.read_as(self.vocabulary)
        self._last_recording = recording
        return recording

    async def _send(self, event: Any) -> Outcome:
        player = self._player
        if self._error is not None:
            raise self._error
        if player is None:
            raise UsageError("nothing is connected: connect before you send")
        type = event_name(self.vocabulary, event.__class__)
        outcome, recorded = await player.call(Kind.SENT, type, event, self._unmatched(Kind.SENT, type))
        if recorded is not None and type in SETTINGS_TYPES:
            self._compare(("session_settings",), recorded.step.entry.payload, event.session_settings)
        return outcome

    def _unmatched(self, kind: Kind, type: str | None) -> Callable[[str], None]:
        def judge(key: str) -> None:
            assert self._player is not None
            core = self._player.core
            if type == "send_audio":
                self.report.unmatched_audio += 1
            elif core.window.near_gap():
                self.report.note(
                    f"{type or kind} was not recorded: perhaps it was lost, near a gap or the end"
                )
            else:
                self._diverge(explain.unexpected(core, kind, type, key))
                if self._error is not None:
                    raise self._error

        return judge

    def _give_back(self, outcome: Outcome, default: Any = None) -> Any:
        if outcome.error is not None:
            raise outcome.error
        if outcome.how == "withheld":
            return False
        return default if outcome.value is None else outcome.value

    async def _fan_out(self, event: Any) -> None:
        for listener in list(self._listeners):
            await listener.on_event(event)

    def _on_delivery(self, step: Step) -> None:
        if not self._listeners and self._player is not None and self._player.core.listeners > 0:
            self.report.unheard += 1
            if self._unheard_from is None:
                self._unheard_from = step.seq

    def _on_played(self, closed: bool) -> None:
        player = self._player
        assert player is not None
        if not closed and self._unheard_from is not None and not self._listeners:
            self._diverge(explain.unheard(player.core, self.report.unheard, self._unheard_from))
        self.report.finished = True
        self._done.set()
        never_connected = player.recording.status is Status.FAILED
        if closed or never_connected or player.core.stream_ended or self._error is not None:
            return
        if self._at_end == "cancel" and self._connector is not None:
            self._connector.cancel("the recording has ended")
        elif self._at_end == "end_of_stream":
            player.give(own_step(end_event(self.vocabulary)))

    def _on_broken(self, error: Exception) -> None:
        """The recording cannot be read any further: whoever waits must hear of it."""
        if self._error is None:
            self._stop_with(error)

    def _diverge(self, divergence: Divergence) -> None:
        self.report.divergences.append(divergence)
        if not self._raises or self._error is not None:
            return
        self._stop_with(DivergenceError(divergence))

    def _stop_with(self, error: Exception) -> None:
        self._error = error
        player = self._player
        if player is not None:
            self.report.unplayed = len(player.core.window)
            player.fail(error)
            player.give(own_step(exception_event(self.vocabulary, error)))
        self._done.set()

    def _compare(self, path: tuple[str, ...], recorded: str, live: Any) -> None:
        """Settings, field by field: what differs is a change, and diverges only when strict."""
        player = self._player
        assert player is not None
        found = changes(player.recording.codec, path, recorded, live)
        self.report.changes += found
        if found and self._strict:
            self._diverge(explain.changed(player.core, found))

    async def _stop(self) -> None:
        async with self._stopping:  # who comes second waits, too, until nothing is left of it
            player, self._player = self._player, None
            if player is not None:
                self.report.unplayed += 0 if self.report.finished else len(player.core.window)
                await player.stop()


class ReplayModel(ReplayBase, RealtimeModel):
    """A recording behind our own interface, delivering our own event classes."""
