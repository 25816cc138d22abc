"""On a conversation whose silences are known, begins, ends and latency are right to 20 ms."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from realtape.schema.entries import Entry, Kind
from realtape.session.derived import LatencyRecord, Loudness, TurnRecord, derive_draft
from realtape.session.derived.loudness import g711_samples
from realtape.session.derived.user_sound import UserSound
from realtape.session.drafts import Draft
from realtape.session.sound import G711_ALAW, G711_ULAW, PCM16, SoundFormat
from support.hostile_texts import session

MS = 1_000_000
RIGHT_TO_MS = 20.0
RATES_HZ = (8_000, 16_000, 44_100, 48_000)
NAMES = {
    **{PCM16._replace(rate_hz=rate): f"audio/pcm;rate={rate}" for rate in RATES_HZ},
    PCM16: "pcm16",
    G711_ULAW: "g711_ulaw",
    G711_ALAW: "g711_alaw",
}


def sound(format: SoundFormat, *spans: tuple[bool, int]) -> bytes:
    """A tone of 440 Hz where it is loud, and noise that nobody hears where not; milliseconds each."""
    samples: list[int] = []
    for loud, ms in spans:
        for _ in range(format.rate_hz * ms // 1000):
            tone = math.sin(2 * math.pi * 440 * len(samples) / format.rate_hz)
            samples.append(round(6_000 * tone) if loud else (len(samples) * 7 % 13) - 6)
    if format.encoding == "pcm16":
        return b"".join(one.to_bytes(2, "little", signed=True) for one in samples)
    table = g711_samples(format.encoding)
    nearest = {one: min(range(256), key=lambda byte: abs(table[byte] - one)) for one in set(samples)}
    return bytes(map(nearest.__getitem__, samples))


@dataclasses.dataclass(frozen=True)
class Talk:
    """Attributes:
    before_ms, speech_ms: silence in front of what the user says, and how long he says it.
    wait_ms: from the end of what he says to the first of the answer that comes.
    padding_ms: of silence in front of the answer.
    piece_ms: how long the pieces are in which the user's sound is sent.
    player_ms: how long the player waits before it plays.
    report_ms: how often it reports.
    """

    before_ms: int
    speech_ms: int
    wait_ms: int
    padding_ms: int
    piece_ms: int
    player_ms: int
    report_ms: int
    format: SoundFormat


def raw(at_ms: float, **message: Any) -> tuple[float, Kind, str, Any]:
    return at_ms, Kind.RECEIVED, "raw_server_event", {"$": "raw_server_event", "data": message}


def acted(talk: Talk) -> Draft:
    """The user speaks in real time; the server hears his end 500 ms later; a player plays the answer."""
    format, data = talk.format, bytearray()
    end_ms = talk.before_ms + talk.speech_ms
    spoken = sound(format, (False, talk.before_ms), (True, talk.speech_ms), (False, 600))
    answer = sound(format, (False, talk.padding_ms), (True, 300))
    data += spoken + answer
    told: list[tuple[float, Kind, str, Any]] = [
        (0, Kind.PLAYBACK, "model", {"args": [NAMES[format]], "method": "set_audio_format"}),
        raw(
            0,
            type="session.created",
            session={"input_audio_format": NAMES[format], "output_audio_format": NAMES[format]},
        ),
    ]
    size = format.rate_hz * talk.piece_ms // 1000 * format.sample_bytes
    for begin in range(0, len(spoken), size):
        length = min(size, len(spoken) - begin)
        at_ms = (begin + length) / format.sample_bytes / format.rate_hz * 1000
        audio = {"$": "py:bytes", "at": [0, begin, length]}
        told.append((at_ms, Kind.SENT, "send_audio", {"$": "send_audio", "audio": audio, "commit": False}))
    began = max(talk.before_ms - 300, 0)
    told.append(
        raw(talk.before_ms + 250, type="input_audio_buffer.speech_started", item_id="u", audio_start_ms=began)
    )
    stopped = end_ms + 500
    told.append(raw(stopped, type="input_audio_buffer.speech_stopped", item_id="u", audio_end_ms=stopped))
    told.append(raw(stopped, type="input_audio_buffer.committed", item_id="u"))
    told.append(raw(stopped, type="response.created", response={"id": "r"}))
    came = end_ms + 500 + talk.wait_ms
    reference = {"$": "base64", "at": [0, len(spoken), len(answer)]}
    part = {"response_id": "r", "item_id": "a", "content_index": 0}
    told.append(raw(came, type="response.output_audio.delta", delta=reference, **part))
    played = came + talk.player_ms
    for ms in range(talk.report_ms, talk.padding_ms + 300, talk.report_ms):  # as a tracker counts bytes
        counted_ms = format.ms(format.rate_hz * ms // 1000 * format.sample_bytes)
        told.append((played + ms, Kind.PLAYBACK, "application", {"ms": counted_ms}))
    told.sort(key=lambda one: one[0])
    draft = session(*(one[1:] for one in told))
    heard: tuple[str | None, float | None] = (None, None)
    entries: list[Entry] = []
    for (at_ms, kind, type, tree), entry in zip(told, draft.entries, strict=True):
        if kind == Kind.PLAYBACK and type == "application":
            heard = ("a", tree["ms"])
        method = "set_audio_format" if type == "model" else "on_play_ms" if kind == Kind.PLAYBACK else None
        index = None if heard[0] is None else 0
        entries.append(
            entry._replace(
                at_ns=round(at_ms * MS),
                method=method,
                item_id=heard[0],
                content_index=index,
                elapsed_ms=heard[1],
            )
        )
    return dataclasses.replace(draft, entries=tuple(entries), segments={0: bytes(data)})


@given(
    st.builds(
        Talk,
        before_ms=st.integers(300, 700),
        speech_ms=st.integers(200, 700),
        wait_ms=st.integers(0, 400),
        padding_ms=st.integers(0, 300),
        piece_ms=st.sampled_from([10, 20, 40, 100, 200]),
        player_ms=st.integers(0, 150),
        report_ms=st.sampled_from([10, 20, 100]),
        format=st.sampled_from([*NAMES]),
    )
)
@example(Talk(400, 300, 200, 250, 20, 60, 100, PCM16._replace(rate_hz=8_000)))
@example(Talk(400, 300, 200, 250, 20, 60, 100, PCM16._replace(rate_hz=48_000)))
@example(Talk(400, 300, 200, 250, 20, 60, 100, G711_ALAW))
@settings(max_examples=4, deadline=None)
def test_begins_ends_and_latency_are_right_to_twenty_milliseconds(talk: Talk) -> None:
    derived = derive_draft(acted(talk))
    (turn,), (wait,) = derived.turns, derived.latency
    assert isinstance(turn, TurnRecord)
    assert isinstance(wait, LatencyRecord)
    end_ms = talk.before_ms + talk.speech_ms
    assert turn.wave_began_ns is not None
    assert turn.wave_began_ns / MS == pytest.approx(talk.before_ms, abs=RIGHT_TO_MS)
    assert wait.ended_by == "waveform"
    assert wait.ended_ns / MS == pytest.approx(end_ms, abs=RIGHT_TO_MS)
    assert wait.first_byte_ms == pytest.approx(500 + talk.wait_ms, abs=RIGHT_TO_MS)
    first_ms = 500 + talk.wait_ms + talk.padding_ms
    assert wait.first_sound_ms == pytest.approx(first_ms, abs=RIGHT_TO_MS)
    assert wait.played_ms == pytest.approx(first_ms + talk.player_ms, abs=RIGHT_TO_MS)


@given(st.lists(st.integers(1, 997), min_size=1, max_size=8))
@settings(max_examples=20)
def test_loudness_does_not_depend_on_how_a_sound_is_cut(cuts: list[int]) -> None:
    data = sound(G711_ULAW, (False, 47), (True, 103), (False, 50), (True, 20))
    whole = [*Loudness().add(data, G711_ULAW)]
    pieces = Loudness()
    found: list[tuple[float, float]] = []
    while data:
        length = cuts[len(found) % len(cuts)]
        found += pieces.add(data[:length], G711_ULAW)
        data = data[length:]
    assert [one for span in found for one in span] == pytest.approx([one for span in whole for one in span])


@pytest.mark.parametrize("name", ["g711_ulaw", "g711_alaw"])
def test_g711_is_decoded_as_the_standard_says(name: str) -> None:
    samples = g711_samples(name)
    assert len({*samples}) == (255 if name == "g711_ulaw" else 256)
    assert (max(samples), min(samples)) == ((32124, -32124) if name == "g711_ulaw" else (32256, -32256))
    quietest = min(map(abs, samples))
    assert quietest == (0 if name == "g711_ulaw" else 8)
    assert sorted(samples) == sorted(-one for one in samples)


def test_a_window_that_a_break_lies_in_is_where_it_is_loud() -> None:
    """Pieces need not be whole windows: of one that lies in two, seconds apart, what is heard begins behind
    the break, or ends before it."""
    loud, silent = sound(PCM16, (True, 60)), sound(PCM16, (False, 60))
    begins = UserSound()
    begins.append(55 * MS, 55 * 48, silent[: 55 * 48], PCM16)
    begins.append(3_060 * MS, 60 * 48, loud, PCM16)
    found = begins.heard(0, 1_000)
    assert found is not None
    assert 2_990 * MS < found.begin_ns <= 3_010 * MS
    ends = UserSound()
    ends.append(55 * MS, 55 * 48, loud[: 55 * 48], PCM16)
    ends.append(3_060 * MS, 60 * 48, silent, PCM16)
    found = ends.heard(0, 1_000)
    assert found is not None
    assert (found.begin_ns, found.end_ns) == (0, 60 * MS)
