"""The format of the model's sound is the SDK's own, whoever is asked: in every spelling, at every moment."""

from __future__ import annotations

import asyncio
import json
import wave
from pathlib import Path
from typing import Any

import pytest
from agents.realtime._default_tracker import ModelAudioTracker
from agents.realtime._util import calculate_audio_length_ms
from agents.realtime.openai_realtime import OpenAIRealtimeWebSocketModel
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.realtime.realtime_audio_formats import AudioPCM, AudioPCMA, AudioPCMU
from realtape.integrations.openai_agents import VOCABULARY
from realtape.lab.invariants import check
from realtape.lab.shrinking.checks import problems
from realtape.recorder.playback import AssumedTracker, Playing
from realtape.schema import Kind
from realtape.schema.codec import STANDARD, Codec, Vocabulary, to_json
from realtape.schema.entries import Entry
from realtape.session.audio import HeardAudio, ReceivedAudio
from realtape.session.fixture import write_fixture
from realtape.session.redaction import redacted
from realtape.session.sound import G711_ALAW, G711_ULAW, PCM16, SoundFormats, format_of
from support.fixtures import audio, bytes_tree, draft, raw, spoken

SECOND = 8_000
"""Bytes of a second of G.711."""

KNOWS_PCMU = calculate_audio_length_ms("audio/pcmu", bytes(SECOND)) == 1_000
"""The SDK's older releases took G.711 for PCM16 where it was not spelled `g711_…`. What sounds is G.711 all
the same."""

GA_NAMES = ["audio/pcm", "audio/pcmu", "audio/pcma"]
NAMES = ["pcm16", "g711_ulaw", "g711_alaw", "pcm", "pcmu", "pcma", *GA_NAMES]
ODD: list[Any] = [AudioPCMU(), AudioPCMA(), "G711_ULAW", "g711_other", "PCMA", {"type": "PCMU"}]
FORMATS: list[Any] = [
    *NAMES,
    *({"type": name} for name in GA_NAMES),
    *({"type": "audio/pcm", "rate": 24_000}, AudioPCM(type="audio/pcm", rate=24_000), AudioPCM()),
    *(AudioPCMU(type="audio/pcmu"), AudioPCMA(type="audio/pcma")),
    *({"type": "opus"}, "opus", "mulaw", "", None),
]
SPELLED: list[tuple[Any, str, int]] = [
    *(
        (name, "pcm16", 16_000)
        for name in ("pcm16_16000hz", "pcm16-16khz", "pcm_16000", "pcm_16k", "pcm_s16le_16000")
    ),
    *((name, "pcm16", 16_000) for name in ("audio/L16; rate=16000; channels=1", "raw-16khz-16bit-mono-pcm")),
    *(("pcm_22.05khz", "pcm16", 22_050), ("pcm24", "pcm16", 24_000), ("linear16", "pcm16", 24_000)),
    *(({"type": "audio/pcm", "rate": rate}, "pcm16", 16_000) for rate in (16_000, "16000", 16_000.0)),
    *(
        ({"type": "audio/pcm", key: 8_000}, "pcm16", 8_000)
        for key in ("sampleRate", "sample_rate_hertz", "sampling_rate_hz", "sampleRateHertz", "sample-rate")
    ),
    *(({"mediaType": "audio/lpcm", "sampleRateHertz": 16_000}, "pcm16", 16_000),),
    *(
        ({"mimeType": "audio/pcm;rate=16000"}, "pcm16", 16_000),
        ({"type": "audio/pcm", "bitrate": 16_000}, "pcm16", 24_000),
    ),
    *(
        (name, "g711_ulaw", 8_000)
        for name in ("mulaw", "mu-law", "ulaw_8000", "audio/PCMU;rate=8000", "audio/basic")
    ),
    *((name, "g711_alaw", 8_000) for name in ("alaw", "alaw_8000", "audio/x-alaw-basic", "pcma/8000")),
    *(
        ({"encoding": "mulaw", "sample_rate": 8_000}, "g711_ulaw", 8_000),
        ({"codec": "pcma"}, "g711_alaw", 8_000),
    ),
]


