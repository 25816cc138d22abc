"""Our playback tracker and the SDK's, told the same, answer the same to the last bit."""

import threading
from collections.abc import Mapping
from importlib.metadata import version
from types import MappingProxyType
from typing import Any

import pytest
from agents.realtime import RealtimePlaybackTracker as SdkTracker
from agents.realtime._util import calculate_audio_length_ms
from hypothesis import example, given
from hypothesis import strategies as st
from openai.types.realtime.realtime_audio_formats import AudioPCM, AudioPCMA, AudioPCMU
from realtape.schema.errors import UsageError
from realtape.schema.playback import (
    G711_SAMPLE_RATE_HZ,
    PCM16_SAMPLE_RATE_HZ,
    PCM16_SAMPLE_WIDTH_BYTES,
    RealtimePlaybackTracker,
    audio_length_ms,
    is_g711,
)

SDK_VERSION = tuple(int(part) for part in version("openai-agents").split(".")[:2])
G711_NAMES = ["g711_ulaw", "g711_alaw", "audio/pcmu", "audio/pcma", "pcmu", "pcma"]
PCM16_NAMES = ["pcm16", "audio/pcm", "pcm", "opus", ""]
NOTHING_PLAYED = {"current_item_id": None, "current_item_content_index": None, "elapsed_ms": None}


# --- formats --------------------------------------------------------------------------------------


class TypedFormat:
    """What an application may have instead of the classes of `openai`."""

    def __init__(self, type: str) -> None:
        self.type = type


def mapped(name: str) -> dict[str, Any]:
    return {"type": name}


def read_only(name: str) -> Mapping[str, Any]:
    return MappingProxyType({"type": name, "rate": 8000})


@pytest.mark.parametrize("name", G711_NAMES)
@pytest.mark.parametrize("case", [str.lower, str.upper, str.title])
@pytest.mark.parametrize("wrap", [str, mapped, read_only, TypedFormat])
def test_g711_is_known_in_every_spelling(name: str, case: Any, wrap: Any):
    assert is_g711(wrap(case(name)))


@pytest.mark.parametrize(
    "format",
    [
        "g711",
        "G711_future",
        AudioPCMU(type="audio/pcmu"),
        AudioPCMA(type="audio/pcma"),
        AudioPCMU(),
        AudioPCMA(),
    ],
)
def test_g711_is_known_by_prefix_and_by_the_class_of_openai(format: Any):
    assert is_g711(format)


@pytest.mark.parametrize(
    "format",
    [
        None,
        *PCM16_NAMES,
        " g711_ulaw",
        {},
        {"type": None},
        {"type": "audio/pcm", "rate": 24_000},
        {"type": "g711"},  # the prefix alone counts in a bare string only
        AudioPCM(),
        TypedFormat("g711"),
        TypedFormat("audio/pcm"),
        object(),
    ],
)
def test_all_else_is_pcm16(format: Any):
    assert not is_g711(format)


def test_a_class_of_the_same_name_from_elsewhere_is_judged_by_its_type():
    assert not is_g711(type("AudioPCMU", (TypedFormat,), {})("audio/pcm"))


# --- lengths --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("format", "byte_count", "length_ms"),
    [
        ("pcm16", 0, 0.0),
        ("pcm16", 48_000, 1000.0),
        ("pcm16", 4_800, 100.0),
        (None, 960, 20.0),
        ("g711_ulaw", 8_000, 1000.0),
        ({"type": "audio/pcma"}, 160, 20.0),
        ("pcm16", 1, 0.5 / 24_000 * 1000),  # half a sample counts, as in the SDK
    ],
)
def test_bytes_become_milliseconds(format: Any, byte_count: int, length_ms: float):
    assert audio_length_ms(format, byte_count) == length_ms
    assert audio_length_ms(format, bytes(byte_count)) == length_ms


def test_a_second_is_a_second():
    assert audio_length_ms("pcm16", PCM16_SAMPLE_RATE_HZ * PCM16_SAMPLE_WIDTH_BYTES) == 1000
    assert audio_length_ms("pcmu", G711_SAMPLE_RATE_HZ) == 1000


def test_a_negative_number_of_bytes_is_misuse():
    with pytest.raises(UsageError, match="-1 bytes"):
        audio_length_ms("pcm16", -1)


# --- against the SDK ------------------------------------------------------------------------------


def cased(name: str) -> st.SearchStrategy[str]:
    return st.lists(st.booleans(), min_size=len(name), max_size=len(name)).map(
        lambda upper: "".join(c.upper() if up else c for c, up in zip(name, upper, strict=True))
    )


def sdk_agrees(format: Any) -> bool:
    """Before 0.20 the SDK knew G.711 only as a bare string that begins with `g711`."""
    if SDK_VERSION >= (0, 20) or not is_g711(format):
        return True
    return isinstance(format, str) and format.lower().startswith("g711")


