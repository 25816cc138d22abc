"""`realtape replay --interactive`: what is typed is done, and what cannot be done is said."""

from __future__ import annotations

import io
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from realtape.cli.prompt import HELP, Console
from support.command_line import REALTAPE, Ran, environment

APP = ("--app", "support.telephone:app")
PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()


Typed = Callable[..., Ran]


@pytest.fixture
def typed(realtape: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> Typed:
    """These lines on stdin, in this process."""

    def type_here(store: Path, *lines: str, app: tuple[str, ...] = ()) -> Ran:
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        return realtape("replay", store, "--interactive", *app)

    return type_here


@pytest.mark.parametrize("app", [(), APP])
def test_running_to_the_end_is_a_replay_as_any_other(
    typed: Typed, recorded: Path, app: tuple[str, ...]
) -> None:
    ran = typed(recorded, "run", "run", app=app)
    assert (ran.code, ran.err) == (0, "")
    assert ran.lines[0].startswith("paused · 0.000 #0 ▶ connect")
    assert ran.lines[1] == "ended"
    assert ran.lines[2].startswith("same: 16 events delivered, ")


@pytest.mark.parametrize("app", [(), APP])
def test_where_it_cannot_be_read_any_further_is_said(typed: Typed, store: Path, app: tuple[str, ...]) -> None:
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("DROP TRIGGER entries_no_update")
        connection.execute("UPDATE entries SET payload = '{torn' WHERE seq = 24")
    ran = typed(store, "run", "seek 7", "run", "quit", app=app)
    assert ran.code == 3
    failed = [line for line in ran.lines if line.startswith("failed: ")]
    assert len(failed) == 2, "before and after it was played again from the start"
    assert all("entry 24: changed after it was appended" in line for line in failed)
    assert "entry 24: changed after it was appended" in ran.err


@pytest.mark.parametrize("app", [(), APP])
def test_stepping_seeking_and_looking(typed: Typed, recorded: Path, app: tuple[str, ...]) -> None:
    ran = typed(
        recorded,
        *("break type=function_call", "run", "step", "state", "seek 7", "breaks", "transcript", "show 1"),
        *(
            "until text~morning",
            "transcript",
            "delete 1",
            "breaks",
            "turn",
            "seek 0.01s",
            "rate 2",
            "rate max",
        ),
        app=app,
    )
    assert (ran.code, ran.err) == (0, "")
    told = iter(ran.lines)
    expected = [
        "breakpoint 1: type=function_call",
        "breakpoint 1: type=function_call · ",
        "stepped · ",
        "at #25, ",
        "heard: 200 ms of item_0123456789abcdef",
        'open: departure({"to": "Brno"}) as call_1 since #24',
        "reached · ",  # again from the start
        "breakpoint 1: type=function_call",
        "user: hello",
        "assistant: Good",
        "→ ",
        "reached · ",
        "assistant: Good",
        "no breakpoints",
        "reached · ",
        "reached · ",
        "rate 2",
        "rate max",
        "not finished: ",
    ]
    for line in expected:
        assert any(one.startswith(line) for one in told), line


def test_mistakes_are_said_and_nothing_happens(typed: Typed, recorded: Path) -> None:
    wrong = {
        "fly": "no command fly: there are run, step, ",
        "step x": "step x: give a number",
        "step 0": "0 steps: give a number from 1 up",
        "seek there": "seek there: give an entry's number such as 120, or a time",
        "break": "break: say what to stop at: type=NAME",
        "break colour=red": "break: colour=red is no condition; there are type=NAME",
        "break text~x": "text~x is no condition",
        "break playback=150": "playback=150: give a unit",
        "until 'type=": "No closing quotation",
        "delete 4": "no breakpoint 4; set are none",
        "rate fast": "rate fast: give a number",
        "rate -1": "rate -1.0: give a number above 0",
        "_line": "no command _line",
    }
    ran = typed(recorded, *wrong, "state")
    said = ran.err.splitlines()
    assert len(said) == len(wrong)
    for line, problem in zip(said, wrong.values(), strict=True):
        assert problem in line
    assert "at #0, 0.000 s, turn 0" in ran.out
    assert ran.code == 0


def test_at_the_end_there_is_only_the_way_back(typed: Typed, recorded: Path) -> None:
    ran = typed(recorded, "run", "step", "seek 3", "quit")
    assert "the replay is over: seek to an earlier place, or quit" in ran.err
    assert ran.lines[1] == "ended"
    assert "#3 ◀ received turn_started" in ran.lines[2]
    assert ran.lines[3].startswith("not finished: ")


def test_a_divergence_stops_it_and_is_the_exit_code(typed: Typed, recorded: Path) -> None:
    ran = typed(recorded, "run", "run", app=("--app", "support.telephone:other"))
    assert ran.code == 1
    assert ran.lines[1].startswith("failed")
    assert "'platform 4' → 'platform 5'" in ran.out


def test_an_application_that_raises_shows_its_traceback(typed: Typed, recorded: Path) -> None:
    ran = typed(recorded, "run", "run", app=("--app", "support.telephone:failing"))
    assert ran.code == 1
    assert "ValueError: this is my own fault" in ran.err


def test_json_is_on_stdout_alone(typed: Typed, recorded: Path) -> None:
    ran = typed(recorded, "run", "run", app=("--json",))
    assert ran.out.startswith("{")
    assert "ended" in ran.err


def test_ctrl_c_pauses_and_at_the_prompt_ends(recorded: Path, tmp_path: Path) -> None:
    (tmp_path / "telling_app.py").write_text(
        "from support.telephone import app\n\n"
        "class Telling:\n"
        "    async def on_event(self, event):\n"
        "        if event.type == 'turn_started': print('it runs', flush=True)\n\n"
        "async def telling(model):\n"
        "    model.add_listener(Telling())\n"
        "    await app(model)\n"
    )
    with subprocess.Popen(
        [*REALTAPE, "replay", str(recorded), "--interactive", "--app", "telling_app:telling"],
        cwd=tmp_path,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline().startswith("paused")
        process.stdin.write("seek 3\nrate 0.0001\nrun\n")  # after the first turn, 10 ms take 100 s
        process.stdin.flush()
        assert process.stdout.readline().startswith("reached")
        assert process.stdout.readline() == "rate 0.0001\n"
        assert process.stdout.readline() == "it runs\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline().startswith("paused")
        process.stdin.write("state\n")
        process.stdin.flush()
        place = re.match(r"at #(\d+), ", process.stdout.readline())
        assert place is not None
        assert 3 < int(place[1]) <= 24
        time.sleep(0.2)
        os.kill(process.pid, signal.SIGINT)
        process.communicate(timeout=120)
    assert process.returncode == 130


def test_the_page_and_the_help_name_every_command() -> None:
    commands = {name.removeprefix("_do_") for name in dir(Console) if name.startswith("_do_")}
    assert {line.split()[0] for line in HELP.splitlines()} == commands
    for command in commands:
        assert f"`{command}" in PAGE, command