@pytest.mark.parametrize(("named", "encoding", "rate_hz"), SPELLED, ids=lambda one: str(one))
def test_sound_has_its_true_rate_in_every_spelling_and_is_counted_as_the_sdk_counts_it(
    named: Any, encoding: str, rate_hz: int
) -> None:
    format = format_of(named)
    assert format is not None
    assert (format.encoding, format.rate_hz) == (encoding, rate_hz)
    if not isinstance(named, str) or "pcmu" not in named.lower():  # of which releases think otherwise
        assert format.ms(SECOND) == calculate_audio_length_ms(named, bytes(SECOND))


@pytest.mark.parametrize(
    "session",
    [
        *(
            {"input_audio_format": "pcm16", f"input_audio_{key}": 16_000}
            for key in ("sampling_rate", "sample_rate")
        ),
        *(
            {"audio": {"input": {"format": format, "sample_rate": "16000"}}}
            for format in ("pcm16", {"type": "audio/pcm"})
        ),
        *({"audio": {"input": {"sampling_rate": 16_000}}}, {"input_audio_sampling_rate": 16_000}),
    ],
    ids=str,
)
def test_a_rate_may_stand_beside_the_format(session: dict[str, Any]) -> None:
    formats = SoundFormats()
    formats.tell({"type": "session.updated", "session": session})
    assert (formats.user.rate_hz, formats.model) == (16_000, PCM16)


SETTINGS: st.SearchStrategy[Any] = st.one_of(
    st.fixed_dictionaries({}, optional={"output_audio_format": st.sampled_from(FORMATS)}),
    st.sampled_from(FORMATS).map(lambda format: {"audio": {"output": {"format": format}}}),
    st.sampled_from(FORMATS).map(lambda format: {"audio": {"output": None}, "output_audio_format": format}),
    st.tuples(st.sampled_from(FORMATS), st.sampled_from(FORMATS)).map(
        lambda two: {"audio": {"output": {"format": two[0]}}, "output_audio_format": two[1]}
    ),
)
WIRE: st.SearchStrategy[Any] = st.sampled_from(
    [
        *({"type": "audio/pcm", "rate": 24_000}, {"type": "audio/pcmu"}, {"type": "audio/pcma"}),
        *({"rate": 24_000}, {}, None),
    ]
)


def written(kind: Kind, type: str | None, payload: Any, vocabulary: Vocabulary = VOCABULARY) -> Entry:
    """An entry as the recorder writes it."""
    encoded = Codec(vocabulary).encode(payload, lambda data: (0, 0, len(data)))
    return Entry(0, 0, 0, 0, kind, type, payload=encoded.payload)


def connected(settings: Any, vocabulary: Vocabulary = VOCABULARY) -> Entry:
    return written(Kind.CONNECT, None, {"options": {"initial_model_settings": settings}}, vocabulary)


def updated(settings: Any) -> Entry:
    return written(Kind.SENT, "send_session_update", {"session_settings": settings})


def told(what: str, format: Any) -> dict[str, Any]:
    session = {"type": "realtime", "audio": {"output": {"format": format}}}
    return {"type": f"session.{what}", "event_id": "e", "session": session}


class Sdk:
    """The SDK's model, of which a server has confirmed whatever it asked for."""

    def __init__(self) -> None:
        self.model = OpenAIRealtimeWebSocketModel()

    def receive(self, message: dict[str, Any]) -> None:
        asyncio.run(self.model._handle_ws_event(message))

    def asked(self, settings: Any) -> dict[str, Any]:
        """What the server answers to these settings, which it takes as they are."""
        session = self.model._get_session_config(settings).model_dump(mode="json", exclude_unset=True)
        session["audio"]["output"].pop("voice", None)
        session.pop("model", None)
        session["audio"].pop("input", None)
        return {"type": "session.updated", "event_id": "e", "session": session}

    @property
    def tracker(self) -> ModelAudioTracker:
        return self.model._audio_state_tracker

    @property
    def second_ms(self) -> float:
        return calculate_audio_length_ms(self.tracker._format, bytes(SECOND))


