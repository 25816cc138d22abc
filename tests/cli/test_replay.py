"""`realtape replay`: into an application, or into the recording's own answers; and what it says."""

from __future__ import annotations

import json
import re
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from realtape.cli.wish import replay_model
from realtape.replay import ReplayModel
from support.command_line import Ran, run, run_on_terminal, start
from support.forging import reseal
from support.pages import blocks_of
from support.telephone import record

Realtape = Callable[..., Ran]
SAME = "same: 16 events delivered, "


@pytest.mark.parametrize("expect", ["reactions", "all", "none"])
def test_a_recording_replays_by_itself(realtape: Realtape, recorded: Path, expect: str) -> None:
    ran = realtape("replay", recorded, "--expect", expect)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(SAME)
    assert "0 entries unplayed" in ran.out


def test_the_recorded_application_is_the_same(realtape: Realtape, recorded: Path) -> None:
    ran = realtape("replay", recorded, "--app", "support.telephone:app")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(SAME)


def test_another_application_diverges_and_the_report_says_where(realtape: Realtape, recorded: Path) -> None:
    ran = realtape("replay", recorded, "--app", "support.telephone:other")
    assert (ran.code, ran.err) == (1, "")
    assert ran.out.startswith("diverged: ")
    assert "the application sent a tool output other than the recorded one" in ran.out
    assert "differs in output: 'platform 4' → 'platform 5'" in ran.out


def test_a_page_shows_the_recording_beside_its_replay(
    realtape: Realtape, recorded: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    ran = realtape("replay", recorded, "--app", "support.telephone:other", "--html", page)
    assert ran.code == 1
    assert ran.out.startswith("diverged: ")
    assert f"one beside the other: {page}" in ran.err
    assert f"it diverges at {page.as_uri()}?t=" in ran.err
    blocks = blocks_of(page.read_text())
    (comparison,) = json.loads(blocks["head"])["comparison"]["pairs"]
    first = comparison["problems"][0]
    assert first["what"] == "diverged"
    assert "send_tool_output" in first["text"]
    session = json.loads(blocks["0/session"])
    assert session["entries"] >= first["seq_a"] > 0
    (shown, _) = json.loads(blocks["head"])["sessions"]
    assert shown["id"] not in shown["also"][:1], "a redacted copy is called as the recording is"
    assert f"#{shown['id']}/{first['seq_a']}\n" in ran.err
    assert comparison["marks"]
    assert comparison["anchors"] == sorted(comparison["anchors"])
    again = realtape("replay", recorded, "--app", "support.telephone:other", "--html", page)
    assert (again.code, again.out) == (2, "")
    assert realtape("replay", recorded, "--html", tmp_path / "other.html").code == 2


def test_of_a_chain_a_page_shows_each_session_beside_its_like(realtape: Realtape, tmp_path: Path) -> None:
    """The divergence lies in the second, whose entries are numbered from 0 again; so that one is in front."""
    store, page = tmp_path / "chain.db", tmp_path / "page.html"
    record(store, sessions=2)
    ran = realtape("replay", store, "--app", "support.telephone:twice_and_other_then", "--html", page)
    assert ran.code == 1
    with closing(sqlite3.connect(store)) as connection:
        _, second = (row[0] for row in connection.execute("SELECT id FROM sessions ORDER BY key"))
    assert re.search(rf"it diverges at {page.as_uri()}\?t=[\d.]+s#{second}/25\n", ran.err)
    blocks = blocks_of(page.read_text())
    head = json.loads(blocks["head"])
    one, other = head["comparison"]["pairs"]
    assert (one["a"], one["b"], other["a"], other["b"]) == ("0", "2", "1", "3")
    assert head["comparison"]["first"] == 1
    assert not [each for each in one["problems"] if each["what"] == "diverged"]
    assert (one["same"], other["same"]) == (True, False)
    assert (other["problems"][0]["what"], other["problems"][0]["seq_a"]) == ("diverged", 25)
    assert [each["id"] for each in head["sessions"]][1] == second
    begins = [json.loads(blocks[f"{key}/session"])["previous"] for key in "0123"]
    ids = [each["also"][0] for each in head["sessions"]]
    assert begins == [None, ids[0], None, ids[2]]


def test_what_was_not_checked_is_told_and_strict_makes_it_a_failure(
    realtape: Realtape, recorded: Path
) -> None:
    """This application never types what the recorded one typed in no listener, and does not close."""
    arguments = ("replay", recorded, "--app", "support.telephone:holding", "--stuck-after", "0.1")
    ran = realtape(*arguments)
    assert "\nfailed, but 1 send and 1 close of unknown origin were not checked: 15 events" in ran.out
    assert "\nnot checked: #2 ▶ sent send_user_input hello\n" in ran.out
    strict = realtape(*arguments, "--strict")
    assert strict.code == 1
    assert "1. not checked: #2 ▶ sent send_user_input hello" in strict.out
    decided = realtape(*arguments, "--strict", "--expect", "2=user", "--expect", "close=user")
    assert "of unknown origin" not in decided.out
    for wrong in (("--expect", "2=maybe"), ("--expect", "some"), ("--expect", "all", "--expect", "2=user")):
        ran = realtape(*arguments, *wrong)
        assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
        assert "expect" in ran.err


def test_collect_goes_on(realtape: Realtape, recorded: Path) -> None:
    ran = realtape(
        "replay",
        recorded,
        *("--app", "support.telephone:other", "--collect", "--stuck-after", "0.1", "--json"),
    )
    report = json.loads(ran.out)
    assert ran.code == 1
    assert report["finished"]
    assert [one["kind"] for one in report["divergences"]] == ["changed"]


def test_json_is_the_report_and_nothing_else(realtape: Realtape, recorded: Path) -> None:
    ran = realtape("replay", recorded, "--app", "support.telephone:printing", "--json")
    report = json.loads(ran.out)
    assert ran.code == 0
    assert ran.err == "hello from the application\n"
    assert (report["diverged"], report["finished"], report["delivered"]) == (False, True, 16)


def test_an_application_that_raises_shows_its_own_traceback(realtape: Realtape, recorded: Path) -> None:
    ran = realtape("replay", recorded, "--app", "support.telephone:failing")
    assert ran.code == 1
    assert "ValueError: this is my own fault" in ran.err
    assert "telephone.py" in ran.err
    assert "/cli/" not in ran.err


def test_an_application_that_never_connects_is_told_so(realtape: Realtape, recorded: Path) -> None:
    ran = realtape("replay", recorded, "--app", "support.telephone:unconnected")
    assert ran.code == 1
    assert "returned without connecting" in ran.err


def test_an_application_that_never_returns_is_cancelled(realtape: Realtape, recorded: Path) -> None:
    ran = realtape("replay", recorded, "--app", "support.telephone:holding", "--stuck-after", "0.1")
    assert ran.code == 1
    assert "\nfailed, but 1 send and 1 close of unknown origin were not checked: " in ran.out
    assert ran.err.count("did not return") == 1
    assert "did not return within 0.1 s: cancelled" in ran.err
    assert ": 15 events delivered, " in ran.out  # one would come inside `close`


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("support.telephone", "name it as module:callable"),
        (":app", "name it as module:callable"),
        ("no_such_module_here:app", "no module no_such_module_here"),
        ("support.no_such_module:app", "no module support.no_such_module"),
        ("support.telephone:nothing", "has no nothing"),
        ("support.telephone:ITEM", "no function"),
        ("support.telephone:plain", "not async"),
    ],
)
def test_an_application_that_cannot_be_called(
    realtape: Realtape, recorded: Path, name: str, problem: str
) -> None:
    ran = realtape("replay", recorded, "--app", name)
    assert (ran.code, ran.out) == (2, "")
    assert problem in ran.err
    assert ran.err.count("\n") == 1


