"""Live sends pass the recorder's redactors; what was taken out of recorded ones may be anything."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from realtape.replay.matching.matchers import JSON_TEXT
from realtape.replay.matching.matching import Matching
from realtape.schema import Flag, RealtimeModelSendUserInput
from support.sends import Recorded, matches, matching, output


def no_digits(text: str) -> str:
    return re.sub("[0-9]", "#", text)


def numbered_words(text: str) -> str:
    """A redactor that makes more of it each time: deterministic, and not idempotent."""
    return text.replace("Ada", "Ada (customer)")


@given(st.text("ab01 ", max_size=10), st.text("ab01 ", max_size=10))
def test_live_sends_pass_the_redactors(one: str, other: str) -> None:
    redacted = Matching(redactors=[no_digits])
    live = RealtimeModelSendUserInput(user_input=other)
    assert no_digits(no_digits(other)) == no_digits(other)
    expected = no_digits(one) == no_digits(other)
    for recorded in (no_digits(one), no_digits(no_digits(one))):
        event = RealtimeModelSendUserInput(user_input=recorded)
        assert matches(redacted, event, live, "send_user_input") == expected
    again = RealtimeModelSendUserInput(user_input=no_digits(other))
    assert matches(
        redacted, RealtimeModelSendUserInput(user_input=no_digits(one)), again, "send_user_input"
    ) == (expected)


def test_what_was_recorded_does_not_pass_them_a_second_time() -> None:
    rules = Matching(redactors=[numbered_words])
    recorded = RealtimeModelSendUserInput(user_input=numbered_words("Hello Ada"))
    assert matches(rules, recorded, RealtimeModelSendUserInput(user_input="Hello Ada"), "send_user_input")


@pytest.mark.parametrize("text", ['{"name": "[redacted]", "n": 1}', '{"name": [redacted], "n": 1}'])
def test_what_was_taken_out_may_have_been_anything(text: str) -> None:
    for rules in (Matching(), matching({"send_tool_output": {"output": JSON_TEXT}})):
        recorded = Recorded([("send_tool_output", output(text))], rules, flags=int(Flag.REDACTED))
        assert recorded.send("send_tool_output", output('{"name": "Ada", "n": 2}')) is None
        assert recorded.send("send_tool_output", output('{"name": "Ada", "n": 1}'))
        assert not recorded.calls._redacted["sent", "send_tool_output"]


def test_a_matcher_is_not_asked_about_what_was_taken_out() -> None:
    rules = matching({"send_tool_output": {"output": lambda one, other: one == other}})
    recorded = Recorded([("send_tool_output", output("to [redacted]"))], rules, flags=int(Flag.REDACTED))
    assert recorded.send("send_tool_output", output("from Ada")) is None
    assert recorded.send("send_tool_output", output("to Ada"))


def test_what_could_not_be_recorded_matches_what_cannot_now() -> None:
    def breaks(text: str) -> str:
        raise ValueError(text)

    name = f"{RealtimeModelSendUserInput.__module__}.RealtimeModelSendUserInput"
    recorded = {"unrecordable": {"name": name, "error": "ValueError"}}
    live = RealtimeModelSendUserInput(user_input="Hello")
    assert matches(Matching(redactors=[breaks]), recorded, live, "send_user_input")
