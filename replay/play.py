"""One play: a recording is played into an application, which is awaited for as long as that makes sense,
ended, and judged. `docs/replay.md` has its states.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import platform
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias, TypedDict, Unpack, cast

from ..schema.codec import TextFilter
from ..schema.entries import Status
from ..schema.log import StoreLocation
from ..session.recording import Recording
from ..session.words import visible
from .heard_twice import PlaybackMatching
from .loop.virtual_loop import VirtualLoop
from .matching.audio_tape import AudioMatching
from .matching.expectation import Expectation
from .matching.matchers import Declared
from .model import (
    PATIENCE_SECONDS,
    STUCK_AFTER_SECONDS,
    AtEnd,
    Depth,
    OnDivergence,
    ReplayModel,
)
from .reporting.divergence import DivergenceError
from .reporting.report import ReplayReport
from .responder import Responder
from .started_tasks import GRACE_SECONDS, MAX_ROUNDS, StartedTasks
from .transport import Transport
from .watched_recording import WatchedRecording

Application: TypeAlias = Callable[[Any], Awaitable[Any]]
"""`async def app(model): ...`"""

Ending: TypeAlias = Literal["returned", "raised", "cancelled", "stuck", "left"]
"""How an application ended; see `Played`."""

Verdict: TypeAlias = Literal["same", "diverged", "failed", "incomplete", "not finished"]

LOOK_SECONDS = 0.05
"""On an ordinary loop: so often is looked whether the recording is over."""

NOT_RUN = "what is below the model's interface, its own code"
"""What a replay at the interface says nothing of."""

_DEEPEST = 10
"""So many links of exceptions are followed."""


class ReplayOptions(TypedDict, total=False):
    """Arguments of a `ReplayModel`, which explains them; `faults` and `fault_seed` are of those that play
    below the interface (`realtape.wire.TransportBase`)."""

    expect: Expectation
    on_divergence: OnDivergence
    at_end: AtEnd
    stuck_after: float
    patience: float
    pace: float | None
    strict: bool
    matchers: Declared
    redactors: Sequence[TextFilter]
    client_ids: Mapping[str, Iterable[str]] | None
    audio: AudioMatching
    learned: bool
    playback: PlaybackMatching
    playback_ms: float | None
    faults: Sequence[Any]
    fault_seed: int


@dataclass(frozen=True)
class Played:
    """What came of a play. It does not change.

    Attributes:
        report: what the replay found.
        ending: how the application ended. It `returned`; it `raised`; it was `cancelled`: the recording was
            over, and it did not return (or it cancelled itself); it was `stuck`: it waited for what could
            never happen; it was `left`, because whoever held the play ended that where it was.
        error: what it raised, whatever that was.
        waited: of one that was stuck, that did not return when all was over, or that left tasks which do not
            end: on what was waited, or for how long, in a sentence.
        lacks: what the recording itself lacks, each in a sentence: then "same" does not say everything.
        recorded_with: releases of Python and packages, when the session was recorded.
        replayed_with: the same, now; of a package that is not installed, None.
        depth: where it was played: `interface`, or `wire`, where the model's own code runs.
    """

    report: ReplayReport
    ending: Ending
    error: BaseException | None = None
    waited: str | None = None
    lacks: tuple[str, ...] = ()
    recorded_with: Mapping[str, str] = field(default_factory=dict[str, str])
    replayed_with: Mapping[str, str | None] = field(default_factory=dict[str, "str | None"])
    depth: Depth = "interface"

    @property
    def failure(self) -> BaseException | None:
        """What the application raised of its own accord: neither a divergence, nor what comes of one."""
        return None if comes_of(self.error, DivergenceError) else self.error

    @property
    def handled(self) -> BaseException | None:
        """What of its own the application was about when it diverged: it was ending because of that, perhaps,
        and closed too early. None where it raised no divergence."""
        if self.failure is not None or self.error is None:
            return None
        own = (one for one in related(self.error) if isinstance(one, Exception))
        return next((one for one in own if not comes_of(one, DivergenceError)), None)

    @property
    def connected(self) -> bool:
        """Whether the application connected its model."""
        return bool(self.report.recordings)

    @property
    def verdict(self) -> Verdict:
        """`same`; `diverged`; `failed`: the application raised, was stuck, never connected, or never ended;
        `incomplete`: the same as far as one can tell, for the recording lacks something; `not finished`: it
        was left."""
        if self.report.diverged:
            return "diverged"
        if self.failure is not None or self.waited is not None or not self.connected:
            return "failed"
        if self.lacks or self.report.gaps:
            return "incomplete"
        return "same" if self.report.finished else "not finished"

    @property
    def problem(self) -> str:
        """What is the matter, in a line; empty where nothing is."""
        if self.report.divergences:
            more = len(self.report.divergences) - 1
            first = str(self.report.divergences[0]).splitlines()[0]
            told = first + (f", and {more} more" if more else "")
            if self.failure is not None:
                return f"{self._raised}; {told}"
            return f"{told}, while the application handled {_named(self.handled)}" if self.handled else told
        if self.failure is not None:
            return self._raised
        if self.waited is not None:
            return self.waited
        if not self.connected:
            return "the application returned without connecting"
        return "; ".join(self.lacks or self.report.gaps)

    @property
    def text(self) -> str:
        """The report, under the verdict; and what a replay does not run."""
        lines = [self.report.told("failed" if self.verdict == "failed" else None)]
        if self.report.diverged and self.failure is not None:
            lines.append(self._raised)
        elif self.report.diverged and self.handled is not None:
            lines.append(f"the application handled {_named(self.handled)} when it diverged")
        lines += [f"close: {one}" for one in self.report.closes]
        if self.recorded_with:
            lines.append(f"{self._not_run}; {self._releases()}")
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """As a dict that `json` writes: the report's, with the verdict on the whole play."""
        facts = {**self.report.as_json(), "verdict": self.verdict, "problem": self.problem}
        facts["ending"], facts["lacks"] = self.ending, list(self.lacks)
        facts["recorded_with"], facts["replayed_with"] = dict(self.recorded_with), dict(self.replayed_with)
        facts["depth"] = self.depth
        if self.depth == "interface":
            facts["not_run"] = NOT_RUN
        return facts

    def __str__(self) -> str:
        told = "" if self.report.diverged or not self.problem else f"\n{self.problem}"
        return f"{self.text}{told}"

    @property
    def _raised(self) -> str:
        return f"the application raised {_named(self.failure)}"

    @property
    def _not_run(self) -> str:
        if self.depth == "interface":
            return f"not run: {NOT_RUN}"
        return "run: the model's own code, on the frames that were recorded"

    def _releases(self) -> str:
        def told(releases: Mapping[str, str | None]) -> str:
            return ", ".join(f"{name} {release or 'not installed'}" for name, release in releases.items())

        if self.recorded_with == self.replayed_with:
            return f"recorded and replayed with {told(self.recorded_with)}"
        return visible(f"recorded with {told(self.recorded_with)}; replayed with {told(self.replayed_with)}")


