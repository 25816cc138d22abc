"""What a recording says, as the readers at the front door tell it while it is read."""

from __future__ import annotations

import pytest
from realtape.replay.core.recent import Recent
from realtape.replay.terms.steps import Step
from realtape.schema import Kind
from realtape.schema.codec import to_json
from realtape.schema.entries import Entry
from realtape.session import (
    Fold,
    HeardAudio,
    Interruption,
    Notes,
    Speech,
    Structure,
    ToolCalls,
    begins_turn,
    interruptions,
)
from realtape.session.ended import EndedEntries
from realtape.session.fields import client_message, event_fields, facts_of
from realtape.session.stimuli import is_reaction
from support.fixtures import drafts_in, numbered, raw, received, sent, sent_raw
from support.golden import DEMO


def test_the_demo_as_its_readers_tell_it() -> None:
    (draft,) = drafts_in(DEMO)
    speech, calls, heard = Speech(), ToolCalls(), HeardAudio()
    for entry in draft.entries:
        for reader in (speech, calls, heard):
            reader.read(entry)
    assert speech.turn == sum(map(begins_turn, draft.entries)) == 4
    assert speech.last == "the model said 'Platform four, on the left.'"
    (call,) = calls.calls()
    assert (call.name, call.arguments, call.output) == (
        "departure",
        '{"destination": "Brno"}',
        "9:15, platform 4",
    )
    assert (call.seconds, call.outputs) == (0.036797265, (231,))
    assert Structure(draft).calls == (call,)
    assert [(one.item_id, one.heard_ms, one.received_ms, one.assumed) for one in heard.heard()] == [
        ("item_0002", 1360, 2100, False),
        ("item_0006", 580, 1200, False),
        ("item_0008", 1020, 1620, False),
    ]
    assert interruptions(Structure(draft)) == (
        Interruption(155, 160, "item_0002", 0, 1360, "item_0003"),
        Interruption(316, 321, "item_0006", 0, 580, "item_0007"),
    )


def test_a_tool_call_is_known_before_its_answer() -> None:
    (draft,) = drafts_in(DEMO)
    calls = ToolCalls()
    for entry in draft.entries[:231]:
        calls.read(entry)
    assert [(call.name, call.output, call.outputs) for call in calls.calls()] == [("departure", None, ())]


ANSWER = {"type": "function_call_output", "call_id": "call_1", "output": "four"}


@pytest.mark.parametrize(
    ("send", "is_answer"),
    [
        (sent("send_tool_output", tool_call={"call_id": "call_1"}, output="four"), True),
        (sent_raw({"type": "conversation.item.create", "other_data": {"item": ANSWER}}), True),
        (
            sent_raw({"type": "conversation.item.create", "other_data": {"item": {**ANSWER, "type": "x"}}}),
            False,
        ),
        (sent_raw({"type": "response.create", "other_data": {"item": ANSWER}}), False),
    ],
)
def test_a_call_is_answered_by_a_send_or_by_a_message(send: Entry, is_answer: bool) -> None:
    asked = received("function_call", call_id="call_1", name="platform", arguments="{}")
    entries = numbered(asked, send, step_ns=2_000_000)
    calls, fold, notes, recent = ToolCalls(), Fold(), Notes(), Recent()
    for entry in entries:
        calls.read(entry)
        fold.add(entry)
        recent.add(Step(entry))
    (call,) = calls.calls()
    assert (call.output, call.outputs) == (("four", (1,)) if is_answer else (None, ()))
    assert [one.call_id for one in fold.state().open_calls] == ([] if is_answer else ["call_1"])
    assert [one.seq for one in recent.open_calls()] == ([] if is_answer else [0])
    assert [notes.read(entry) for entry in entries] == ["", "after 2 ms" if is_answer else ""]
    assert is_reaction(send) is is_answer  # though it has no cause


def test_what_is_kept_in_a_description_is_read_as_the_rest() -> None:
    plain = raw({"type": "response.created"})
    described = plain._replace(payload=to_json({"$": "described", "name": "x", "value": event_fields(plain)}))
    assert facts_of(described) == facts_of(plain) == {"type": "response.created"}
    message = {"message": {"type": "response.create", "other_data": {"event_id": "e"}}}
    sent = Entry(0, 0, 0, 0, Kind.SENT, "send_raw_message", payload=to_json(message))
    assert client_message(sent) == {"type": "response.create", "event_id": "e"}
    assert event_fields(sent._replace(payload="[")) == {}


def test_which_entries_were_ended_takes_no_more_than_there_are() -> None:
    """Whatever numbers a forged log names."""
    ended = EndedEntries()
    for seq in (0, 4_095, 4_096, 30_000_000_000):
        ended.add(seq)
    assert [seq in ended for seq in (0, 1, 4_095, 4_096, 30_000_000_000)] == [True, False, True, True, True]
    assert ended.any_of(1, 4_095)
    assert not ended.any_of(1, 4_094)
    assert ended.any_of(4_000, 97)
    assert not ended.any_of(4_097, 10_000)
