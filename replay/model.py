"""`ReplayModel`: a recording behind the interface of a realtime model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

from ..schema.asyncio_private import never_got
from ..schema.codec import STANDARD, TextFilter, Vocabulary, event_name
from ..schema.entries import Kind, Status
from ..schema.errors import RealtapeError, UsageError
from ..schema.model import RealtimeModel
from ..schema.playback import RealtimePlaybackTracker
from ..session.provenance import Redaction
from ..session.recording import Recording
from . import explain
from .core.machine import ReplayCore
from .heard_twice import PlaybackMatching
from .loop.plain_pacer import PlainPacer
from .loop.virtual_loop import VirtualLoop
from .loop.virtual_pacer import VirtualPacer
from .matching.audio_tape import AudioMatching
from .matching.expectation import Expectation, Expected
from .matching.matchers import Declared, MatcherError, Matchers
from .matching.matching import SETTINGS_TYPES, Matching
from .own_events import end_event, exception_event, knows_end, own_step
from .player import Player
from .reporting.report import ReplayReport
from .reporting.report_builder import ReportBuilder
from .terms.steps import Outcome, RecordedCall
from .tracker import ReplayTracker
from .transport import Transport
from .verdicts import Verdicts

AtEnd = Literal["end_of_stream", "hold", "cancel"]
OnDivergence = Literal["raise", "collect"]
Depth = Literal["interface", "wire"]
"""Where a session is replayed: at the model's interface, or below it, on the model's socket."""

STUCK_AFTER_SECONDS = 5.0
PATIENCE_SECONDS = 60.0


class ReplayBase:
    """Plays a recording through the model's interface; subclasses add the ABC and its vocabulary.

    One `connect` plays one session; a further one plays the session that the recorded model object
    had next. Under `realtape.replay.run` time is virtual, and everything comes at its recorded instant.
    On an ordinary event loop events come as fast as the application takes them: those of one round
    of the loop back to back, and before the next round everything runs that can.

    Args:
        recording: open; it is closed with the model.
        expect: which of the recorded calls must come again: `reactions` (those that answer
            something), `all`, `none`; or of single ones, by number or type, whether each is a `reaction` or
            the `user`'s; or a function of the entry.
        on_divergence: `raise`: the call that diverges raises, the listeners get an exception event,
            and `close()` and `finished()` raise again. `collect`: it goes on, and is reported.
        at_end: where the recording holds no end: `end_of_stream` gives the listeners that event,
            `hold` leaves them waiting, `cancel` cancels the task that connected.
        stuck_after: on an ordinary event loop: wall seconds without any progress, after which what
            is waited for is missing.
        patience: on virtual time: virtual seconds, for which the application is awaited while timers
            of its own go on. Without any, what does not come is known to be missing at once.
        pace: on an ordinary event loop: how many times faster than recorded events come; None: as
            fast as the application takes them.
        strict: settings that differ from the recorded ones diverge, too; and so do calls of unknown origin
            that do not come.
        matchers: fields that need not be sent exactly as recorded; see `matchers.py`.
        redactors: those of the recorder: what is sent passes them before it is compared.
        client_ids: type → fields in which the client mints ids, beyond `client_ids.CLIENT_IDS`.
        audio: `bytes`: what the microphone sends may be cut into other chunks than when recorded.
            `exact`: chunk by chunk. `ignore`: whatever is said is taken for what was said.
        learned: what was learned of the recording's calls (`realtape learn`) counts.
        playback: what the application's player reports: `tolerant`, how much of an item was heard where the
            model asked or interrupted; `exact`, call by call, too; `ignore`.
        playback_ms: how much more, or less, is the same; None: the longest piece that was reported at once.
        faults, fault_seed: of who plays below the interface (`realtape.wire.TransportBase`); here are none.

    Attributes:
        transport: runs it, holds it, steps, seeks.
        stand_in: set before it is connected, makes in the user's place what he did when this was recorded,
            and nobody does now.

    Raises:
        UsageError: a matcher names a type or a field that there is not; or that is no expectation.
    """

    vocabulary: Vocabulary = STANDARD
    depth: Depth = "interface"

    def __init__(
        self,
        recording: Recording,
        *,
        expect: Expectation = "reactions",
        on_divergence: OnDivergence = "raise",
        at_end: AtEnd = "end_of_stream",
        stuck_after: float = STUCK_AFTER_SECONDS,
        patience: float = PATIENCE_SECONDS,
        pace: float | None = None,
        strict: bool = False,
        matchers: Declared = (),
        redactors: Sequence[TextFilter] = (),
        client_ids: Mapping[str, Iterable[str]] | None = None,
        audio: AudioMatching = "bytes",
        learned: bool = True,
        playback: PlaybackMatching = "tolerant",
        playback_ms: float | None = None,
        faults: Sequence[Any] = (),
        fault_seed: int = 0,
    ) -> None:
        if faults:
            raise UsageError('faults are injected below the interface: depth="wire"')
        if playback not in ("exact", "tolerant", "ignore"):
            raise UsageError(f"playback={playback!r}: one of exact, tolerant, ignore")
        self._playback: PlaybackMatching = playback
        self._playback_ms = playback_ms
        self._learned = learned
        self.stand_in: Callable[[RecordedCall], object] | None = None
        self._report = ReportBuilder()
        self.transport = Transport(recording, pace)
        self._recording: Recording | None = recording
        self._last_recording = recording
        self._expect: Expectation = expect
        Expected(expect, vocabulary=self.vocabulary)  # which says what is wrong with it
        self._at_end: AtEnd = at_end
        self._stuck_after = stuck_after
        self._strict = strict
        self._patience = patience
        known = Matchers(matchers, self.vocabulary)
        self._matching = partial(
            Matching, matchers=known, redactors=tuple(redactors), client_ids=client_ids, audio=audio
        )
        self._listeners: list[Any] = []
        self._player: Player | None = None
        self._names: dict[type[Any], str | None] = {}
        self._done = asyncio.Event()
        self._stopping = asyncio.Lock()
        self._halted: list[Player] = []
        self._connector: asyncio.Task[Any] | None = None
        self._letting_go: asyncio.Task[None] | None = None
        self._closed = False
        self._raises = on_divergence == "raise"
        self._unmade: Sequence[int] = ()  # recorded connections that were not made again: their entries
        self._verdicts = Verdicts(
            self._report,
            raises=self._raises,
            strict=strict,
            is_heard=lambda: bool(self._listeners) or self._closed,
            ends=self._on_error,
        )
        recording.read_as(self.vocabulary)

    @property
    def report(self) -> ReplayReport:
        """What was found up to now."""
        return explain.without(self._report.frozen(), self._unmade, strict=self._strict)

    @property
    def recording(self) -> Recording:
        """That of the session that is played, or was played last."""
        return self._last_recording

    # --- the interface --------------------------------------------------------------------------------

    async def connect(self, options: Any) -> None:
        """Begin to play a session; returns, or raises, as the recorded `connect` did.

        Raises:
            DivergenceError: the recording holds no further connection; or the replay has diverged before.
            CorruptRecordError: the recording cannot be read any further.
            UsageError: the last connection is still being played.
        """
        self._verdicts.raise_again()
        recording = self._next_recording()
        if recording is None:
            raise self._verdicts.exhausted()
        self._connector = asyncio.current_task()
        self._done.clear()
        self._closed = False
        loop = asyncio.get_running_loop()
        if isinstance(loop, VirtualLoop):
            pacer = VirtualPacer(loop, round(self._patience * 1e9))
        else:
            pacer = PlainPacer(loop, self._stuck_after, self.transport.rate)
        core = ReplayCore(
            self._report,
            self._expect,
            self._matching(recording.codec, redaction=Redaction.told_by(recording.header.source)),
            learned=recording.origins if self._learned else None,
            now=pacer.now,
            paced=pacer.paced,
            owed=pacer.owed,
        )
        player = self._player = Player(
            recording,
            core,
            pacer,
            self.transport,
            self._verdicts,
            listeners=self._listeners,
            played=self._on_played,
            stand_in=self.stand_in,
        )
        self.transport.attach(recording, core, pacer, player.advance, player.handles)
        self._verdicts.core = core
        redaction = Redaction.told_by(recording.header.source)
        if redaction is not None and any(redaction.counts.values()):
            self._report.redacted = f"the recording is {redaction}"
        self._report.begin(recording.header.id, recording.length, core.played, lambda: pacer.weaker)
        tracker = options.get("playback_tracker")
        if recording.has_playback():
            player.tracker = ReplayTracker(
                RealtimePlaybackTracker() if tracker is None else tracker,  # who has none reports nothing
                core.due_playback,
                self._report,
                pacer.still,
                pacer.stands_for,
                self._playback,
                self._playback_ms,
                timed=pacer.paced,
                session=recording.header.id,
                recorded=recording.entries_again,
            )
        player.fill()
        if core.nothing_left and core.unreadable is not None:
            self._verdicts.end(core.unreadable)
        if not core.connects and not self.failed:
            player.advance()
            return
        outcome, recorded = await player.call(Kind.CONNECT)
        if recorded is not None:
            settings = options.get("initial_model_settings", {})
            self._verdicts.compare(("options", "initial_model_settings"), recorded.step, settings)
            self._verdicts.compare_trackers(recorded.step, tracker)
        if outcome.how != "returned":
            self._closed = True
        self._give_back(outcome)

    def add_listener(self, listener: Any) -> None:
        """Add a listener; one that is there already is not added twice."""
        if listener not in self._listeners:
            self._listeners.append(listener)
            self._verdicts.deaf = False

    def remove_listener(self, listener: Any) -> None:
        """Remove a listener; one that is not there is none to remove."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    async def send_event(self, event: Any) -> None:
        """Match a send against the recording; returns, or raises, as the recorded one did.

        Raises:
            DivergenceError: the recording holds no such send here; or the replay has diverged before.
            CorruptRecordError: the recording cannot be read any further; the send may be behind that.
        """
        self._give_back(await self._send(event))

    async def send_event_if(self, event: Any, send_if: Callable[[], bool]) -> bool:
        """As `send_event`; returns what was recorded. `send_if` is asked once, in its place."""
        outcome = await self._send(event)
        agreed = send_if()
        # Withheld though it agreed: the model may have had a reason of its own.
        if not agreed and outcome.how != "withheld":
            self._report.note("send_if answers otherwise than when this was recorded")
        return bool(self._give_back(outcome, default=agreed))

    async def close(self) -> None:
        """Match a close, and end the replay of this connection.

        Raises:
            DivergenceError: the replay has diverged, here or before.
            CorruptRecordError: the recording cannot be read any further.
        """
        player = self._player
        outcome = Outcome()
        self.transport.let_go()
        try:
            if player is not None and not self.failed:
                outcome, _ = await player.call(Kind.CLOSE)
        except RealtapeError:  # there is nothing more to be played
            self._closed = True
            self._halt()
            raise
        self._closed = True
        if self._done.is_set():
            self._halt()
        self._verdicts.raise_again()
        self._give_back(outcome)

    # --- for those who hold the replay --------------------------------------------------------------

    @property
    def over(self) -> bool:
        """Whether the session that was connected to last is played, or the replay has failed."""
        return self._done.is_set()

    @property
    def failed(self) -> bool:
        """Whether the replay has ended with an error."""
        return self._verdicts.error is not None

    @property
    def escaped(self) -> BaseException | None:
        """What a listener raised that is no `Exception`, such as `pytest.fail`: it has ended the replay."""
        error = self._verdicts.error
        return None if isinstance(error, Exception) else error

    def answer_itself(self) -> None:
        """No application is replayed, but what the recording holds: so it leaves nobody unchecked."""
        self._report.answers_itself = True

    def ended(self) -> None:
        """The application connects no more, for all that is known: connections that followed when this was
        recorded were not made, and that is told in the report. Blocking."""
        if not self._report.answers_itself:
            self._unmade = explain.unmade_after(self._last_recording, self._report)

    async def finished(self) -> ReplayReport:
        """Wait until the session that was connected to last is played, and is the last; returns the report.

        Never hangs once connected: what does not come is missing after `stuck_after`.

        Raises:
            DivergenceError: the replay has diverged, unless divergences are collected; with `strict` also
                where connections were not made that followed.
            CorruptRecordError: the recording cannot be read any further.
            BaseException: what a listener raised that is no `Exception`, such as `pytest.fail`.
        """
        self.transport.let_go()
        await self._done.wait()
        await self._stop()
        self._verdicts.raise_again()
        self.ended()
        report = self.report
        if self._raises:
            report.raise_for_divergence()
        return report

    async def abandon(self) -> None:
        """Give the replay up, wherever it is: nothing more is played, and calls that wait are cancelled."""
        self._closed = True
        await self._stop()

    # --- helpers --------------------------------------------------------------------------------------

    def _next_recording(self) -> Recording | None:
        if self._player is not None and not self._done.is_set() and not self._closed:
            raise UsageError("this model is connected already: close it before it connects again")
        if self._recording is not None:
            recording, self._recording = self._recording, None
        else:
            self._halt()
            following = self._last_recording.following()
            if following is None:
                return None
            recording = following
            recording.read_as(self.vocabulary)
        self._last_recording, self._unmade = recording, ()
        return recording

    async def _send(self, event: Any) -> Outcome:
        player = self._player
        if self._verdicts.error is not None:
            raise self._verdicts.error
        type = self._names.get(event.__class__)
        if type is None:
            type = self._names[event.__class__] = event_name(self.vocabulary, event.__class__)
        if player is None:
            if self._report.recordings and self._done.is_set():
                self._verdicts.after_close(type, event)
            raise UsageError("nothing is connected: connect before you send")
        try:
            outcome, recorded = await player.call(Kind.SENT, type, event)
        except MatcherError as error:  # the application may swallow it: `finished()` raises it again
            self._verdicts.end(error)
            raise
        if recorded is not None and type in SETTINGS_TYPES:
            self._verdicts.compare(("session_settings",), recorded.step, event.session_settings)
        return outcome

    def _give_back(self, outcome: Outcome, default: Any = None) -> Any:
        if outcome.error is not None:
            raise outcome.error
        if outcome.how == "withheld":
            return False
        return default if outcome.value is None else outcome.value

    def _on_played(self, closed: bool) -> None:
        player = self._player
        assert player is not None
        if not closed or self._verdicts.deaf:
            self._verdicts.tell_unheard()
        differs = player.tracker is not None and player.tracker.judge()
        self._report.unread = sum(never_got(queue) for queue in self._queues())
        self._verdicts.tell_unchecked()
        if differs and (self._strict or self._playback == "exact"):
            self._verdicts.tell_playback()
        self._report.end(finished=True)
        self._done.set()
        never_connected = player.recording.status is Status.FAILED
        if self._closed:
            self._halt()
        if closed or never_connected or player.core.stream_ended or self.failed:
            return
        if self._at_end == "cancel" and self._connector is not None:
            self._connector.cancel("the recording has ended")
        elif self._at_end == "end_of_stream":
            player.core.told_end()
            player.give(own_step(end_event(self.vocabulary)))
            if not knows_end(self.vocabulary):
                self._letting_go = asyncio.get_running_loop().create_task(self._let_go())

    def _queues(self) -> list[asyncio.Queue[Any]]:
        """Out of which the application reads what the listeners were given."""
        return []

    async def _let_go(self) -> None:
        """End what listens, for there is no event that says so: nothing, for a listener of our own."""

    def _on_error(self) -> None:
        """The replay has ended with an error: whoever waits must hear of it."""
        player, error = self._player, self._verdicts.error
        assert error is not None
        if player is not None:
            self._report.end()
            if player.core.unreadable is not None and error is player.core.unreadable:
                player.recording.broken_off(player.core.unreadable)
            player.fail(error)
            if isinstance(error, Exception):
                player.give(own_step(exception_event(self.vocabulary, error)))
        self._done.set()

    def _halt(self) -> None:
        """Nothing more is played; what is left of it ends by itself."""
        player, self._player = self._player, None
        if player is not None:
            self._halted.append(player)
            self._report.end()
            player.stop()

    async def _stop(self) -> None:
        """Halt, and wait until nothing is left."""
        self._halt()
        async with self._stopping:  # who comes second waits, too
            while self._halted:
                await self._halted[0].stopped()
                self._halted.pop(0)


class ReplayModel(ReplayBase, RealtimeModel):
    """A recording behind our own interface, delivering our own event classes."""
