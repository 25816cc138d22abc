"""`realtape replay`: a recording against an application, or against itself."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, cast

import typer
from rich.text import Text

from ..replay import DivergenceError, ReplayReport
from ..replay.model import STUCK_AFTER_SECONDS, ReplayBase
from ..replay.responder import Responder
from ..replay.watched import WatchedRecording
from ..schema import Status
from . import output
from .applications import Application, ApplicationError, load_application, traceback_of
from .exits import Exit
from .models import replay_model
from .progress import Progress
from .targets import Target, parse_target

LOOK_SECONDS = 0.05
"""How often we look whether an application goes on after the recording's end."""

GRACE_SECONDS = 1.0
"""For an application to return after a divergence: often nobody told it, because its task swallowed
what the send raised."""

MAX_ROUNDS = 10
"""How often tasks that are left are cancelled: some start others when they are."""


class Expect(StrEnum):
    """Which recorded calls must come again."""

    REACTIONS = "reactions"
    ALL = "all"
    NONE = "none"


@dataclass(frozen=True)
class Wish:
    """What the user asked for.

    Attributes:
        application: None to answer from the recording itself.
        collect: go on after a divergence.
        stuck_after: wall seconds.
    """

    target: Target
    application: Application | None
    expect: Expect
    collect: bool
    stuck_after: float


