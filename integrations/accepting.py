"""A change of an application is accepted: its replay is recorded, and becomes its side of the recording.

The layers keep replay and recorder apart; here both are. What the user did when the recording was made, and
nobody does in a replay, is done in his place (`UserStandIn`), through the recorder: so it is in the new
recording, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import dataclasses
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack, cast

from ..lab import OVER, Acceptance, accepted
from ..recorder import Recorder
from ..replay import Application, Play, Played, RecordedCall, ReplayBase, ReplayOptions, replay, run
from ..schema import Kind, UsageError
from ..schema.log import fetch_sessions, open_blocking
from ..session import Draft, Recording, read_drafts
from ..session.redaction import Redaction, replaced
from ..session.words import line
from .classes import recorder_class, replay_class


@dataclass(frozen=True)
class Change:
    """What an application does otherwise than when it was recorded, and the recording in which it does.

    Attributes:
        played: the replay of the recording into the application of today.
        acceptance: the new recording.
        assumed: calls of unknown origin that nobody made, and that were taken for the user's.
    """

    played: Played
    acceptance: Acceptance
    assumed: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Whether there is anything to accept."""
        report = self.played.report
        return report.diverged or bool(report.changes or report.heard or report.unreported)

    @property
    def text(self) -> str:
        """What is otherwise, what the provider would perhaps have done otherwise, and what was taken for
        granted."""
        lines = [self.played.report.told(), ""]
        lines += [f"stays: {one}" for one in self.acceptance.stays]
        if self.acceptance.echoes:
            count = self.acceptance.echoes
            lines.append(
                f"rewritten: {count} {'message' if count == 1 else 'messages'} in which the provider says "
                "again what the application sent"
            )
        lines += [
            f"taken for the user's: {one}; if the application made it, learn first: realtape learn"
            for one in self.assumed
        ]
        return "\n".join(lines)


def change_of(
    drafts: Sequence[Draft], application: Application, name: str, **options: Unpack[ReplayOptions]
) -> Change:
    """Replay a recording into an application, on virtual time, and record what it does now.

    Args:
        drafts: the sessions of one model object, in order.
        name: of the application, for the header.
        options: of the replay; divergences are collected.

    Raises:
        UsageError: the recording is not whole, the application fails, or does not do the same twice.
    """
    _require_whole(drafts)
    with tempfile.TemporaryDirectory(prefix="realtape-accept-") as folder:
        store = Path(folder) / "log.db"
        played, assumed, replayed = run(_recorded(drafts, application, store, options))
    if played.failure is not None or played.ending == "stuck" or not played.connected:
        raise UsageError(f"{name} fails in it, and so there is nothing to accept: {played.problem}")
    acceptance = accepted(drafts, replayed, name)
    change = Change(played, acceptance, assumed)
    if change.differs:
        again = run(_again(acceptance.drafts, application, options))
        if again.verdict not in ("same", "incomplete"):
            raise UsageError(
                f"in what would be the new recording {name} does not do the same again, and nothing was "
                f"accepted: {again.problem}; let a matcher leave out what differs from run to run"
            )
    return change


def accepted_replay(drafts: Sequence[Draft], recorded: RecordedReplay, played: Played, name: str) -> Change:
    """The change that a replay has shown which somebody else has played, such as a test.

    Args:
        drafts: of what was replayed.
        recorded: the model that the application had.
        name: of the application, for the header.

    Raises:
        UsageError: the recording is not whole, or what was done cannot be one.
    """
    _require_whole(drafts)
    change = Change(played, accepted(drafts, recorded.drafts(), name), tuple(recorded.user.assumed))
    if change.differs:
        again = run(_again(change.acceptance.drafts, None, {}))
        if again.verdict not in ("same", "incomplete"):
            raise UsageError(
                f"what would be the new recording does not replay ({again.problem}): please report it"
            )
    return change


def _require_whole(drafts: Sequence[Draft]) -> None:
    """A recording that lacks something would lose that it does.

    Raises:
        UsageError: it does.
    """
    for draft in drafts:
        if draft.status in ("interrupted", "recording"):
            raise UsageError(
                f"session {draft.header.id} has no end ({draft.status}): accept whole recordings"
            )
        gap = next((one for one in draft.entries if one.kind == Kind.GAP), None)
        if gap is not None:
            raise UsageError(
                f"session {draft.header.id} has a gap at #{gap.seq}: trim it, or record anew; what was lost "
                "cannot be accepted"
            )


def redacted_again(drafts: Sequence[Draft], **options: Any) -> list[Draft]:
    """The accepted sessions of a recording that was redacted: what the application sends now also is.
    Their headers go on saying what they were made of.

    Args:
        options: arguments of `redacted`.

    Raises:
        UsageError: something was taken out that nobody looks for now.
    """
    made = replaced(drafts, **options)
    _require_sought(drafts, made.values)
    found: list[Draft] = []
    for one, clean in zip(drafts, made.drafts, strict=True):
        before, now = (Redaction.told_by(draft.header.source) for draft in (one, clean))
        source = one.header.source
        source = f"{source}, {now}" if before is None else source.replace(str(before), str(now))
        header = dataclasses.replace(
            clean.header, id=one.header.id, previous_session=one.header.previous_session, source=source
        )
        found.append(dataclasses.replace(clean, header=header).sealed())
    return found


