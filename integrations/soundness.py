"""A variation replayed into an application that is observed: what it did, and whether that is sound.

The layers keep replay and recorder apart; here, above both, the replay is recorded, in memory: so the rules
see what they see of any recording, and no second observer has to be right.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import io
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Unpack, cast

from ..lab import PATIENCE_SECONDS, variation_settings
from ..lab.invariants import ALL, CallsAnsweredOnce, Invariant, Violation, Watch
from ..recorder import InMemory, Recorder
from ..replay import (
    Application,
    Play,
    Played,
    ReplayBase,
    ReplayOptions,
    ReplayReport,
    Stop,
    VirtualLoop,
    replay,
    run,
)
from ..schema import Kind, RealtapeError, RealtimeModel
from ..schema.log import StoreLocation
from ..session import Draft, Recording, Staged, ToolCalls, answers_call
from .classes import recorder_class, replay_class


@dataclass(frozen=True)
class Failure:
    """Something that went wrong in one replay.

    Attributes:
        what: in a few words, the same for all that are of one kind.
        text: what exactly.
    """

    what: str
    text: str


def observe(
    drafts: list[Draft],
    application: Application,
    patience: float = PATIENCE_SECONDS,
    rules: Sequence[Invariant] = ALL,
) -> list[Failure]:
    """Replay a variation, on an event loop of its own; what went wrong in it, in order.

    What the application prints goes nowhere. What the variation shows without it, is none of its doing.

    Args:
        drafts: the session, and those that followed it on the same model object.
        patience: virtual seconds for which the application is awaited.
        rules: that a sound application keeps.
    """
    return Observation(Staged.chain(drafts), application, patience, rules).failures()


class Observation:
    """A replay of a variation, of which is recorded what the application does, and judged as it comes.

    Args:
        chain: the sessions of a model object, in order.
        application: `async def app(model): ...`
        patience: virtual seconds for which the application is awaited.
        rules: that a sound application keeps.
        is_cut: whether the last session goes on behind what is given of it, asked once that was played: then
            the application is left there, and what it has left open is no failure.
        at_cut: gets the failures then, the event loop standing still.

    Attributes:
        loop: on which it runs.
        reached: the last session was replayed; if not, the application has not connected so often.
    """

    loop: VirtualLoop

    def __init__(
        self,
        chain: Sequence[Staged],
        application: Application,
        patience: float,
        rules: Sequence[Invariant],
        *,
        is_cut: Callable[[], bool] = lambda: False,
        at_cut: Callable[[list[Failure]], object] = lambda failures: None,
    ) -> None:
        self._chain = chain
        self._application = application
        self._patience = patience
        self._rules = [CallsAnsweredOnce(patience) if rule == CallsAnsweredOnce() else rule for rule in rules]
        self._is_cut = is_cut
        self._at_cut = at_cut
        self._recorder: InMemory | None = None
        self._watch = Watch(self._rules)
        self._watched = (0, 0)  # so many sessions, and so many entries of the next
        self._alone = Watch(self._rules)  # of what is replayed, without the application
        self._looked_at: tuple[int, int | None] = (0, None)  # so many of these, entries of the next if begun
        self._found: list[Failure] | None = None  # where it was cut
        self.reached = False

    def failures(self) -> list[Failure]:
        """Replay it, on an event loop of its own; what went wrong in it, in order. Once."""
        model = replay_class(self._chain[0].draft.header.versions)
        recorder = self._recorder = _in_memory(recorder_class(model))("in memory")
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            played = run(self._play(model, recorder))
            recorder.close_blocking()
        return self._judged(played, ends=True) if self._found is None else self._found

    def follow(self) -> None:
        """Judge what was recorded by now."""
        assert self._recorder is not None, "it is replayed"
        watch, recorded = self._watch, self._recorder.grown()
        number, begun = self._watched
        for header, entries in recorded[number : number + 1]:
            if not begun:
                watch.begin(header)
            for entry in entries[begun:]:
                watch.add(entry)
            self._watched = (number, len(entries))

    def follow_alone(self) -> None:
        """Judge what is replayed, as far as it was given, without the application."""
        alone, last = self._alone, len(self._chain) - 1
        number, first = self._looked_at
        for at in range(number, last + 1):
            one = self._chain[at]
            if first is None:
                alone.begin(one.draft.header)
                first = 0
            for entry in one.given_from(first):
                alone.add(entry)
                first += 1
            if at < last:
                alone.end()
                first = None
        self._looked_at = (last, first)

    async def _play(self, model: type[ReplayBase], recorder: Recorder) -> Played:
        self.loop = cast("VirtualLoop", asyncio.get_running_loop())

        async def recorded(inner: RealtimeModel) -> None:
            await self._application(recorder.wrap(inner))

        async with Recording.of_staged(self._chain[0], name="a variation") as recording:
            settings = variation_settings(patience=self._patience)
            async with Play(recording, model=model, **settings) as play:
                play.transport.on_stop = functools.partial(self._stopped, play)
                await play.perform(recorded)
            played = play.played()
            self.reached = self._reached(played.report)
            return played

    def _reached(self, report: ReplayReport) -> bool:
        return self._chain[-1].draft.header.id in report.recordings

    def _stopped(self, play: Play, stop: Stop) -> None:
        """All was played that is given of a session, or the replay has failed."""
        if stop.reason == "ended" and self._reached(play.report) and self._is_cut():
            self._found = self._judged(play.played(), ends=False)
            self._at_cut(self._found)
            play.leave()

    def _is_received(self, one: Violation) -> bool:
        """Whether all that shows a violation was received."""
        assert self._recorder is not None, "it was replayed"
        (entries,) = (some for header, some in self._recorder.grown() if header.id == one.session)
        return all(entries[seq].kind == Kind.RECEIVED for seq in one.seqs)

    @property
    def _drafts(self) -> Sequence[Draft]:
        return [one.given for one in self._chain]

    def _judged(self, played: Played, *, ends: bool) -> list[Failure]:
        """What went wrong up to now.

        Args:
            ends: and nothing more comes.
        """
        assert self._recorder is not None, "it was replayed"
        drafts = self._drafts
        self.follow()
        sessions = len(self._recorder.grown())
        for number in range(self._watched[0], sessions):
            if ends or number < sessions - 1:
                self._watch.end()
                self._watched = (number + 1, 0)
                self.follow()
        violations = self._violations(drafts, ends=ends)
        told = {one.what for one in violations}
        unanswered = [one for one in _unanswered(drafts, played) if one.what not in told]
        return [*_of_play(played, self._patience), *unanswered, *violations]

    def _violations(self, drafts: Sequence[Draft], *, ends: bool) -> list[Failure]:
        """Rules that the application breaks in the replay, and the variation itself does not. What the
        provider and the model said comes from the variation: of that alone nobody is guilty."""
        said = {rule.name for rule in self._rules if not rule.by_omission()}
        broken = self._watch.findings().violations
        broken = [one for one in broken if one.invariant not in said or not self._is_received(one)]
        if not broken:
            return []
        alone = self._alone
        self.follow_alone()
        if ends:
            alone.end()
        without = {
            (one.invariant, one.summary)
            for one in alone.findings().violations
            if not any(_is_sent(drafts, one.session, seq) for seq in one.seqs)
        }
        return [
            Failure(one.invariant, str(one)) for one in broken if (one.invariant, one.summary) not in without
        ]


def recorded_replay(
    drafts: Sequence[Draft], application: Application, **options: Unpack[ReplayOptions]
) -> tuple[Played, list[Draft]]:
    """Replay sessions into an application, on an event loop of its own, and record that, in memory; without
    digests.

    Args:
        drafts: of one model object, in order.
        options: of the replay.
    """
    recorder = _in_memory(recorder_class(replay_class(drafts[0].header.versions)))("in memory")
    played = run(_observe(drafts, application, recorder, options))
    recorder.close_blocking()
    return played, recorder.drafts()


@functools.cache
def _in_memory(recorder: type[Recorder]) -> Callable[[str], InMemory]:
    return cast("Any", type("InMemoryRecorder", (InMemory, recorder), {}))


def tool_seconds(recording: Recording | Sequence[Draft]) -> dict[str, float]:
    """How long each tool call of a session took, in seconds, by its `call_id`: for an application whose tools
    are to take as long as in a variation, where another one may be the quicker. Blocking.

    Raises:
        CorruptRecordError: it cannot be read.
    """
    drafts = recording.drafts() if isinstance(recording, Recording) else recording
    calls = ToolCalls()
    for draft in drafts:
        for entry in draft.entries:
            calls.read(entry)
    return {call.call_id: call.seconds for call in calls.calls()}


class UnsoundError(RealtapeError, AssertionError):
    """What an application does in a replay breaks a rule, or it raises, or it does not return.

    Attributes:
        failures: all that went wrong, in order.
    """

    def __init__(self, failures: list[Failure]) -> None:
        super().__init__(failures)
        self.failures = failures

    def __str__(self) -> str:
        return "\n".join(f"{one.what}: {one.text}" for one in self.failures)


def assert_sound(
    recording: Recording | StoreLocation,
    application: Application,
    *,
    patience: float = PATIENCE_SECONDS,
    rules: Sequence[Invariant] = ALL,
) -> None:
    """Replay a recording into an application as a world that could have happened, and hold what it does
    against the rules that every sound application keeps (`lab/invariants`). It need not do what the
    recorded one did. Runs on an event loop of its own.

    Args:
        recording: or where one is; also `variations()` of one, and what a sweep has kept.
        application: `async def app(model): ...`
        patience: virtual seconds for which the application is awaited.
        rules: that a sound application keeps; `(*ALL, MyRule())` with one of your own.

    Raises:
        UnsoundError: an AssertionError that says what is wrong.
        StoreError, CorruptRecordError: the recording cannot be read.
    """
    if not isinstance(recording, Recording):
        recording = asyncio.run(Recording.open(recording))
    failures = observe(recording.drafts(), application, patience, rules)
    if failures:
        raise UnsoundError(failures)


async def _observe(
    drafts: Sequence[Draft], application: Application, recorder: Recorder, options: ReplayOptions
) -> Played:
    async def recorded(model: RealtimeModel) -> None:
        await application(recorder.wrap(model))

    async with Recording.of(*drafts, name="a variation") as recording:
        return await replay(recording, recorded, model=replay_class(recording.header.versions), **options)


def _of_play(played: Played, patience: float) -> list[Failure]:
    cause, ending = played.failure, played.ending
    if cause is not None:
        what = f"the application raised {type(cause).__name__}"
        return [Failure(what, "".join(traceback.format_exception_only(cause)).strip())]
    if ending == "cancelled" and played.waited is not None:
        text = f"the session is over, and it did not return within {patience:g} s"
        return [Failure("the application got stuck", text)]
    if ending == "stuck":
        return [Failure("the application got stuck", played.waited or "")]
    if not played.connected:
        return [Failure("the application never connected", "it returned without connecting")]
    return []


def _unanswered(drafts: Sequence[Draft], played: Played) -> list[Failure]:
    """Answers to tool calls that were waited for until nothing was left that could bring them. The rule
    itself would have to wait for as long as tools may take, and the session may be over before."""
    return [
        Failure(CallsAnsweredOnce.name, f"the answer of #{one.seq} never came: {one.actual}")
        for one in played.report.divergences
        if one.kind == "missing" and one.seq is not None and _is_answer(drafts, one.session, one.seq)
    ]


def _is_answer(drafts: Sequence[Draft], session: str, seq: int) -> bool:
    found = (draft.entries[seq] for draft in drafts if draft.header.id == session)
    return any(answers_call(entry) is not None for entry in found)


def _is_sent(drafts: Sequence[Draft], session: str, seq: int) -> bool:
    return any(one.header.id == session and one.entries[seq].kind == Kind.SENT for one in drafts)
