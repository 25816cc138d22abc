"""What sessions come to, as data: of the demo, of frames, of events alone; at whatever depth, the same."""

from __future__ import annotations

from realtape.session import Recording
from realtape.session.derived import Derived, derive, derive_draft
from support.fixtures import drafts_in
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