@settings(deadline=None)
@given(SETTINGS, st.lists(SETTINGS | WIRE.map(lambda format: told("updated", format)), max_size=4))
def test_every_moment_of_a_session_has_the_sdks_format(first: Any, then: list[Any]) -> None:
    """Settings are confirmed as the SDK sends them; between them the server may change its mind."""
    sdk, formats = Sdk(), SoundFormats()
    formats.read(connected(first))
    created = told("created", {"type": "audio/pcm", "rate": 24_000})
    for message in [created, sdk.asked(first)]:
        sdk.receive(message)
        formats.read(raw(message))
        assert formats.model.ms(SECOND) == sdk.second_ms
    for one in then:
        if "type" not in one:
            formats.read(updated(one))
            assert formats.model.ms(SECOND) == sdk.second_ms, "before the server says so"
        message = one if "type" in one else sdk.asked(one)
        sdk.receive(message)
        formats.read(raw(message))
        assert formats.model.ms(SECOND) == sdk.second_ms


@given(
    st.sampled_from(
        [*FORMATS, AudioPCMU(), AudioPCMA(), "G711_ULAW", "g711_other", "PCMA", {"type": "PCMU"}]
    ),
    st.sampled_from([STANDARD, VOCABULARY]),
)
def test_what_a_tracker_is_told_is_what_the_sdk_takes_it_for(format: Any, vocabulary: Vocabulary) -> None:
    entry = written(Kind.PLAYBACK, "model", {"args": [format]}, vocabulary)._replace(
        method="set_audio_format"
    )
    formats = SoundFormats()
    formats.read(entry)
    spelled_new = "pcmu" in str(format).lower() or "pcma" in str(format).lower()
    known = KNOWS_PCMU or not spelled_new
    assert formats.model.ms(SECOND) == (calculate_audio_length_ms(format, bytes(SECOND)) if known else 1_000)


@given(st.sampled_from(FORMATS), st.booleans(), st.sampled_from([STANDARD, VOCABULARY]))
def test_what_was_asked_for_is_what_the_sdk_asks_for(
    format: Any, nested: bool, vocabulary: Vocabulary
) -> None:
    """Without a word of the server's: the format in the very bytes of the log, and as a live object."""
    asked: Any = {"audio": {"output": {"format": format}}} if nested else {"output_audio_format": format}
    sdk = Sdk()
    sdk.receive(sdk.asked(asked))
    formats, live = SoundFormats(), SoundFormats()
    formats.read(connected(asked, vocabulary))
    live.connect(asked)
    assert formats.model.ms(SECOND) == live.model.ms(SECOND) == sdk.second_ms


@given(st.lists(st.tuples(st.sampled_from(["pcm16", "g711_ulaw", None]), st.binary(max_size=99)), max_size=9))
def test_received_audio_is_as_long_as_the_sdks_tracker_has_it(pieces: list[tuple[str | None, bytes]]) -> None:
    """To the last bit, and through changes of the format."""
    tracker, received = ModelAudioTracker(), ReceivedAudio()
    for format, data in pieces:
        if format is not None:
            tracker.set_audio_format(format)
            received.read(
                written(Kind.PLAYBACK, "model", {"args": [format]})._replace(method="set_audio_format")
            )
        tracker.on_audio_delta("i", 0, data)
        received.read(sounding(len(data)))
    state = tracker.get_state("i", 0)
    assert received.ms(("i", 0)) == (0.0 if state is None else state.audio_length_ms)


def test_a_format_of_any_rate_is_heard_at_it_and_counted_as_the_sdk_counts() -> None:
    format = format_of({"type": "audio/pcm", "rate": 16_000})
    assert format == PCM16._replace(rate_hz=16_000)
    assert format is not None
    assert format.ms(48) == 1.0
    assert (PCM16.bytes_in(1.5), G711_ULAW.bytes_in(1.5), G711_ALAW.sample_bytes) == (72, 12, 1)


