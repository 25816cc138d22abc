"""One recorded telephone conversation for all of the command line's tests, and `main()` run here."""

from __future__ import annotations

import multiprocessing
import os
import pty
import shutil
import sys
import threading
from collections.abc import Callable
from multiprocessing import forkserver
from pathlib import Path

import pytest
from realtape.cli import main
from support.command_line import Ran, read_terminal
from support.telephone import record


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one session; nobody changes it."""
    store = tmp_path_factory.mktemp("recorded") / "calls.db"
    record(store, {"caller": "four"})
    return store


@pytest.fixture(scope="session")
def imported_ahead() -> None:
    """The process that workers are forked from has imported what any of them needs, the SDK too; else it has
    what the first test asked for."""
    jobs = ("realtape.cli.check_job", "realtape.cli.sweep_job")
    needed = ("sqlalchemy.ext.asyncio", "realtape.integrations.openai_agents.replay_model")
    multiprocessing.get_context("forkserver").set_forkserver_preload([*jobs, *needed])
    forkserver.ensure_running()


@pytest.fixture
def store(recorded: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    copy = tmp_path / "calls.db"
    shutil.copy(recorded, copy)
    return copy


@pytest.fixture(scope="session")
def two(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A store with two sessions of one model."""
    path = tmp_path_factory.mktemp("two") / "calls.db"
    record(path, sessions=2)
    return path.read_bytes()


@pytest.fixture
def path(two: bytes, tmp_path: Path) -> Path:
    """It, to be damaged."""
    copy = tmp_path / "calls.db"
    copy.write_bytes(two)
    return copy


@pytest.fixture
def realtape(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """`main()` in this process."""

    def run_here(*arguments: object) -> Ran:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        told = capsys.readouterr()
        return Ran(code, told.out, told.err)

    return run_here


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """`main()` in this process, with a terminal of so many columns as its stdout and stderr."""

    def run_there(*arguments: object, columns: int = 120, **environment: str) -> Ran:
        ours, theirs = pty.openpty()
        told = bytearray()
        with monkeypatch.context() as patch, open(theirs, "w", encoding="utf-8", buffering=1) as stream:
            for name, value in {"TERM": "xterm-256color", "COLUMNS": str(columns), **environment}.items():
                patch.setenv(name, value)
            patch.setattr(sys, "stdout", stream)
            patch.setattr(sys, "stderr", stream)
            reader = threading.Thread(target=read_terminal, args=(ours, told))
            reader.start()
            code = main([str(argument) for argument in arguments])
        reader.join()
        os.close(ours)
        return Ran(code, told.decode())

    return run_there


@pytest.fixture(autouse=True)
def as_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the developer's environment, and what an application is imported by is undone."""
    for name in ("NO_COLOR", "FORCE_COLOR", "REALTAPE_DEBUG", "REALTAPE_DISABLED"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
