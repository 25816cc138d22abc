"""`--realtape-update`: what a passing test does becomes its recording."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from realtape.session.fixture import read_fixture
from support.voice_suite import RECORDING, VoiceSuite


def test_a_recording_is_updated_where_the_test_passes(suite: VoiceSuite) -> None:
    suite.recorded().change("TABLE = 4", "TABLE = 5")
    (before,) = read_fixture(suite.recording)
    told = suite.run()
    told.stdout.fnmatch_lines(["  pytest test_voice.py::test_booking --realtape-update", "or record anew:"])
    result = suite.passes("--realtape-update")
    result.stdout.fnmatch_lines(
        [
            "*= realtape: updated to what the application does now =*",
            "test_voice.py::test_booking",
            f"  {RECORDING}: *; #*table 4, now *table 5: what came then (from #* on) was the answer *",
        ]
    )
    (after,) = read_fixture(suite.recording)
    assert "accepted with pytest" in after.header.source
    assert before.last_digest.hex() in after.header.source
    assert os.listdir(suite.recording.parent) == [suite.recording.name]
    suite.passes()
    suite.passes("--realtape-update").stdout.no_fnmatch_line("*updated to what*")
    assert read_fixture(suite.recording) == [after]
    suite.change("TABLE = 5", "TABLE = 4")
    suite.run().assert_outcomes(failed=1)


def test_nothing_is_updated_where_the_test_fails(suite: VoiceSuite) -> None:
    suite.recorded().change("TABLE = 4", "TABLE = 5")
    suite.change('== "Table four is yours."', '== "Table five."', "test_voice.py")
    before = suite.content()
    suite.run("--realtape-update").assert_outcomes(failed=1)
    assert suite.content() == before


def test_a_recording_that_no_test_has_made_is_not_to_be_recorded_anew(suite: VoiceSuite) -> None:
    """`export` made it: there is no real model behind this test."""
    suite.recorded().change("TABLE = 4", "TABLE = 5")
    file = Path(suite.recording / "session.json")
    told = [line for line in file.read_text().splitlines() if "_digest" not in line]
    text = "\n".join(told).replace('"test": "test_voice.py::test_booking"', '"customer": "1042"')
    file.write_text(text)
    result = suite.fails(lines=["  pytest test_voice.py::test_booking --realtape-update"])
    result.stdout.no_fnmatch_line("*record anew*")


@pytest.mark.parametrize("change", ["TABLE = 4", "PAUSE = 0.01"])
def test_a_slower_tool_is_nothing_to_update(suite: VoiceSuite, change: str) -> None:
    suite.recorded()
    before = suite.content()
    if change.startswith("PAUSE"):
        suite.change(change, "PAUSE = 0.3")
    suite.passes("--realtape-update")
    assert suite.content() == before