names = st.sampled_from([*G711_NAMES, *PCM16_NAMES, "g711", "g711_future"]).flatmap(cased) | st.text(
    max_size=9
)
formats = st.one_of(
    st.none(),
    names,
    st.builds(mapped, names),
    st.builds(read_only, names),
    st.builds(TypedFormat, names),
    st.sampled_from([{}, {"type": None}, {"type": 711}, object()]),
    st.sampled_from([AudioPCM(), AudioPCMU(), AudioPCMA()]),
    st.sampled_from([AudioPCM(type="audio/pcm", rate=24000), AudioPCMU(type="audio/pcmu")]),
).filter(sdk_agrees)

byte_counts = st.integers(0, 200_000)
durations_ms = st.integers(-5, 100_000) | st.floats()
item_ids = st.sampled_from(["item_1", "item_2", ""])
content_indexes = st.integers(0, 2)

calls = st.one_of(
    st.tuples(st.just("on_play_bytes"), item_ids, content_indexes, byte_counts.map(bytes)),
    st.tuples(st.just("on_play_ms"), item_ids, content_indexes, durations_ms),
    st.tuples(st.just("set_audio_format"), formats),
    st.tuples(st.just("on_interrupted")),
)


@given(formats, byte_counts)
@example("pcm16", 0)
@example("g711_ulaw", 1_001)  # neither 1001 / 8 nor 1001 * 1000 / 8000 has the same last bit
@example("pcm16", 23)  # nor has 23 / 48
def test_lengths_are_the_sdks(format: Any, byte_count: int):
    expected = calculate_audio_length_ms(format, bytes(byte_count))
    assert audio_length_ms(format, byte_count).hex() == expected.hex()
    assert audio_length_ms(format, bytes(byte_count)).hex() == expected.hex()


@given(st.lists(calls, max_size=30))
@example([("on_interrupted",), ("on_play_ms", "item_1", 0, -0.0)])
@example([("on_play_ms", "item_1", 0, 0.1), ("on_play_ms", "item_1", 0, 0.2)])
@example([("on_play_bytes", "item_1", 0, b""), ("on_play_ms", "item_1", 0, 20)])
def test_the_states_are_the_sdks(script: list[tuple[Any, ...]]):
    ours, theirs = RealtimePlaybackTracker(), SdkTracker()
    assert ours.get_state() == theirs.get_state()
    for method, *arguments in script:
        getattr(ours, method)(*arguments)
        getattr(theirs, method)(*arguments)
        # As text: it tells all floats apart, -0.0 from 0.0 and integers from floats too.
        assert repr(ours.get_state()) == repr(theirs.get_state())


# --- by example -----------------------------------------------------------------------------------


def test_a_tracker_counts_adds_starts_again_and_forgets():
    tracker = RealtimePlaybackTracker()
    assert tracker.get_state() == NOTHING_PLAYED

    tracker.on_play_bytes("item_1", 0, bytes(4_800))  # PCM16 until told otherwise
    tracker.set_audio_format({"type": "audio/pcmu"})
    tracker.on_play_bytes("item_1", 0, bytes(400))
    tracker.on_play_ms("item_1", 0, 25.5)
    assert tracker.get_state() == {
        "current_item_id": "item_1",
        "current_item_content_index": 0,
        "elapsed_ms": 175.5,
    }

    tracker.on_play_ms("item_1", 1, 10)
    assert tracker.get_state()["elapsed_ms"] == 10

    tracker.on_interrupted()
    assert tracker.get_state() == NOTHING_PLAYED


def test_bytes_pass_through_the_milliseconds_that_a_subclass_overrides():
    class Doubled(RealtimePlaybackTracker):
        def on_play_ms(self, item_id: str, item_content_index: int, ms: float) -> None:
            super().on_play_ms(item_id, item_content_index, 2 * ms)

    tracker = Doubled()
    tracker.on_play_bytes("item_1", 0, bytes(480))
    assert tracker.get_state()["elapsed_ms"] == 20


def test_a_state_once_read_stays_as_it_is():
    tracker = RealtimePlaybackTracker()
    tracker.on_play_ms("item_1", 0, 10)
    state = tracker.get_state()
    tracker.on_play_ms("item_1", 0, 10)
    assert state["elapsed_ms"] == 10


def test_an_interruption_from_another_thread_is_not_undone_by_a_report_under_way():
    tracker = RealtimePlaybackTracker()
    interrupter = threading.Thread(target=tracker.on_interrupted)

    class InterruptedWhileAdded(float):
        def __radd__(self, other: float) -> float:
            interrupter.start()
            interrupter.join(timeout=0.05)  # it must wait for the report: this is all it can gain
            return other + float(self)

    tracker.on_play_ms("item_1", 0, 10.0)
    tracker.on_play_ms("item_1", 0, InterruptedWhileAdded(10))
    interrupter.join()
    assert tracker.get_state() == NOTHING_PLAYED
