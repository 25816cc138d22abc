"""When a test records: none, once, new, all; and what happens to the recordings that are there."""

from __future__ import annotations

import pytest
from support.voice_suite import TEST, VoiceSuite, files_in

TWO_MODELS = (
    TEST
    + """
    waiter = realtape.model(OpenAIRealtimeWebSocketModel, name="waiter")
    assert await book_a_table(waiter) == "Table four is yours."
"""
)


def test_none_fails_without_a_recording_and_gives_the_line_to_record_it(suite: VoiceSuite) -> None:
    suite.fails(
        lines=[
            "no recording at recordings/test_voice/test_booking; record it, with the real model:",
            "  pytest test_voice.py::test_booking --realtape-record=once",
        ]
    )
    assert not suite.recording.exists()


def test_once_records_and_then_replays(suite: VoiceSuite) -> None:
    suite.passes("--realtape-record=once")
    recorded = suite.content()
    suite.change('os.environ["PROVIDER_URL"]', '"ws://127.0.0.1:9/nobody"')
    suite.passes("--realtape-record=once")
    suite.passes()
    assert suite.content() == recorded


def test_the_ini_file_gives_the_mode_unless_the_command_line_does(suite: VoiceSuite) -> None:
    suite.change("[pytest]", "[pytest]\nrealtape_record = once", "pytest.ini")
    suite.fails("--realtape-record=none", lines=["no recording at *"])
    suite.passes()
    suite.change("= once", "= twice", "pytest.ini")
    suite.fails(lines=["realtape_record='twice': one of none, once, new, all"], errors=1)


def test_once_makes_no_further_recording_for_a_test_that_has_one(suite: VoiceSuite) -> None:
    suite.recorded().write("test_voice.py", TWO_MODELS)
    suite.fails(
        "--realtape-record=once",
        lines=[
            "no recording at recordings/test_voice/test_booking.waiter; record it, with the real model:",
            "  pytest test_voice.py::test_booking --realtape-record=new",
        ],
    )


def test_new_records_the_models_that_have_no_recording(suite: VoiceSuite) -> None:
    before = suite.recorded().content()
    suite.write("test_voice.py", TWO_MODELS)
    suite.passes("--realtape-record=new")
    assert suite.content() == before
    assert sorted(path.name for path in suite.recording.parent.iterdir()) == [
        "test_booking",
        "test_booking.waiter",
    ]
    suite.passes()


def test_all_records_anew(suite: VoiceSuite) -> None:
    before = suite.recorded().content()
    suite.change("TABLE = 4", "TABLE = 5")
    suite.fails(lines=["*the replay diverged: changed: send_tool_output *"])
    assert suite.content() == before
    suite.passes("--realtape-record=all")
    assert suite.content() != before
    suite.passes()
    assert [path.name for path in suite.recording.parent.iterdir()] == ["test_booking"]


@pytest.mark.parametrize("mode", ["once", "new", "all"])
def test_a_test_that_fails_records_nothing(suite: VoiceSuite, mode: str) -> None:
    if mode == "all":
        suite.recorded()
    before = suite.content()
    suite.change('== "Table four is yours."', '== "Table five."', "test_voice.py")
    suite.fails(
        f"--realtape-record={mode}", lines=["this test was recorded; it failed, so the recording was dropped"]
    )
    assert suite.content() == before
    assert not (suite.path / ".realtape").exists()


def test_what_a_failing_test_recorded_is_kept_if_that_is_asked_for(suite: VoiceSuite) -> None:
    before = suite.recorded().content()
    suite.change('== "Table four is yours."', '== "Table five."', "test_voice.py")
    suite.fails(
        "--realtape-record=all",
        "--realtape-keep",
        lines=[
            "what this test recorded before it failed:",
            "  .realtape/kept/test_voice/test_booking/recorded-1.db",
        ],
    )
    assert suite.content() == before
    assert (suite.path / ".realtape/kept/test_voice/test_booking/recorded-1.db").stat().st_size
    assert "*" in (suite.path / ".realtape/.gitignore").read_text().splitlines()


@pytest.mark.parametrize(
    ("damage", "mode"),
    [("cut", "none"), ("changed", "once"), ("empty", "new"), ("a file", "once"), ("cut", "new")],
)
def test_an_unreadable_recording_is_an_error_and_never_an_absent_one(
    suite: VoiceSuite, mode: str, damage: str
) -> None:
    entries = suite.recorded().recording / "entries.jsonl"
    if damage == "cut":
        entries.write_bytes(entries.read_bytes()[:-200])
    elif damage == "changed":
        entries.write_bytes(entries.read_bytes().replace(b"table for 2", b"table for 3"))
    else:
        for path in suite.recording.rglob("*"):
            if path.is_file():
                path.unlink()
        for path in sorted(suite.recording.rglob("*"), reverse=True):
            path.rmdir()
        if damage == "a file":
            suite.recording.rmdir()
            suite.recording.write_text("mine")
    before = files_in(suite.recording.parent)
    suite.fails(
        f"--realtape-record={mode}", lines=["unreadable recording: */recordings/test_voice/test_booking: *"]
    )
    assert files_in(suite.recording.parent) == before


def test_all_replaces_no_folder_that_is_no_recording(suite: VoiceSuite) -> None:
    suite.write("recordings/test_voice/test_booking/thesis.txt", "mine")
    suite.fails("--realtape-record=all", lines=["unreadable recording: *: is no recording; move it away*"])
    assert suite.content() == {"thesis.txt": b"mine"}


@pytest.mark.parametrize("mode", ["none", "once", "all"])
def test_a_replacement_that_was_cut_short_loses_nothing(suite: VoiceSuite, mode: str) -> None:
    old = suite.recorded().recording.rename(suite.recording.with_name(".test_booking.old"))
    suite.fails(
        f"--realtape-record={mode}", lines=["*move the one before back from .test_booking.old*"], errors=1
    )
    old.rename(suite.recording)
    suite.passes()


def test_a_test_without_a_model_of_its_own_is_told_so(suite: VoiceSuite) -> None:
    suite.change("lambda: OpenAIRealtimeWebSocketModel()", "", "test_voice.py")
    suite.fails("--realtape-record=once", lines=["*nothing makes the model that is to be recorded*"])
    suite.recorded()
    suite.passes()


def test_nothing_is_recorded_where_the_recorder_is_switched_off(
    suite: VoiceSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REALTAPE_DISABLED", "1")
    suite.fails("--realtape-record=once", lines=["*REALTAPE_DISABLED=1: nothing can be recorded*"])
