"""One recording of a corpus checked: replayed, and what came of it as data that goes to another process."""

from __future__ import annotations

import contextlib
import io
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from ..integrations.soundness import recorded_replay
from ..lab import invariants
from ..lab.invariants import Invariant, Violation
from ..schema import RealtapeError
from ..session import Draft
from . import output
from .bounds import Bound, Bounds
from .derived import read_chain, write_pair
from .exit_codes import Exit, exit_of
from .user_code import ApplicationError, load_application, load_rule, traceback_of
from .wish import Wish, exit_of_played, play

MAX_PRINTED = 1 << 20
"""Characters of what an application prints that are kept."""


@dataclass(frozen=True)
class Checked:
    """What came of one recording.

    Attributes:
        name: as `CorpusMember.name`.
        exit: as the exit code of `realtape replay` would be.
        problem: one line; empty where it is the same.
        text: the report, or the error.
        remark: what "same" does not say, in a line; empty where all was checked.
        page: a link into the page that shows it, where one was written.
        printed: what the application wrote to its standard streams.
        report: the report as JSON, where there is one.
        seconds: on the wall.
    """

    name: str
    exit: Exit
    problem: str
    text: str
    printed: str = ""
    report: dict[str, Any] | None = None
    seconds: float = 0.0
    remark: str = ""
    page: str = ""

    @property
    def verdict(self) -> str:
        """`same`, `diverged`, `incomplete` or `error`."""
        if self.exit == Exit.SAME:
            return "same"
        if self.exit == Exit.INCOMPLETE:
            return "incomplete"
        return "diverged" if self.exit == Exit.DIVERGED and self.report is not None else "error"


class Unloadable(Exception):
    """The application's module raises: the traceback as text, for another process."""


Job: TypeAlias = tuple[str, Wish, Path | None]
"""A recording's name, how it is replayed, and where a page is to lie if it is not the same."""


def prepare(setup: tuple[str | None, tuple[str, ...]]) -> Callable[[Job], Checked]:
    """Load the application, and rules of the user's own; answer what checks a recording with them.

    Args:
        setup: `module:callable`, or None to answer each recording from itself; and the rules' names.

    Raises:
        UsageError: it is not there.
        Unloadable: a module raises.
    """
    app, named = setup
    try:
        application = None if app is None else load_application(app)
        rules = tuple(map(load_rule, named))
    except ApplicationError as error:
        raise Unloadable(traceback_of(error.cause)) from None
    return lambda job: check_one(job[0], replace(job[1], application=application), job[2], rules)


def check_one(name: str, wish: Wish, page: Path | None, rules: Sequence[Invariant] = ()) -> Checked:
    """Replay one recording; raises nothing of what may come of that."""
    began = time.perf_counter()
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed), _logged_to(printed):
        checked = _check(name, wish, page)
        if rules and checked.report is not None:
            checked = _ruled(checked, wish, rules)
    said = output.scrubbed(printed.getvalue()[:MAX_PRINTED])
    return replace(checked, printed=said, seconds=time.perf_counter() - began)


def _check(name: str, wish: Wish, page: Path | None) -> Checked:
    try:
        played = play(wish)
        link = _page(page, wish) if page is not None and played.report.diverged else ""
    except RealtapeError as error:
        return Checked(name, exit_of(error), str(error), str(error))
    text = output.scrubbed(played.text)
    if (raised := played.failure or played.handled) is not None:
        text += "\n" + traceback_of(raised)
    return Checked(
        name,
        exit_of_played(played),
        played.problem,
        text,
        report=played.as_json(),
        remark=played.report.remark,
        page=link,
    )


def _ruled(checked: Checked, wish: Wish, rules: Sequence[Invariant]) -> Checked:
    """The same, held against rules: what the application does, in a replay of its own that is recorded; or
    what the recording says, where there is none."""
    recorded = drafts = read_chain(wish.target)
    if wish.application is not None:
        _, drafts = recorded_replay(recorded, wish.application, **wish.options())
    broken = _within(wish.stretch, recorded, drafts, invariants.check(drafts, rules).violations)
    if not broken:
        return checked
    problem = checked.problem or f"{broken[0].invariant}: {broken[0].summary}"
    text = "\n".join([checked.text, *map(str, broken)])
    return replace(checked, exit=Exit.DIVERGED, problem=output.scrubbed(problem), text=output.scrubbed(text))


def _within(
    stretch: Bounds, recorded: Sequence[Draft], replayed: Sequence[Draft], found: Sequence[Violation]
) -> list[Violation]:
    """What breaks a rule in a stretch of the recording: of what was replayed the numbers are others, and the
    times the same."""
    spans: dict[str, tuple[float, float]] = {}
    for nth, (draft, live) in enumerate(zip(recorded, replayed, strict=False), 1):
        at_ns = [one.at_ns for one in draft.entries if stretch.holds(one, nth)]
        first = min(at_ns, default=math.inf) if stretch.first != Bound() else 0
        last = math.inf if stretch.is_open(nth) else max(at_ns, default=-math.inf)
        spans[live.header.id] = (first, last)
    entries = {draft.header.id: draft.entries for draft in replayed}

    def counts(one: Violation) -> bool:
        first, last = spans.get(one.session, (0, math.inf))
        return first <= entries[one.session][one.seqs[-1]].at_ns <= last

    return [one for one in found if not one.seqs or counts(one)]


def _page(path: Path, wish: Wish) -> str:
    """Replay it once more, to record what the application does; a link to where it diverges."""
    kept: list[Draft] = []
    told = play(wish, kept=kept).report.places
    if not kept:
        return ""
    recorded = read_chain(wish.target)
    links = write_pair(recorded, kept, path, wish.target, redact=True, places=told)
    return links[0] if links else path.absolute().as_uri()


@contextlib.contextmanager
def _logged_to(stream: io.StringIO) -> Any:
    """What asyncio and the application log goes where it prints."""
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)


def died(name: str, error: Exception) -> Checked:
    """Of a recording whose worker did not come back."""
    sentence = f"{type(error).__name__}: {error}"
    return Checked(name, Exit.DIVERGED, sentence, sentence)
