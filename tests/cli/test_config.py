"""`[tool.realtape]`: one place for the settings of a project, for each command and for the plugin."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from realtape.cli.commands import all_commands
from realtape.cli.defaults import options_of
from realtape.integrations.project import SHARED, project_of
from realtape.integrations.replay_settings import replay_options
from realtape.replay import IGNORE, Tolerance
from realtape.schema import UsageError
from support.command_line import Ran
from support.telephone import hide_platform, record

Realtape = Callable[..., Ran]
Project = Callable[[str], Path]
PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
OPTIONS = {name: options_of(command) for name, command in all_commands().items()}
SILENT = '[tool.realtape]\napp = "support.telephone:silent"\n'


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Writes the file of a project, below which we are."""

    def write(text: str) -> Path:
        path = tmp_path / "pyproject.toml"
        path.write_text(text)
        below = tmp_path / "some" / "where"
        below.mkdir(parents=True, exist_ok=True)
        monkeypatch.chdir(below)
        return path

    return write


def test_every_shared_setting_is_an_option_and_on_the_page() -> None:
    assert set(SHARED) <= {name for known in OPTIONS.values() for name in known}
    told = re.search(r"Outside of a command's table stand (.*?): each command takes", PAGE, re.DOTALL)
    assert told is not None
    assert sorted(re.findall(r"`([\w-]+)`", told[1])) == sorted(SHARED)
    for command in ("replay", "check"):
        assert {"app", "expect", "matchers", "strict", "stuck-after"} <= OPTIONS[command].keys()


def test_every_option_has_its_setting(project: Project) -> None:
    for command, known in OPTIONS.items():
        path = project(f"[tool.realtape.{command}]\n" + "".join(f"{name} = 1\n" for name in known))
        found = project_of(Path.cwd(), OPTIONS)
        assert (found.path, found.commands) == (path, {command: dict.fromkeys(known, 1)})
        assert found.told_to(command, known) == dict.fromkeys(known, 1)


def test_a_command_takes_what_is_set_unless_it_is_told_otherwise(
    realtape: Realtape, recorded: Path, project: Project
) -> None:
    project(SILENT)
    assert realtape("replay", recorded).out.startswith("same, but 1 send of unknown origin")
    assert realtape("replay", recorded, "--app", "support.telephone:app").out.startswith("same: ")
    project(f"{SILENT}strict = true\n[tool.realtape.check]\njobs = 1\n")
    assert (realtape("replay", recorded).code, realtape("check", recorded).code) == (1, 1)
    project(f'{SILENT}strict = true\nexpect = {{ send_user_input = "user" }}\n')
    assert realtape("replay", recorded).out.startswith("same: ")


def test_matchers_of_the_project(realtape: Realtape, recorded: Path, project: Project) -> None:
    other = ("--app", "support.telephone:other")
    project("")
    assert realtape("replay", recorded, *other).code == 1
    rules = '{"send_tool_output": {"output": "ignore"}}'
    assert realtape("replay", recorded, *other, "--matchers", rules).code == 0
    project('[tool.realtape]\nmatchers = { send_tool_output = { output = "ignore" } }\n')
    assert realtape("replay", recorded, *other).code == 0
    assert realtape("check", recorded, *other, "--jobs", 1).code == 0


def test_a_corpus_of_ids_and_times_is_green_with_five_lines(
    realtape: Realtape, tmp_path: Path, project: Project
) -> None:
    """What tools make up anew is no difference, once the project says so; what they look up still is."""
    (tmp_path / "calls").mkdir()
    for name in ("one", "two"):
        answer = {"id": str(uuid.uuid4()), "looked_up_at": 1, "platform": 4}
        record(tmp_path / "calls" / f"{name}.db", platform=json.dumps(answer))
    rules = '{ output = "json", "output.id" = "ignore", "output.looked_up_at" = "ignore" }'
    settings = f"""[tool.realtape]
app = "support.telephone:looking_up"
recordings = "{tmp_path / "calls"}"
expect = {{ send_user_input = "user" }}
matchers = {{ send_tool_output = {rules} }}
"""
    project("\n".join(settings.splitlines()[:3]))
    assert realtape("check", "--jobs", 1).code == 1
    project(settings)
    ran = realtape("check", "--jobs", 1)
    assert (ran.code, ran.lines[-1].split(";")[0]) == (0, "2 recordings: 2 same")
    ran = realtape("check", "--jobs", 1, "--app", "support.telephone:other")
    assert (ran.code, "2 diverged" in ran.lines[-1]) == (1, True)
    project(settings.replace('{ send_user_input = "user" }', '"support.telephone:typed_by_the_user"'))
    assert realtape("check", "--jobs", 1).code == 0
    ran = realtape("check", "--jobs", 1, "--expect", "support.telephone:nobody")
    assert (ran.code, "'support.telephone:nobody' is not there" in ran.err) == (2, True)
    project("")
    ran = realtape("check")
    assert (ran.code, "say where the recordings are" in ran.err) == (2, True)


