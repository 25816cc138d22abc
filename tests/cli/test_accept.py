"""`realtape accept`: what the application does now becomes the recording; the differences are shown first."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from realtape.session.fixture import read_fixture
from support.command_line import Ran
from support.telephone import NAMING, record

Realtape = Callable[..., Ran]
APP = ("--app", "support.telephone:app")
OTHER = ("--app", "support.telephone:other")


@pytest.fixture(params=["folder", "zip"])
def place(request: pytest.FixtureRequest, recorded: Path, tmp_path: Path, realtape: Realtape) -> Path:
    path = tmp_path / ("call.zip" if request.param == "zip" else "call")
    assert realtape("export", recorded, path).code == 0
    return path


def test_a_fixture_holds_from_then_on_what_the_application_does(realtape: Realtape, place: Path) -> None:
    (before,) = read_fixture(place)
    assert realtape("replay", place, *OTHER).code == 1
    ran = realtape("accept", place, *OTHER, "--yes")
    assert (ran.code, ran.err) == (0, "")
    assert "differs in output: 'platform 4' → 'platform 5'" in ran.out
    assert "\nstays: #25 ▶ sent send_tool_output departure of call_1 → platform 4, now " in ran.out
    (after,) = read_fixture(place)
    assert ran.lines[-1] == f"accepted: session {after.header.id}, {len(after.entries)} entries, in {place}"
    assert f"of {before.header.id}, whose last digest is {before.last_digest.hex()}" in after.header.source
    assert "redacted (" in after.header.source  # and that is said again
    assert realtape("replay", place, *OTHER).out.startswith("same")
    assert realtape("replay", place, *APP).code == 1
    assert realtape("check", place, *OTHER).code == 0
    assert realtape("verify", place).code == 0
    assert os.listdir(place.parent) == [place.name]


def test_what_it_sends_now_is_redacted_with_the_words_of_the_settings(
    realtape: Realtape, recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for number, options in enumerate([(), ("--word", "platform 5")]):
        if not options:
            Path("pyproject.toml").write_text('[tool.realtape]\nword = ["platform 5"]\n')
        else:
            Path("pyproject.toml").unlink()
        assert realtape("export", recorded, f"call-{number}").code == 0
        assert realtape("accept", f"call-{number}", *OTHER, *options, "--yes").code == 0
        (after,) = read_fixture(f"call-{number}")
        assert not any("platform 5" in entry.payload for entry in after.entries)
        assert any("xxxx" in entry.payload for entry in after.entries if entry.type == "send_tool_output")


def test_what_it_sends_as_recorded_keeps_its_stand_ins(realtape: Realtape, tmp_path: Path) -> None:
    """Who named words when it was exported has to name them again: they are in no recording."""
    record(tmp_path / "calls.db", platform=NAMING % 4)
    place, words = tmp_path / "call", ("--word", "hello", "--word", "Anna Nov\u00e1k")
    assert realtape("export", tmp_path / "calls.db", place, *words).code == 0
    naming = ("--app", "support.telephone:naming")
    ran = realtape("replay", place, *naming)
    assert "differs in output.platform: 4 → 5" in ran.out
    assert "differs in output.for" not in ran.out
    ran = realtape("accept", place, *naming, "--yes")
    refused = "(word 2), and what the application sends may hold it: give words and patterns again"
    assert (ran.code, refused in ran.err) == (2, True)
    (before,) = read_fixture(place)
    assert realtape("accept", place, *naming, *words, "--yes").code == 0
    (after,) = read_fixture(place)
    greetings = [
        [one.payload for one in call.entries if one.type == "send_user_input"] for call in (before, after)
    ]
    assert greetings[0] == greetings[1]
    (output,) = (one.payload for one in after.entries if one.type == "send_tool_output")
    (recorded,) = (one.payload for one in before.entries if one.type == "send_tool_output")
    assert output == recorded.replace("4}", "5}") != recorded
    assert not any("hello" in one.payload or "Anna" in one.payload for one in after.entries)
    assert realtape("replay", place, *naming).out.startswith("same")


def test_of_a_chain_it_is_said_in_which_session(realtape: Realtape, tmp_path: Path) -> None:
    record(tmp_path / "two.db", sessions=2)
    ran = realtape("accept", tmp_path / "two.db", "--app", "support.telephone:twice_and_other_then", "--yes")
    assert (ran.code, "\nstays: in session 2: #25 ▶ sent send_tool_output" in ran.out) == (0, True)
    assert " and 1 more, 92 entries, in " in ran.lines[-1]
    ran = realtape("replay", tmp_path / "two.db", "--app", "support.telephone:twice_and_other_then")
    assert [line[-14:] for line in ran.lines if line.startswith("close: ")] == [
        f"(in session {number})" for number in (1, 2)
    ]


def test_a_store_gets_one_more_session(realtape: Realtape, store: Path) -> None:
    (before,) = json.loads(realtape("ls", store, "--json").out)
    assert realtape("accept", store, *OTHER, "--yes").code == 0
    sessions = json.loads(realtape("ls", store, "--json").out)
    assert len(sessions) == 2
    assert before in sessions  # the one that was there is as it was
    assert realtape("replay", f"{store}#{before['id']}", *APP).code == 0
    new = next(one["id"] for one in sessions if one["id"] != before["id"])
    assert realtape("replay", f"{store}#{new}", *OTHER).out.startswith("same")


def test_into_another_place(realtape: Realtape, store: Path, tmp_path: Path) -> None:
    kept = store.read_bytes()
    for name in ("new.db", "new"):
        assert realtape("accept", store, *OTHER, "--yes", "--into", tmp_path / name).code == 0
        assert realtape("replay", tmp_path / name, *OTHER).code == 0
    assert store.read_bytes() == kept
    ran = realtape("accept", store, *OTHER, "--yes", "--into", tmp_path / "new")
    assert (ran.code, "exists" in ran.err) == (2, True)


def test_as_json_nobody_is_asked(realtape: Realtape, place: Path) -> None:
    (before,) = read_fixture(place)
    ran = realtape("accept", place, *OTHER, "--json")
    facts = json.loads(ran.out)
    assert (ran.code, ran.err) == (1, "")
    assert (facts["differs"], facts["accepted"], facts["session"], facts["into"]) == (True, False, None, None)
    assert read_fixture(place) == [before]
    ran = realtape("accept", place, *OTHER, "--json", "--yes")
    (after,), facts = read_fixture(place), json.loads(ran.out)
    assert (ran.code, facts["accepted"], facts["session"]) == (0, True, after.header.id)
    assert (facts["entries"], facts["into"]) == (len(after.entries), str(place))
    assert [one["kind"] for one in facts["report"]["divergences"]] == ["changed"]
    assert "platform 5" in facts["stays"][0]
    facts = json.loads(realtape("accept", place, *OTHER, "--json", "--yes").out)
    assert (facts["differs"], facts["accepted"]) == (False, False)


def test_it_asks(realtape: Realtape, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = store.read_bytes()
    ran = realtape("accept", store, *OTHER)
    assert (ran.code, "there is no terminal to ask at; --yes accepts" in ran.err) == (2, True)
    assert "platform 5" in ran.out  # what would have been accepted is shown all the same
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    answers = iter([False, True])

    def asked(question: str, *, err: bool) -> bool:
        assert (question, err) == ("accept this?", True)
        return next(answers)

    monkeypatch.setattr(typer, "confirm", asked)
    ran = realtape("accept", store, *OTHER)
    assert (ran.code, ran.err) == (1, "realtape: nothing was accepted\n")
    assert store.read_bytes() == kept
    assert realtape("accept", store, *OTHER).code == 0


def test_where_nothing_differs_nothing_is_written(realtape: Realtape, store: Path) -> None:
    kept = store.read_bytes()
    ran = realtape("accept", store, *APP, "--yes")
    assert (ran.code, ran.err) == (0, "realtape: nothing differs: nothing to accept\n")
    assert store.read_bytes() == kept


@pytest.mark.parametrize(
    ("app", "problem"),
    [
        ("failing", "fails in it, and so there is nothing to accept: the application raised ValueError"),
        ("unconnected", "the application returned without connecting"),
    ],
)
def test_an_application_that_fails(realtape: Realtape, store: Path, app: str, problem: str) -> None:
    kept = store.read_bytes()
    ran = realtape("accept", store, "--app", f"support.telephone:{app}", "--yes")
    assert (ran.code, problem in ran.err) == (2, True)
    assert store.read_bytes() == kept


def test_a_fixture_that_cannot_be_written_stays(
    realtape: Realtape, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = read_fixture(place)

    def fails(path: Path, *_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.write_bytes", fails)
        patch.setattr("zipfile.ZipFile.writestr", fails)
        ran = realtape("accept", place, *OTHER, "--yes")
    assert (ran.code, "No space left on device" in ran.err) == (2, True)
    assert read_fixture(place) == before
    assert os.listdir(place.parent) == [place.name]


def test_what_the_user_said_is_in_it_still(realtape: Realtape, store: Path, tmp_path: Path) -> None:
    """It does not greet any more; that nobody knows who greeted is said, and the greeting is kept."""
    ran = realtape("accept", store, "--app", "support.telephone:silent", "--yes", "--into", tmp_path / "new")
    assert (ran.code, "nothing differs" in ran.err) == (0, True)
    assert "taken for the user's: #2 ▶ sent send_user_input hello; if the application made it" in ran.out
