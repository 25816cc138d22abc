"""A variation replayed into an application that is observed: what it did, and whether that is sound.

The layers keep replay and recorder apart; here, above both, the replay is recorded, into a store that is
thrown away: so the rules see what they see of any recording, and no second observer has to be right.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path

from ..lab import PATIENCE_SECONDS, variation_settings
from ..lab.invariants import ALL, CallsAnsweredOnce, check
from ..recorder import Recorder
from ..replay import Application, Played, replay, run
from ..schema import Kind, RealtapeError, RealtimeModel
from ..schema.log import StoreLocation, fetch_sessions, open_blocking
from ..session import Draft, Recording, read_drafts
from .classes import recorder_class, replay_class

REPLAYS_IN_A_STORE = 64


@dataclass(frozen=True)
class Failure:
    """Something that went wrong in one replay.

    Attributes:
        what: in a few words, the same for all that are of one kind.
        text: what exactly.
    """

    what: str
    text: str


class Observer:
    """Replays variations, one after another; what they came to is recorded into one store for many of
    them, since making a store takes longer than a short replay. Close it."""

    def __init__(self) -> None:
        self._recorder: Recorder | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._replays = self._seen = 0

    def observe(
        self, drafts: list[Draft], application: Application, patience: float = PATIENCE_SECONDS
    ) -> list[Failure]:
        """Replay a variation, on an event loop of its own; what went wrong in it, in order.

        What the application prints goes nowhere. What the variation shows without it, is none of its doing.

        Args:
            drafts: the session, and those that followed it on the same model object.
            patience: virtual seconds for which the application is awaited.
        """
        if self._replays % REPLAYS_IN_A_STORE == 0:
            self.close()
        self._replays += 1
        printed = io.StringIO()
        recorder = self._recorder_for(drafts[0])
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            played = run(_observe(drafts, application, patience, recorder))
        violations = _violations(drafts, self._recorded(recorder), patience)
        told = {one.what for one in violations}
        unanswered = [one for one in _unanswered(drafts, played) if one.what not in told]
        return [*_of_play(played, patience), *unanswered, *violations]

    def close(self) -> None:
        """Throw away what was recorded."""
        if self._recorder is not None:
            self._recorder.close_blocking()
        if self._folder is not None:
            self._folder.cleanup()
        self._recorder = self._folder = None
        self._seen = 0

    def _recorder_for(self, draft: Draft) -> Recorder:
        if self._recorder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="realtape-sweep-")
            kind = recorder_class(replay_class(draft.header.versions))
            self._recorder = kind(Path(self._folder.name) / "log.db")
        return self._recorder

    def _recorded(self, recorder: Recorder) -> list[Draft]:
        """What the last replay came to, in order."""
        if recorder.address.path is None or not recorder.address.path.exists():  # nothing ever connected
            return []
        with open_blocking(recorder.address) as connection:
            sessions = fetch_sessions(connection)
        new, self._seen = sessions[self._seen :], len(sessions)
        return read_drafts(recorder.address, new[0].header.id) if new else []


def observe(
    drafts: list[Draft], application: Application, patience: float = PATIENCE_SECONDS
) -> list[Failure]:
    """`Observer.observe`, once."""
    observer = Observer()
    try:
        return observer.observe(drafts, application, patience)
    finally:
        observer.close()


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
    recording: Recording | StoreLocation, application: Application, *, patience: float = PATIENCE_SECONDS
) -> None:
    """Replay a recording into an application as a world that could have happened, and hold what it does
    against the rules that every sound application keeps (`lab/invariants`). It need not do what the
    recorded one did. Runs on an event loop of its own.

    Args:
        recording: or where one is; also `variations()` of one, and what a sweep has kept.
        application: `async def app(model): ...`
        patience: virtual seconds for which the application is awaited.

    Raises:
        UnsoundError: an AssertionError that says what is wrong.
        StoreError, CorruptRecordError: the recording cannot be read.
    """
    if not isinstance(recording, Recording):
        recording = asyncio.run(Recording.open(recording))
    failures = observe(recording.drafts(), application, patience)
    if failures:
        raise UnsoundError(failures)


async def _observe(
    drafts: list[Draft], application: Application, patience: float, recorder: Recorder
) -> Played:
    async def recorded(model: RealtimeModel) -> None:
        await application(recorder.wrap(model))

    async with Recording.of(*drafts, name="a variation") as recording:
        model = replay_class(recording.header.versions)
        played = await replay(recording, recorded, model=model, **variation_settings(patience=patience))
    await recorder.flush()
    return played


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


def _unanswered(drafts: list[Draft], played: Played) -> list[Failure]:
    """Answers to tool calls that were waited for until nothing was left that could bring them. The rule
    itself would have to wait for as long as tools may take, and the session may be over before."""
    return [
        Failure(CallsAnsweredOnce.name, f"the answer of #{one.seq} never came: {one.actual}")
        for one in played.report.divergences
        if one.kind == "missing" and one.seq is not None and _is_answer(drafts, one.seq)
    ]


def _is_answer(drafts: list[Draft], seq: int) -> bool:
    entries = [draft.entries[seq] for draft in drafts if seq < len(draft.entries)]
    return any(entry.kind == Kind.SENT and entry.type == "send_tool_output" for entry in entries)


def _violations(drafts: list[Draft], made: list[Draft], patience: float) -> list[Failure]:
    """Rules that the replay breaks, and the variation itself does not."""
    rules = [CallsAnsweredOnce(patience) if isinstance(rule, CallsAnsweredOnce) else rule for rule in ALL]
    broken = check(made, rules).violations
    if not broken:
        return []
    without = {
        (one.invariant, one.summary)
        for one in check(drafts, rules).violations
        if not any(_is_sent(drafts, one.session, seq) for seq in one.seqs)
    }
    return [Failure(one.invariant, str(one)) for one in broken if (one.invariant, one.summary) not in without]


def _is_sent(drafts: list[Draft], session: str, seq: int) -> bool:
    return any(one.header.id == session and one.entries[seq].kind == Kind.SENT for one in drafts)
