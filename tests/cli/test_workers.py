"""Workers: each job has a result, whatever becomes of the process that does it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from realtape.cli.workers import WorkerDied, Workers

Job = tuple[str, int]


def prepare(setup: str) -> Callable[[Job], int]:
    """In the worker's process."""
    if setup == "broken":
        raise ValueError("it cannot be set up")
    return do


def do(job: Job) -> int:
    what, number = job
    if what == "end":
        os._exit(number)
    if what == "raise":
        raise LookupError(number)
    return number


def test_a_process_that_ends_in_the_middle_of_a_job_costs_that_job() -> None:
    """Also if it ends as if all were well, and nobody has limited its time."""
    jobs: list[Job] = [("end", 0), ("end", 7), ("raise", 3), ("return", 4)]
    with Workers[Job, int](prepare, "", 1) as workers:
        results = dict(workers.results(jobs))
    assert isinstance(results[0], WorkerDied)
    assert isinstance(results[1], WorkerDied)
    assert [str(results[place]) for place in (0, 1)] == [
        f"its process ended with code {code}" for code in (0, 7)
    ]
    assert isinstance(results[2], LookupError)
    assert results[3] == 4


def test_what_cannot_be_set_up_is_raised_here(tmp_path: Path) -> None:
    with Workers[Job, int](prepare, "broken", 2) as workers, pytest.raises(ValueError, match="set up"):
        list(workers.results([("return", 1), ("return", 2)]))


def test_what_is_imported_ahead_every_process_finds(tmp_path: Path) -> None:
    """In a process of its own: where others are forked from here has begun long ago."""
    (tmp_path / "job.py").write_text(JOB)
    program = [sys.executable, "job.py"]
    ran = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.returncode) == ("{0: True, 1: False}\n", 0), ran.stderr


JOB = """
import sys
from realtape.cli.workers import Workers

def prepare(setup):
    return sys.modules.__contains__

if __name__ == "__main__":
    with Workers(prepare, "", 1, ahead=["xmlrpc.client"]) as workers:
        print(dict(workers.results(["xmlrpc.client", "xmlrpc.server"])))
"""