def test_redactors_and_clocks_of_the_project(
    realtape: Realtape, recorded: Path, project: Project, tmp_path: Path
) -> None:
    hidden = tmp_path / "hidden.db"
    record(hidden, platform="platform 4", redactors=[hide_platform])
    assert realtape("replay", hidden, "--app", "support.telephone:other", "--collect").code == 1
    told = '[tool.realtape]\nredactor = "support.telephone:hide_platform"\nclocks = true\n'
    project(told + 'app = "support.telephone:telling_the_time"\n')
    ran = realtape("replay", hidden)
    (header,) = json.loads(realtape("ls", hidden, "--json").out)
    assert ran.code == 0
    assert f"it is {header['started_ns'] // 10**9}" in ran.out


def test_what_holds_is_printed_with_where_it_comes_from(realtape: Realtape, project: Project) -> None:
    path = project("[tool.realtape]\nstrict = true\n[tool.realtape.check]\njobs = 2\n")
    lines = [line.split() for line in realtape("config").lines]
    assert ["strict", "true", str(path)] in lines
    assert ["check.jobs", "2", str(path)] in lines
    assert ["app", "default"] in lines
    facts = json.loads(realtape("config", "--json").out)
    assert {"setting": "strict", "value": True, "from": str(path)} in facts


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[tool.realtape]\nstrickt = true", "no setting 'strickt'; the nearest is 'strict'"),
        ("[tool.realtape.chek]\njobs = 2", "the nearest is 'check'"),
        ("[tool.realtape.check]\njob = 2", "the nearest is 'jobs'"),
        ("[tool]\nrealtape = 3", "is no table"),
        ("[tool.realtape", "cannot be read"),
        ('[tool.realtape]\nmatchers = { send_audio = { x = "ignored" } }', "one of ignore, json"),
        ('[tool.realtape]\nmatchers = "nowhere:AT_ALL"', "is not there"),
        ('[tool.realtape]\nexpect = { send_user_input = "perhaps" }', "one of reaction, user"),
    ],
)
def test_a_wrong_setting_is_an_error_that_names_it(
    realtape: Realtape, project: Project, text: str, problem: str
) -> None:
    project(text)
    ran = realtape("config")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert problem in ran.err


def test_the_plugin_takes_the_same(project: Project) -> None:
    project(
        '[tool.realtape]\napp = "x:y"\nstrict = true\nstuck-after = 3\nplayback-ms = 5\nplayback = "exact"\n'
        'matchers = { "*" = { km = { relative = 0.1 }, id = "ignore" } }\n'
        'client-ids = { send_raw_message = ["id"] }\n[tool.realtape.check]\njobs = 2\n'
    )
    assert project_of(Path.cwd()).redaction() == {}
    assert replay_options(project_of(Path.cwd())) == {
        "strict": True,
        "patience": 3,
        "playback": "exact",
        "playback_ms": 5,
        "matchers": {"*": {"km": Tolerance(relative=0.1), "id": IGNORE}},
        "client_ids": {"send_raw_message": ["id"]},
    }
    project("[tool.realtape]\nword = 'Ada'\npattern = { order = 'AB-[0-9]+' }\nregion = ['DE']\n")
    assert project_of(Path.cwd()).redaction() == {
        "words": ("Ada",),
        "regions": ("DE",),
        "extra": {"order": "AB-[0-9]+"},
    }
    project("[tool.realtape]\nstrickt = 1\n")
    with pytest.raises(UsageError, match="strickt"):
        project_of(Path.cwd())