def test_a_module_that_raises_shows_its_traceback(realtape: Realtape, recorded: Path, tmp_path: Path) -> None:
    for name, text in (("broken_app", "import nowhere_at_all\n"), ("torn_app", "x = (\n")):
        (tmp_path / f"{name}.py").write_text(text)
        sys.path.insert(0, str(tmp_path))
        ran = realtape("replay", recorded, "--app", f"{name}:app")
        assert (ran.code, ran.out) == (1, "")
        assert name in ran.err
        assert "importlib" not in ran.err


def test_the_current_folder_is_imported_from(recorded: Path, tmp_path: Path) -> None:
    (tmp_path / "my_agent.py").write_text(
        "from support.telephone import app as inner\n\nclass Agent:\n    app = inner\n"
    )
    ran = run("replay", recorded, "--app", "my_agent:Agent.app", cwd=tmp_path)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(SAME)


def test_gaps_and_interruptions_are_incomplete(realtape: Realtape, store: Path) -> None:
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("UPDATE sessions SET status = 'interrupted'")
    ran = realtape("replay", store)
    assert ran.code == 3
    assert ran.out.startswith(SAME)
    assert "was interrupted" in ran.err
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("UPDATE sessions SET status = 'closed'")
        connection.execute("DROP TRIGGER entries_no_update")
        connection.execute(
            """UPDATE entries SET kind = 'gap', type = NULL, payload = '{"lost":3}' WHERE seq = 16"""
        )
    reseal(store)
    ran = realtape("replay", store)
    assert ran.code == 3
    assert "gap: " in ran.out


