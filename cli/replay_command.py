"""`realtape replay`: a recording against an application, or against itself."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ..replay import PATIENCE_SECONDS, Play, Played
from ..schema import UsageError
from ..session import Draft, Target, parse_target
from . import output, play_options
from .derived import put_page, read_chain, refuse_existing
from .exit_codes import Exit
from .fault_options import FaultOption, SeedOption, faults_in
from .progress import Progress
from .prompt import interact
from .user_code import ApplicationError, load_application, traceback_of
from .wish import Wish, exit_of_played, expectation_of, play


def replay(
    target: play_options.OneRecording,
    app: Annotated[
        str | None,
        typer.Option(
            metavar="MODULE:CALLABLE",
            help="The application, `async def app(model): ...`; from this folder, or installed.",
        ),
    ] = None,
    expect: play_options.Expect = None,
    matchers: play_options.Matchers = None,
    client_ids: play_options.ClientIds = None,
    audio: play_options.Audio = "bytes",
    playback: play_options.Playback = "tolerant",
    playback_ms: play_options.PlaybackMs = None,
    depth: play_options.Depth = "auto",
    fault: FaultOption = None,
    fault_seed: SeedOption = 0,
    redactor: play_options.Redactors = None,
    clocks: play_options.Clocks = False,
    strict: play_options.Strict = False,
    origins: play_options.OriginsFile = None,
    collect: Annotated[
        bool, typer.Option("--collect", help="Report every divergence instead of ending at the first.")
    ] = False,
    stuck_after: play_options.StuckAfter = PATIENCE_SECONDS,
    pace: Annotated[
        float | None,
        typer.Option(
            metavar="FACTOR",
            min=0.001,
            help="How many times faster than it happened; without it, as fast as can be.",
        ),
    ] = None,
    interactive: Annotated[
        bool,
        typer.Option("--interactive", help="Run, pause, step and seek at a prompt; `help` there tells how."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    as_html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write a page, too: the recording beside its replay."),
    ] = None,
    no_redact: Annotated[bool, typer.Option("--no-redact", help="Redact nothing on the page.")] = False,
) -> int:
    """Replay a recording into an application.

    Reports where the application does what the recording does not hold. Without --app the recording
    is answered with the answers that it holds itself.
    """
    words = parse_target(target)
    kept: list[Draft] = []
    if interactive and depth == "wire":
        raise UsageError(
            "--interactive holds and seeks at the interface: leave out --depth, or --interactive"
        )
    if as_html is not None:
        if app is None or interactive:
            raise UsageError("--html shows what an application does: give --app, and leave out --interactive")
        refuse_existing(as_html)
    # What an application prints is no part of a report that a program reads.
    aside = contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext()
    try:
        with aside:
            application = None if app is None else load_application(app)
            wish = Wish(
                words,
                application,
                expectation_of(expect or ()),
                collect,
                stuck_after,
                pace,
                strict,
                matchers=matchers,
                client_ids=client_ids,
                audio=audio,
                playback=playback,
                playback_ms=playback_ms,
                redactors=tuple(redactor or ()),
                clocks=clocks,
                origins=origins,
                depth="interface" if interactive and depth == "auto" else depth,
                faults=tuple(faults_in(fault)) if fault else (),
                fault_seed=fault_seed,
            )
            played = interact(wish) if interactive else _play(wish, None if as_html is None else kept)
    except ApplicationError as error:
        output.put_error(traceback_of(error.cause))
        return Exit.DIVERGED
    _print(played, as_json)
    if as_html is not None:
        _put_page(as_html, words, kept, played, redact=not no_redact)
    return exit_of_played(played)


def _put_page(path: Path, words: Target, kept: list[Draft], played: Played, *, redact: bool) -> None:
    if not kept:
        output.note(f"the application never connected: {path} was not written")
        return
    recorded = read_chain(words)
    put_page(recorded, kept, path, words, redact=redact, places=played.report.places)


def _play(wish: Wish, kept: list[Draft] | None) -> Played:
    with contextlib.ExitStack() as stack:

        def show(play: Play) -> None:
            stack.enter_context(Progress(lambda: play.read, "replaying"))

        return play(wish, show, kept)


def _print(played: Played, as_json: bool) -> None:
    """The report on stdout, and on stderr what is not the report's."""
    if as_json:
        output.put_json(played.as_json(), indent=2)
    else:
        _print_report(played)
    sys.stdout.flush()
    if (raised := played.failure or played.handled) is not None:
        output.put_error(traceback_of(raised))
    elif played.waited is not None and played.ending != "cancelled":  # else it was told when that was seen
        output.note(played.waited)
    elif not played.connected:
        output.note("the application returned without connecting; call `await model.connect(...)` in it")
    for lack in played.lacks:
        output.note(lack)


def _print_report(played: Played) -> None:
    text = Text(played.text)
    if played.verdict in ("diverged", "failed"):
        text.stylize("bold red", 0, len(played.verdict))
    elif played.report.finished:
        text.stylize("bold green", 0, len("same"))
    console = output.console(sys.stdout)
    if console.is_terminal:
        console.print(text, soft_wrap=True)
    else:
        output.put(text.plain)
