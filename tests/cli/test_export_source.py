"""`realtape export --pytest` and `--scripted`: files that a person could have written, and that run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from realtape.cli.pytest_file import pytest_file
from support.command_line import Ran, environment
from support.fixtures import draft, received, sent
from support.golden import DEMO

Realtape = Callable[..., Ran]
APP = "support.telephone:app"


def run_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """pytest in a folder of its own, which sees the tests' support."""
    (folder / "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--rootdir",
            str(folder),
            *arguments,
        ],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_test_passes_and_fails_with_another_application(
    realtape: Realtape, recorded: Path, tmp_path: Path
) -> None:
    file = tmp_path / "test_calls.py"
    ran = realtape("export", recorded, file, "--pytest", "--app", APP)
    assert (ran.code, ran.err) == (0, "")
    assert (tmp_path / "recordings" / "test_calls" / "test_hello" / "session.json").exists()
    done = run_pytest(tmp_path)
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout
    file.write_text(file.read_text().replace("app", "other"))
    done = run_pytest(tmp_path)
    assert done.returncode == 1
    assert "differs in output: 'platform 4' → 'platform 5'" in done.stdout


def test_it_reads_as_if_a_person_had_written_it(realtape: Realtape, recorded: Path, tmp_path: Path) -> None:
    file = tmp_path / "test_calls.py"
    realtape("export", recorded, file, "--pytest", "--app", "support.telephone:Desk.app")
    day = file.read_text().split(" of ")[1][:10]
    assert file.read_text() == (
        f'"""A conversation of {day}, replayed: the application does again what it did then."""\n'
        "\n"
        "from __future__ import annotations\n"
        "\n"
        "from realtape.integrations.pytest_plugin import Realtape\n"
        "from support.telephone import Desk\n"
        "\n"
        "\n"
        "async def test_hello(realtape: Realtape) -> None:\n"
        '    """\n'
        "    user: hello\n"
        "    assistant: Good morning.\n"
        '    the application: departure({"to": "Brno"}) → platform 4\n'
        "    (the user breaks in)\n"
        "    user: fail\n"
        "    user: no\n"
        "    user: yes\n"
        "    user: wait\n"
        '    """\n'
        "    await Desk.app(realtape.model())\n"
    )


@pytest.mark.parametrize("way", ["--pytest", "--scripted"])
def test_it_is_laid_out_as_the_formatter_would(realtape: Realtape, tmp_path: Path, way: str) -> None:
    file = tmp_path / "test_demo.py"
    app = ("--app", "my_agent:app") if way == "--pytest" else ()
    assert realtape("export", DEMO, file, way, *app).code == 0
    ruff = (sys.executable, "-m", "ruff")
    for command in (("format", "--check"), ("check", "--select", "E,F,I,W")):
        options = ("--isolated", "--line-length", "100")
        done = subprocess.run([*ruff, *command, *options, file], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_nothing_is_left_open(realtape: Realtape, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ran = realtape("export", DEMO, tmp_path / "steps.py", "--scripted")
    assert (ran.code, ran.err, caplog.records) == (0, "", [])


@given(st.text(st.characters() | st.characters(categories=["Cs"]) | st.sampled_from('"\\\n')))
@example("Hi \ud83d")
@example('He said """no""" \\')
def test_whatever_was_said_is_python_that_a_file_can_hold(text: str) -> None:
    said = received("transcript_delta", item_id="item_a", delta=text)
    source = pytest_file([draft(said)], APP).text
    compile(source.encode(), "test_it.py", "exec")
    assert "    assistant:" in source


def test_a_name_is_a_file_systems_whatever_was_said() -> None:
    made = pytest_file([draft(sent("send_user_input", user_input="a" * 20_000))], APP)
    assert len(made.test) <= 70
    compile(made.text.encode(), "test_it.py", "exec")


@pytest.mark.parametrize(
    "name", ["realtape", "Realtape", "OpenAIRealtimeWebSocketModel", "test_the_conversation"]
)
def test_an_applications_name_hides_nothing(name: str) -> None:
    text = pytest_file(
        [draft(received("transcript_delta", item_id="a", delta="b"))], f"calls:{name}.run"
    ).text
    assert f"from calls import {name} as application\n" in text
    assert "    await application.run(realtape.model())\n" in text


def test_both_files_are_written_or_neither(realtape: Realtape, recorded: Path, tmp_path: Path) -> None:
    (tmp_path / "recordings").write_text("no folder")
    command = ("export", recorded, tmp_path / "test_calls.py", "--pytest", "--app", APP)
    assert realtape(*command).code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["recordings"]
    (tmp_path / "recordings").unlink()
    assert realtape(*command).code == 0


@pytest.mark.parametrize("options", [(), ("--pytest", "--app", APP), ("--scripted", "--only-this-session")])
def test_folders_above_it_are_made(
    realtape: Realtape, recorded: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    file = tmp_path / "tests" / "calls" / "test_calls.py"
    assert realtape("export", recorded, file, *options).code == 0
    assert file.exists()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("test_a.py", "--pytest"), "--pytest needs --app"),
        (("test_a.py", "--pytest", "--scripted", "--app", APP), "choose one"),
        (("a.py", "--pytest", "--app", APP), "name it test_….py"),
        (("test_a.py", "--pytest", "--app", "a b:c"), "name it as module:callable"),
        (("test_a.py", "--pytest", "--app", "calls.class:app"), "name it as module:callable"),
        (("test_old.py", "--pytest", "--app", APP), "exists already"),
        (("test_old.py", "--scripted"), "exists already"),
        (("steps", "--scripted"), "name it ….py"),
    ],
)
def test_misuse(
    realtape: Realtape,
    recorded: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    problem: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "test_old.py").write_text("old")
    ran = realtape("export", recorded, *arguments)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert problem in ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["test_old.py"]
    assert (tmp_path / "test_old.py").read_text() == "old"
