"""`realtape prune`, `pin` and `unpin`: what goes is said, what is pinned stays, the rest replays."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from support.command_line import Ran
from support.stores import sql
from support.telephone import record

Realtape = Callable[..., Ran]


@pytest.fixture(scope="module")
def recorded_thrice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One session of a caller, and two of another's one model."""
    path = tmp_path_factory.mktemp("thrice") / "calls.db"
    record(path, {"caller": "four"})
    record(path, {"caller": "nine"}, sessions=2)
    return path


@pytest.fixture
def path(recorded_thrice: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "calls.db"
    shutil.copy(recorded_thrice, copy)
    return copy


def ids(path: Path) -> list[str]:
    return [row[0] for row in sql(path, "SELECT id FROM sessions ORDER BY key")]


def test_what_goes_is_said_before_and_after(realtape: Realtape, path: Path) -> None:
    first, *others = ids(path)
    data = path.read_bytes()
    ran = realtape("prune", path, "--label", "caller=four", "--dry-run")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"session {first}: would go (selection); ")
    assert ran.out.count("\n") == 1
    assert path.read_bytes() == data
    ran = realtape("prune", path, "--label", "caller=four")
    assert (ran.code, ran.err) == (0, "")
    told = ran.out.splitlines()
    assert told[0].startswith(f"session {first}: removed (selection); ")
    assert ": 1 sessions removed, " in told[1]
    assert ids(path) == others
    assert path.stat().st_size < len(data)
    assert sql(path, "SELECT id, reason FROM prunings") == [(first, "selection")]
    assert realtape("verify", path).code == 0
    assert realtape("replay", path).code == 0
    assert realtape("prune", path, "--label", "caller=four").out.startswith(f"{path}: 0 sessions removed")


def test_a_pin_is_a_pin(realtape: Realtape, path: Path) -> None:
    first, second, third = ids(path)
    assert realtape("pin", path).out == f"session {second}: pinned\nsession {third}: pinned\n"
    assert realtape("pin", f"{path}#{third}").out == f"session {third}: was pinned already\n"
    assert realtape("prune", path, "--keep-last", "0").code == 0
    assert ids(path) == [second, third]
    assert realtape("unpin", f"{path}#{second}").out == f"session {second}: no longer pinned\n"
    assert realtape("prune", path, "--keep-last", "0", "--chains").out.startswith(f"{path}: 0 sessions")
    assert realtape("prune", path, "--keep-last", "0").code == 0
    assert ids(path) == [third]
    assert realtape("replay", path).code == 0  # without those before it
    assert realtape("unpin", path).out == f"session {third}: no longer pinned\n"
    assert realtape("unpin", path).out == f"session {third}: was not pinned\n"
    assert first not in ids(path)


def test_limits(realtape: Realtape, path: Path) -> None:
    assert realtape("prune", path, "--older-than", "1h").out.startswith(f"{path}: 0 sessions")
    assert realtape("prune", path, "--keep-last", "2", "--older-than", "0s").out.count("removed (age)") == 1
    assert realtape("prune", path, "--max-size", "2GB", "--vacuum").out.startswith(f"{path}: 0 sessions")
    ran = realtape("prune", path, "--max-size", "1kB", "--keep-last", "1")
    assert (ran.code, ran.out.count("removed (size)")) == (3, 1)
    assert "larger all the same; the others are pinned, being recorded, or to be kept" in ran.err
    ran = realtape("prune", path, "--max-size", "1kB")
    assert (ran.code, ran.err, ran.out.count("removed (size)")) == (0, "", 1)
    assert ids(path) == []


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "every session would go: say which, by age, number, size, label or status"),
        (["--older-than", "soon"], "--older-than soon: give an age: 45m, 12h, 30d or 8w"),
        (["--max-size", "2"], "--max-size 2: give a size: 500MB, 2GB or 2GiB"),
        (["--label", "four"], "--label four: give a label as NAME=VALUE"),
        (["--label", "a=1", "--label", "a=2"], "--label: no session has two labels a; give one of them"),
        (["--status", "recording"], "a session that is being recorded does not go: name another status"),
    ],
)
def test_what_cannot_be_asked(realtape: Realtape, path: Path, arguments: list[str], problem: str) -> None:
    data = path.read_bytes()
    ran = realtape("prune", path, *arguments)
    assert (ran.code, ran.out, ran.err) == (2, "", f"realtape: {problem}\n")
    assert path.read_bytes() == data
    assert realtape("prune", path.with_name("nothing.db"), "--keep-last", "1").code == 2
    assert not path.with_name("nothing.db").exists()
    assert realtape("pin", path.with_name("nothing.db")).code == 2
