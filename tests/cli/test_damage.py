"""A damaged store: what is good of it is read, what is not is named, and no command fails over it."""

from __future__ import annotations

import itertools
import json
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from realtape.schema import CorruptRecordError, Kind, SessionRecord
from realtape.schema.log import Address, fetch_headers, has_kind, locate, open_blocking
from realtape.session import verified_batches
from support.command_line import Ran
from support.stores import fill

Realtape = Callable[..., Ran]
COMMANDS = ("verify", "ls", "show", "replay")
ODD = ("'text'", "x'00ff'", "CAST(x'ff' AS TEXT)", "NULL", "7", "1e300", "9223372036854775807")
"""What a column may hold in a file of somebody else's making."""


def told(ran: Ran) -> None:
    """It ended as a command does."""
    assert ran.code in (0, 1, 2, 3), ran
    assert "unexpected" not in ran.err


def forge(path: Path, *statements: str) -> None:
    """Change what nobody may change, into what the tables do not allow."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute("DELETE FROM sqlite_master WHERE type = 'trigger'")
        connection.execute(
            "UPDATE sqlite_master SET sql = replace(sql, ' NOT NULL', '') WHERE type = 'table'"
        )
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def good_entries(address: Address) -> list[int | str]:
    """Of each session how many entries are good, and what is said of the next."""
    found: list[int | str] = []
    with open_blocking(address) as connection:
        for session in fetch_headers(connection, strays=True):
            if isinstance(session, CorruptRecordError):
                found.append(str(session))
                continue
            try:
                found += [sum(map(len, verified_batches(connection, session)))]
            except CorruptRecordError as error:
                found.append(str(error))
    return found


def test_one_session_does_not_pull_the_others_down(realtape: Realtape, path: Path) -> None:
    ran = realtape("verify", path)
    assert (ran.code, ran.err, ran.out.count(": intact, ")) == (0, "", 2)
    forge(path, "UPDATE entries SET payload = '{}' WHERE session = 1 AND seq = 7")
    ran = realtape("verify", path)
    assert ran.code == 3
    assert ran.out.endswith("2 sessions: 1 intact, 0 of these incomplete\n")
    assert "entry 7: changed after it was appended; the entries before it are intact" in ran.err


def test_a_header_that_cannot_be_read_hides_no_other(realtape: Realtape, path: Path) -> None:
    forge(path, "UPDATE sessions SET labels = '[1]' WHERE key = 2")
    for command in ("ls", "verify"):
        ran = realtape(command, path)
        assert ran.code == 3
        assert "header: it cannot be read (an object was expected)" in ran.err
        assert ran.out
    assert realtape("show", path).code == 3  # the newest is not another one
    forge(path, "DELETE FROM sessions WHERE key = 2")
    ran = realtape("verify", path)
    assert ran.code == 3
    assert "session with key 2, header: it is missing" in ran.err


def test_no_column_is_believed(tmp_path: Path) -> None:
    """What cannot have been appended is named, whatever it is, and the entries before it are good."""
    fill(tmp_path / "log.db", sessions=2, entries=4)
    data, odds = (tmp_path / "log.db").read_bytes(), itertools.cycle(ODD)
    said = {"entries": "entry 1: ", "sessions": "header: ", "segments": "entry 0: "}
    for table, key in (("entries", "session = 1 AND seq"), ("sessions", "key"), ("segments", "session")):
        with closing(sqlite3.connect(tmp_path / "log.db")) as connection:
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        for column, odd in itertools.product(columns, itertools.islice(odds, 3)):
            if column in ("session", "segment", "key", "status") or (odd == "NULL" and column == "seq"):
                continue
            (tmp_path / "odd.db").write_bytes(data)
            forge(tmp_path / "odd.db", f"UPDATE OR REPLACE {table} SET {column} = {odd} WHERE {key} = 1")
            one, other = good_entries(locate(tmp_path / "odd.db"))
            assert other == 4
            if (column, odd) == ("previous_session", "NULL"):  # what it was
                continue
            assert isinstance(one, str), (column, odd)
            assert said[table] in one or (column == "last_digest" and "the end was cut off" in one), one


@pytest.mark.parametrize("cut", [1, 5_000, 20_000])
def test_a_file_that_was_cut_is_read_as_far_as_it_goes(realtape: Realtape, path: Path, cut: int) -> None:
    path.write_bytes(path.read_bytes()[:-cut])
    for command in COMMANDS:
        told(realtape(command, path))
    assert realtape("ls", path).out.count("\n") == 3
    assert realtape("verify", path).code == 3
    assert realtape("show", path).out.startswith("session ")


def test_a_damaged_index_takes_nothing_away(path: Path) -> None:
    """A page of it is no page any more."""
    with closing(sqlite3.connect(path)) as connection:
        roots = dict(connection.execute("SELECT name, rootpage FROM sqlite_master WHERE type = 'index'"))
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    data = bytearray(path.read_bytes())
    for name in ("entries_by_kind", "entries_by_cause"):
        data[(roots[name] - 1) * size] = 0xFF
    path.write_bytes(data)
    assert all(isinstance(one, int) for one in good_entries(locate(path)))
    with open_blocking(locate(path)) as connection:
        session = fetch_headers(connection)[0]
        assert isinstance(session, SessionRecord)
        assert has_kind(connection, session.key, Kind.PLAYBACK)


def test_no_flipped_byte_makes_a_command_fail(realtape: Realtape, path: Path) -> None:
    chance, whole = random.Random(5), path.read_bytes()
    for number in range(20):
        at = chance.randrange(len(whole))
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        told(realtape(COMMANDS[number % len(COMMANDS)], path))


def test_no_verdict_and_no_copy_comes_of_a_changed_word(
    realtape: Realtape, path: Path, tmp_path: Path
) -> None:
    """Nor of an end that was cut off; what the user insists on tells so in its header."""
    forge(path, "UPDATE entries SET payload = replace(payload, 'platform 4', 'platform 9') WHERE session = 1")
    (session_id, _) = (one["id"] for one in json.loads(realtape("ls", path, "--json").out))
    one = f"{path}#{session_id}"
    (tmp_path / "test_calls.py").touch()
    for arguments in (
        ("replay", one),
        ("diff", one, one),
        ("trim", one, tmp_path / "trimmed.db", "--to", "20"),
        ("export", one, tmp_path / "fixture"),
        ("export", one, tmp_path / "fixture", "--no-redact"),
        ("check", path),
    ):
        ran = realtape(*arguments)
        assert ran.code == 3, arguments
        assert "changed after it was appended" in ran.err + ran.out
    assert not (tmp_path / "fixture").exists()
    assert not (tmp_path / "trimmed.db").exists()
    assert realtape("export", one, tmp_path / "fixture", "--damaged").code == 0
    assert realtape("trim", one, tmp_path / "trimmed.db", "--to", "20", "--damaged").code == 0
    assert realtape("trim", tmp_path / "trimmed.db", tmp_path / "again.db", "--to", "10").code == 0
    for copy in ("fixture", "trimmed.db", "again.db"):
        told = json.loads(realtape("ls", tmp_path / copy, "--json").out)[0]
        assert "a damaged log" in told["source"]


def test_a_replay_ends_with_the_end_of_the_chain(realtape: Realtape, path: Path) -> None:
    forge(path, "DELETE FROM entries WHERE session = 2 AND seq > 44")
    session_id = json.loads(realtape("ls", path, "--json").out)[1]["id"]
    ran = realtape("replay", f"{path}#{session_id}")
    assert (ran.code, ran.out) == (3, "")
    assert "entry 45: the end was cut off" in ran.err
