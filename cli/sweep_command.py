"""`realtape sweep`: the user interrupts everywhere, and the application has to bear it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from ..integrations.branching import Died, Grown, Unbranched
from ..integrations.soundness import Failure
from ..lab import EVERY_MS, PATIENCE_SECONDS, TAIL_TURNS, Swept, promising, ranges, swept
from ..schema import UsageError
from ..session import Draft, parse_target
from ..session.fixture import write_fixture
from . import output, play_options
from .bounds import parse_bound, parse_bounds
from .check_job import Unloadable
from .derived import read_chain
from .exit_codes import Exit
from .sweep_job import FIRST, Answer, Job, Swing, jobs_of, prepare, variation
from .workers import PartlyDone, TookTooLong, WorkerDied, Workers

TIMEOUT_SECONDS = 60.0
"""On the wall, for one place."""

LINE_SECONDS = 10.0
"""So often is said how far it is, where nobody sees a bar."""

MAX_WORDS = 48
"""Characters of a kept recording's name that tell what it is."""

KEPT = Path(".realtape") / "sweep"


@dataclass(frozen=True)
class Group:
    """Failures of one kind.

    Attributes:
        what: the kind.
        places: where the interruption was.
        smallest: of these, the place of the variation with the fewest entries.
        text: what exactly, there.
    """

    what: str
    places: tuple[Swept, ...]
    smallest: Swept
    text: str


