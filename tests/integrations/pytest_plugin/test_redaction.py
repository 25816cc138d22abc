"""What is taken out of a recording before it is put beside the test."""

from __future__ import annotations

import pytest
from support.voice_suite import VoiceSuite

SECRET = b"ada@lovelace.example"


def contents(suite: VoiceSuite) -> bytes:
    return b"".join(suite.content().values())


@pytest.fixture
def said(suite: VoiceSuite) -> VoiceSuite:
    """An application that tells the model an address."""
    suite.change(", please.", ", please. I am ada@lovelace.example, and this is Featherstone calling.")
    return suite


def test_personal_data_are_taken_out_and_the_replay_is_the_same(said: VoiceSuite) -> None:
    said.passes("--realtape-record=once")
    assert SECRET not in contents(said)
    assert b"Featherstone" in contents(said)
    said.passes()


def test_what_is_taken_out_can_be_said(said: VoiceSuite) -> None:
    said.change("mark.realtape", 'mark.realtape(redact={"words": ["Featherstone"]})', "test_voice.py")
    said.passes("--realtape-record=once")
    assert SECRET not in contents(said)
    assert b"Featherstone" not in contents(said)
    said.passes()


@pytest.mark.parametrize("where", ["marker", "ini file"])
def test_redaction_can_be_switched_off(said: VoiceSuite, where: str) -> None:
    if where == "marker":
        said.change("mark.realtape", "mark.realtape(redact=False)", "test_voice.py")
    else:
        said.change("[pytest]", "[pytest]\nrealtape_redact = false", "pytest.ini")
    said.passes("--realtape-record=once")
    assert SECRET in contents(said)
    said.passes()


@pytest.mark.parametrize("audio", ["silence", "drop"])
def test_audio_can_be_left_out(suite: VoiceSuite, audio: str) -> None:
    kept = sum(map(len, suite.recorded().content().values()))
    suite.change("[pytest]", f"[pytest]\nrealtape_audio = {audio}", "pytest.ini")
    suite.passes("--realtape-record=all")
    if audio == "drop":
        assert sum(map(len, suite.content().values())) < kept
    suite.passes()
