"""What a failing test says: the one line, and the section of the report."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from types import TracebackType

from ...replay import DivergenceError, ReplayReport, StuckLoopError, comes_of, related

_ROOT = Path(__file__).parents[2]
_OURS = tuple(str(_ROOT / name) for name in ("schema", "recorder", "replay", "integrations", "cli"))


def command(test: str, mode: str) -> str:
    """The line that runs this test alone, and records."""
    return f"pytest {shlex.quote(test)} --realtape-record={mode}"


def shown(path: Path, here: Path) -> str:
    """A path as one types it here."""
    try:
        return str(path.relative_to(here))
    except ValueError:
        return str(path)


def missing(path: str, test: str, *, test_has_others: bool) -> str:
    """There is no recording, and none is to be made."""
    mode = "new" if test_has_others else "once"
    return f"no recording at {path}; record it, with the real model:\n  {command(test, mode)}"


def summary(report: ReplayReport, error: BaseException | None, here: Path) -> str:
    """The line of a test that fails because a replay diverged."""
    first = report.divergences[0]
    place = _place(error, here)
    return f"the replay diverged: {first.headline or first.summary}" + (f"\n  at {place}" if place else "")


def section(path: str, report: ReplayReport, test: str, *, recordable: bool) -> list[str]:
    """What the report of the test says of one replay.

    Args:
        recordable: a test has recorded it, and can do so again.
    """
    lines = [f"replay of {path}", "", str(report).rstrip()]
    if report.diverged and not report.redacted:  # of what is redacted the application decides nothing right
        lines += [
            "",
            "if the application is right, accept what it does now:",
            f"  pytest {shlex.quote(test)} --realtape-update",
        ]
        if recordable:  # which an export is not
            lines += ["or record anew:", f"  {command(test, 'all')}"]
    return lines


def comes_of_replay(error: BaseException | None) -> bool:
    """Whether an exception is the replay's own, or comes of it."""
    return comes_of(error, (DivergenceError, StuckLoopError))


def _place(error: BaseException | None, here: Path) -> str | None:
    """The deepest line of the user's own code on the way of the exception."""
    place: str | None = None
    for one in related(error):
        trace: TracebackType | None = one.__traceback__
        while trace is not None:
            code = trace.tb_frame.f_code
            if _is_users(code.co_filename):
                place = f"{shown(Path(code.co_filename), here)}:{trace.tb_lineno}, in {code.co_name}"
            trace = trace.tb_next
        if place is not None:
            return place
    return None


def _is_users(filename: str) -> bool:
    installed = ("site-packages" in filename) or ("dist-packages" in filename)
    library = filename.startswith((*_OURS, sys.base_prefix + "/lib", "<"))
    return not installed and not library