APPS = ("", "support.telephone:app", "support.telephone:careless")


def damage(store: Path, seq: int) -> None:
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("DROP TRIGGER IF EXISTS entries_no_update")
        connection.execute("UPDATE entries SET payload = '{torn' WHERE seq = ?", (seq,))
    reseal(store)


def test_a_damaged_recording_ends_the_replay(realtape: Realtape, store: Path) -> None:
    damage(store, 24)
    for arguments in ((), ("--app", "support.telephone:app")):
        ran = realtape("replay", store, *arguments)
        assert (ran.code, ran.out) == (3, "")
        assert "entry 24: the payload cannot be read" in ran.err
        assert ran.err.count("\n") == 1


@pytest.mark.parametrize("app", APPS)
def test_wherever_it_is_damaged_that_is_said(
    realtape: Realtape, recorded: Path, tmp_path: Path, app: str
) -> None:
    """Also if the application does not care what its calls raise. Each place with one of the applications."""
    with closing(sqlite3.connect(recorded)) as connection:
        (length,) = connection.execute("SELECT count(*) FROM entries").fetchone()
    assert length > 40
    for seq in range(APPS.index(app), length, len(APPS)):
        store = tmp_path / f"{seq}.db"
        shutil.copy(recorded, store)
        damage(store, seq)
        ran = realtape("replay", store, *(("--app", app) if app else ()))
        assert (seq, ran.code, ran.out) == (seq, 3, "")
        assert f"entry {seq}: the payload cannot be read" in ran.err


def test_a_connection_that_failed_fails_again(realtape: Realtape, tmp_path: Path) -> None:
    record(tmp_path / "down.db", url="ws://down")
    ran = realtape("replay", tmp_path / "down.db")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("same: 0 events delivered, 1 call as recorded")


def test_an_application_that_connects_twice_is_given_the_chain(realtape: Realtape, tmp_path: Path) -> None:
    store = tmp_path / "chain.db"
    record(store, sessions=2)
    first, second = (one["id"] for one in json.loads(realtape("ls", store, "--json").out))
    ran = realtape("replay", f"{store}#{first}", "--app", "support.telephone:twice", "--json")
    assert (ran.code, ran.err) == (0, "")
    assert json.loads(ran.out)["recordings"] == [first, second]


def test_a_session_without_a_connect_cannot_be_replayed(realtape: Realtape, store: Path) -> None:
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("DROP TRIGGER entries_no_update")
        connection.execute("UPDATE entries SET kind = 'marker' WHERE seq = 0")
    reseal(store)
    ran = realtape("replay", store)
    assert ran.code == 2
    assert "does not begin with a connect" in ran.err


def test_a_recording_of_the_sdk_gets_the_sdk_or_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    notes: list[str] = []
    assert replay_model({"python": "3.11"}, notes.append) is ReplayModel
    assert notes == []
    monkeypatch.setitem(sys.modules, "realtape.integrations.openai_agents", None)
    assert replay_model({"openai-agents": "0.24.0"}, notes.append) is ReplayModel
    assert "recorded with openai-agents 0.24.0" in notes[0]
    monkeypatch.undo()
    integration = pytest.importorskip("realtape.integrations.openai_agents")
    assert replay_model({"openai-agents": "0.24.0"}, notes.append) is integration.ReplayModel
    assert len(notes) == 1


def test_a_terminal_gets_the_verdict_in_colour(terminal: Realtape, recorded: Path) -> None:
    ran = terminal("replay", recorded)
    assert ran.code == 0
    assert ran.out.startswith("\x1b[1;32msame\x1b[0m: 16 events")
    assert "replaying" not in ran.out  # nothing of a progress bar: it was too quick


def test_ctrl_c_ends_it_without_a_traceback(recorded: Path) -> None:
    with start("replay", recorded, "--app", "support.telephone:holding", "--pace", "1") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "connected\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert (process.returncode, out, err) == (130, "", "")


def test_a_long_replay_shows_how_far_it_is(recorded: Path, tmp_path: Path) -> None:
    (tmp_path / "slow_app.py").write_text(
        "import asyncio\nfrom support.telephone import app\n\nasync def slow(model):\n"
        "    await asyncio.sleep(0.9)\n    await app(model)\n"
    )
    ran = run_on_terminal(
        "replay",
        recorded,
        "--app",
        "slow_app:slow",
        "--pace",
        "1",
        PYTHONPATH=f"{tmp_path}:{Path(__file__).parent.parent}",
    )
    assert ran.code == 0
    assert "replaying" in ran.out
    assert "/47" in ran.out
    assert "16 events" in ran.out