async def replay(
    recording: Recording | StoreLocation,
    app: Application | None = None,
    *,
    model: type[Any] = ReplayModel,
    **options: Unpack[ReplayOptions],
) -> Played:
    """Play a recording into an application, and judge what it does.

    The application is called with a model that plays the recording, and runs until it returns. Then what it
    left to be played is played, and the tasks that it has started and left running are cancelled. On virtual
    time (`realtape.replay.run`) it is awaited for `patience` virtual seconds after the recording is over, and
    ended when it waits for what can never happen. On an ordinary event loop it is awaited for `stuck_after`
    seconds after the recording is over; before it connects nothing but the caller bounds it, say with
    `asyncio.timeout`.

    Cancelled, this cancels the application and all that it has started, waits for these, closes what it has
    opened, and raises `CancelledError`.

    Args:
        recording: open, and left as it is; or where one is: a path or a URL of a store, of which the newest
            session is played, or a fixture.
        app: `async def app(model): ...`. None: the recording is answered with the answers that it holds
            itself.
        model: whose interface and classes the application speaks; of the OpenAI Agents SDK,
            `realtape.integrations.openai_agents` has a `replay` of its own.
        options: of the `ReplayModel`.

    What the application raises is told in what is returned, and so is a divergence.

    Raises:
        StoreError: the recording cannot be opened.
        CorruptRecordError: it cannot be read as far as this came.
        MatcherError: a matcher raised.
        UsageError: it cannot be replayed: it does not begin with a connect, or an option says what there is
            not.
    """
    if isinstance(recording, Recording):
        return await _replay(recording, app, model, options)
    async with await Recording.open(recording) as opened:
        return await _replay(opened, app, model, options)


async def _replay(
    recording: Recording, app: Application | None, model: type[Any], options: ReplayOptions
) -> Played:
    async with Play(recording, model=model, **options) as play:
        await play.perform(app)
    return play.played()


