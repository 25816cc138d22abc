"""`realtape diff`: same is 0, different is 1, incomplete is 3, and what differs is shown."""

from __future__ import annotations

import itertools
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from support.command_line import Ran
from support.forging import reseal
from support.telephone import record

Realtape = Callable[..., Ran]


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same conversation, slower, with another answer; nobody changes it."""
    store = tmp_path_factory.mktemp("later") / "later.db"
    record(store, platform="platform 9", clock=itertools.count(0, 1_000_000).__next__)
    return store


def change(store: Path, *statements: str) -> None:
    """Run statements that the triggers would refuse."""
    with closing(sqlite3.connect(store)) as connection, connection:
        for event in ("update", "delete"):
            connection.execute(f"DROP TRIGGER entries_no_{event}")
        for statement in statements:
            connection.execute(statement)
    reseal(store)


def test_a_recording_and_its_copy_are_the_same(realtape: Realtape, recorded: Path, store: Path) -> None:
    for options in ([], ["--content"], ["--ignore", "times"]):
        ran = realtape("diff", recorded, store, *options)
        assert (ran.code, ran.err) == (0, "")
        assert ran.lines[0].startswith("same: ")
        assert ran.lines[1].startswith(f"A: {recorded}#0")
        assert ran.lines[2].startswith(f"B: {store}#0")


def test_where_one_is_redacted_that_is_said(realtape: Realtape, recorded: Path, tmp_path: Path) -> None:
    assert realtape("export", recorded, tmp_path / "call", "--word", "platform 4").code == 0
    ran = realtape("diff", recorded, tmp_path / "call", "--content")
    told = "where a stand-in stands, the other holds another value"
    assert (ran.code, told in ran.out, "B is redacted (word 1, " in ran.out) == (1, True, True)
    ran = realtape("diff", tmp_path / "call", tmp_path / "call")
    assert (ran.code, "stand-in" in ran.out) == (0, False)


def test_a_changed_entry_is_shown_and_the_code_is_1(realtape: Realtape, recorded: Path, store: Path) -> None:
    change(store, "UPDATE entries SET payload = replace(payload, 'platform 4', 'platform 5') WHERE seq = 25")
    ran = realtape("diff", recorded, store)
    assert (ran.code, ran.err) == (1, "")
    assert ran.lines[0] == (
        "different: 47 entries in A, 47 in B; 1 changed, 0 moved, 0 only in A, 0 only in B"
    )
    assert "differing fields: payload of 1" in ran.lines
    assert "send_tool_output differs (turn 1; the model said 'Good morning.')" in ran.lines
    assert "  A: #25 ▶ sent send_tool_output departure of call_1 → platform 4" in ran.lines
    assert "  differs in payload.output: 'platform 4' → 'platform 5'" in ran.lines


def test_an_entry_that_one_lacks_is_the_only_difference(
    realtape: Realtape, recorded: Path, store: Path
) -> None:
    """All after it have other numbers, and the numbers in them still mean the same entries."""
    change(
        store,
        "DELETE FROM entries WHERE seq = 5",
        "UPDATE entries SET seq = -seq - 1 WHERE seq > 5",
        "UPDATE entries SET seq = -seq - 2 WHERE seq < 0",
        "UPDATE entries SET cause = cause - 1 WHERE cause > 5",
        'UPDATE entries SET "of" = "of" - 1 WHERE "of" > 5',
    )
    ran = realtape("diff", recorded, store, "--json")
    told = json.loads(ran.out)
    assert (ran.code, told["verdict"], told["same"]) == (1, "different", False)
    assert told["counts"] == {"changed": 0, "moved": 0, "only_a": 1, "only_b": 0}
    (difference,) = told["differences"]
    assert (difference["seq_a"], difference["b"]) == (5, None)
    assert difference["summary"] == "transcript_delta is in A only"
    assert json.loads(realtape("diff", store, recorded, "--json").out)["counts"]["only_b"] == 1


def test_two_live_recordings_differ_in_what_was_said_alone(
    realtape: Realtape, recorded: Path, later: Path
) -> None:
    ran = realtape("diff", recorded, later)
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "--ignore times, or --content" in ran.err
    assert ran.lines[-1] == "and 36 more"
    ran = realtape("diff", recorded, later, "--content")
    assert (ran.code, ran.err) == (1, "")
    assert "1 changed, 0 moved, 0 only in A, 0 only in B (only what was said and done)" in ran.lines[0]
    assert "  differs in payload.output: 'platform 4' → 'platform 9'" in ran.lines


def test_aspects_are_left_out(realtape: Realtape, recorded: Path, store: Path) -> None:
    change(
        store,
        "UPDATE entries SET at_ns = at_ns + 1, tick = tick + 1, elapsed_ms = 1.0, item_id = 'x', flags = 1",
        "UPDATE entries SET cause = NULL, task = 7",
    )
    every = ["times", "ticks", "tasks", "causes", "playback"]
    assert realtape("diff", recorded, store, *[f"--ignore={one}" for one in every]).code == 0
    for one in every:
        others = [f"--ignore={other}" for other in every if other != one]
        assert realtape("diff", recorded, store, *others).code == 1
    assert realtape("diff", recorded, store, "--content").code == 0


def test_the_limit_is_of_what_is_shown_and_not_of_what_is_counted(
    realtape: Realtape, recorded: Path, later: Path
) -> None:
    told = json.loads(realtape("diff", recorded, later, "--json", "--limit", "3").out)
    assert (len(told["differences"]), told["counts"]["changed"]) == (3, 46)
    ran = realtape("diff", recorded, later, "--limit", "0", "--ignore", "times")
    assert ran.code == 1
    assert ran.lines[-1].startswith("and ")


def test_a_recording_with_gaps_is_incomplete(realtape: Realtape, tmp_path: Path) -> None:
    """It lacks nothing but what its recorder has lost."""
    store = tmp_path / "gaps.db"
    record(store, max_pending_bytes=1)
    ran = realtape("diff", store, store)
    assert (ran.code, ran.err) == (3, "")
    assert ran.lines[0].startswith("incomplete: ")
    assert "incomplete: B has gaps: the recorder lost entries at #" in ran.out


def test_a_recording_that_breaks_off_is_incomplete(realtape: Realtape, recorded: Path, store: Path) -> None:
    change(store, "DELETE FROM entries WHERE seq >= 20", "UPDATE sessions SET status = 'interrupted'")
    ran = realtape("diff", recorded, store)
    assert (ran.code, ran.err) == (3, "")
    assert ran.lines[3:] == [
        "incomplete: B was interrupted: its process died, what came last may be missing",
        "lacking because of that, on one side: 27 entries",
    ]
    change_in = "UPDATE entries SET type = 'other' WHERE seq = 19"
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute(change_in)
    reseal(store)
    assert realtape("diff", recorded, store).code == 1


def test_sessions_of_one_store_are_named_by_their_ids(realtape: Realtape, tmp_path: Path) -> None:
    store = tmp_path / "two.db"
    record(store)
    record(store)
    first, second = [one["id"] for one in json.loads(realtape("ls", store, "--json").out)]
    told = json.loads(realtape("diff", f"{store}#{first}", store, "--content", "--json").out)
    assert (told["a"], told["b"]) == (f"{store}#{first}", f"{store}#{second}")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["Missing argument", "see realtape diff --help"]),
        (["{store}"], ["Missing argument"]),
        (["{store}", "nothing.db"], ["no such file", "check the path"]),
        (["{store}", "{store}#ffff"], ["no session ffff"]),
        (["{store}", "{store}", "--ignore", "colours"], ["'colours' is not one of", "'times'"]),
        (["{store}", "{store}", "--limit", "-1"], ["--limit"]),
    ],
)
def test_misuse_is_a_line_and_2(
    realtape: Realtape, recorded: Path, arguments: list[str], words: list[str]
) -> None:
    ran = realtape("diff", *[argument.format(store=recorded) for argument in arguments])
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert all(word in ran.err for word in words)


def test_what_is_no_store_is_1_and_missing_bytes_are_3(
    realtape: Realtape, recorded: Path, store: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.db").write_text("this is no database, however long it may be\n" * 100)
    ran = realtape("diff", recorded, tmp_path / "text.db")
    assert (ran.code, ran.out) == (1, "")
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("DROP TRIGGER segments_no_delete")
        connection.execute("DELETE FROM segments")
    ran = realtape("diff", recorded, store)
    assert (ran.code, ran.out) == (3, "")
    assert "entry 6: bytes" in ran.err


def test_comparing_changes_nothing(realtape: Realtape, later: Path, store: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    shutil.copy(later, other)
    before = (store.read_bytes(), other.read_bytes(), sorted(tmp_path.iterdir()))
    assert realtape("diff", store, other).code == 1
    assert (store.read_bytes(), other.read_bytes(), sorted(tmp_path.iterdir())) == before
