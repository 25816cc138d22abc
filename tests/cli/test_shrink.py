"""`realtape shrink`: the smallest recording for which a command, or a function, still fails."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from realtape.cli.trials import Commands, WantedFailure
from realtape.lab.shrinking.checks import problems
from support.command_line import Ran, run_on_terminal, start
from support.long_session import record_long
from support.recorded_drafts import drafts_of

Realtape = Callable[..., Ran]

WHOLE = 146
"""Entries of the session."""

PREAMBLE = """
import os, sqlite3, sys, time
path = os.environ["REALTAPE_RECORDING"]
rows = sqlite3.connect(path).execute("select kind, type, payload from entries order by seq").fetchall()
paid = [row for row in rows if row[0] == "sent" and '"refund"' in row[2]]
"""
PAID_TWICE = PREAMBLE + "if len(paid) > 1: print('paid back twice'); sys.exit(3)\n"


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six turns, and the money paid back twice in the fourth; nobody changes it."""
    store = tmp_path_factory.mktemp("calls") / "calls.db"
    record_long(store, 6, 3)
    return store


def program(folder: Path, text: str) -> list[str]:
    """The words of a command that runs a program."""
    path = folder / "program.py"
    path.write_text(text)
    return [sys.executable, "-S", str(path)]


def entries_of(store: Path) -> int:
    (draft,) = drafts_of(store)
    assert problems(draft) == []
    assert draft == draft.sealed()
    return len(draft.entries)


def test_a_command_that_fails(realtape: Realtape, tmp_path: Path, calls: Path) -> None:
    out = tmp_path / "small.db"
    ran = realtape("shrink", calls, "--into", out, "--", *program(tmp_path, PAID_TWICE))
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"{out}: 10 of {WHOLE} entries, after ")
    assert entries_of(out) == 10
    source = drafts_of(out)[0].header.source
    assert source.startswith(f"shrunk from {WHOLE} to 10 entries for ")
    assert f"program.py, of {drafts_of(calls)[0].header.id}" in source
    assert realtape("replay", out).code == 0


def test_the_number_of_jobs_does_not_change_what_is_found(
    realtape: Realtape, tmp_path: Path, calls: Path
) -> None:
    command = program(tmp_path, PAID_TWICE)
    for jobs in (1, 3):
        ran = realtape("shrink", calls, "--into", tmp_path / f"{jobs}.db", "--jobs", jobs, "--", *command)
        assert ran.code == 0
    assert drafts_of(tmp_path / "1.db") == drafts_of(tmp_path / "3.db")


