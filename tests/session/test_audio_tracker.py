"""What the SDK's model knows of its audio. (`test_generated_sessions.py` holds it against that model.)"""

from __future__ import annotations

import pytest
from realtape.session.audio_tracker import AudioTracker

MS = 1_000_000


def tracker(*pieces: tuple[str, float, int]) -> AudioTracker:
    made = AudioTracker()
    for item_id, ms, at_ms in pieces:
        made.came((item_id, 0), int(ms * 48), ms, at_ns=at_ms * MS, response_id=f"of {item_id}")
    return made


def test_what_came_last_plays_since_the_first_of_it_came_and_no_further_than_it_goes():
    audio = tracker(("a", 100.0, 1_000), ("a", 100.0, 1_010))
    assert audio.assumed(1_150 * MS) == ("a", 0, 150.0)
    assert audio.assumed(1_500 * MS) == ("a", 0, 200.0)


def test_what_goes_on_after_an_interruption_or_another_item_has_played_since_it_began():
    audio = tracker(("a", 100.0, 0))
    audio.interrupted()
    assert audio.assumed(50 * MS) is None
    audio.came(("a", 0), 4_800, 100.0, at_ns=60 * MS)
    assert audio.assumed(60 * MS) == ("a", 0, 60.0)
    audio.came(("b", 0), 4_800, 100.0, at_ns=70 * MS)
    assert audio.assumed(90 * MS) == ("b", 0, 20.0)
    audio.came(("a", 0), 48, 1.0, at_ns=100 * MS)
    assert audio.assumed(500 * MS) == ("a", 0, 201.0)


@pytest.mark.parametrize(
    ("active", "heard_ms", "cut_ms"),
    [
        (None, 40, 40),
        (None, 101, None),  # all of it was heard
        ("of a", 150, 101),  # more of it may come
        ("of b", 150, None),  # of another response
        (None, -3, 0),
    ],
)
def test_an_interruption_truncates_where_something_was_not_heard(
    active: str | None, heard_ms: int, cut_ms: int | None
):
    audio = tracker(("a", 100.2, 0))
    if active is not None:
        audio.response_created(active)
    assert audio.truncates_at(("a", 0), heard_ms) == cut_ms
    assert audio.truncates_at(("unknown", 0), 7) == 7


def test_a_response_is_interrupted_as_a_whole():
    audio = tracker(("a", 20.0, 0), ("b", 20.0, 20))
    assert audio.parts_of("of a") == (("a", 0),)
    audio.response_interrupted("of a")
    assert (audio.parts_of("of a"), audio.latest) == ((), ("b", 0))
    audio.response_interrupted("of b")
    assert (audio.latest, audio.current_item_id) == (None, "b")
