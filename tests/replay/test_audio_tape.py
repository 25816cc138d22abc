"""Audio that is cut into other chunks than when it was recorded, and audio that differs."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from realtape.replay.matching.matching import Matching
from realtape.replay.terms.steps import Outcome
from realtape.schema import RealtimeModelSendAudio
from support.sends import Recorded

SOUND = st.binary(min_size=1, max_size=60)


def cut(data: st.DataObject, sound: bytes, commits: list[int]) -> list[tuple[str, Any]]:
    """A sound in chunks, with the commits where they belong: on a chunk, or on one of their own."""
    places = sorted({*data.draw(st.lists(st.integers(0, len(sound)), max_size=8)), *commits, 0, len(sound)})
    chunks: list[Any] = []
    for begin, end in pairwise(places):
        apart = data.draw(st.booleans())
        chunks.append(RealtimeModelSendAudio(sound[begin:end], commit=end in commits and not apart))
        if end in commits and apart:
            chunks.append(RealtimeModelSendAudio(b"", commit=True))
    return [("send_audio", chunk) for chunk in chunks]


@given(SOUND, st.data())
def test_audio_matches_however_it_is_cut(sound: bytes, data: st.DataObject) -> None:
    commits = data.draw(st.lists(st.integers(1, len(sound)), max_size=3, unique=True))
    chunks = cut(data, sound, commits)
    recorded = Recorded(chunks)
    sent = 0
    for type, event in cut(data, sound, commits):
        assert recorded.send(type, event) is not None
        sent += len(event.audio)
        whole = 0
        for number, (_, chunk) in enumerate(chunks):
            whole += len(chunk.audio)
            if number in recorded.made:
                assert whole <= sent
    assert recorded.made == list(range(len(chunks)))
    assert len(recorded.calls._tape) == 0
    assert not list(recorded.calls.unmade())


@given(st.permutations(range(60)), st.integers(0, 59), st.data())
def test_a_changed_byte_does_not_match(values: list[int], place: int, data: st.DataObject) -> None:
    """A live chunk is unmatched iff it holds that byte; a recorded one is made iff all of it was matched."""
    sound = bytes(values)
    other = bytes([*sound[:place], 255, *sound[place + 1 :]])
    chunks = cut(data, sound, [])
    recorded = Recorded(chunks)
    covered: set[int] = set()
    position = 0
    for type, event in cut(data, other, []):
        span = range(position, position + len(event.audio))
        position = span.stop
        matched = recorded.send(type, event) is not None
        assert matched == (place not in span)
        covered.update(span if matched else ())
    position = 0
    for number, (_, chunk) in enumerate(chunks):
        span = range(position, position + len(chunk.audio))
        position = span.stop
        assert (number in recorded.made) == covered.issuperset(span)


def test_a_chunk_that_differs_does_not_lose_the_place() -> None:
    chunks = [bytes([number]) * 100 for number in range(10)]
    recorded = Recorded([("send_audio", RealtimeModelSendAudio(chunk)) for chunk in chunks])
    sound = b"".join(chunks[:3]) + b"?" * 100 + b"".join(chunks[4:])
    live = [sound[place : place + 50] for place in range(0, 1000, 50)]
    found = [recorded.send("send_audio", RealtimeModelSendAudio(chunk)) is not None for chunk in live]
    assert [index for index, one in enumerate(found) if not one] == [6, 7]
    assert recorded.made == [0, 1, 2, 4, 5, 6, 7, 8, 9]


def test_audio_that_was_left_out_or_put_in_is_passed_over() -> None:
    chunks = [bytes([number, number + 1]) * 50 for number in range(10)]
    recorded = Recorded([("send_audio", RealtimeModelSendAudio(chunk)) for chunk in chunks])
    assert recorded.send("send_audio", RealtimeModelSendAudio(b"".join(chunks[4:6])))
    assert recorded.send("send_audio", RealtimeModelSendAudio(b"-" * 130)) is None
    assert recorded.send("send_audio", RealtimeModelSendAudio(chunks[6] + chunks[7][:2]))
    assert recorded.send("send_audio", RealtimeModelSendAudio(chunks[1])), "it may come late"
    assert recorded.made == [4, 5, 6, 1]


@pytest.mark.parametrize(
    ("recorded", "live", "found"),
    [
        ([(b"ab", True)], [(b"a", False), (b"b", True)], [True, True]),
        ([(b"ab", True)], [(b"a", True)], [False]),
        ([(b"ab", True), (b"cd", False)], [(b"abc", False)], [False]),
        ([(b"ab", False)], [(b"ab", True)], [False]),
        ([(b"ab", False), (b"", True)], [(b"ab", True)], [True]),
        ([(b"ab", False), (b"", False), (b"c", False)], [(b"abc", False)], [True]),
        ([(b"ab", False)], [(b"", False), (b"ab", False), (b"", False)], [True, True, True]),
        ([(b"ab", False)], [(b"ab", False), (b"ab", False)], [True, False]),
        ([], [(b"ab", False)], [False]),
    ],
)
def test_commits_have_their_place(recorded: list[Any], live: list[Any], found: list[bool]) -> None:
    tape = Recorded([("send_audio", RealtimeModelSendAudio(*chunk)) for chunk in recorded])
    sent = [tape.send("send_audio", RealtimeModelSendAudio(*chunk)) is not None for chunk in live]
    assert sent == found


def test_where_a_commit_does_not_come_its_chunk_is_not_made() -> None:
    chunks = [RealtimeModelSendAudio(b"ab", commit=True), RealtimeModelSendAudio(b"cd")]
    recorded = Recorded([("send_audio", chunk) for chunk in chunks])
    for data in (b"ab", b"cd"):
        assert recorded.send("send_audio", RealtimeModelSendAudio(data))
    assert recorded.made == [1]


def test_audio_may_be_compared_chunk_by_chunk_or_not_at_all() -> None:
    chunks = [("send_audio", RealtimeModelSendAudio(chunk)) for chunk in (b"ab", b"cd")]
    exact = Recorded(chunks, Matching(audio="exact"))
    assert exact.send("send_audio", RealtimeModelSendAudio(b"a")) is None
    assert exact.send("send_audio", RealtimeModelSendAudio(b"cd"))
    ignored = Recorded(chunks, Matching(audio="ignore"))
    assert all(ignored.send("send_audio", RealtimeModelSendAudio(b"?")) for _ in range(3))
    assert ignored.made == [0, 1]


def test_how_a_chunk_ended_is_told_to_whoever_completes_it() -> None:
    recorded = Recorded([("send_audio", RealtimeModelSendAudio(chunk)) for chunk in (b"ab", b"cd", b"ef")])
    middle = recorded.calls._by_seq[2]
    assert middle.end is not None
    middle.end.outcome = Outcome("raised", error=ConnectionError("gone"))
    call = recorded.send("send_audio", RealtimeModelSendAudio(b"abcdef"))
    assert call is middle
    assert recorded.calls.live == [middle]
    assert recorded.made == [0, 1, 2]