def sweep(
    target: play_options.OneRecording,
    app: Annotated[
        str,
        typer.Option(metavar="MODULE:CALLABLE", help="The application, `async def app(model): ...`."),
    ],
    interruption: Annotated[
        str | None,
        typer.Option(
            metavar="SEQ",
            help="Which interruption is moved, `2/155` of a second session; without it, the first of each.",
        ),
    ] = None,
    every: Annotated[
        int, typer.Option(metavar="MS", min=1, help="Milliseconds of audio from place to place.")
    ] = EVERY_MS,
    first: play_options.First = None,
    last: play_options.Last = None,
    most: Annotated[
        int | None, typer.Option("--max", metavar="N", min=1, help="So many places, the most promising.")
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option("--time", metavar="SECONDS", min=0.001, help="No longer than this; the rest is told."),
    ] = None,
    rules: Annotated[
        list[str] | None,
        typer.Option(
            "--rule", metavar="MODULE:NAME", help="A rule of your own, beside the shipped; may be repeated."
        ),
    ] = None,
    tail: Annotated[
        int,
        typer.Option(
            metavar="TURNS",
            min=0,
            help="Most places are judged until so many responses end; 0: none.",
        ),
    ] = TAIL_TURNS,
    as_is: Annotated[
        bool, typer.Option("--as-is", help="Only replay it as it is, such as what was kept.")
    ] = False,
    patience: Annotated[
        float,
        typer.Option(metavar="SECONDS", min=0.001, help="Virtual time for which an answer is awaited."),
    ] = PATIENCE_SECONDS,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.001, help="Real time for one place.")
    ] = TIMEOUT_SECONDS,
    jobs: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Processes; without it, one for each core.")
    ] = None,
    kept: Annotated[
        Path, typer.Option("--keep", metavar="DIR", help="Where the smallest failing recordings are kept.")
    ] = KEPT,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> int:
    """Move an interruption to every place of a session, and check what the application does.

    Reports each kind of failure with its places. The smallest recording of each is kept as a fixture.
    """
    began = time.perf_counter()
    stretch = parse_bounds(first, last, of_chain=True)
    moved = parse_bound("--interruption", interruption, of_chain=True)
    if moved.at_ns is not None:
        raise UsageError(f"--interruption {interruption}: give the number of the entry that it begins with")
    drafts = read_chain(parse_target(target))
    places = [Swept(0, None, None)]
    if not as_is:
        places = swept(drafts, interruption=moved.seq, session=moved.nth or 1, every_ms=every)
        places = [one for one in places if one.edit is not None or one.where is None]
        places = promising(drafts, places, lambda at: stretch.holds(at, at.nth))[:most]
    setup = (app, tuple(drafts), tuple(rules or ()))
    number = min(jobs or os.cpu_count() or 1, max(1, len(places) // 8))
    sweeping = Sweeping(setup, number)
    work = jobs_of(
        drafts,
        places,
        turns=lambda at: None if at < FIRST or not tail else tail,
        patience=patience,
        timeout=timeout,
        number=number,
    )
    over = False
    try:
        with _told_to_end():
            if as_is:  # a single one is done sooner than a process has started
                prepare(setup)(work[0], sweeping.take)
            else:
                with contextlib.closing(_shown(sweeping.results(work), len(places), sweeping)) as done:
                    for _ in done:
                        over = seconds is not None and time.perf_counter() - began > seconds
                        if over:
                            break
    except KeyboardInterrupt:  # what was found is told, and kept
        over = True
    except Unloadable as error:
        output.put_error(str(error))
        return Exit.DIVERGED
    took = time.perf_counter() - began
    results = sweeping.found
    tried = [place for place in places if place.number in results]
    groups = _groups(tried, [results[place.number] for place in tried])
    for why, count in sweeping.whole.most_common():
        output.note(f"{_places(count)} had to be replayed from the beginning: {why}")
    unreached = [one for one in tried if not results[one.number].reached]
    if unreached:
        output.note(f"{_unreached(unreached)}: the application did not connect again")
    fixtures = [
        None if one.smallest.edit is None else keep(kept, one.what, variation(drafts, one.smallest))
        for one in groups
    ]
    if as_json:
        output.put_json(_facts(groups, fixtures, len(tried), took), indent=2)
    else:
        again = " --rule ".join((app, *(rules or ())))
        _tell(groups, fixtures, len(tried), took, again)
        cut = sum(one.is_cut for one in results.values())
        if cut:
            output.put(f"{_places(cut)} judged until {tail} responses had ended; the others to the end")
    if over:
        output.note(f"ended before all was tried: {len(tried)} of {len(places)} places")
    if groups:
        return Exit.DIVERGED
    return Exit.INCOMPLETE if over or unreached else _complete(drafts)


def _complete(drafts: Sequence[Draft]) -> Exit:
    lacking = [one for one in drafts if one.status in ("interrupted", "recording")]
    for one in lacking:
        output.note(f"session {one.header.id} has no end: what came so far was swept")
    return Exit.INCOMPLETE if lacking else Exit.SAME


class Sweeping:
    """Places on their way.

    Args:
        setup: of the processes.
        number: so many processes.

    Attributes:
        found: what came of each, by its number.
        whole: why places were not replayed together with others, and how many.
    """

    def __init__(self, setup: tuple[str, tuple[Draft, ...], tuple[str, ...]], number: int) -> None:
        self.found: dict[int, Swing] = {}
        self.whole: Counter[str] = Counter()
        self._setup = setup
        self._number = number
        self._again: list[Job] = []

    def results(self, jobs: Sequence[Job]) -> Iterator[int]:
        """The numbers of the places that are done, as they are.

        Raises:
            Unloadable: the application cannot be loaded.
            UsageError: a place is not there.
        """
        with Workers(prepare, self._setup, self._number, _limit, pieces=True) as workers:
            while jobs:
                self._again = []
                for at, result in workers.results(jobs):
                    if isinstance(result, PartlyDone):
                        yield from self._taken(result.value, jobs[at])
                    elif isinstance(result, Exception):
                        yield from self._ended(jobs[at], result)
                jobs = self._again

    def take(self, answer: Answer) -> None:
        """What came of a place."""
        number, found = answer
        if isinstance(found, Grown):
            self.found[number] = Swing(found.failures, found.entries, found.is_cut, found.reached)
        elif isinstance(found, Died):
            self._died(number, in_time=found.in_time, how=found.how)
        elif isinstance(found, Exception):
            raise found

    def _taken(self, answer: Answer, job: Job) -> Iterator[int]:
        number, found = answer
        if isinstance(found, Unbranched):
            self.whole[found.why] += 1
            self._repeat(job, number)
        else:
            self.take(answer)
            yield number

    def _ended(self, job: Job, error: Exception) -> Iterator[int]:
        """The process that did a job ended, or the job could not be done."""
        left = [branch.number for branch in job.branches if branch.number not in self.found]
        if not isinstance(error, WorkerDied | TookTooLong):
            raise error
        if job.together:
            known = {one.branches[0].number for one in self._again}
            for number in left:
                if number not in known:
                    self.whole["the process that did it with others ended"] += 1
                    self._repeat(job, number)
            return
        for number in left if job.branches else [0]:
            self._died(number, in_time=isinstance(error, WorkerDied), how=str(error))
            yield number

    def _repeat(self, job: Job, number: int) -> None:
        branch = next(one for one in job.branches if one.number == number)
        self._again.append(dataclasses.replace(job, branches=(branch,), together=False))

    def _died(self, number: int, *, in_time: bool, how: str) -> None:
        what = "the replay ended its process" if in_time else "the replay did not end"
        self.found[number] = Swing((Failure(what, how),), 0)


def _limit(job: Job) -> float:
    return job.limit


@contextlib.contextmanager
def _told_to_end() -> Generator[None]:
    """A SIGTERM is as good as Ctrl-C meanwhile."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _shown(results: Iterator[int], count: int, sweeping: Sweeping) -> Generator[int]:
    """With a bar on stderr, if that is a terminal; else with a line now and then."""
    console = output.console(sys.stderr)
    if not console.is_terminal or count < 2:
        told = time.monotonic()
        for result in results:
            if time.monotonic() - told > LINE_SECONDS:
                told = time.monotonic()
                kinds = {one.what for swing in sweeping.found.values() for one in swing.failures}
                output.note(f"{len(sweeping.found)} of {count} places: {_kinds(len(kinds))}")
            yield result
        return
    columns = (TextColumn("sweeping"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bar(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as bar:
        task = bar.add_task("sweeping", total=count)
        for result in results:
            bar.advance(task)
            yield result


def _groups(places: Sequence[Swept], results: Sequence[Swing]) -> list[Group]:
    """What failed, most frequent first."""
    found: dict[str, list[tuple[int, Swept, str]]] = {}
    for place, result in zip(places, results, strict=True):
        for failure in {one.what: one for one in reversed(result.failures)}.values():
            found.setdefault(failure.what, []).append((result.entries, place, failure.text))
    groups: list[Group] = []
    for what, failing in sorted(found.items(), key=lambda one: -len(one[1])):
        _, smallest, text = min(failing, key=lambda one: (one[0], one[1].number))
        groups.append(Group(what, tuple(place for _, place, _ in failing), smallest, text))
    return groups


def keep(folder: Path, what: str, drafts: Sequence[Draft]) -> Path:
    """Write sessions as a fixture into a folder, under a new number; returns its place.

    Raises:
        UsageError: the folder cannot be made, or is none.
        StoreWriteError: the fixture cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        taken = [int(found[1]) for one in folder.iterdir() if (found := re.match(r"(\d+)-", one.name))]
    except OSError as error:
        raise UsageError(f"--keep {folder}: {error.strerror}; name a folder that can be written") from error
    words = re.sub("[^a-z0-9]+", "-", what.lower()).strip("-")[:MAX_WORDS].strip("-")
    path = folder / f"{max(taken, default=0) + 1}-{words}"
    write_fixture(drafts, path)
    return path


def _tell(
    groups: Sequence[Group], fixtures: Sequence[Path | None], count: int, seconds: float, app: str
) -> None:
    for group, fixture in zip(groups, fixtures, strict=True):
        if count == 1:
            output.put(f"{group.what}:")
        else:
            output.put(f"{group.what}: at {len(group.places)} of {count} places")
            for line in ranges(group.places):
                output.put(f"  {line}")
            output.put(f"  such as {group.smallest}:")
        for line in group.text.splitlines():
            output.put(f"    {line}".rstrip())
        if fixture is not None:
            output.put(f"  kept as {fixture}")
            output.put(f"  again: realtape sweep {fixture} --as-is --app {app}")
    told = _kinds(len(groups))
    output.put(f"{_places(count)}: {told}; in {seconds:.1f} s, {count / seconds:.0f} replays a second")


def _places(count: int) -> str:
    return "1 place" if count == 1 else f"{count} places"


def _kinds(count: int) -> str:
    return f"{count} kind{'' if count == 1 else 's'} of failure" if count else "nothing failed"


def _unreached(places: Sequence[Swept]) -> str:
    """Places whose session the application did not come to."""
    number = len(places)
    return "1 place was not reached" if number == 1 else f"{number} places were not reached"


def _facts(
    groups: Sequence[Group], fixtures: Sequence[Path | None], count: int, seconds: float
) -> dict[str, object]:
    return {
        "places": count,
        "seconds": round(seconds, 3),
        "failures": [
            {
                "what": group.what,
                "places": [str(place) for place in group.places],
                "ranges": ranges(group.places),
                "smallest": str(group.smallest),
                "text": group.text,
                "kept": None if fixture is None else str(fixture),
            }
            for group, fixture in zip(groups, fixtures, strict=True)
        ],
    }
