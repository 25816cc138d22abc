"""`realtape learn`: what the recorded application does by itself, again and again, is a reaction."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from realtape.session.fixture import read_fixture
from support.command_line import Ran
from support.hand_overs import QUEUE, record

Realtape = Callable[..., Ran]
ASKS = ("--app", "support.hand_overs:asks")
ASKS_NOTHING = ("--app", "support.hand_overs:asks_nothing")
TYPES_NOTHING = ("--app", "support.hand_overs:types_nothing")
REMARK = "same, but 1 send of unknown origin was not checked: "


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("asked") / "log.db"
    record(store, QUEUE)
    return store


@pytest.fixture(params=["store", "folder", "zip"])
def place(request: pytest.FixtureRequest, asked: Path, tmp_path: Path, realtape: Realtape) -> Path:
    """The recording, in each kind of place."""
    if request.param == "store":
        return Path(shutil.copy(asked, tmp_path / "log.db"))
    path = tmp_path / ("log.zip" if request.param == "zip" else "log")
    assert realtape("export", asked, path, "--no-redact").code == 0
    return path


def test_a_reaction_that_is_missing_is_found_once_it_was_learned(realtape: Realtape, place: Path) -> None:
    assert realtape("replay", place, *ASKS_NOTHING).out.startswith(REMARK)
    ran = realtape("learn", place, *ASKS)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.endswith(": 3 reactions, 0 of the user's, 0 unknown\n")
    missing = realtape("replay", place, *ASKS_NOTHING)
    assert missing.code == 1
    assert "the application has not sent a text of the user's by now" in missing.out
    assert realtape("replay", place, *ASKS, "--strict").code == 0
    assert realtape("verify", place).code == 0
    shown = realtape("show", place).out
    assert "origins: learned with support.hand_overs:asks (" in shown
    assert "in 5 runs: reactions #2, #5, #" in shown


def test_what_never_came_stays_unknown_until_it_is_confirmed(realtape: Realtape, place: Path) -> None:
    ran = realtape("learn", place, *TYPES_NOTHING)
    assert ran.out.endswith(": 2 reactions, 0 of the user's, 1 unknown; if these are the user's: --user 2\n")
    assert realtape("replay", place, *TYPES_NOTHING).out.startswith(REMARK)
    assert "0 unknown" in realtape("learn", place, *TYPES_NOTHING, "--user", 2).out
    quiet = realtape("replay", place, *TYPES_NOTHING, "--strict")
    assert (quiet.code, quiet.out.startswith("same: ")) == (0, True)
    assert "left out: 1 thing that the user did" in quiet.out


def test_of_a_store_that_is_only_read_it_is_kept_in_a_file_that_the_settings_name(
    realtape: Realtape, asked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = Path(shutil.copy(asked, tmp_path / "log.db"))
    other = Path(shutil.copy(asked, tmp_path / "other.db"))
    (tmp_path / "pyproject.toml").write_text('[tool.realtape]\norigins = "learned/origins.json"\n')
    before = store.read_bytes()
    assert "3 reactions" in realtape("learn", store, *ASKS).out
    assert store.read_bytes() == before
    assert realtape("replay", store, *ASKS_NOTHING).code == 1
    assert realtape("check", store, *ASKS_NOTHING, "--jobs", 1).code == 1
    assert "origins: learned with support.hand_overs:asks (" in realtape("show", store).out
    accepted = json.loads(realtape("accept", store, *ASKS_NOTHING, "--json").out)
    assert (accepted["differs"], accepted["assumed"]) == (True, []), "the question is no user's"
    assert realtape("export", store, tmp_path / "redacted").code == 0
    assert realtape("replay", tmp_path / "redacted", *ASKS_NOTHING).code == 1, "it goes with what is redacted"
    (tmp_path / "below").mkdir()
    with monkeypatch.context() as patch:
        patch.chdir(tmp_path / "below")
        assert realtape("replay", store, *ASKS_NOTHING).code == 1, "the file is beside the settings"
    file = tmp_path / "learned" / "origins.json"
    told = json.loads(file.read_text())
    (session,) = told
    told[session]["head"] = "0" * 64
    file.write_text(json.dumps(told))
    assert realtape("replay", other, *ASKS_NOTHING).out.startswith(REMARK), "void for another chain"
    file.write_text("[]")
    ran = realtape("replay", store, *ASKS)
    assert (ran.code, "what was learned cannot be read (not an object of sessions)" in ran.err) == (2, True)


def test_what_somebody_expects_goes_before_what_was_learned(realtape: Realtape, place: Path) -> None:
    realtape("learn", place, *ASKS)
    ran = realtape("replay", place, *ASKS_NOTHING, "--expect", "5=user")
    assert (ran.code, ran.out.startswith("same: ")) == (0, True)


def test_what_cannot_be_learned(realtape: Realtape, asked: Path, recorded: Path) -> None:
    before = asked.read_bytes()
    for arguments, problem in (
        ((asked, "--app", "support.telephone:app"), "is not the application that was recorded"),
        ((asked, *ASKS, "--user", "2,x"), "numbers of entries"),
        ((asked, *ASKS, "--user", "0"), "no send of unknown origin"),
        ((recorded, "--app", "support.telephone:holding"), "is not the application that was recorded"),
    ):
        ran = realtape("learn", *arguments)
        assert (ran.code, problem in ran.err) == (2, True)
    assert asked.read_bytes() == before


@pytest.mark.parametrize("place", ["test_asks.py", "fixture"])
def test_what_is_exported_with_its_application_is_learned_and_what_was_said_of_the_user_stays(
    realtape: Realtape, asked: Path, tmp_path: Path, place: str
) -> None:
    store = Path(shutil.copy(asked, tmp_path / "log.db"))
    realtape("learn", store, *TYPES_NOTHING, "--user", 2)
    as_test = ("--pytest",) if place.endswith(".py") else ()
    ran = realtape("export", store, tmp_path / place, *as_test, *TYPES_NOTHING)
    assert (ran.code, ran.lines[-1].endswith(": 2 reactions, 1 of the user's, 0 unknown")) == (0, True)
    (told,) = tmp_path.rglob("session.json")
    assert json.loads(told.read_text())["origins"]["user"] == [2]


def test_a_test_of_an_application_that_does_otherwise_by_now_is_written_all_the_same(
    realtape: Realtape, asked: Path, tmp_path: Path
) -> None:
    ran = realtape("export", asked, tmp_path / "test_it.py", "--pytest", "--app", "support.telephone:app")
    assert (ran.code, "nothing was learned: support.telephone:app is not" in ran.err) == (0, True)
    assert (tmp_path / "test_it.py").exists()


def test_another_head_makes_it_void(realtape: Realtape, asked: Path, tmp_path: Path) -> None:
    store = Path(shutil.copy(asked, tmp_path / "log.db"))
    realtape("learn", store, *ASKS)
    with closing(sqlite3.connect(store)) as connection, connection:
        (text,) = connection.execute("SELECT told FROM origins").fetchone()
        told = json.loads(text)
        told["head"] = "0" * 64
        connection.execute("UPDATE origins SET told = ?", (json.dumps(told),))
    assert realtape("replay", store, *ASKS_NOTHING).out.startswith(REMARK)
    assert "origins:" not in realtape("show", store).out
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("UPDATE origins SET told = '{}'")
    ran = realtape("replay", store, *ASKS_NOTHING)
    assert "what was learned of its calls cannot be read" in ran.err


def test_a_fixture_says_it_in_its_session_file(realtape: Realtape, asked: Path, tmp_path: Path) -> None:
    plain, learned = tmp_path / "plain", tmp_path / "learned"
    realtape("export", asked, plain)
    ran = realtape("export", asked, learned, *ASKS)
    assert ran.lines[-1].endswith(": 3 reactions, 0 of the user's, 0 unknown")
    before, after = (json.loads((one / "session.json").read_text()) for one in (plain, learned))
    origins = after.pop("origins")
    assert before == after
    assert (origins["head"], origins["runs"]) == (after["last_digest"], 5)
    names = [sorted(path.name for path in one.rglob("*")) for one in (plain, learned)]
    assert names[0] == names[1]
    # It goes with the recording, into a store and out of it.
    realtape("import", learned, tmp_path / "again.db")
    realtape("export", tmp_path / "again.db", tmp_path / "again", "--no-redact")
    assert read_fixture(tmp_path / "again") == read_fixture(learned)
    (learned / "session.json").write_text(
        (learned / "session.json").read_text().replace('"runs": 5', '"runs": 0')
    )
    assert "origins: runs is not a number of runs" in realtape("show", learned).err
