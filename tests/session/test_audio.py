"""What tells how much of a sound was heard: who is believed before whom."""

from __future__ import annotations

from typing import Any

import pytest
from realtape.schema import Entry, Flag, Kind
from realtape.session import HeardAudio
from support.fixtures import frame, raw, sent

PART = ("a", 0)


def cut(at_ms: Any, type: str = "conversation.item.truncate") -> dict[str, Any]:
    return {"type": type, "item_id": "a", "content_index": 0, "audio_end_ms": at_ms}


def asked(at_ms: Any) -> Entry:
    return frame(Kind.FRAME_OUT, cut(at_ms))


def confirmed(at_ms: Any) -> Entry:
    return frame(Kind.FRAME_IN, cut(at_ms, "conversation.item.truncated"))


def by_the_application(at_ms: Any) -> Entry:
    message = cut(at_ms)
    return sent("send_raw_message", message={"type": message.pop("type"), "other_data": message})


def told(heard_ms: float, item: str = "a", *, assumed: bool = False) -> Entry:
    return Entry(
        *(0, 0, 0, 0, Kind.PLAYBACK, "application", "on_play_ms"),
        item_id=item,
        content_index=0,
        elapsed_ms=heard_ms,
        flags=Flag.ASSUMED if assumed else Flag(0),
    )


CASES: dict[str, tuple[list[Entry], tuple[float, bool] | None]] = {
    "nobody tells": ([frame(Kind.FRAME_IN, {"type": "response.done"})], None),
    "who truncates tells it": ([asked(580)], (580, False)),
    "the last one counts": ([asked(580), asked(400)], (400, False)),
    "what was asked, and not what was confirmed": ([asked(580), confirmed(579)], (580, False)),
    "what was confirmed, where nobody saw it asked": ([confirmed(500), confirmed(580)], (580, False)),
    "a message of the provider's, above the socket": (
        [raw(cut(580, "conversation.item.truncated"))],
        (580, False),
    ),
    "an application, in a message of its own": ([by_the_application(580)], (580, False)),
    "a tracker comes first": ([told(600), asked(580)], (600, False)),
    "a tracker that tells of others": ([told(600, "b"), asked(580)], (580, False)),
    "what is assumed comes before the model's own clock": (
        [told(600, assumed=True), asked(580)],
        (600, True),
    ),
    "and behind what the application asks for": (
        [told(600, assumed=True), by_the_application(580)],
        (580, False),
    ),
    "no number": ([asked("580"), asked(True), asked(None), asked(1e300), asked(10**400)], None),
    "before the beginning": ([asked(-20)], (0, False)),
}


@pytest.mark.parametrize("case", CASES)
def test_what_tells_how_much_was_heard(case: str) -> None:
    entries, expected = CASES[case]
    audio = HeardAudio()
    for entry in entries:
        audio.read(entry)
    assert audio.known(PART) == expected
    heard = {(one.item_id, one.content_index): (one.heard_ms, one.assumed) for one in audio.heard()}
    assert heard.get(PART) == expected
