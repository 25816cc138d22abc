"""Bugs of the SDK's sessions, found by replay: a recording shows them on one release, and not on the next.

Recorded is what passed between session and model; what the session makes of it is made again in each
replay. So one log of a release that has the bug tells of every other release whether it has it, too.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from releases.application import Seen
from releases.bugs import agent_end, approval, late_audio, tool_history, tool_output
from releases.environments import python_with

TESTS = Path(__file__).parents[1]

pytestmark = [pytest.mark.deep, pytest.mark.timeout(900)]  # pip may have to make two environments first


@dataclass(frozen=True)
class Bug:
    """A bug, and two releases.

    Attributes:
        name: of the application in `tests/releases/bugs`, which says what the bug is.
        symptom: what one sees of it; nothing where it is mended.
        old: a release that has it.
        new: one that has not.
        diverges: whether the mended session also sends something else, which a replay tells; None
            where that is a matter of fields that the old release did not have.
    """

    name: str
    symptom: Callable[[Seen], list[Any]]
    old: str
    new: str
    diverges: bool | None


BUGS = [
    Bug("approval", approval.symptom, old="0.18.3", new="0.19.2", diverges=True),
    Bug("late_audio", late_audio.symptom, old="0.19.2", new="0.20.0", diverges=None),
    Bug("tool_history", tool_history.symptom, old="0.19.2", new="0.20.0", diverges=False),
    Bug("agent_end", agent_end.symptom, old="0.20.0", new="0.23.1", diverges=False),
    Bug("tool_output", tool_output.symptom, old="0.20.0", new="0.23.1", diverges=True),
]


@dataclass(frozen=True)
class Run:
    """What came of one run of an application.

    Attributes:
        seen: by the application.
        divergences: a sentence for each, where it was a replay.
    """

    seen: Seen
    divergences: list[str]


def run(what: str, bug: str, store: Path, *, release: str) -> Run:
    """Record or replay a bug's application, in a process with that release of the SDK."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("REALTAPE_", "PYTHON"))}
    done = subprocess.run(
        [str(python_with(release)), "-m", "releases.program", what, bug, str(store)],
        cwd=store.parent,
        env={**ours, "PYTHONPATH": str(TESTS), "OPENAI_AGENTS_DISABLE_TRACING": "1"},
        stdout=subprocess.PIPE,
        encoding="utf-8",
        timeout=60,
        check=True,
    )
    told = json.loads(done.stdout)
    assert told["release"] == release
    return Run(Seen(**told["seen"]), told["divergences"])


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_recording_shows_a_bug_on_the_release_that_has_it_alone(bug: Bug, tmp_path: Path) -> None:
    store = tmp_path / "session.db"
    recorded = run("record", bug.name, store, release=bug.old)
    old = run("replay", bug.name, store, release=bug.old)
    new = run("replay", bug.name, store, release=bug.new)

    assert bug.symptom(recorded.seen)
    assert old == recorded, "on the release that was recorded, a replay is the same in everything"
    assert bug.symptom(new.seen) == []
    assert bug.diverges in (None, bool(new.divergences))
