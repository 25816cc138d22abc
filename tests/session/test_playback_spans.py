"""What a player does over time: where it plays, stands still, and how that ends, as its reports tell it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from realtape.schema import Entry, Flag, Kind
from realtape.session import LanesReader, PlaybackSpan

MS = 1_000_000
Told = tuple[str, float, float, str, float, float, "str | None"]


def came(at_ms: float, ms: float, item: str = "a") -> Entry:
    """Sound of PCM16 at 24 kHz."""
    audio = f'{{"$":"py:bytes","at":[0,0,{round(ms * 48)}]}}'
    payload = f'{{"$":"audio","data":{audio},"item_id":"{item}","content_index":0}}'
    return Entry(0, round(at_ms * MS), None, None, Kind.RECEIVED, "audio", payload=payload)


def played(at_ms: float, heard_ms: float, item: str | None = "a", *, assumed: bool = False) -> Entry:
    """What the tracker says from then on."""
    return Entry(
        *(0, round(at_ms * MS), None, None, Kind.PLAYBACK, "application", "on_play_ms"),
        item_id=item,
        content_index=None if item is None else 0,
        elapsed_ms=None if item is None else heard_ms,
        flags=Flag.ASSUMED if assumed else Flag(0),
    )


def broken_into(at_ms: float) -> Entry:
    return Entry(0, round(at_ms * MS), None, None, Kind.RECEIVED, "audio_interrupted")


def nothing(at_ms: float) -> Entry:
    return Entry(0, round(at_ms * MS), None, None, Kind.MARKER, payload="{}")


def spans(*entries: Entry) -> tuple[float, list[PlaybackSpan]]:
    reader = LanesReader()
    for seq, entry in enumerate(entries):
        reader.read(entry._replace(seq=seq))
    lanes = reader.lanes()
    return lanes.pace, list(lanes.playback)


def told(*entries: Entry) -> list[Told]:
    return [
        (
            *(one.item_id, one.begin_ns / MS, one.end_ns / MS, one.doing),
            *(one.from_ms, one.to_ms, one.ended),
        )
        for one in spans(*entries)[1]
    ]


def reports(begin_ms: float, from_ms: int, to_ms: int, item: str = "a", every: int = 20) -> list[Entry]:
    """Of a player that plays from one place to another, without a pause."""
    return [
        played(begin_ms + heard - from_ms, heard, item) for heard in range(from_ms + every, to_ms + 1, every)
    ]


def test_one_sound_after_another_is_played_and_finished() -> None:
    entries = [came(10, 400), came(11, 200, "b"), *reports(30, 0, 400), *reports(430, 0, 200, "b")]
    assert told(*entries) == [
        ("a", 30, 430, "playing", 0, 400, "finished"),
        ("b", 430, 630, "playing", 0, 200, "finished"),
    ]


def test_who_pauses_is_told_from_one_who_waits_for_more() -> None:
    paused = [came(0, 800), *reports(0, 0, 400), *reports(1_400, 400, 800)]
    assert told(*paused) == [
        ("a", 0, 400, "playing", 0, 400, None),
        ("a", 400, 1_400, "paused", 400, 400, None),
        ("a", 1_400, 1_800, "playing", 400, 800, "finished"),
    ]
    waited = [came(0, 400), *reports(0, 0, 400), came(1_390, 400), *reports(1_400, 400, 800)]
    assert [one[3] for one in told(*waited)] == ["playing", "waiting", "playing"]
    assert spans(*paused)[0] == spans(*waited)[0] == 1, "a pause says nothing of the speed of speech"


def test_who_breaks_in_ends_it_at_once_or_while_it_stands_still() -> None:
    begin = [came(0, 1_000), *reports(0, 0, 620)]
    assert told(*begin, broken_into(625), played(626, 0, None), nothing(9_000)) == [
        ("a", 0, 620, "playing", 0, 620, "interrupted")
    ]
    assert told(*begin, broken_into(1_220), played(1_221, 0, None), nothing(9_000)) == [
        ("a", 0, 620, "playing", 0, 620, None),
        ("a", 620, 1_220, "paused", 620, 620, "interrupted"),
    ]
    # What lay in the loudspeaker's buffer; the SDK's tracker begins to count anew.
    late = told(*begin, broken_into(625), played(626, 0, None), played(640, 20), nothing(9_000))
    assert late[-1] == ("a", 620, 640, "playing", 0, 20, "interrupted")
    assert len(late) == 2


def test_what_is_left_and_what_goes_on_is_told_apart() -> None:
    begin = [came(0, 1_000), came(1, 1_000, "b"), *reports(0, 0, 500)]
    (one, other) = told(*begin, *reports(500, 0, 200, "b"))
    assert (one[-1], other[-1]) == ("left", "open")
    assert told(*begin, played(520, 0, None), nothing(9_000))[-1][-1] == "left"
    assert told(*begin, played(520, 0, None), *reports(500, 500, 1_000))[-1][-1] == "finished"
    assert told(*begin, played(9_000, 500)) == [
        ("a", 0, 500, "playing", 0, 500, None),
        ("a", 500, 9_000, "paused", 500, 500, "open"),
    ]


def test_a_player_that_reports_seldom_does_not_pause() -> None:
    entries = [came(0, 5_000), *reports(0, 0, 4_000, every=1_000), played(4_900, 4_000)]
    assert told(*entries) == [("a", 0, 4_000, "playing", 0, 4_000, "open")]


def test_what_is_assumed_plays_as_it_comes_and_stops_where_nothing_more_does() -> None:
    entries = [
        came(100, 300)._replace(item_id="a", content_index=0, elapsed_ms=0.0, flags=Flag.ASSUMED),
        played(5_000, 300, assumed=True),
        nothing(6_000),
    ]
    assert told(*entries) == [("a", 100, 400, "playing", 0, 300, "finished")]


@pytest.mark.parametrize(("rate", "counted"), [(8_000, 1 / 3), (16_000, 2 / 3), (48_000, 2)])
def test_a_player_of_another_rate_is_on_the_same_clock(rate: int, counted: float) -> None:
    """The SDK counts PCM16 as if its rate were 24,000; the clock goes on as it does."""
    session = f'{{"type":"session.created","session":{{"output_audio_format":"pcm16_{rate}hz"}}}}'
    created = Entry(
        *(0, 0, None, None, Kind.RECEIVED, "raw_server_event"),
        payload=f'{{"$":"raw_server_event","data":{session}}}',
    )
    entries = [created, came(0, 2_000 * counted)]
    entries += [played(at_ms, at_ms * counted) for at_ms in range(40, 2_001, 40)]
    pace, (one,) = spans(*entries)
    assert (pace, one.doing, one.ended) == (1, "playing", "finished")
    assert (one.begin_ns, one.end_ns) == (0, 2_000 * MS)
    assert one.to_ms == pytest.approx(2_000 * counted)


def test_sound_lies_where_it_was_played_and_is_cut_where_it_stood_still() -> None:
    """In the middle of a piece, to the sample; what was played before goes on where it had been left."""
    reader = LanesReader()
    entries = [came(0, 300), came(1, 500), *reports(10, 0, 400), *reports(1_410, 400, 700)]
    for seq, entry in enumerate([*entries, broken_into(1_715), nothing(3_000)]):
        reader.read(entry._replace(seq=seq))
    one, other = reader.lanes().of("model")
    assert (one.begin_ns, one.end_ns, one.heard_until_ns) == (10 * MS, 410 * MS, 410 * MS)
    assert (other.begin_ns, other.end_ns, other.heard_until_ns) == (1_410 * MS, 1_810 * MS, 1_710 * MS)
    pieces = [(piece.seq, piece.reference, piece.begin) for each in (one, other) for piece in each.pieces]
    assert pieces == [
        (0, (0, 0, 14_400), 0),
        (1, (0, 0, 4_800), 14_400),
        (1, (0, 4_800, 19_200), 0),
    ]


def test_a_player_that_comes_back_goes_on_where_it_was() -> None:
    begin = [came(0, 1_000), came(1, 200, "b"), *reports(0, 0, 500), *reports(500, 0, 200, "b")]
    (*_, last) = told(*begin, *reports(700, 500, 1_000))
    assert last == ("a", 700, 1_200, "playing", 500, 1_000, "finished")


@given(
    st.lists(st.tuples(st.integers(1, 20), st.sampled_from([0, 0, 300, 1_000])), min_size=1, max_size=8),
    st.sampled_from([1, 1, 4]),
)
def test_a_course_that_was_played_is_read_again(course: list[tuple[int, int]], speed: int) -> None:
    """Of chunks of 20 ms that are played, and pauses, at the speed of speech or faster."""
    at_ms, heard_ms, expected, entries = 0.0, 0, list[tuple[str, float, float]](), [came(0, 9_000)]
    for chunks, pause_ms in course:
        begin_ms = at_ms
        for _ in range(chunks):
            at_ms, heard_ms = at_ms + 20 / speed, heard_ms + 20
            entries.append(played(at_ms, heard_ms))
        expected.append(("playing", begin_ms, at_ms))
        if pause_ms:
            expected.append(("paused", at_ms, at_ms + pause_ms))
        at_ms += pause_ms
    entries.append(played(at_ms, heard_ms))
    joined = list[tuple[str, float, float]]()
    for doing, begin_ms, end_ms in expected:
        if joined and joined[-1][0] == doing:
            begin_ms = joined.pop()[1]
        joined.append((doing, begin_ms, end_ms))
    pace, found = spans(*entries)
    if len(entries) < 4 or pace != speed:  # too little was played to tell at which speed
        return
    assert [(one.doing, one.begin_ns / MS, one.end_ns / MS) for one in found] == joined
    assert found[-1].to_ms == heard_ms
    assert all(before.end_ns == after.begin_ns for before, after in pairwise(found))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["came", "played", "played", "assumed", "nothing", "broken"]),
            st.sampled_from([0, 1, 20, 260, 2_000]),
            st.sampled_from([0, 5, 20, 400, 401, 900]),
            st.sampled_from(["a", "b"]),
        ),
        max_size=25,
    )
)
def test_whatever_a_tracker_says_spans_and_sound_are_in_order(
    steps: list[tuple[str, int, int, str]],
) -> None:
    """A tracker is the application's, and may say anything; each byte is laid once all the same."""
    at_ms, reader, came_bytes = 0, LanesReader(), 0
    for seq, (what, later_ms, ms, item) in enumerate(steps):
        at_ms += later_ms
        if what == "came":
            entry, came_bytes = came(at_ms, ms, item), came_bytes + ms * 48
        elif what == "broken":
            entry = broken_into(at_ms)
        elif what == "nothing":
            entry = played(at_ms, 0, None)
        else:
            entry = played(at_ms, ms, item, assumed=what == "assumed")
        reader.read(entry._replace(seq=seq))
    lanes = reader.lanes()
    for before, after in pairwise(lanes.playback):
        assert before.end_ns <= after.begin_ns
        assert (before.ended is None) <= ((before.item_id, before.to_ms) == (after.item_id, after.from_ms))
    assert not lanes.playback or lanes.playback[-1].ended is not None
    for one in lanes.playback:
        assert 0 <= one.begin_ns <= one.end_ns
        assert (one.from_ms == one.to_ms) if one.doing != "playing" else (one.from_ms <= one.to_ms)
    assert sum(piece.length for one in lanes.stretches for piece in one.pieces) == came_bytes
    for one in lanes.stretches:
        assert 0 <= one.begin_ns <= one.until_ns <= one.end_ns
        assert one.length == sum(piece.length for piece in one.pieces) > 0
        assert 0 <= (one.heard or 0) <= one.length
    for before, after in pairwise(lanes.of("model")):
        assert before.until_ns <= after.begin_ns
