"""Lanes: every piece of sound is laid once, in order, and what was heard ends where the user broke in."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from realtape.schema import Entry, Kind
from realtape.session import LanesReader, Recording, Stretch

FIXTURES = Path(__file__).parent.parent.parent / "fixtures"
MS = 1_000_000


def sent(seq: int, at_ms: float, length: int) -> Entry:
    payload = f'{{"$":"RealtimeModelSendAudio","audio":{{"$":"py:bytes","at":[0,{seq * 10_000},{length}]}}}}'
    return Entry(seq, round(at_ms * MS), None, None, Kind.SENT, "send_audio", payload=payload)


def came(seq: int, at_ms: float, length: int, item: str = "item") -> Entry:
    audio = f'{{"$":"py:bytes","at":[0,{seq * 10_000},{length}]}}'
    payload = f'{{"$":"audio","data":{audio},"item_id":"{item}","content_index":0}}'
    return Entry(seq, round(at_ms * MS), None, None, Kind.RECEIVED, "audio", payload=payload)


def laid(*entries: Entry) -> list[Stretch]:
    reader = LanesReader()
    for entry in entries:
        reader.read(entry)
    return list(reader.lanes().stretches)


def test_a_microphone_sends_what_it_has_and_a_pause_is_a_pause() -> None:
    """20 ms each, with jitter; then a second of nothing."""
    one, other = laid(sent(0, 20, 960), sent(1, 55, 960), sent(2, 60, 960), sent(3, 1060, 960))
    assert (one.begin_ns, one.end_ns) == (0, 60 * MS)
    assert (other.begin_ns, other.end_ns) == (1040 * MS, 1060 * MS)
    assert [piece.begin for piece in one.pieces] == [0, 960, 1920]


def test_a_player_plays_a_burst_end_to_end_and_one_sound_after_another() -> None:
    one, other = laid(came(0, 10, 4800), came(1, 11, 4800), came(2, 12, 4800, "next"))
    assert (one.begin_ns, one.end_ns) == (10 * MS, 210 * MS)
    assert (other.begin_ns, other.end_ns) == (210 * MS, 310 * MS)


def test_what_comes_after_an_interruption_does_not_wait_for_what_nobody_hears() -> None:
    silenced = Entry(1, 60 * MS, None, None, Kind.RECEIVED, "audio_interrupted")
    one, other = laid(came(0, 10, 48_000), silenced, came(2, 100, 4800, "next"))
    assert (one.begin_ns, one.end_ns, one.until_ns) == (10 * MS, 1010 * MS, 100 * MS)
    assert other.begin_ns == 100 * MS


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 900), st.integers(1, 3000), st.sampled_from(["one", "two"])),
        max_size=30,
    )
)
def test_every_piece_is_laid_once_and_in_order(steps: list[tuple[bool, int, int, str]]) -> None:
    at_ms, entries = 0, list[Entry]()
    for seq, (user, later_ms, samples, item) in enumerate(steps):
        at_ms += later_ms
        entries.append(sent(seq, at_ms, samples * 2) if user else came(seq, at_ms, samples * 2, item))
    stretches = laid(*entries)
    for lane, kind in (("user", Kind.SENT), ("model", Kind.RECEIVED)):
        of_lane = [one for one in stretches if one.lane == lane]
        assert [piece.seq for one in of_lane for piece in one.pieces] == [
            entry.seq for entry in entries if entry.kind == kind
        ]
        for before, after in pairwise(of_lane):
            assert 0 <= before.begin_ns <= before.until_ns <= after.begin_ns
    assert all(0 <= one.begin_ns <= one.until_ns <= one.end_ns for one in stretches)


@pytest.mark.real_time
async def test_what_was_heard_ends_where_the_user_broke_in() -> None:
    """Of a golden recording, which was told faster than people speak."""
    reader = LanesReader()
    async with await Recording.open(FIXTURES / "demo") as recording:
        silenced = [entry.at_ns async for entry in recording.entries() if entry.type == "audio_interrupted"]
        async for entry in recording.entries():
            reader.read(entry)
    lanes = reader.lanes()
    assert lanes.pace == pytest.approx(6.6, abs=0.1)
    cut = [one for one in lanes.of("model") if one.heard is not None and one.heard < one.length]
    assert len(cut) == 3
    interrupted = cut[1]  # the tracker's last word came right before
    assert interrupted.heard_until_ns == pytest.approx(silenced[1], abs=1 * MS)


def test_of_what_the_tracker_says_nothing_nothing_was_heard() -> None:
    """As everywhere (`HeardRecord`); where it tells of nothing at all, nobody knows."""
    played = Entry(2, 30 * MS, None, None, Kind.PLAYBACK, "application", "on_play_ms", item_id="one")
    came_both = came(0, 10, 4800, "one"), came(1, 11, 4800, "other")
    assert [one.heard for one in laid(*came_both)] == [None, None]
    told = played._replace(content_index=0, elapsed_ms=20.0)
    assert [one.heard for one in laid(*came_both, told)] == [960, 0]