def replay(
    target: Annotated[
        str, typer.Argument(metavar="STORE[#SESSION]", help="The recording; without #, the newest.")
    ],
    app: Annotated[
        str | None,
        typer.Option(
            metavar="MODULE:CALLABLE",
            help="The application, `async def app(model): ...`; from this folder, or installed.",
        ),
    ] = None,
    expect: Annotated[
        Expect,
        typer.Option(help="Which recorded sends must come again: those that answer something, all, or none."),
    ] = Expect.REACTIONS,
    collect: Annotated[
        bool, typer.Option("--collect", help="Report every divergence instead of ending at the first.")
    ] = False,
    stuck_after: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            min=0.001,
            help="After so long without progress, what is waited for is missing.",
        ),
    ] = STUCK_AFTER_SECONDS,
    interactive: Annotated[
        bool,
        typer.Option("--interactive", help="Run, pause, step and seek at a prompt; `help` there tells how."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> int:
    """Replay a recording into an application.

    Reports where the application does what the recording does not hold. Without --app the recording
    is answered with the answers that it holds itself.
    """
    words = parse_target(target)
    # What an application prints is no part of a report that a program reads.
    aside = contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext()
    try:
        with aside:
            application = None if app is None else load_application(app)
            wish = Wish(words, application, expect, collect, stuck_after)
            if interactive:
                from .interactive_run import interact  # which needs this module

                played = interact(wish)
            else:
                played = asyncio.run(_replay(wish))
    except ApplicationError as error:
        sys.stderr.write(traceback_of(error))
        return Exit.DIVERGED
    played.print(as_json)
    return played.exit


@dataclass(frozen=True)
class Played:
    """What came of a replay.

    Attributes:
        lacks: what the recording itself lacks, so that "same" does not say everything.
        failure: the application raised.
    """

    report: ReplayReport
    lacks: tuple[str, ...]
    failure: ApplicationError | None

    @property
    def exit(self) -> Exit:
        """The verdict as an exit code."""
        if self.report.diverged or self.failure is not None or not self.report.recordings:
            return Exit.DIVERGED
        return Exit.INCOMPLETE if self.lacks or self.report.gaps else Exit.SAME

    def print(self, as_json: bool) -> None:
        """The report on stdout, and on stderr what is not the report's."""
        if as_json:
            output.put_json(self.report.as_json(), indent=2)
        else:
            _print_report(self.report)
        sys.stdout.flush()
        if self.failure is not None:
            sys.stderr.write(traceback_of(self.failure))
        elif not self.report.recordings:
            output.note("the application returned without connecting; call `await model.connect(...)` in it")
        for lack in self.lacks:
            output.note(lack)


def _print_report(report: ReplayReport) -> None:
    text = Text(str(report))
    if report.diverged:
        text.stylize("bold red", 0, len("diverged"))
    elif report.finished:
        text.stylize("bold green", 0, len("same"))
    console = output.console(sys.stdout)
    if console.is_terminal:
        console.print(text, soft_wrap=True)
    else:
        output.put(text.plain)


async def _replay(wish: Wish) -> Played:
    recording = await WatchedRecording.open(wish.target.store, wish.target.session)
    try:
        model = replay_model(recording.header.versions, output.note)(
            recording,
            expect=wish.expect.value,
            on_divergence="collect" if wish.collect else "raise",
            stuck_after=wish.stuck_after,
        )
        failure: ApplicationError | None = None
        with Progress(recording, "replaying"):
            try:
                await _play(wish, model, recording)
            except DivergenceError:
                pass  # it is in the report
            except ApplicationError as error:
                failure = None if is_divergence(error.__cause__) else error
        return Played(model.report, tuple(lacks_of(recording)), failure)
    finally:
        await end_tasks()
        await recording.latest.close()
        await recording.close()


async def _play(wish: Wish, model: ReplayBase, recording: WatchedRecording) -> None:
    if wish.application is None:
        await Responder(model, recording, wish.expect.value).run()
        return
    await recording.while_readable(_play_into(wish.application, wish, model, recording))


async def _play_into(
    application: Application, wish: Wish, model: ReplayBase, recording: WatchedRecording
) -> None:
    """Run the application; what it leaves unplayed when it returns is played to the end."""
    running = asyncio.get_running_loop().create_task(call(application, model))
    try:
        await _wait_for(running, model, recording, patience=wish.stuck_after, raises=not wish.collect)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    if not running.cancelled():
        running.result()
    if model.report.recordings and not recording.latest.closed:
        await model.finished()


async def call(application: Application, model: ReplayBase) -> None:
    try:
        await application(model)
    except (asyncio.CancelledError, KeyboardInterrupt):
        raise
    except BaseException as error:  # `sys.exit()` too: here it ends the application only
        raise ApplicationError from error


async def _wait_for(
    running: asyncio.Task[None],
    model: ReplayBase,
    recording: WatchedRecording,
    *,
    patience: float,
    raises: bool,
) -> None:
    """Until the application returns; but not for ever after the recording's end, if it holds on to
    the model and waits for what nobody recorded."""
    clock = asyncio.get_running_loop().time
    before: object = None
    since = clock()
    while not running.done():
        await asyncio.wait({running}, timeout=LOOK_SECONDS)
        report = model.report
        now = (len(report.recordings), report.delivered, report.matched, len(report.divergences))
        failed = raises and report.diverged
        if now != before or recording.latest.closed or not (report.finished or failed):
            before, since = now, clock()
        elif failed and clock() - since >= min(patience, GRACE_SECONDS):
            return
        elif clock() - since >= patience:
            output.note(
                f"the recording is over, and the application did not return within {patience:g} s: cancelled"
            )
            return


async def end_tasks() -> None:
    """Cancel what the application, or an interrupted replay, has left running."""
    mine = asyncio.current_task()
    for _ in range(MAX_ROUNDS):
        left = asyncio.all_tasks() - {mine}
        if not left:
            return
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=GRACE_SECONDS)


def is_divergence(error: BaseException | None, depth: int = 0) -> bool:
    """Whether an application's exception is the replay's own, or comes of it."""
    if error is None or depth > 10:
        return False
    if isinstance(error, DivergenceError):
        return True
    inner: list[BaseException | None] = [error.__cause__, error.__context__]
    if isinstance(error, BaseExceptionGroup):
        inner += cast("BaseExceptionGroup[BaseException]", error).exceptions
    return any(is_divergence(one, depth + 1) for one in inner)


def lacks_of(recording: WatchedRecording) -> list[str]:
    lacks: list[str] = []
    one: WatchedRecording | None = recording
    while one is not None:
        if one.status is Status.INTERRUPTED:
            lacks.append(f"session {one.header.id} was interrupted: its process died, and its end is missing")
        elif one.status is Status.RECORDING:
            lacks.append(f"session {one.header.id} is still being recorded: what came so far was replayed")
        one = one.successor
    return lacks
