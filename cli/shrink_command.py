"""`realtape shrink`: the smallest recording for which a command still fails."""

from __future__ import annotations

import os
import shlex
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ..lab import Hunt, Shrinking
from ..schema import UsageError
from ..session import Draft, Target, parse_target
from . import output, play_options
from .derived import read_session, refuse_existing, replayed, write
from .exit_codes import Exit
from .progress import HuntProgress
from .trials import Checks, Commands, CommandTrial, WantedFailure
from .user_code import load_check

MAX_SOURCE = 300
"""Characters of the command in the header of what it found."""


@dataclass(frozen=True)
class Limits:
    """Attributes:
    jobs: runs at once.
    seconds: for the search; None: as long as it takes.
    """

    jobs: int
    seconds: float | None


def shrink(
    target: play_options.OneRecording,
    command: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="COMMAND", help="After --. Fails for the recording whose path is in REALTAPE_RECORDING."
        ),
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="A new store (*.db), or a new fixture (a folder, or *.zip); else NAME-shrunk, "
            "a fixture next to the store.",
        ),
    ] = None,
    check: Annotated[
        str | None,
        typer.Option(
            metavar="MODULE:CALLABLE",
            help="Instead of a command: a function that gets a Recording, and raises. Much faster.",
        ),
    ] = None,
    code: Annotated[
        int | None, typer.Option(metavar="N", help="Only this exit code is the failure; else any but 0.")
    ] = None,
    match: Annotated[
        str | None, typer.Option(metavar="TEXT", help="It is the failure only with this in its output.")
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=0.01, help="A run that takes longer is ended: no failure."),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=0.0, help="Search no longer than this; the best is written."),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="Runs at once; else one for each core. Does not change the result."
        ),
    ] = None,
) -> int:
    """Find the smallest recording for which a command still fails.

    Turns are left out, then responses, then entries; then audio, texts and silences are cut. Ctrl-C
    ends the search and writes the best so far. The result is replayed before it is written. Nothing is
    redacted.
    """
    words = parse_target(target)
    failure = WantedFailure(code, match)
    if bool(command) == (check is not None):
        raise UsageError("say what fails: a command after --, or --check module:callable")
    if check is not None and (code is not None or timeout is not None or jobs is not None):
        raise UsageError("--check runs in this process: leave out --code, --timeout and --jobs")
    place = into or _beside(words)
    refuse_existing(place)
    draft, followed = read_session(words)
    if check is not None:
        judge = Checks(load_check(check), failure)
        name = check
    else:
        judge = Commands(command or [], draft, failure, timeout)
        name = shlex.join(command or [])
    limits = Limits(jobs or (os.cpu_count() or 1 if check is None else 1), seconds)
    with judge:
        return _Work(draft, judge, name, limits).run(place, followed)


def _beside(target: Target) -> Path:
    store = Path(target.store)
    if "://" in target.store:
        raise UsageError("say where to, with --into: there is no folder next to a database")
    return store.with_name(f"{store.stem}-shrunk")


class _Work:
    def __init__(self, draft: Draft, judge: Commands | Checks, name: str, limits: Limits) -> None:
        self._draft = draft
        self._judge = judge
        self._name = name
        self._limits = limits

    def run(self, place: Path, followed: bool) -> int:
        self._try_original(followed)
        started = time.monotonic()
        hunt, interrupted = self._search()
        took = time.monotonic() - started
        if interrupted and hunt.best is self._draft:
            output.note("interrupted before anything smaller was found; nothing was written")
            return Exit.INTERRUPTED
        code = Exit.SAME
        if not interrupted:
            try:
                code = self._try_again(hunt.best)
            except KeyboardInterrupt:
                interrupted = True
        code = max(code, self._write(hunt.best, place))
        output.put(
            f"{place}: {len(hunt.best.entries):,} of {len(self._draft.entries):,} entries, "
            f"after {hunt.runs:,} runs in {took:.1f} s"
        )
        if interrupted:
            output.note("interrupted: it may not be the smallest")
            return Exit.INTERRUPTED
        if hunt.over_time:
            output.note(f"{self._limits.seconds:g} s are over: it may not be the smallest")
            return Exit.INCOMPLETE
        return code

    def _try_original(self, followed: bool) -> None:
        """It must fail; twice, so that a command that fails now and then is known."""
        trial = self._judge(self._draft)
        if not trial.fails():
            told = f"{self._name} does not fail so on the whole session"
            if isinstance(trial, CommandTrial):
                told += "; it took too long" if trial.timed_out else f"; its exit code is {trial.code}"
            if followed:
                told += "; sessions followed on the same model, and it was given the first alone"
            raise UsageError(f"{told}: there is nothing to look for")
        if not self._judge(self._draft).fails():
            output.note(f"{self._name} does not fail every time: what is found may not be the smallest")

    def _search(self) -> tuple[Hunt, bool]:
        with HuntProgress() as progress:
            hunt = Hunt(
                Shrinking(self._draft),
                self._judge,
                jobs=self._limits.jobs,
                seconds=self._limits.seconds,
                on_news=progress.show,
            )
            try:
                hunt.run()
            except KeyboardInterrupt:
                return hunt, True
        return hunt, False

    def _try_again(self, best: Draft) -> Exit:
        """Twice more, on what was found."""
        if self._judge(best).fails() and self._judge(best).fails():
            return Exit.SAME
        output.note(f"{self._name} does not fail every time on what was found")
        return Exit.INCOMPLETE

    def _write(self, best: Draft, place: Path) -> Exit:
        name = self._name if len(self._name) <= MAX_SOURCE else self._name[: MAX_SOURCE - 1] + "…"
        how = f"shrunk from {len(self._draft.entries)} to {len(best.entries)} entries for {name}"
        result = self._draft.derived(how, best.entries)
        code = replayed(result, self._draft)
        write(result, place)
        return code