def _require_sought(drafts: Sequence[Draft], sought: Collection[str]) -> None:
    """Words and patterns of one's own are not in a recording that was redacted with them.

    Raises:
        UsageError: some are not given again.
    """
    for draft in drafts:
        before = Redaction.told_by(draft.header.source)
        if before is None:
            continue
        lost = [f"{kind} {count}" for kind, count in before.counts.items() if count and kind not in sought]
        if lost:
            raise UsageError(
                f"session {draft.header.id} was redacted of what nobody looks for now ({', '.join(lost)}), "
                "and what the application sends may hold it: give words and patterns again (--word, "
                "--pattern, or in [tool.realtape])"
            )


class UserStandIn:
    """Makes in a replay what the user did when it was recorded, where nobody does.

    Args:
        model: that replays; this connects itself to it.
        through: the model to which it is done: what is around that one.
        closes: False: he does not hang up; the replay ends there.
    """

    def __init__(self, model: ReplayBase, through: Any, *, closes: bool = True) -> None:
        self._closes = closes
        self._model = model
        self.assumed: list[str] = []
        self._through = through
        self._tasks: set[asyncio.Task[None]] = set()
        model.stand_in = self._make

    async def end(self) -> None:
        """Make nothing more. What a call raised is the replay's to tell."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _make(self, call: RecordedCall) -> None:
        if call.step.kind == Kind.CLOSE and not self._closes:
            return
        if call.unknown:
            sessions = len(self._model.report.recordings)
            where = f" (in session {sessions})" if sessions > 1 else ""
            self.assumed.append(f"{line(call.step.entry)}{where}")
        loop = asyncio.get_running_loop()  # in a context of its own: nothing of the application's caused it
        task = loop.create_task(self._call(call), context=contextvars.Context())
        self._tasks.add(task)

    async def _call(self, call: RecordedCall) -> None:
        entry, end = call.step.entry, call.end
        cancelled = end is not None and end.outcome.how == "cancelled"
        limit = (end.entry.at_ns - entry.at_ns) / 1e9 if cancelled and end is not None else None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit):
                if entry.kind == Kind.CLOSE:
                    await self._through.close()
                elif entry.method == "send_event_if":
                    agrees = end is None or end.outcome.how != "withheld"
                    await self._through.send_event_if(call.step.value, lambda: agrees)
                else:
                    await self._through.send_event(call.step.value)


class RecordedReplay:
    """A model that replays a recording, and is recorded, up to where the recording is over. Close its
    recorder.

    Args:
        play: of the recording; nothing has connected to it yet.
        store: a new one.
        closes: as of `UserStandIn`.

    Attributes:
        model: for the application.
        user: stands in for the user.
    """

    def __init__(
        self, play: Play, store: Path, redactors: Sequence[Any] = (), *, closes: bool = True
    ) -> None:
        self.store = store
        self.recorder: Recorder = recorder_class(cast("type[Any]", type(play.model)))(
            store, redactors=redactors
        )
        self.model: Any = self.recorder.wrap(play.model)
        self.user = UserStandIn(play.model, self.model, closes=closes)
        play.transport.on_stop = lambda stop: self.recorder.mark(OVER)

    def drafts(self) -> list[Draft]:
        """What was recorded, in order; the recorder is closed."""
        self.recorder.close_blocking()
        if not self.store.exists():
            return []
        with open_blocking(self.recorder.address) as connection:
            sessions = fetch_sessions(connection)
        return read_drafts(self.recorder.address, sessions[0].header.id) if sessions else []


async def _recorded(
    drafts: Sequence[Draft], application: Application, store: Path, options: ReplayOptions
) -> tuple[Played, tuple[str, ...], list[Draft]]:
    async with Recording.of(*drafts, name="what is to be accepted") as recording:
        model = replay_class(recording.header.versions)
        told: ReplayOptions = {**options, "on_divergence": "collect", "at_end": "hold"}
        async with Play(recording, model=model, **told) as play:
            recorded = RecordedReplay(play, store, options.get("redactors", ()))
            try:
                await play.perform(lambda _: application(recorded.model))
            finally:
                await recorded.user.end()
        return play.played(), tuple(recorded.user.assumed), recorded.drafts()


async def _again(drafts: Sequence[Draft], application: Application | None, options: ReplayOptions) -> Played:
    async with Recording.of(*drafts, name="what was accepted") as recording:
        told: ReplayOptions = {**options, "on_divergence": "collect"}
        return await replay(recording, application, model=replay_class(recording.header.versions), **told)
