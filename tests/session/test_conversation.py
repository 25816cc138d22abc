"""The conversation of a session: who said what, in full, each once, in order."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from realtape.schema import Entry, Kind
from realtape.session import ConversationLine, conversation, entries_with_events
from realtape.session.fixture import read_fixture
from support.fixtures import draft, frame, raw, received, sent, sent_raw

FIXTURES = Path(__file__).parents[2] / "fixtures"


def told(*entries: Entry) -> list[tuple[int, str, str]]:
    """Turn, who and what, of entries a tenth of a second apart."""
    lines = list(conversation(draft(*entries, step_ns=100_000_000).entries))
    assert [line.seq for line in lines] == sorted(line.seq for line in lines)
    return [(line.turn, line.who, line.text) for line in lines]


def delta(item: str, text: str) -> Entry:
    return received("transcript_delta", item_id=item, delta=text)


def updated(item: str, role: str, text: str) -> Entry:
    content = [{"type": "text", "text": text}]
    return received("item_updated", item={"item_id": item, "role": role, "content": content})


def test_frames_alone_tell_what_tools_answered_and_how_much_was_heard() -> None:
    """As a proxy records them; who breaks in is followed by the truncation."""

    def came(**message: Any) -> Entry:
        return frame(Kind.FRAME_IN, message)

    call = {"type": "function_call", "name": "fare", "call_id": "c", "arguments": "{}", "status": "completed"}
    answer = {"type": "function_call_output", "call_id": "c", "output": "one crown"}
    cut = {"item_id": "a", "content_index": 0, "audio_end_ms": 800}
    entries = [
        came(type="response.created", response={"id": "r"}),
        came(type="response.output_item.done", item=call),
        frame(Kind.FRAME_OUT, {"type": "conversation.item.create", "item": answer}),
        came(type="response.output_audio.delta", item_id="a", content_index=0, delta="AAAA" * 9_000),
        came(type="input_audio_buffer.speech_started", item_id="b", audio_start_ms=0),
        came(type="response.done", response={"id": "r", "status": "cancelled"}),
        frame(Kind.FRAME_OUT, {"type": "conversation.item.truncate", **cut}),
        came(type="conversation.item.input_audio_transcription.completed", item_id="b", transcript="Wait."),
    ]
    lines = list(conversation(entries_with_events(draft(*entries))))
    assert [(line.who, line.text) for line in lines] == [
        ("tool", "fare({})"),
        ("tool", "fare → one crown"),
        ("interrupted", "after 800 ms of a"),
        ("user", "Wait."),
    ]


CALL = received("function_call", name="refund", arguments='{"order": 7}', call_id="c1")
OUTPUT = sent("send_tool_output", tool_call={"call_id": "c1"}, output="paid back")


def test_a_turn_with_a_tool() -> None:
    lines = told(
        sent("send_user_input", user_input="Refund order 7."),
        updated("i1", "user", "Refund order 7."),
        received("turn_started", response_id="r1"),
        delta("i2", "One "),
        delta("i2", "moment."),
        updated("i2", "assistant", "One moment."),
        CALL,
        received("turn_ended", response_id="r1"),
        OUTPUT,
        received("turn_started", response_id="r2"),
        delta("i3", "It is paid back."),
    )
    assert lines == [
        (0, "user", "Refund order 7."),
        (1, "model", "One moment."),
        (1, "tool", 'refund({"order": 7})'),
        (1, "tool", "refund after 200 ms → paid back"),
        (2, "model", "It is paid back."),
    ]


def test_what_is_typed_below_the_sdk_and_answered_there() -> None:
    item = {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "Be brief."}]}
    answer = {"type": "function_call_output", "call_id": "c1", "output": "paid back"}
    created = "conversation.item.create"
    lines = told(
        sent_raw({"type": created, "other_data": {"item": item}}),
        updated("i1", "system", "Be brief."),
        CALL,
        sent_raw({"type": created, "other_data": {"item": answer}}),
        raw(
            {
                "type": "response.output_item.done",
                "item": {"type": "mcp_call", "name": "find", "arguments": "{}", "output": "it"},
            }
        ),
    )
    assert lines == [
        (0, "system", "Be brief."),
        (0, "tool", 'refund({"order": 7})'),
        (0, "tool", "refund after 100 ms → paid back"),
        (0, "tool", "find {} it"),
    ]


def test_words_of_the_user_that_come_late_stand_where_they_came() -> None:
    lines = told(
        delta("i2", "Platform "),
        received("input_audio_transcription_completed", item_id="i1", transcript="Which platform?"),
        updated("i1", "user", "Which platform?"),
        delta("i2", "four."),
    )
    assert lines == [(0, "model", "Platform four."), (0, "user", "Which platform?")]


def test_an_interruption_says_how_much_was_heard() -> None:
    playing = delta("i2", "All trains")._replace(item_id="i2", content_index=0, elapsed_ms=580.4)
    (said, broke) = told(playing, received("audio_interrupted", item_id="i2", content_index=0))
    assert said == (0, "model", "All trains")
    assert broke == (0, "interrupted", "after 580 ms of i2")


@given(st.lists(st.tuples(st.sampled_from(["i1", "i2"]), st.text(max_size=3)), max_size=12))
def test_nothing_that_was_said_is_lost(pieces: list[tuple[str, str]]) -> None:
    lines = [text for _, who, text in told(*(delta(*piece) for piece in pieces)) if who == "model"]
    assert sorted("".join(lines)) == sorted("".join(text for _, text in pieces))


def test_a_recorded_call() -> None:
    (kiosk,) = read_fixture(FIXTURES / "kiosk")
    lines = list(conversation(kiosk.entries))
    assert [dataclasses.astuple(line)[2:] for line in lines] == [
        (0, "user", "When does my train to Brno leave?"),
        (1, "model", "One moment."),
        (1, "tool", 'departure({"to": "Brno"})'),
        (1, "tool", "departure after 205 ms → 9:15, platform 4"),
        (2, "model", "At nine fifteen, from platform four."),
        (2, "interrupted", "after 1,689 ms of item_0005"),
    ]
    assert isinstance(lines[0], ConversationLine)
    assert kiosk.entries[lines[1].seq].at_ns == lines[1].at_ns
