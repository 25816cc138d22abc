"""What somebody said is shown and never obeyed: on a terminal, in a pipe, and as JSON."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from support.command_line import Ran
from support.forging import reseal

Realtape = Callable[..., Ran]
EVIL = "\x1b]0;PWN\x07\x1b[2J\x9b31m\u202eevil\r\nline2"


def forge(store: Path) -> None:
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("DROP TRIGGER entries_no_update")
        connection.execute(
            "UPDATE sessions SET host = ?, source = ?, versions = ?, labels = ?",
            (EVIL, EVIL, json.dumps({"openai-agents": EVIL}), json.dumps({EVIL: EVIL})),
        )
        connection.execute(
            "UPDATE entries SET type = coalesce(type, '') || ?, item_id = ?, "
            "method = coalesce(method, '') || ?, kind = CASE seq % 3 WHEN 2 THEN kind || ? ELSE kind END "
            "WHERE seq > 1",
            (EVIL,) * 4,
        )
    reseal(store)


def obeyed(text: str) -> set[str]:
    return {one for one in ("\x1b]", "\x1b[2J", "\x07", "\x9b", "\u202e", "\nline2") if one in text}


def test_they_are_shown_in_a_pipe_and_as_json(realtape: Realtape, store: Path) -> None:
    forge(store)
    for command in (["ls"], ["show", "--all"], ["show"], ["verify"], ["replay"], ["diff", store]):
        ran = realtape(command[0], store, *command[1:])
        assert not obeyed(ran.out + ran.err), command
    for command in (["ls", "--json"], ["show", "--json"], ["replay", "--json"]):
        ran = realtape(command[0], store, *command[1:])
        assert not obeyed(ran.out + ran.err), command
    told = json.loads(realtape("ls", store, "--json").out)
    assert told[0]["labels"] == {EVIL: EVIL}  # nothing is lost


def test_they_are_shown_on_a_terminal(terminal: Realtape, store: Path) -> None:
    forge(store)
    for command in (["ls"], ["show"], ["replay"]):
        assert not obeyed(terminal(command[0], store, *command[1:], columns=400).out), command


def test_they_are_shown_where_a_forged_session_is_told_of(realtape: Realtape, store: Path) -> None:
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("UPDATE sessions SET id = '01' || ?", (EVIL,))
    for command in (["verify"], ["check", "--junit", store.with_name("junit.xml")]):
        ran = realtape(command[0], store, *command[1:])
        assert ran.code == 3
        assert not obeyed(ran.out + ran.err), command
    told = store.with_name("junit.xml").read_text()
    assert "the header was changed" in told
    assert not obeyed(told)
