"""A recording played into an application, on virtual time: what `replay`, its prompt and `check` share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from ..integrations.playing import Application, ApplicationError, Holding, call, end_tasks, is_divergence
from ..replay import DivergenceError, ReplayReport, StuckLoopError, VirtualLoop, run
from ..replay.control.transport import Transport
from ..replay.matching.matching import Expectation
from ..replay.model import PATIENCE_SECONDS, ReplayBase
from ..replay.responder import Responder
from ..replay.watched import WatchedRecording
from ..schema import Status
from . import output
from .exits import Exit
from .models import replay_model
from .targets import Target


@dataclass(frozen=True)
class Wish:
    """What is to be replayed, and how.

    Attributes:
        application: None to answer from the recording itself.
        collect: go on after a divergence.
        patience: virtual seconds after which what has not come, or has not returned, will not.
        pace: how many times faster than it happened; None: as fast as can be.
    """

    target: Target
    application: Application | None = None
    expect: Expectation = "reactions"
    collect: bool = False
    patience: float = PATIENCE_SECONDS
    pace: float | None = None


@dataclass(frozen=True)
class Played:
    """What came of a replay.

    Attributes:
        lacks: what the recording itself lacks, so that "same" does not say everything.
        failure: the application raised.
        stuck: it waits for what will never happen: the sentence that says so.
    """

    report: ReplayReport
    lacks: tuple[str, ...] = ()
    failure: ApplicationError | None = None
    stuck: str | None = None

    @property
    def exit(self) -> Exit:
        """The verdict as an exit code."""
        failed = self.failure is not None or self.stuck is not None
        if self.report.diverged or failed or not self.report.recordings:
            return Exit.DIVERGED
        return Exit.INCOMPLETE if self.lacks or self.report.gaps else Exit.SAME


@dataclass
class Stage:
    """Where a replay is played: what is left of it, however it ends.

    Attributes:
        on_recording: called with the recording once it is open.
        on_transport: called with the transport before the application has the model.
    """

    on_recording: Callable[[WatchedRecording], object] | None = None
    on_transport: Callable[[Transport], object] | None = None
    recording: WatchedRecording | None = None
    model: ReplayBase | None = None
    failure: ApplicationError | None = None
    left: asyncio.Event = field(default_factory=asyncio.Event)

    def leave(self) -> None:
        """End it where it is."""
        self.left.set()

    def unreadable(self) -> Exception | None:
        """Why the recording cannot be read any further, once the replay has come there."""
        return None if self.recording is None else self.recording.unreadable

    def played(self, stuck: str | None = None) -> Played:
        """What came of it."""
        assert self.model is not None
        assert self.recording is not None
        return Played(self.model.report, tuple(lacks_of(self.recording)), self.failure, stuck)


def play(wish: Wish, stage: Stage | None = None) -> Played:
    """Replay on an event loop of its own.

    Raises:
        StoreError, CorruptRecordError: the recording cannot be read.
        UsageError: it cannot be replayed.
    """
    stage = stage or Stage()
    try:
        run(_play(wish, stage), pace=wish.pace)
    except StuckLoopError as error:
        if stage.model is None:
            raise
        return stage.played(str(error))
    return stage.played()


async def _play(wish: Wish, stage: Stage) -> None:
    recording = stage.recording = await WatchedRecording.open(wish.target.store, wish.target.session)
    try:
        model = stage.model = replay_model(recording.header.versions, output.note)(
            recording,
            expect=wish.expect,
            on_divergence="collect" if wish.collect else "raise",
            patience=wish.patience,
        )
        if stage.on_recording is not None:
            stage.on_recording(recording)
        if stage.on_transport is not None:
            stage.on_transport(model.transport)
        try:
            await _perform(wish, stage, model, recording)
        except DivergenceError:
            pass  # it is in the report
        except ApplicationError as error:
            stage.failure = None if is_divergence(error.__cause__) else error
    finally:
        await end_tasks()
        await recording.latest.close()
        await recording.close()


async def _perform(wish: Wish, stage: Stage, model: ReplayBase, recording: WatchedRecording) -> None:
    """Until the application has returned, does not return any more, or the user leaves."""
    loop = cast("VirtualLoop", asyncio.get_running_loop())
    running = loop.create_task(_perform_alone(wish, model, recording))
    leaving = loop.create_task(stage.left.wait())
    holding = Holding(loop, model, running, wish.patience, tell=output.note)
    loop.idlers.append(holding)
    try:
        await asyncio.wait({running, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        loop.idlers.remove(holding)
        if stage.left.is_set():
            await model.abandon()
        for task in (running, leaving):
            task.cancel()
        await asyncio.gather(running, leaving, return_exceptions=True)
    if not running.cancelled() and not stage.left.is_set():  # whoever leaves does not ask how it ended
        running.result()


async def _perform_alone(wish: Wish, model: ReplayBase, recording: WatchedRecording) -> None:
    if wish.application is None:
        await Responder(model, recording, wish.expect).run()
    else:
        await recording.while_readable(call(wish.application, model))
    if model.failed or (model.report.recordings and not recording.latest.closed):
        await model.finished()  # what the application has not played when it returns, or has not cared for


def lacks_of(recording: WatchedRecording) -> list[str]:
    """What the recordings that were played lack, each in a sentence."""
    lacks: list[str] = []
    one: WatchedRecording | None = recording
    while one is not None:
        if one.status is Status.INTERRUPTED:
            lacks.append(f"session {one.header.id} was interrupted: its process died, and its end is missing")
        elif one.status is Status.RECORDING:
            lacks.append(f"session {one.header.id} is still being recorded: what came so far was replayed")
        one = one.successor
    return lacks
