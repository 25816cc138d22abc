"""Bad input: one line on stderr that says what to do, an exit code, and never a traceback."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from realtape.cli import commands as cli_app
from realtape.cli import main
from realtape.cli.exit_codes import Exit
from realtape.schema import StoreNotFoundError
from realtape.schema.log import stores
from support.command_line import Ran, run
from support.telephone import record

Realtape = Callable[..., Ran]
COMMANDS = ("ls", "show", "replay", "verify")


def refused(ran: Ran, code: int, *words: str) -> None:
    assert ran.code == code
    assert ran.out == ""
    assert ran.err.startswith("realtape: ")
    assert ran.err.count("\n") == 1
    for word in words:
        assert word in ran.err


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_no_store(realtape: Realtape, tmp_path: Path, command: str) -> None:
    refused(realtape(command, tmp_path / "nothing.db"), 2, "no such file", "check the path")
    refused(realtape(command, tmp_path), 1)
    (tmp_path / "empty.db").touch()
    refused(realtape(command, tmp_path / "empty.db"), 1, "empty.db: ")
    (tmp_path / "text.db").write_text("this is no database, however long it may be\n" * 100)
    refused(realtape(command, tmp_path / "text.db"), 1, "text.db: ")
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    refused(realtape(command, tmp_path / "other.db"), 1, "other.db: ")
    refused(realtape(command, "mysql://me:secret@host/calls"), 2, "give an SQLite path or a postgresql URL")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_store_that_is_torn(realtape: Realtape, store: Path, command: str) -> None:
    data = store.read_bytes()
    store.write_bytes(data[: len(data) // 2])
    ran = realtape(command, store)
    assert ran.code in (1, 3)
    assert ran.err.count("\n") == 1
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("command", COMMANDS)
def test_a_newer_format(realtape: Realtape, store: Path, command: str) -> None:
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("UPDATE store SET format = 99")
    refused(realtape(command, store), 2, "written in format 99", "upgrade")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_store_that_somebody_holds(
    realtape: Realtape, store: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "READ_BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(store, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("BEGIN EXCLUSIVE")
        refused(realtape(command, store), 2, "held by another process", "wait for it")


@pytest.mark.parametrize("command", ["show", "replay", "verify"])
def test_a_session_that_is_not_there_or_not_the_only_one(
    realtape: Realtape, tmp_path: Path, command: str
) -> None:
    store = tmp_path / "chain.db"
    record(store, sessions=2)
    refused(realtape(command, f"{store}#ffff"), 2, "no session ffff", "realtape ls")
    refused(realtape(command, f"{store}#0"), 2, "2 sessions begin with 0", "give more of the id")
    refused(realtape(command, f"{store}#"), 2, "no session after the #")
    refused(realtape(command, f"{store}#latest"), 2, "no session latest")


def test_a_mark_in_the_path_of_a_file(realtape: Realtape, recorded: Path, tmp_path: Path) -> None:
    folder = tmp_path / "my#folder"
    folder.mkdir()
    shutil.copy(recorded, folder / "calls#2.db")
    assert realtape("verify", folder / "calls#2.db").code == 0
    assert realtape("verify", f"{folder}/calls#2.db#0").code == 0
    refused(realtape("ls", f"{folder}/nothing.db"), 2, f"{folder}/nothing.db: no such file")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show"], ["Missing argument", "see realtape show --help"]),
        (["show", "x.db", "--wrong"], ["No such option: --wrong"]),
        (["show", "x.db", "--kind", "recieved"], ["'recieved' is not one of", "'received'"]),
        (["show", "x.db", "--from", "yesterday"], ["--from yesterday", "such as 120"]),
        (["show", "x.db", "--to", "1.5"], ["--to 1.5", "1.5s"]),
        (["replay", "x.db", "--expect", "some"], ["expect='some'", "reactions, all, none"]),
        (["replay", "x.db", "--stuck-after", "soon"], ["--stuck-after"]),
        (["replay", "x.db", "--stuck-after", "0"], ["--stuck-after"]),
        (["rewind", "x.db"], ["No such command 'rewind'", "realtape --help"]),
        (["ls", "x.db", "y.db"], ["unexpected extra argument"]),
        (["ls", "x.db#01a2"], ["takes a whole store"]),
    ],
)
def test_misuse(realtape: Realtape, arguments: list[str], words: list[str]) -> None:
    refused(realtape(*arguments), 2, *words)


def test_what_nobody_foresaw_is_a_line_too(
    realtape: Realtape, recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(text: str) -> None:
        raise ZeroDivisionError("in the\nmidst")

    monkeypatch.setattr("realtape.cli.ls_command.parse_store", fail)
    refused(realtape("ls", recorded), 2, "unexpected ZeroDivisionError: in the midst", "REALTAPE_DEBUG=1")
    monkeypatch.setenv("REALTAPE_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        main(["ls", str(recorded)])


def test_debugging_shows_where_an_error_of_ours_came_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REALTAPE_DEBUG", "1")
    with pytest.raises(StoreNotFoundError):
        main(["ls", str(tmp_path / "nothing.db")])


def test_ctrl_c_is_130_wherever_it_comes(monkeypatch: pytest.MonkeyPatch, recorded: Path) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("realtape.cli.ls_command.parse_store", interrupt)
    assert main(["ls", str(recorded)]) == Exit.INTERRUPTED
    monkeypatch.setattr(cli_app, "run", interrupt)
    assert main(["ls", str(recorded)]) == Exit.INTERRUPTED


def test_reading_changes_nothing_and_leaves_nothing(realtape: Realtape, store: Path) -> None:
    before = (store.read_bytes(), sorted(store.parent.iterdir()))
    for command in COMMANDS:
        assert realtape(command, store).code == 0
    assert (store.read_bytes(), sorted(store.parent.iterdir())) == before


def test_the_console_script_and_the_module_are_the_same(realtape: Realtape) -> None:
    ran = run("--version")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("realtape 0.")
    assert realtape("--version").out == ran.out
    script = shutil.which("realtape")
    if script is not None:
        assert "realtape.cli" in Path(script).read_text()


def test_without_a_command_there_is_help(realtape: Realtape) -> None:
    ran = realtape()
    assert ran.code == 0
    for command in COMMANDS:
        assert f"\n  {command} " in ran.out
    assert realtape("--help").out == ran.out
