"""Matchers: fields that need not be sent exactly as they were recorded."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from realtape.replay.matching.field_paths import FieldPath
from realtape.replay.matching.matchers import (
    IGNORE,
    JSON_TEXT,
    Matcher,
    MatcherError,
    Normalised,
    Rule,
    Tolerance,
)
from realtape.replay.matching.matching import Matching
from realtape.schema import RealtimeModelSendRawMessage, RealtimeModelSendSessionUpdate, UsageError
from support.sends import Recorded, matches, matching, output

# --- a field at a time ------------------------------------------------------------------------------------

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "$", "1"]) | st.just(1.5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "$", "$$", "$x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def spelled(draw: Callable[..., Any], value: Any) -> str:
    """A JSON value in one of its spellings."""

    def mixed(value: Any) -> Any:
        if isinstance(value, dict):
            facts = cast("dict[str, Any]", value)
            return {key: mixed(facts[key]) for key in draw(st.permutations(sorted(facts)))}
        if isinstance(value, list):
            return [mixed(item) for item in cast("list[Any]", value)]
        is_number = isinstance(value, int) and not isinstance(value, bool)
        return float(value) if is_number and draw(st.booleans()) else value

    return json.dumps(
        mixed(value), indent=draw(st.sampled_from([None, 0, 2])), ensure_ascii=draw(st.booleans())
    )


def typed(value: Any) -> Any:
    """A value in which `True` is not 1: what Python takes for equal, JSON does not."""
    if isinstance(value, dict):
        return {key: typed(item) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [typed(item) for item in cast("list[Any]", value)]
    return (isinstance(value, bool), value)


@given(JSON_VALUES, JSON_VALUES, st.data())
def test_json_texts_are_the_same_iff_they_hold_the_same(one: Any, other: Any, data: st.DataObject) -> None:
    rules = matching({"send_tool_output": {"output": JSON_TEXT}})
    recorded = output(data.draw(spelled(one)))
    assert matches(rules, recorded, output(data.draw(spelled(one))))
    assert matches(rules, recorded, output(data.draw(spelled(other)))) == (typed(one) == typed(other))


@given(st.text(max_size=8), st.text(max_size=8))
def test_a_text_that_is_no_json_must_be_exact(one: str, other: str) -> None:
    rules = matching({"send_tool_output": {"output": JSON_TEXT}})
    try:
        json.loads(one)
        json.loads(other)
    except ValueError:
        assert matches(rules, output(one), output(other)) == (one == other)


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "1e999", "9" * 5000, "[" * 5000, '{"a":1', '"\ud800"'])
def test_what_python_takes_for_json_and_others_do_not(text: str) -> None:
    rules = matching({"send_tool_output": {"output": JSON_TEXT}})
    assert matches(rules, output(text), output(text))
    assert not matches(rules, output(text), output(f"{text} ?"))


def same(one: Any, other: Any) -> bool:
    return bool(one == other)


def anything(one: Any, other: Any) -> bool:
    return True


def by_length(one: Any, other: Any) -> bool:
    return len(one) == len(other)


def close(one: Any, other: Any) -> bool:
    try:
        return abs(Fraction(one) - Fraction(other)) <= max(Fraction(0.5), Fraction(0.1) * abs(Fraction(one)))
    except ValueError:
        return bool(one == other)


def as_json(one: Any, other: Any) -> bool:
    try:
        return bool(json.loads(one) == json.loads(other))
    except ValueError:
        return bool(one == other)


RULES: list[tuple[Rule | None, Callable[[Any, Any], bool]]] = [
    (None, same),
    (IGNORE, anything),
    (JSON_TEXT, as_json),
    (Tolerance(absolute=0.5, relative=0.1), close),
    (Normalised(lambda text: {"length": len(text)}), by_length),
    (by_length, by_length),
]
TEXTS = st.sampled_from(["", "1", "1.0", " 1.4", "2", "20", "21.9", "23", "[1, 2]", "[1,2]", "a", "é"])


@given(st.lists(st.sampled_from(RULES), min_size=3, max_size=3), st.tuples(*[TEXTS] * 6))
def test_a_send_matches_iff_each_of_its_fields_does(
    rules: list[tuple[Rule | None, Callable[[Any, Any], bool]]], texts: tuple[str, str, str, str, str, str]
) -> None:
    fields = ["output", "tool_call.arguments", "tool_call.call_id"]
    declared = {field: rule for field, (rule, _) in zip(fields, rules, strict=True) if rule is not None}
    recorded, live = output(*texts[:3]), output(*texts[3:6])
    expected = all(
        says(one, other) for (_, says), one, other in zip(rules, texts[:3], texts[3:], strict=True)
    )
    assert matches(matching({"send_tool_output": declared}), recorded, live) == expected
    assert matches(matching({"*": declared}), recorded, live) == expected
    assert not matches(matching({"*": declared}), recorded, output(*texts[3:6], start=False))


def raw(**data: Any) -> RealtimeModelSendRawMessage:
    return RealtimeModelSendRawMessage(message={"type": "x", "other_data": data})


PATHS: list[tuple[str, Rule, Any, Any, bool]] = [
    ("message.other_data.at", IGNORE, {"at": 1, "b": 2}, {"b": 2}, True),
    ("message.other_data.at", IGNORE, {"at": 1, "b": 2}, {"b": 3}, False),
    ("message.other_data.at", Tolerance(1), {"at": 1}, {}, False),
    ("message.other_data.at", Tolerance(1), {"at": 1}, {"at": 1.5}, True),
    ("message.other_data.at", Tolerance(1), {"at": 2**70}, {"at": 2**70 + 1}, True),
    ("message.other_data.at", Tolerance(1), {"at": 2**70}, {"at": 2**70 + 2}, False),
    ("message.other_data.at", Tolerance(1), {"at": True}, {"at": 1}, False),
    ("message.other_data.at", Tolerance(1), {"at": float("nan")}, {"at": float("nan")}, True),
    ("message.other_data.list[*].at", IGNORE, {"list": [{"at": 1}, {"at": 2}]}, {"list": [{}, {}]}, True),
    ("message.other_data.list[*].at", IGNORE, {"list": [{"at": 1}]}, {"list": [{}, {}]}, False),
    ("message.other_data.list[1]", IGNORE, {"list": [1, 2]}, {"list": [1, 3]}, True),
    ("message.other_data.list[1]", IGNORE, {"list": [1, 2]}, {"list": [2, 2]}, False),
    ("message.other_data.list.*", Tolerance(1), {"list": (1, 2)}, {"list": (2, 1)}, True),
    ("message.*.list", IGNORE, {"list": 1}, {"list": 2}, True),
    ("message.other_data.*audio*", IGNORE, {"my_audio": b"1234", "b": b"5"}, {"b": b"5"}, True),
    ("message.other_data.*audio*", IGNORE, {"my_audio": b"1234", "b": b"5"}, {"b": b"6"}, False),
]


@pytest.mark.parametrize(("path", "rule", "recorded", "live", "expected"), PATHS)
def test_paths(path: str, rule: Rule, recorded: Any, live: Any, expected: bool) -> None:
    rules = matching([Matcher("send_raw_message", path, rule)])
    assert matches(rules, raw(**recorded), raw(**live), "send_raw_message") == expected


def test_a_path_leads_into_a_text_that_holds_json() -> None:
    rules = matching(
        {"send_tool_output": {"output.looked_up_at": IGNORE, "output": JSON_TEXT, "output.km": Tolerance(1)}}
    )
    recorded = output('{"km": 3, "looked_up_at": "12:00", "to": "Ulm"}')
    assert matches(rules, recorded, output('{"to":"Ulm","km":3.5}'))
    assert not matches(rules, recorded, output('{"to":"Ulm","km":5}'))
    one, other = (rules.recorded("send_tool_output", event) for event in (recorded, output('{"km": 5}')))
    assert [path for path, _, _ in rules.differences(one, other)] == ["output.to", "output.km"]


def test_of_several_the_last_one_counts_and_a_field_counts_for_its_parts() -> None:
    rules = [Matcher("*", "output", IGNORE), Matcher("send_tool_output", "output", lambda a, b: a == "x")]
    assert not matches(matching(rules), output("a"), output("b"))
    assert matches(matching(rules), output("x"), output("b"))
    whole = [Matcher("*", "tool_call.arguments", anything), Matcher("*", "tool_call", IGNORE)]
    assert matches(matching(whole), output("a", call_id="1"), output("a", call_id="2"))


def test_only_candidates_that_are_the_same_otherwise_are_asked() -> None:
    asked: list[tuple[str, str]] = []

    def rule(recorded: str, live: str) -> bool:
        asked.append((recorded, live))
        return recorded.lower() == live.lower()

    events = [output(text, call_id=id) for text, id in [("A", "1"), ("B", "2"), ("C", "2"), ("D", "2")]]
    recorded = Recorded([("send_tool_output", event) for event in events], matching({"*": {"output": rule}}))
    call = recorded.send("send_tool_output", output("c", call_id="2"))
    assert call is not None
    assert call.seq // 2 == 2
    assert asked == [("B", "c"), ("C", "c")]


def test_a_function_that_raises_is_named() -> None:
    def breaks(recorded: Any, live: Any) -> bool:
        raise KeyError("secret")

    with pytest.raises(MatcherError, match=r"send_tool_output output: .*breaks raised KeyError") as caught:
        matches(matching({"send_tool_output": {"output": breaks}}), output("a"), output("b"))
    assert isinstance(caught.value.__cause__, KeyError)
    assert "secret" not in str(caught.value)
    functions: list[Callable[[Any], Any]] = [lambda text: 1 / 0, lambda text: object(), lambda text: {1: {2}}]
    for function in functions:
        rules = matching({"send_tool_output": {"output": Normalised(function)}})
        with pytest.raises(MatcherError, match=r"lambda"):
            rules.live("send_tool_output", output("a"))


@pytest.mark.parametrize(
    ("type", "field", "rule"),
    [
        ("send_tool_ouput", "output", IGNORE),
        ("audio", "data", IGNORE),
        ("send_tool_output", "text", IGNORE),
        ("send_tool_output", "", IGNORE),
        ("send_tool_output", "a..b", IGNORE),
        ("send_tool_output", "a[x]", IGNORE),
        ("send_tool_output", "output", "ignore"),
    ],
)
def test_what_makes_no_sense_is_refused(type: str, field: str, rule: Any) -> None:
    with pytest.raises(UsageError):
        matching([Matcher(type, field, rule)])


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf")])
def test_a_tolerance_is_a_finite_number(value: float) -> None:
    with pytest.raises(UsageError):
        Tolerance(value)
    with pytest.raises(UsageError):
        Tolerance(relative=value)


def test_a_path_reads_as_written() -> None:
    assert FieldPath.read("a.b[*].c[0]").find({"a": {"b": [{"c": [7]}, {"c": []}, {}]}})[0].value == 7


# --- settings -----------------------------------------------------------------------------------------------


def test_settings_are_compared_field_by_field() -> None:
    rules = matching(
        {
            "send_session_update": {
                "session_settings.turn_detection.threshold": Tolerance(0.1),
                "session_settings.instructions": IGNORE,
            }
        }
    )
    update = RealtimeModelSendSessionUpdate
    assert matches(rules, update({"voice": "a"}), update({"voice": "b"}), "send_session_update")
    recorded = {"voice": "ash", "instructions": "x", "turn_detection": {"threshold": 0.5}}
    live = {"voice": "ash", "turn_detection": {"threshold": 0.55}}
    assert rules.changed_settings(recorded, live, redacted=False) == []
    live = {"voice": "sage", "turn_detection": {"threshold": 0.9}}
    assert rules.changed_settings(recorded, live, redacted=False) == [
        ("settings.voice", "ash", "sage"),
        ("settings.turn_detection.threshold", 0.5, 0.9),
    ]


def test_what_a_redactor_took_out_of_settings_is_no_change() -> None:
    recorded, live = {"instructions": "Greet [redacted]."}, {"instructions": "Greet Ada."}
    assert Matching().changed_settings(recorded, live, redacted=True) == []
    assert len(Matching().changed_settings(recorded, live, redacted=False)) == 1
