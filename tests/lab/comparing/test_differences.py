"""`compare` on a conversation: what differs is told in its words."""

from __future__ import annotations

from typing import Any

import pytest
from realtape.schema import (
    Entry,
    Kind,
    RealtimeModelInputAudioTranscriptionCompletedEvent,
    RealtimeModelSendToolOutput,
)
from support.small_logs import (
    CONVERSATION,
    audio,
    both_ways,
    call,
    changed,
    delta,
    log,
    renumbered,
)


def test_a_difference_is_told_in_the_words_of_the_conversation() -> None:
    other = RealtimeModelSendToolOutput(tool_call=call(1), output="rain", start_response=True)
    comparison = both_ways(CONVERSATION, changed(8, other))
    assert comparison.counts["changed"] == comparison.total == 1
    assert str(comparison.differences[0]).splitlines() == [
        "send_tool_output differs (turn 1; the model said 'Let me look.')",
        "  A: #8 ▶ sent send_tool_output look_up of call_1 → sunny",
        "  B: #8 ▶ sent send_tool_output look_up of call_1 → rain",
        "  differs in payload.output: 'sunny' → 'rain'",
        "  around it:",
        "    #6 ◀ received audio 480 bytes of item",
        "    #7 ◀ received function_call look_up({}) as call_1",
        "    #8 ▶ sent send_tool_output look_up of call_1 → sunny",
        "    #9 · sent_done returned",
        "    #10 ◀ received transcript_delta 'It is sunny.'",
    ]
    assert str(comparison).startswith("different: 11 entries in A, 11 in B; 1 changed, 0 moved")
    (told,) = comparison.as_json()["differences"]
    assert told["differences"] == [{"field": "payload.output", "a": "'sunny'", "b": "'rain'"}]


def test_bytes_of_another_content_are_told_by_their_digests() -> None:
    (difference,) = both_ways(CONVERSATION, changed(4, audio(b"\1" * 479 + b"\0"))).differences
    (field,) = difference.differences
    assert field.field == "payload.data"
    assert field.recorded.startswith("'480 bytes, sha256 ")
    assert field.recorded != field.live


def test_numbers_that_look_like_a_place_of_bytes_are_compared_as_they_stand() -> None:
    """Where the bytes lie is no matter; an application's own list under the same key is content."""
    held: Any = {"data": b"\1" * 4, "mine": {"x": "y", "at": [0, 0, 4]}}
    a = log((Kind.MARKER, held))
    b = log((Kind.MARKER, {**held, "mine": {"x": "y", "at": [0, 0, 5]}}))
    (difference,) = both_ways(a, b).differences
    (field,) = difference.differences
    assert (field.field, field.recorded, field.live) == ("payload.mine.at[2]", "4", "5")
    shifted = [*log((Kind.MARKER, b"\2" * 9)), (a[0][0]._replace(seq=1), held)]
    assert both_ways(a, shifted, ignore=["times"]).counts["only_b"] == 1
    assert both_ways(a, shifted, ignore=["times"]).total == 1


def test_who_spoke_last_may_be_the_user() -> None:
    heard: Any = RealtimeModelInputAudioTranscriptionCompletedEvent(
        item_id="item_0", transcript="And tomorrow?"
    )
    entries = [*CONVERSATION, *log((Kind.RECEIVED, heard))]
    entries[11] = (entries[11][0]._replace(seq=11), heard)
    ending: Any = {"text": "the end", "data": {}}
    comparison = both_ways(entries, [*entries, (Entry(12, 12_000, 12, 0, Kind.MARKER), ending)])
    assert [one.said for one in comparison.differences] == ["the user said 'And tomorrow?'"]


@pytest.mark.parametrize(
    ("a", "b"), [('{"x":1,"y":2}', '{"y":2,"x":1}'), ("{torn", "{tron"), ("0.0", "-0.0")]
)
def test_payloads_whose_fields_are_equal_may_differ_all_the_same(a: str, b: str) -> None:
    (difference,) = both_ways(log((Kind.MARKER, a)), log((Kind.MARKER, b))).differences
    (field,) = difference.differences
    assert (field.field, field.recorded != field.live) == ("payload", True)


def test_many_differences_are_counted_and_few_are_told() -> None:
    a = log(*[(Kind.RECEIVED, delta(f"a{number}")) for number in range(30)])
    b = log(*[(Kind.RECEIVED, delta(f"b{number}")) for number in range(30)])
    comparison = both_ways(a, b, limit=3)
    assert (comparison.total, len(comparison.differences)) == (30, 3)
    assert str(comparison).endswith("\nand 27 more")
    assert [one.seq_a for one in comparison.differences] == [0, 1, 2]
    assert both_ways(a, b, limit=0).differences == ()
    wide = {str(number): number for number in range(40)}
    (many,) = both_ways(log((Kind.MARKER, wide)), log((Kind.MARKER, {}))).differences
    assert many.differences[-1].live == "… in 32 fields more"


def test_an_aspect_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="'colour' is not a valid Aspect"):
        both_ways([], [], ignore=["colour"])


def test_content_is_what_was_said_and_done_in_the_order_of_each_direction() -> None:
    """Another pace, another player, and a send that came a little later are no difference then."""
    late = [CONVERSATION[place] for place in (0, 3, 1, 4, 2, 5, 6, 7, 10, 8, 9)]
    playing: Any = (
        Entry(11, 0, None, None, Kind.PLAYBACK, type="application", method="on_play_ms"),
        {"args": []},
    )
    handled: Any = (Entry(12, 0, None, None, Kind.HANDLED, of=3), {})
    other = renumbered([*late, playing, handled], [*CONVERSATION, playing, handled])
    other = [(entry._replace(at_ns=entry.seq * 7777, tick=None, task=3), value) for entry, value in other]
    assert both_ways(CONVERSATION, other).verdict == "different"
    comparison = both_ways(CONVERSATION, other, content_only=True)
    assert comparison.same
    assert (comparison.compared_a, comparison.length_b) == (9, 13)
    failed = [*CONVERSATION]
    failed[9] = (failed[9][0], {"outcome": "withheld"})
    (difference,) = both_ways(CONVERSATION, failed, content_only=True).differences
    assert (difference.kind, difference.seq_b, difference.what) == ("only_b", 9, "sent_done")
