"""What sessions come to, as data: of the demo, of frames, of events alone; at whatever depth, the same."""

from __future__ import annotations

from typing import Any

from realtape.schema import Kind, Status
from realtape.session import Draft, LanesReader, Recording
from realtape.session.derived import Derived, derive, derive_draft
from support.depths import framed
from support.fixtures import audio, drafts_in, frame, header, numbered, raw, raw_audio, received
from support.golden import DEMO


def demo() -> Derived:
    (draft,) = drafts_in(DEMO)
    return derive_draft(draft)


def test_the_demo_comes_to_three_turns_with_their_answers() -> None:
    derived = demo()
    assert [(one.number, one.kind, one.text, one.answer) for one in derived.turns] == [
        (1, "text", "Good morning!", "Good morning. I know the timetable."),
        (2, "speech", "When does my train leave?", "Your train leaves at"),
        (3, "speech", "Wait, which platform?", "Platform four, on the left."),
    ]
    assert [one.response_ids for one in derived.turns] == [
        ("resp_0001",),
        ("resp_0002", "resp_0003"),
        ("resp_0004",),
    ]
    assert [(one.asked_by, one.asked_seq, one.status, one.reason) for one in derived.responses] == [
        ("text", 2, "completed", ""),
        ("speech", 194, "completed", ""),
        ("tool", 231, "cancelled", "turn_detected"),
        ("speech", 367, "completed", ""),
    ]


def test_what_the_demo_heard_and_lost() -> None:
    derived = demo()
    assert [
        (one.item_id, one.generated_ms, one.heard_ms, one.acknowledged_ms, one.unheard_text)
        for one in derived.heard
    ] == [
        ("item_0002", 2100, 1360, 1360, " timetable."),
        ("item_0006", 1200, 580, 580, " leaves at"),
        ("item_0008", 1620, 1020, None, " the left."),
    ]
    assert [(one.seq, one.by, one.item_id, one.heard_ms, one.lost_ms) for one in derived.interruptions] == [
        (155, "user", "item_0002", 1360, 740),
        (316, "user", "item_0006", 580, 620),
    ]


async def test_read_from_a_store_it_is_the_same() -> None:
    async with await Recording.open(DEMO) as recording:
        assert await derive(recording) == demo()


def test_below_the_interface_a_truncation_tells_what_was_heard() -> None:
    """And a sound that nobody truncated is one of which nobody tells."""
    (draft,) = drafts_in(DEMO)
    derived = derive_draft(framed(draft))
    assert [(one.heard_ms, one.assumed, one.unheard_text, one.discrepancies) for one in derived.heard] == [
        (1360, False, " timetable.", ()),
        (580, False, " leaves at", ()),
        (None, False, "", ()),
    ]
    assert [(one.heard_ms, one.lost_ms, one.lost_text) for one in derived.interruptions] == [
        (1360, 740, " timetable."),
        (580, 620, " leaves at"),
    ]


def test_below_the_interface_a_truncated_item_keeps_no_words_of_before() -> None:
    """What was on its way when it was truncated is none of the history's; what is retrieved later is."""
    content = [{"type": "output_audio", "transcript": "Good morning to you all."}]
    item = {"id": "item_1", "type": "message", "role": "assistant", "content": content}
    delta = {"item_id": "item_1", "content_index": 0, "delta": "A" * 64_000}
    cut = {"item_id": "item_1", "content_index": 0, "audio_end_ms": 500}
    begin: list[tuple[Kind, dict[str, Any]]] = [
        (Kind.FRAME_IN, {"type": "response.output_audio.delta", **delta}),
        (
            Kind.FRAME_IN,
            {**delta, "type": "response.output_audio_transcript.delta", "delta": "Good morning to you all."},
        ),
        (Kind.FRAME_OUT, {"type": "conversation.item.truncate", **cut}),
        (Kind.FRAME_IN, {"type": "conversation.item.truncated", **cut}),
        (Kind.FRAME_IN, {"type": "response.output_item.done", "item": item}),
    ]
    retrieved = (Kind.FRAME_IN, {"type": "conversation.item.retrieved", "item": item})
    for frames, kept, wrong in (
        (begin, "", ()),
        ([*begin, retrieved], "Good morning to you all.", ("kept unheard",)),
    ):
        entries = [frame(kind, message) for kind, message in frames]
        draft = Draft(header(), Status.CLOSED, numbered(*entries), {})
        (part,) = derive_draft(draft).heard
        assert (part.heard_ms, part.generated_ms, part.kept_text, part.discrepancies) == (
            500,
            1000,
            kept,
            wrong,
        )


def test_what_raw_messages_lack_of_the_sound_the_events_tell() -> None:
    """Some of it, or all; and what comes both ways, in either order, counts once."""
    created = raw({"type": "response.created", "response": {"id": "r"}})
    events = [audio((0, begin, 4_800), "a") for begin in (0, 4_800, 9_600)]
    deltas = [raw_audio((0, begin, 4_800), "a") for begin in (0, 4_800, 9_600)]
    pairs = list(zip(deltas, events, strict=True))
    for mixed in (
        events,
        [one for pair in pairs for one in pair],
        [one for pair in pairs for one in reversed(pair)],
        [deltas[0], events[0], events[1], deltas[2], events[2]],
        [*deltas, *events],
        deltas,
    ):
        draft = Draft(header(), Status.CLOSED, numbered(created, *mixed), {0: bytes(14_400)})
        derived, lanes = derive_draft(draft), LanesReader()
        for entry in draft.entries:
            lanes.read(entry)
        (part,) = derived.heard
        assert part.generated_ms == 300
        assert derived.responses[0].sound_ms == (300 if part.response_id else 0)
        sounding = sum(one.length for one in lanes.lanes().of("model"))
        assert sounding == (14_400 if part.given_ms else 0)


def test_what_raw_messages_have_none_of_the_events_tell() -> None:
    """Of a model that passes some of the provider's messages on."""
    entries = [
        raw({"type": "session.created", "session": {"model": "m"}}),
        received("turn_started", response_id="r"),
        raw_audio((0, 0, 4_800), "a"),
        audio((0, 0, 4_800), "a"),
        received("transcript_delta", item_id="a", delta="Good morning.", response_id="r"),
        received("function_call", name="fare", call_id="c", arguments="{}", id="b"),
        received("error", error={"message": "the model's own"}),
        received("turn_ended", response_id="r"),
        received("turn_started", response_id="s"),
    ]
    derived = derive_draft(Draft(header(), Status.CLOSED, numbered(*entries), {0: bytes(4_800)}))
    told = [(one.response_id, one.status, one.calls) for one in derived.responses]
    assert told == [("r", "ended", ("c",)), ("s", "open", ())]
    assert [(one.text, one.generated_ms) for one in derived.heard] == [("Good morning.", 100)]
    assert [one.name for one in derived.tools] == ["fare"]
