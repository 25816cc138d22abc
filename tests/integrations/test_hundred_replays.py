"""One recording of the switchboard, replayed in many processes: byte for byte the same session events.

Each process has another PYTHONHASHSEED, and noise of its own on the wall's clock. What is compared is
everything that a session gives its application, with the virtual instant of each event; the fields are
listed in `support/canonical.py`.

Against the session that was recorded, on a plain event loop, these differ, and nothing else:

- Sleeps are exact on virtual time and tools in threads take none of it. So what the application does by
  itself between two sends (a tool begins, a guardrail trips) may come earlier among the model's events.
- So is it with the second connection, which comes sooner behind the close of the first one: of what the
  player does meanwhile, some is not reached.
- The SDK cancels tools in the order of a set of tasks, which on a plain loop is another in every run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from difflib import unified_diff
from functools import partial
from itertools import islice
from pathlib import Path

import pytest
from support import switchboard_recorded
from support.other_python import python_of
from support.switchboard_recorded import INGREDIENTS, Recorded, happened

PROGRAM = Path(__file__).parent / "programs" / "replay_once.py"
AT_ONCE = 2
SHOWN_LINES = 60
"""Of a diff."""

BY_ITSELF = ("tool_start", "guardrail_tripped", "heard")
"""What the application does, or sees, at times of its own."""


@pytest.fixture(scope="module")
def recorded() -> Recorded:
    return switchboard_recorded.recorded()


def replayed(recorded: Recorded, seed: int, python: Path) -> bytes:
    """What one process prints."""
    environment = {
        **os.environ,
        "PYTHONHASHSEED": str(seed),
        "PYTHONPATH": os.pathsep.join([str(PROGRAM.parents[2]), os.environ.get("PYTHONPATH", "")]),
        "OPENAI_AGENTS_DISABLE_TRACING": "1",
    }
    arguments = [str(python), str(PROGRAM), str(recorded.store), recorded.session]
    done = subprocess.run(arguments, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def all_alike(recorded: Recorded, pythons: Sequence[Path]) -> list[str]:
    """Replay it once with each of these, with another seed each; the lines that all of them print.

    Raises:
        AssertionError: two of them differ; shows where.
    """
    with ThreadPoolExecutor(AT_ONCE) as pool:
        seeds = range(1, len(pythons) + 1)
        first, *others = pool.map(partial(replayed, recorded), seeds, pythons)
    for number, other in enumerate(others, start=2):
        assert other == first, f"process 1 and process {number} differ:\n{_diff(first, other)}"
    return first.decode().splitlines()


def _diff(one: bytes, other: bytes) -> str:
    found = unified_diff(one.decode().splitlines(), other.decode().splitlines(), lineterm="", n=1)
    return "\n".join(line[:300] for line in islice(found, SHOWN_LINES))


def check(recorded: Recorded, lines: Sequence[str]) -> None:
    """What every replay of it is, whatever it is compared with."""
    told = [line.partition(" ")[2] for line in lines]
    report = json.loads(told.pop())
    assert report["finished"]
    assert not report["diverged"]
    assert (report["early"], report["unsent"]) == ([], 0)
    assert report["unplayed"] <= recorded.behind_close
    assert happened(told) == INGREDIENTS
    live, again = tracks(recorded.lines), tracks(told)
    assert live.keys() == again.keys()
    for name in live:
        difference = _diff(_joined(live[name]), _joined(again[name]))
        assert not difference, f"{name} differ from those of the recorded session:\n{difference}"


def _joined(lines: Sequence[str]) -> bytes:
    return "\n".join(lines).encode()


def tracks(lines: Sequence[str]) -> dict[str, list[str]]:
    """What is in the same order live and replayed: the model's part, and each thing that the application
    does by itself. Which tool is cancelled first is a matter of luck in a live session."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        told = json.loads(line)
        name = told["event"]["type"] if told["what"] == "event" else told["what"]
        own = name in BY_ITSELF or name.startswith("archive")
        found[name if own else "the model's"].append(line)
    found["archive is cancelled"].sort()
    return found


@pytest.mark.timeout(900)
def test_two_processes_see_the_same(recorded: Recorded) -> None:
    check(recorded, all_alike(recorded, [Path(sys.executable)] * 2))


@pytest.mark.deep
@pytest.mark.timeout(7200)
def test_a_hundred_processes_see_the_same(recorded: Recorded) -> None:
    check(recorded, all_alike(recorded, [Path(sys.executable)] * 100))


@pytest.mark.deep
@pytest.mark.timeout(7200)
def test_another_python_sees_the_same(recorded: Recorded) -> None:
    other = python_of("3.13")
    check(recorded, all_alike(recorded, [Path(sys.executable), *[other] * 100]))