@pytest.mark.parametrize(("turns", "entries"), [(46, 1000), pytest.param(228, 5000, marks=pytest.mark.deep)])
def test_a_long_session(realtape: Realtape, tmp_path: Path, turns: int, entries: int) -> None:
    store, out = tmp_path / "calls.db", tmp_path / "small.db"
    record_long(store, turns, turns * 3 // 5)
    assert len(drafts_of(store)[0].entries) > entries
    ran = realtape("shrink", store, "--into", out, "--", *program(tmp_path, PAID_TWICE))
    assert ran.code == 0
    assert entries_of(out) < 20
    runs = re.search(r"after (\d+) runs", ran.out)
    assert runs is not None
    assert int(runs[1]) < 200


def test_a_function_in_this_process(
    realtape: Realtape, tmp_path: Path, calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_checks.py").write_text(
        "async def paid(recording):\n"
        "    entries = [entry async for entry in recording.entries()]\n"
        "    sent = [entry for entry in entries if entry.kind == 'sent' and '\"refund\"' in entry.payload]\n"
        "    if len(entries) < 10: raise KeyError('another failure')\n"
        "    assert len(sent) < 2, 'twice'\n"
        "def fine(recording):\n"
        "    pass\n"
    )
    monkeypatch.chdir(tmp_path)
    ran = realtape("shrink", calls, "--into", "small.db", "--check", "my_checks:paid", "--match", "twice")
    assert (ran.code, ran.err) == (0, "")
    assert entries_of(tmp_path / "small.db") == 10
    ran = realtape("shrink", calls, "--into", "none.db", "--check", "my_checks:fine")
    assert ran.code == 2
    assert "my_checks:fine does not fail so on the whole session" in ran.err
    for option in (["--code", "1"], ["--timeout", "1"], ["--jobs", "2"], ["--", "true"]):
        ran = realtape("shrink", calls, "--into", "none.db", "--check", "my_checks:fine", *option)
        assert (ran.code, ran.out) == (2, "")
    assert not (tmp_path / "none.db").exists()


def test_another_failure_is_not_taken_for_this_one(realtape: Realtape, tmp_path: Path, calls: Path) -> None:
    """Below sixteen entries the program itself breaks."""
    text = PREAMBLE + (
        "if len(rows) < 16: print('broken'); sys.exit(1)\n"
        "if len(paid) > 1: print('paid back twice'); sys.exit(3)\n"
    )
    command = program(tmp_path, text)
    out = tmp_path / "this.db"
    ran = realtape("shrink", calls, "--into", out, "--code", "3", "--match", "twice", "--", *command)
    assert ran.code == 0
    assert 16 <= entries_of(out) < 20
    out = tmp_path / "any.db"
    assert realtape("shrink", calls, "--into", out, "--", *command).code == 0
    assert entries_of(out) == 2


def test_which_failure_counts() -> None:
    assert WantedFailure().is_this(1, "")
    assert WantedFailure().is_this(-9, "")
    assert not WantedFailure().is_this(0, "failed")
    assert WantedFailure(code=3).is_this(3, "")
    assert not WantedFailure(code=3).is_this(1, "")
    assert WantedFailure(text="twice").is_this(1, "paid back twice")
    assert not WantedFailure(text="twice").is_this(1, "broken")
    assert not WantedFailure(text="twice").is_this(0, "paid back twice")


def test_a_command_that_does_not_fail_or_cannot_be_found(
    realtape: Realtape, tmp_path: Path, calls: Path
) -> None:
    out = tmp_path / "small.db"
    ran = realtape("shrink", calls, "--into", out, "--", "true")
    assert (ran.code, ran.out) == (2, "")
    assert "true does not fail so on the whole session; its exit code is 0" in ran.err
    ran = realtape("shrink", calls, "--into", out, "--", "no-such-command-at-all")
    assert (ran.code, ran.out) == (2, "")
    assert "no command no-such-command-at-all" in ran.err
    ran = realtape("shrink", calls, "--into", out)
    assert (ran.code, ran.out) == (2, "")
    assert "a command after --, or --check module:callable" in ran.err
    for place in (calls, tmp_path, calls / "no" / "small.db"):
        ran = realtape("shrink", calls, "--into", place, "--", "false")
        assert ran.code == 2
        assert "name another place" in ran.err
    assert not out.exists()


def test_a_run_that_takes_too_long_is_ended_with_what_it_has_started(
    realtape: Realtape, tmp_path: Path, calls: Path
) -> None:
    """The first time that nothing was paid the program hangs, and so does the child that it has started."""
    pids = tmp_path / "pids"
    text = PREAMBLE + (
        "import subprocess\n"
        f"if not paid and not os.path.exists({str(pids)!r}):\n"
        "    child = subprocess.Popen(['sleep', '60'])\n"
        f"    open({str(pids)!r}, 'a').write(f'{{child.pid}}\\n')\n"
        "    time.sleep(60)\n"
        "if len(paid) > 1: sys.exit(3)\n"
    )
    out = tmp_path / "small.db"
    command = program(tmp_path, text)
    ran = realtape("shrink", calls, "--into", out, "--timeout", "3", "--jobs", "1", "--", *command)
    assert ran.code == 0, ran
    assert entries_of(out) == 10
    started = [int(pid) for pid in pids.read_text().split()]
    assert started
    assert not [pid for pid in started if _runs(pid)]


def _runs(pid: int) -> bool:
    """Whether a process still does something; one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in ("Z", "X")
    except FileNotFoundError:
        return False


def test_a_command_that_takes_too_long_at_once(realtape: Realtape, tmp_path: Path, calls: Path) -> None:
    ran = realtape("shrink", calls, "--into", tmp_path / "small.db", "--timeout", "0.2", "--", "sleep", "30")
    assert (ran.code, ran.out) == (2, "")
    assert "it took too long" in ran.err


def test_when_the_time_is_over_the_best_so_far_is_written(
    realtape: Realtape, tmp_path: Path, calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two that are smaller, the second takes its time."""
    (tmp_path / "slow_checks.py").write_text(
        "import time\n"
        "smaller = []\n"
        "async def paid(recording):\n"
        "    entries = [entry async for entry in recording.entries()]\n"
        "    sent = [entry for entry in entries if entry.kind == 'sent' and '\"refund\"' in entry.payload]\n"
        f"    if len(sent) > 1 and len(entries) < {WHOLE}:\n"
        "        smaller.append(len(entries))\n"
        "        time.sleep(3 if len(smaller) == 2 else 0)\n"
        "    assert len(sent) < 2\n"
    )
    monkeypatch.chdir(tmp_path)
    ran = realtape("shrink", calls, "--into", "small.db", "--check", "slow_checks:paid", "--seconds", "2.5")
    assert ran.code == 3
    assert "2.5 s are over: it may not be the smallest" in ran.err
    assert 10 < entries_of(tmp_path / "small.db") < WHOLE


def test_a_command_that_fails_now_and_then_is_told(realtape: Realtape, tmp_path: Path, calls: Path) -> None:
    """It fails on the first run, and not on the second."""
    seen = tmp_path / "seen"
    text = PREAMBLE + (
        f"again = os.path.exists({str(seen)!r})\n"
        f"open({str(seen)!r}, 'w').close()\n"
        "sys.exit(0 if again else 3)\n"
    )
    out = tmp_path / "same.db"
    ran = realtape("shrink", calls, "--into", out, "--seconds", "1", "--", *program(tmp_path, text))
    assert ran.code == 3
    assert "does not fail every time: what is found" in ran.err
    assert "does not fail every time on what was found" in ran.err


def test_ctrl_c_writes_the_best_so_far(tmp_path: Path, calls: Path) -> None:
    out, log = tmp_path / "small.db", tmp_path / "log"
    text = PREAMBLE + (
        f"open({str(log)!r}, 'a').write(f'{{os.getpid()}} {{len(rows)}}\\n')\n"
        "if len(rows) < 60: time.sleep(60)\n"
        "if len(paid) > 1: sys.exit(3)\n"
    )
    options = ("--into", out, "--jobs", "1", "--code", "3")
    process = start("shrink", calls, *options, "--", *program(tmp_path, text), TMPDIR=str(tmp_path))
    deadline = time.monotonic() + 120
    while not _hangs(log):
        assert time.monotonic() < deadline, process.communicate()
        time.sleep(0.05)
    # The first hang is where all was left out: end it, so that the search goes on.
    os.kill(_hangs(log)[0], signal.SIGTERM)
    while len(_hangs(log)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    told, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "interrupted" in errors
    assert not [pid for pid in _hangs(log) if _runs(pid)]
    assert told.startswith(f"{out}: ")
    assert 60 <= entries_of(out) < WHOLE
    assert not list(tmp_path.glob("realtape-shrink-*"))


def test_ctrl_c_does_not_come_between_a_process_and_who_ends_it(
    calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (draft,) = drafts_of(calls)
    started, came, popen = list[int](), threading.Event(), subprocess.Popen[bytes]

    def interrupted(*args: Any, **facts: Any) -> subprocess.Popen[bytes]:
        process = popen(*args, **facts)
        started.append(process.pid)
        os.kill(os.getpid(), signal.SIGINT)
        came.wait(60)
        return process

    def search() -> None:
        with Commands(["sleep", "60"], draft, WantedFailure(), None) as judge:
            try:
                judge(draft)
            finally:
                came.set()

    monkeypatch.setattr("realtape.cli.trials.subprocess.Popen", interrupted)
    with pytest.raises(KeyboardInterrupt):
        search()
    assert len(started) == 1
    assert not _runs(started[0])


def _hangs(log: Path) -> list[int]:
    """The runs that are on a small recording."""
    lines = log.read_text().split("\n") if log.exists() else []
    return [int(line.split()[0]) for line in lines if line and int(line.split()[1]) < 60]


def test_a_terminal_is_told_how_far_it_is(tmp_path: Path, calls: Path) -> None:
    command = program(tmp_path, PREAMBLE + "time.sleep(0.15)\nif len(paid) > 1: sys.exit(3)\n")
    ran = run_on_terminal("shrink", calls, "--into", tmp_path / "small.db", "--seconds", "4", "--", *command)
    assert "entries left" in ran.out
    assert "runs" in ran.out


def test_a_fixture_next_to_the_store_where_nothing_else_is_named(
    realtape: Realtape, tmp_path: Path, calls: Path
) -> None:
    store = tmp_path / "calls.db"
    store.write_bytes(calls.read_bytes())
    command = program(tmp_path, PAID_TWICE)
    assert realtape("shrink", store, "--", *command).code == 0
    assert entries_of(tmp_path / "calls-shrunk") == 10
    ran = realtape("shrink", store, "--", *command)
    assert ran.code == 2
    assert "calls-shrunk exists: name another place" in ran.err
