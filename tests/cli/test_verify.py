"""`realtape verify`: intact is 0, intact up to a point is 3, and the place is named."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from support.command_line import Ran
from support.forging import reseal
from support.telephone import record

Realtape = Callable[..., Ran]


def test_a_recording_is_intact(realtape: Realtape, recorded: Path) -> None:
    ran = realtape("verify", recorded)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.endswith(": intact, 47 entries\n")


@pytest.mark.parametrize(
    ("damage", "place"),
    [
        ("UPDATE entries SET payload = '{}' WHERE seq = 7", "entry 7: changed"),
        ("UPDATE entries SET at_ns = at_ns + 1 WHERE seq = 7", "entry 7: changed"),
        ("DELETE FROM entries WHERE seq = 7", "entry 7: missing"),
        ("DELETE FROM entries WHERE seq = 46", "entry 46: the end was cut off"),
        ("DELETE FROM segments", "entry 6: bytes"),
        ("UPDATE sessions SET labels = '{}'", "header: the header was changed"),
    ],
)
def test_damage_is_found_and_named(realtape: Realtape, store: Path, damage: str, place: str) -> None:
    with closing(sqlite3.connect(store)) as connection, connection:
        for table in ("entries", "segments"):
            connection.execute(f"DROP TRIGGER {table}_no_update")
            connection.execute(f"DROP TRIGGER {table}_no_delete")
        connection.execute(damage)
    ran = realtape("verify", store)
    assert (ran.code, ran.out) == (3, "")
    assert place in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    ("status", "words"),
    [("interrupted", "interrupted: its process died"), ("recording", "still being recorded")],
)
def test_an_intact_log_may_be_incomplete(realtape: Realtape, store: Path, status: str, words: str) -> None:
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("UPDATE sessions SET status = ?", (status,))
        connection.execute("DELETE FROM locks")  # as of an older release: this process is alive
    ran = realtape("verify", store)
    assert (ran.code, ran.err) == (3, "")
    assert f"intact, 47 entries; {words}" in ran.out


def test_gaps_are_named(realtape: Realtape, tmp_path: Path) -> None:
    """A recorder that may keep next to nothing loses something, and says so."""
    store = tmp_path / "gaps.db"
    record(store, max_pending_bytes=1)
    ran = realtape("verify", store)
    assert (ran.code, ran.err) == (3, "")
    assert "the recorder lost entries at #" in ran.out


def test_a_head_that_was_kept_elsewhere_finds_a_forger(realtape: Realtape, store: Path) -> None:
    """Who computes the chain anew, or cuts it back, has another head."""
    (told,) = json.loads(realtape("ls", store, "--json").out)
    one, head = f"{store}#{told['id']}", told["head"]
    assert realtape("verify", one, "--expect", head).code == 0
    for wrong in ("12", "x" * 64):
        assert realtape("verify", one, "--expect", wrong).code == 2
    assert realtape("verify", store, "--expect", head).code == 2
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("DROP TRIGGER entries_no_delete")
        connection.execute("DELETE FROM entries WHERE seq > 40")
    reseal(store)
    assert realtape("verify", one).code == 0
    ran = realtape("verify", one, "--expect", head)
    assert (ran.code, ran.out) == (3, "")
    assert "entry 41: the expected head is not in its chain" in ran.err


def test_a_key_finds_a_forger(realtape: Realtape, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given as a text, in a file, or in the environment."""
    store, key, file, later = tmp_path / "sealed.db", "k" * 32, tmp_path / "key", tmp_path / "later"
    record(store, seal_key=key)
    file.write_text(f"{key}\n")
    later.write_text("l" * 32)
    for given in (["--key", key], ["--key-file", file], ["--key-file", later, "--key-file", file]):
        ran = realtape("verify", store, *given)
        assert (ran.code, ran.err) == (0, "")
        assert ran.out.endswith(": sealed, intact, 47 entries\n")
    for given, problem in (
        (["--key", "short"], "a seal's key of 5 bytes"),
        (["--key-file", tmp_path / "none"], "none: No such file"),
    ):
        ran = realtape("verify", store, *given)
        assert ran.code == 2
        assert problem in ran.err
    ran = realtape("verify", store, "--key-file", later)
    assert (ran.code, ran.out) == (3, "")
    assert "entry 0: sealed with another key (" in ran.err
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("UPDATE sessions SET status = 'failed'")
    assert realtape("verify", store).code == 0
    monkeypatch.setenv("REALTAPE_SEAL_KEY", key)
    ran = realtape("verify", store)
    assert (ran.code, ran.out) == (3, "")
    assert "header: its status is 'failed', and 'closed' was sealed" in ran.err