class Play:
    """A recording that is played: `replay`, for those who want to look on, or to be the application
    themselves.

    An async context manager. `perform` calls an application; who connects the model himself awaits `finish`.

    Args:
        recording: open; it is read on a connection of its own, and left open.
        model: whose interface and classes the application speaks: a `ReplayBase`, or what plays below that
            (`realtape.wire.TransportBase`).
        tell: gets a sentence where the application is cancelled because it does not return.
        options: of the model.

    Attributes:
        model: for the application: an instance of that.
    """

    model: Any

    def __init__(
        self,
        recording: Recording,
        *,
        model: type[Any] = ReplayModel,
        tell: Callable[[str], object] = lambda sentence: None,
        **options: Unpack[ReplayOptions],
    ) -> None:
        self._recording = WatchedRecording.again(recording, model.vocabulary)
        self.model = self._model = model(self._recording, **options)
        self._tell = tell
        # At the beginning: what branches off a replay finds them there.
        self._releases = {name: _release(name) for name in recording.header.versions}
        self._expect: Expectation = options.get("expect", "reactions")
        self._patience = options.get("patience", PATIENCE_SECONDS)
        self._stuck_after = options.get("stuck_after", STUCK_AFTER_SECONDS)
        self._tasks: StartedTasks | None = None
        self._ending: Ending | None = None
        self._error: BaseException | None = None
        self._waited: str | None = None
        self._left = False
        self._holds = options.get("at_end") == "hold"
        self._stops = asyncio.Event()  # the application is not awaited any longer

    @property
    def report(self) -> ReplayReport:
        """What was found up to now."""
        return self._model.report

    @property
    def transport(self) -> Transport:
        """Runs it, holds it, steps, seeks."""
        return self._model.transport

    @property
    def read(self) -> tuple[int, int]:
        """How many entries of the session that is played, or was last, were read; and how many it has."""
        latest = self._recording.latest
        return latest.position, latest.length

    @property
    def unreadable(self) -> Exception | None:
        """Why the recording cannot be read any further, once the play has come there."""
        return self._recording.broken

    def played(self) -> Played:
        """What came of it, up to now."""
        lacks = tuple(_lacks_of(self._recording))
        error = self._error or self._model.escaped
        return Played(
            self._model.report,
            self._ending or "left",
            error,
            self._waited,
            lacks,
            dict(self._recording.header.versions),
            dict(self._releases),
            self._model.depth,
        )

    async def perform(self, app: Application | None) -> None:
        """Call the application, and return when it has ended, and all was played that it left to be played.
        Once.

        Cancelled, it cancels the application, and waits for it.

        Args:
            app: None to answer the recording with the answers that it holds itself.

        Raises:
            CorruptRecordError, MatcherError, UsageError: as `replay`.
        """
        self._tasks = StartedTasks()
        running = self._tasks.start(self._perform(app))
        stops = asyncio.get_running_loop().create_task(self._stops.wait())
        with _watching(self, running):
            try:
                await asyncio.wait({running, stops}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                stops.cancel()
                if self._left:
                    await self._model.abandon()
                await self._end(running)
        if not self._left and running.done() and not running.cancelled():
            running.result()

    async def finish(self) -> None:
        """Wait until what was connected to last is played, and is the last. What diverged is in the report.

        Raises:
            CorruptRecordError, MatcherError: as `replay`.
        """
        if self._model.failed or (self._model.report.recordings and not self._recording.latest.closed):
            try:
                await self._model.finished()
            except DivergenceError:  # it is in the report
                pass
            except BaseException as error:
                if error is not self._model.escaped:  # which is told by `played`
                    raise
        self._model.ended()

    def leave(self) -> None:
        """End it where it is: `perform` cancels the application, and returns."""
        self._left = True
        self._stop("left")

    async def abandon(self) -> None:
        """Play nothing more: calls of the application that wait are cancelled."""
        await self._model.abandon()

    async def close(self) -> None:
        """Play nothing more, cancel the tasks that the application has left, and close the recording."""
        self.transport.on_stop = None
        try:
            await self._model.abandon()
            if self._tasks is not None:
                left = await self._tasks.end()
                if left and self._waited is None and not self._left:
                    count = "a task" if left == 1 else f"{left} tasks"
                    self._waited = f"{count} that the application has started did not end when cancelled"
        finally:
            await self._recording.latest.close()
            await self._recording.close()

    def close_blocking(self) -> None:
        """Close the recording only: the event loop on which it was played is gone."""
        self._recording.latest.close_blocking()
        self._recording.close_blocking()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # --- helpers --------------------------------------------------------------------------------------

    async def _perform(self, app: Application | None) -> None:
        try:
            if app is None:
                with contextlib.suppress(DivergenceError):  # it is in the report
                    await Responder(self._model, self._recording, self._expect).run()
            else:
                await self._recording.while_readable(self._call(app))
        except asyncio.CancelledError:
            self._ending = self._ending or "cancelled"
            raise
        if self._error is None and self._ending is None:
            self._ending = "returned"
            await self.finish()  # what the application has not played when it returns, or has not cared for

    async def _call(self, app: Application) -> None:
        try:
            await app(self.model)
        except (asyncio.CancelledError, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001 - told; `sys.exit()` ends the application only
            self._error = error
            self._ending = self._ending or "raised"

    def _stop(self, ending: Ending, waited: str | None = None) -> None:
        if self._ending is None or (ending == "stuck" and self._ending == "returned"):
            self._ending, self._waited = ending, waited
        self._stops.set()

    async def _end(self, running: asyncio.Task[None]) -> None:
        """Cancel the application, again where it does not care, and wait for it."""
        virtual = isinstance(running.get_loop(), VirtualLoop)
        for _ in range(MAX_ROUNDS):
            if not running.done():
                running.cancel()
                await asyncio.wait({running}, timeout=self._patience if virtual else self._stuck_after)
        if not running.done() and self._waited is not None:
            self._waited += ", which it ignored"

    # --- for who watches it -----------------------------------------------------------------------------

    def patience(self, *, virtual: bool) -> float | None:
        """Seconds for which the application is awaited from now on; None as long as the replay goes on."""
        if not self._model.over:
            return None
        patience = self._patience if virtual else self._stuck_after
        return min(patience, GRACE_SECONDS) if self._model.failed else patience

    def over(self, seconds: float) -> None:
        """They have passed, and it has not returned."""
        waited = None
        if not self._model.failed:
            waited = (
                f"the recording is over, and the application did not return within {seconds:g} s: cancelled"
            )
            self._tell(waited)
            if self._holds:  # and so it was left waiting, as was asked for
                waited = None
        self._stop("cancelled", waited)

    def stuck(self, sentence: str) -> bool:
        """It waits for what can never happen; whether that is the first time."""
        first = not self._stops.is_set()
        self._stop("stuck", sentence)
        return first


@contextlib.contextmanager
def _watching(play: Play, running: asyncio.Task[None]) -> Generator[None]:
    """While in this block, a play is told when its application is to be awaited no longer."""
    loop = asyncio.get_running_loop()
    if isinstance(loop, VirtualLoop):
        watch = _VirtualWatch(loop, play, running)
        loop.idlers.append(watch)
        loop.on_stuck.append(play.stuck)
        try:
            yield
        finally:
            loop.idlers.remove(watch)
            loop.on_stuck.remove(play.stuck)
    else:
        watching = loop.create_task(_watch(play, running))
        try:
            yield
        finally:
            watching.cancel()


class _VirtualWatch:
    """Is asked by the loop when it is idle: no timer of ours lets time pass."""

    def __init__(self, loop: VirtualLoop, play: Play, running: asyncio.Task[None]) -> None:
        self._loop = loop
        self._play = play
        self._running = running
        self._seconds = 0.0
        self._until_ns: int | None = None
        self._told = False

    def next_ns(self) -> int | None:
        """When its time is over, in virtual nanoseconds; None while the replay goes on."""
        ended = self._told or self._running.done()
        seconds = None if ended else self._play.patience(virtual=True)
        if seconds is None:
            self._until_ns = None
        elif self._until_ns is None:
            self._seconds = seconds
            self._until_ns = self._loop.now_ns + round(seconds * 1e9)
        return self._until_ns

    def act(self) -> None:
        """Its time is over."""
        self._told = True
        self._play.over(self._seconds)

    def rest(self) -> bool:
        """Nothing that we would do then."""
        return False


async def _watch(play: Play, running: asyncio.Task[None]) -> None:
    """On an ordinary loop: look from time to time."""
    loop = asyncio.get_running_loop()
    since: float | None = None
    while not running.done():
        seconds = play.patience(virtual=False)
        if seconds is None:
            since = None
        elif since is None:
            since = loop.time()
        elif loop.time() - since >= seconds:
            play.over(seconds)
            return
        await asyncio.sleep(LOOK_SECONDS)


@functools.cache
def _release(package: str) -> str | None:
    """Of what runs now; None where it is not installed."""
    if package == "python":
        return platform.python_version()
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _named(error: BaseException | None) -> str:
    return visible(f"{type(error).__name__}: {error}")


def comes_of(
    error: BaseException | None, kind: type[BaseException] | tuple[type[BaseException], ...]
) -> bool:
    """Whether an exception is of this kind, or comes of one that is."""
    return any(isinstance(one, kind) for one in related(error))


def related(error: BaseException | None, depth: int = 0) -> Generator[BaseException]:
    """An exception, and those that it comes of or holds."""
    if error is None or depth > _DEEPEST:
        return
    yield error
    inner: list[BaseException | None] = [error.__cause__, error.__context__]
    if isinstance(error, BaseExceptionGroup):
        inner += cast("BaseExceptionGroup[BaseException]", error).exceptions
    for one in inner:
        yield from related(one, depth + 1)


def _lacks_of(recording: WatchedRecording) -> Generator[str]:
    one: WatchedRecording | None = recording
    while one is not None:
        if one.status is Status.INTERRUPTED:
            yield f"session {one.header.id} was interrupted: its process died, and its end is missing"
        elif one.status is Status.RECORDING:
            yield f"session {one.header.id} is still being recorded: what came so far was replayed"
        one = one.successor
