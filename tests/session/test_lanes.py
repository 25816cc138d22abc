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
    told = {(one.item_id, one.content_index): one.end_ns for one in reversed(lanes.playback)}
    assert [one.heard_until_ns for one in cut] == [
        pytest.approx(told[one.part or ("", 0)], abs=1) for one in cut
    ]
    # The tracker's last word came right before.
    assert cut[0].heard_until_ns == pytest.approx(silenced[0], abs=1 * MS)
    assert cut[1].heard_until_ns == pytest.approx(silenced[1], abs=3 * MS)


def played(seq: int, at_ms: float, heard_ms: float, item: str) -> Entry:
    return Entry(
        *(seq, round(at_ms * MS), None, None, Kind.PLAYBACK, "application", "on_play_ms"),
        item_id=item,
        content_index=0,
        elapsed_ms=heard_ms,
    )


def course(*runs: tuple[str, float, int, int], every: int = 20, speed: float = 1) -> list[Entry]:
    """What a player reports: which sound, from when on, from where to where."""
    return [
        played(100, begin_ms + (heard - from_ms) / speed, heard, item)
        for item, begin_ms, from_ms, to_ms in runs
        for heard in range(from_ms + every, to_ms + 1, every)
    ]


def told(stretches: list[Stretch]) -> list[tuple[str, float, float, float | None, int]]:
    """Which sound, from when until when, how far of it was heard, how much of it lies before: in ms."""
    return [
        (
            *(one.part[0] if one.part else "", one.begin_ns / MS, one.until_ns / MS),
            *(None if one.heard_until_ns is None else one.heard_until_ns / MS, one.offset // 48),
        )
        for one in stretches
    ]


def test_a_player_that_goes_to_another_sound_and_back_is_followed() -> None:
    """One, the other, and one again; all had come before."""
    both = came(0, 0, 800 * 48, "one"), came(1, 1, 200 * 48, "other")
    back = course(("one", 10, 0, 400), ("other", 410, 0, 200), ("one", 700, 400, 600))
    assert told(laid(*both, *back)) == [
        ("one", 10, 410, 410, 0),
        ("other", 410, 610, 610, 0),
        ("one", 700, 1100, 900, 400),
    ]


def test_who_goes_back_to_the_beginning_has_heard_that_before() -> None:
    """As the SDK's tracker counts, whichever sound a player goes to: what is new lies where it is new."""
    both = came(0, 0, 800 * 48, "one"), came(1, 1, 200 * 48, "other")
    again = course(("one", 10, 0, 400), ("other", 410, 0, 200), ("one", 700, 0, 600))
    assert told(laid(*both, *again)) == [
        ("one", 10, 410, 410, 0),
        ("other", 410, 610, 610, 0),
        ("one", 1100, 1500, 1300, 400),
    ]
    less = course(("one", 10, 0, 400), ("other", 410, 0, 200), ("one", 700, 0, 300))
    assert told(laid(*both, *less)) == [("one", 10, 410, 410, 0), ("other", 410, 610, 610, 0)]


def test_sounds_that_came_in_turns_lie_as_they_were_played() -> None:
    mixed = [came(n, n, 100 * 48, "one" if n % 2 == 0 else "other") for n in range(6)]
    in_turn = course(("one", 20, 0, 300), ("other", 320, 0, 300))
    assert told(laid(*mixed, *in_turn)) == [("one", 20, 320, 320, 0), ("other", 320, 620, 620, 0)]


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(2, 40), st.sampled_from([0, 400])),
        min_size=2,
        max_size=8,
    ),
    st.sampled_from([1.0, 3.0, 7.0]),
)
def test_what_was_heard_ends_with_what_was_played(runs: list[tuple[str, int, int]], speed: float) -> None:
    """On any clock, of players that go to and fro, and pause, some a little faster than others: the lane of
    what was heard and that of what the player did are one."""
    at_ms, heard, plan = 0.0, {"a": 0, "b": 0}, list[Entry]()
    for number, (item, chunks, pause_ms) in enumerate(runs):
        own = speed * (1 + 0.05 * (number % 3)) if speed > 1 else speed
        end = heard[item] + chunks * 20
        plan += course((item, at_ms, heard[item], end), speed=own)
        at_ms, heard[item] = at_ms + chunks * 20 / own + pause_ms, end
    reader = LanesReader()
    for entry in [came(0, 0, 48 * 9_000, "a"), came(1, 0, 48 * 9_000, "b"), *plan]:
        reader.read(entry)
    lanes = reader.lanes()
    playing = [one for one in lanes.playback if one.doing == "playing"]
    sounding = [one for one in lanes.of("model") if one.heard]
    if speed == 1 or lanes.pace != 1:  # else too little was played to tell at which speed
        ends = [one.heard_until_ns for one in sounding]
        assert [(one.begin_ns, one.end_ns) for one in playing] == [
            (one.begin_ns, pytest.approx(end, abs=2)) for one, end in zip(sounding, ends, strict=True)
        ]


def test_of_what_the_tracker_says_nothing_nothing_was_heard() -> None:
    """As everywhere (`HeardRecord`); where it tells of nothing at all, nobody knows."""
    came_both = came(0, 10, 4800, "one"), came(1, 11, 4800, "other")
    assert [one.heard for one in laid(*came_both)] == [None, None]
    assert [one.heard for one in laid(*came_both, played(2, 30, 20, "one"))] == [960, 0]
