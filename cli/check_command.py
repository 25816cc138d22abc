"""`realtape check`: a whole corpus of recordings against an application, as a test suite of its own."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections import Counter
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from ..replay import PATIENCE_SECONDS
from ..schema import UsageError
from ..session import EVERY, SessionFilter
from . import output, play_options
from .bounds import parse_bounds
from .check_job import Checked, Job, Unloadable, died, prepare
from .corpus import CorpusMember, find
from .derived import refuse_existing
from .exit_codes import Exit, exit_of
from .filter_options import filtered
from .junit import junit_xml
from .wish import Wish, expectation_of
from .workers import PartlyDone, Workers

TIMEOUT_SECONDS = 60.0
"""On the wall, for one recording, if nobody says otherwise: virtual time needs none of it."""

_VERDICTS = ("same", "diverged", "incomplete", "error")

_BUT = {
    "not checked in every send": ("unchecked",),
    "without all reactions": ("waived",),
    "played otherwise": ("unreported", "heard"),
    "with a player that was not compared": ("uncompared",),
    "without reading its events": ("unread",),
    "without all connections": ("unmade",),
    "otherwise outside of the stretch": ("outside",),
}
"""What "same" does not say, in a few words, and which facts of a report say so."""

_AHEAD = ("sqlalchemy.ext.asyncio",)
"""Opens a recording; each worker would take as long to import it as to replay one."""

_WORST = (Exit.DIVERGED, Exit.MISUSE, Exit.INCOMPLETE, Exit.SAME)


@filtered
def check(
    recordings: Annotated[
        list[str] | None,
        typer.Argument(metavar="DIR…", help="Folders with recordings, or single ones; searched in depth."),
    ] = None,
    app: Annotated[
        str | None,
        typer.Option(metavar="MODULE:CALLABLE", help="The application, `async def app(model): ...`."),
    ] = None,
    expect: play_options.Expect = None,
    matchers: play_options.Matchers = None,
    client_ids: play_options.ClientIds = None,
    audio: play_options.Audio = "bytes",
    playback: play_options.Playback = "tolerant",
    playback_ms: play_options.PlaybackMs = None,
    depth: play_options.Depth = "auto",
    redactor: play_options.Redactors = None,
    clocks: play_options.Clocks = False,
    strict: play_options.Strict = False,
    origins: play_options.OriginsFile = None,
    stuck_after: play_options.StuckAfter = PATIENCE_SECONDS,
    rules: Annotated[
        list[str] | None,
        typer.Option("--rule", metavar="MODULE:NAME", help="A rule that each has to keep; may be repeated."),
    ] = None,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.001, help="Real time for one recording.")
    ] = TIMEOUT_SECONDS,
    jobs: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Processes; without it, one for each core.")
    ] = None,
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the results as JUnit XML, too.")
    ] = None,
    as_html: Annotated[
        Path | None,
        typer.Option(
            "--html", metavar="DIR", help="A page in this folder of each that diverges, beside its replay."
        ),
    ] = None,
    most: Annotated[
        int | None,
        typer.Option(
            "--max", metavar="N", min=1, help="So many recordings, the first by name; the rest is told."
        ),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option("--time", metavar="SECONDS", min=0.001, help="No longer than this; the rest is told."),
    ] = None,
    first: play_options.First = None,
    last: play_options.Last = None,
    wanted: SessionFilter = EVERY,
    verbose: Annotated[bool, typer.Option("--verbose", help="Name those that are the same, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> int:
    """Replay a corpus of recordings into an application.

    Reports each that is not the same, and a summary. Every divergence is collected.
    """
    began = time.perf_counter()
    stretch = parse_bounds(first, last, of_chain=True)
    if not recordings:
        raise UsageError("say where the recordings are: DIR, or `recordings` in [tool.realtape]")
    found = find(recordings, wanted)
    corpus = found[:most]
    if as_html is not None and app is None:
        raise UsageError("--html shows what an application does: give --app")
    pages = _pages(corpus, as_html)
    expected = expectation_of(expect or ())
    wishes = [
        Wish(
            one.target,
            None,
            expected,
            collect=True,
            patience=stuck_after,
            strict=strict,
            matchers=matchers,
            client_ids=client_ids,
            audio=audio,
            playback=playback,
            playback_ms=playback_ms,
            redactors=tuple(redactor or ()),
            clocks=clocks,
            origins=origins,
            depth=depth,
            stretch=stretch,
        )
        for one in corpus
    ]
    results: list[Checked] = []
    try:
        done = _in_order(corpus, _checked(corpus, wishes, pages, (app, tuple(rules or ())), jobs, timeout))
        with contextlib.closing(done):
            for result in done:
                results.append(result)
                if not as_json:
                    _tell(result, verbose)
                if seconds is not None and time.perf_counter() - began > seconds:
                    break
    except Unloadable as error:
        output.put_error(str(error))
        return Exit.DIVERGED
    took = time.perf_counter() - began
    if junit is not None:
        _write(junit, junit_xml(results, took))
    if as_json:
        output.put_json(_facts(results, took, len(found) - len(results)), indent=2)
    else:
        output.put(_summary(results, took))
    if len(results) < len(found):
        output.note(f"{len(found) - len(results)} of {len(found)} recordings were not checked")
    if len(results) < len(corpus) and all(one.exit == Exit.SAME for one in results):
        return Exit.INCOMPLETE
    return next(code for code in _WORST if any(one.exit == code for one in results))


def _pages(corpus: Sequence[CorpusMember], folder: Path | None) -> list[Path | None]:
    """Where the page of each is to lie.

    Raises:
        UsageError: nothing can be put there.
    """
    if folder is None:
        return [None] * len(corpus)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--html {folder}: no folder ({error.strerror}); name another") from error
    digits = len(str(len(corpus)))
    pages = [
        folder / f"{number:0{digits}}-{re.sub('[^A-Za-z0-9._-]+', '-', one.name)[-80:]}.html"
        for number, one in enumerate(corpus, 1)
    ]
    for page in pages:
        refuse_existing(page)
    return list(pages)


def _checked(
    corpus: Sequence[CorpusMember],
    wishes: Sequence[Wish],
    pages: Sequence[Path | None],
    setup: tuple[str | None, tuple[str, ...]],
    jobs: int | None,
    timeout: float,
) -> Generator[tuple[int, Checked]]:
    """What comes of each, as it is done."""
    readable = [place for place, one in enumerate(corpus) if one.problem is None]
    for place, one in enumerate(corpus):
        if one.problem is not None:
            text = str(one.problem)
            yield place, Checked(one.name, exit_of(one.problem), text, text)
    if not readable:
        return
    number = min(jobs or os.cpu_count() or 1, len(readable))
    work = [(corpus[place].name, wishes[place], pages[place]) for place in readable]
    with Workers[Job, Checked](prepare, setup, number, timeout, ahead=_AHEAD) as workers:
        for done, result in workers.results(work):
            name = corpus[readable[done]].name
            assert not isinstance(result, PartlyDone), "a recording is checked in one piece"
            yield readable[done], died(name, result) if isinstance(result, Exception) else result


def _in_order(corpus: Sequence[CorpusMember], results: Generator[tuple[int, Checked]]) -> Generator[Checked]:
    """In the order of the corpus, each as soon as all before it are there."""
    waiting: dict[int, Checked] = {}
    told = 0
    with contextlib.closing(results):
        for place, result in results:
            waiting[place] = result
            while told in waiting:
                yield waiting.pop(told)
                told += 1
    assert told == len(corpus)


def _tell(result: Checked, verbose: bool) -> None:
    if result.verdict == "same":
        if verbose or result.remark:
            output.put(f"same        {result.name}{f': but {result.remark}' if result.remark else ''}")
        return
    output.put(f"{result.verdict:<11} {result.name}: {result.problem}")
    if result.verdict != "error":
        for line in result.text.splitlines():
            output.put(f"  {line}".rstrip())
    if result.page:
        output.put(f"  to see and hear: {result.page}")
    if result.printed:
        output.put("  the application printed:")
        for line in result.printed.splitlines():
            output.put(f"    {line}".rstrip())


def _summary(results: Sequence[Checked], seconds: float) -> str:
    counts = Counter(one.verdict for one in results)
    parts = {verdict: f"{counts[verdict]} {verdict}" for verdict in _VERDICTS if counts[verdict]}
    same = [one.report or {} for one in results if one.verdict == "same"]
    but = {short: sum(any(map(one.get, facts)) for one in same) for short, facts in _BUT.items()}
    told = ", ".join(f"{number} of these {short}" for short, number in but.items() if number)
    if told:
        parts["same"] += f" ({told})"
    number = f"{len(results)} recording{'' if len(results) == 1 else 's'}"
    return f"{number}: {', '.join(parts.values())}; in {seconds:.1f} s"


def _facts(results: Sequence[Checked], seconds: float, left: int) -> dict[str, object]:
    return {
        "seconds": round(seconds, 3),
        "not_checked": left,
        "results": [
            {
                "name": one.name,
                "verdict": one.verdict,
                "problem": one.problem,
                "remark": one.remark,
                "seconds": round(one.seconds, 3),
                "printed": one.printed,
                "report": one.report,
                **({"page": one.page} if one.page else {}),
            }
            for one in results
        ],
    }


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise UsageError(
            f"--junit {path}: cannot be written ({error.strerror}); name another file"
        ) from error