@pytest.mark.parametrize(
    ("spelled", "rate_hz"),
    [
        ({"output_audio_format": "pcm16_16000hz"}, 16_000),
        ({"output_audio_format": "pcm16-8000hz"}, 8_000),
        ({"output_audio_format": "PCM16_16000HZ"}, 16_000),
        ({"output_audio_format": "pcm_44100"}, 44_100),
        ({"output_audio_format": "audio/pcm;rate=16000"}, 16_000),
        ({"output_audio_format": "audio/L16; rate=16000; channels=1"}, 16_000),
        ({"output_audio_format": "pcm16", "output_audio_sampling_rate": 16_000}, 16_000),
        ({"output_audio_sampling_rate": 16_000}, 16_000),
        ({"output_audio_format": "pcm16_8000hz", "output_audio_sampling_rate": None}, 8_000),
        ({"output_audio_format": "g711_ulaw", "output_audio_sampling_rate": 16_000}, 8_000),
        ({"audio": {"output": {"format": {"type": "audio/pcm", "sample_rate": 16_000}}}}, 16_000),
        ({"audio": {"output": {"format": AudioPCM.model_construct(rate=16_000)}}}, 16_000),
        ({"output_audio_format": "pcm16_99hz"}, 24_000),
        ({"output_audio_format": "pcm16"}, 24_000),
    ],
    ids=str,
)
def test_a_rate_is_read_in_every_spelling_that_providers_use(spelled: dict[str, Any], rate_hz: int) -> None:
    asked, named = SoundFormats(), SoundFormats()
    asked.read(connected(spelled))
    named.connect(spelled)
    assert (asked.model.rate_hz, named.model.rate_hz) == (rate_hz, rate_hz)
    told = SoundFormats()
    sides = json.loads(
        json.dumps(spelled, default=lambda format: {"rate": format.rate}).replace("output", "input")
    )
    told.read(raw({"type": "session.created", "session": sides}))
    assert (told.model.rate_hz, told.user.rate_hz) == (24_000, rate_hz)


def test_a_fixture_plays_at_the_rate_that_was_told(tmp_path: Path) -> None:
    """As Azure's Voice Live names it, to the user's and to the model's side."""
    session = {"output_audio_format": "pcm16_8000hz", "input_audio_sampling_rate": 16_000}
    created = raw({"type": "session.created", "session": session})
    one = draft(created, spoken((0, 0, 32)), audio((0, 32, 32)), segments={0: bytes(range(64))})
    write_fixture([one], tmp_path / "call")
    rates: dict[str, int] = {}
    for path in (tmp_path / "call" / "audio").iterdir():
        with wave.open(str(path)) as sound:
            rates[path.stem[3:7]] = sound.getframerate()
    assert rates == {"user": 16_000, "assi": 8_000}


def test_a_transcription_is_nobodys_sound_but_the_users() -> None:
    formats = SoundFormats()
    audio = {side: {"format": {"type": "audio/pcmu"}} for side in ("input", "output")}
    formats.read(raw({"type": "session.created", "session": {"type": "transcription", "audio": audio}}))
    assert (formats.model, formats.user) == (PCM16, G711_ULAW)


def test_a_connection_has_nothing_of_the_one_before() -> None:
    formats = SoundFormats()
    formats.read(raw(told("created", {"type": "audio/pcmu"})))
    formats.read(connected({}))
    assert formats.model == PCM16


@pytest.mark.parametrize("frame", [False, True])
def test_frames_tell_as_messages_do(frame: bool) -> None:
    formats = SoundFormats()
    message = told("updated", {"type": "audio/pcma"})
    formats.read(
        Entry(0, 0, 0, 0, Kind.FRAME_IN, payload=to_json([to_json(message)])) if frame else raw(message)
    )
    assert formats.model == G711_ALAW
    asking = {
        "type": "session.update",
        "session": {"output_audio_format": "pcmu", "input_audio_format": "pcmu"},
    }
    formats.read(Entry(0, 0, 0, 0, Kind.FRAME_OUT, payload=to_json([to_json(asking)])))
    assert (formats.model, formats.user) == (G711_ALAW, G711_ULAW)


# --- everybody says the same -----------------------------------------------------------------------------

G711 = {"type": "audio/pcmu"}
NAMED: dict[str, list[Entry]] = {
    "in connect": [connected({"output_audio_format": "g711_ulaw"})],
    "as a typed object": [connected({"audio": {"output": {"format": AudioPCMU()}}})],
    "by an update of the settings": [connected({}), updated({"audio": {"output": {"format": "pcmu"}}})],
    "by the server at last": [
        connected({}),
        raw(told("created", {"type": "audio/pcm", "rate": 24_000})),
        raw(told("updated", G711)),
    ],
    "by the tracker": [
        connected({}),
        written(Kind.PLAYBACK, "model", {"args": ["g711_ulaw"]})._replace(method="set_audio_format"),
    ],
}


def sounding(length: int) -> Entry:
    tree = {"$": "audio", "data": bytes_tree((0, 0, length)), "item_id": "i", "content_index": 0}
    return Entry(0, 0, 0, 0, Kind.RECEIVED, "audio", payload=to_json({**tree, "response_id": "r"}))


@pytest.mark.parametrize("how", NAMED)
def test_a_second_of_g711_is_a_second_for_everybody(how: str, tmp_path: Any) -> None:
    """8,000 bytes, of which 1,000 ms were heard."""
    added = Entry(0, 0, 0, 0, Kind.RECEIVED, "turn_started", payload=to_json({"response_id": "r"}))
    played = written(Kind.PLAYBACK, "application", {"args": ["i", 0, 1_000.0], "state": ["i", 0, 1_000.0]})
    heard = played._replace(method="on_play_ms", item_id="i", content_index=0, elapsed_ms=1_000.0)
    item: dict[str, Any] = {"item_id": "i", "role": "assistant", "type": "message", "content": []}
    there = Entry(0, 0, 0, 0, Kind.RECEIVED, "item_updated", payload=to_json({"item": item}))
    one = draft(*NAMED[how], added, there, sounding(SECOND), heard, segments={0: b"\x11" * SECOND})
    audio = HeardAudio()
    for entry in one.entries:
        audio.read(entry)
    assert [(one.heard_ms, one.received_ms) for one in audio.heard()] == [(1_000, 1_000)]
    assert not check(one).violations
    assert not [problem for problem in problems(one) if problem.rule == "heard"]
    write_fixture([one], tmp_path / "fixture")
    (wav,) = (tmp_path / "fixture/audio").iterdir()
    assert int.from_bytes(wav.read_bytes()[20:22], "little") == 7  # G.711, µ-law
    (silent,) = redacted([one], audio="silence")
    assert set(b"".join(silent.segments.values())) == {0xFF}


@pytest.mark.parametrize("how", ["in connect", "as a typed object", "by an update of the settings"])
def test_what_is_assumed_to_be_heard_is_as_long(how: str) -> None:
    now_ns = 0
    asked = {
        "in connect": {"output_audio_format": "g711_ulaw"},
        "as a typed object": {"audio": {"output": {"format": AudioPCMU()}}},
    }
    tracker = AssumedTracker(lambda: now_ns, asked.get(how))
    if how == "by an update of the settings":
        tracker.ask({"output_audio_format": "g711_ulaw"})
    tracker.on_received(Audio())
    now_ns = 5_000_000_000
    item_id, content_index, playing, assumed = tracker.playback()
    assert isinstance(playing, Playing)
    assert (item_id, content_index, playing.elapsed_ms(now_ns), assumed) == ("i", 0, 1_000.0, True)


class Audio:
    """An event of the model's."""

    type, item_id, content_index, data = "audio", "i", 0, bytes(SECOND)
