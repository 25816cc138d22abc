"""Lanes in a terminal: where there was sound, and how far it was heard."""

from __future__ import annotations

import dataclasses
import random
import re
from array import array
from pathlib import Path

from realtape.schema import Kind
from realtape.session import SoundFormat
from realtape.session.derived.loudness import g711_samples
from realtape.viewer import lane_text
from realtape.viewer.waveforms import peaks_of
from support.calls_to_see import (
    BEGIN_MS,
    GREETING,
    HEARD_MS,
    LENGTH_MS,
    hostile_call,
    known_call,
    paused_call,
    spoken_elsewhere,
)


def test_columns_are_where_the_sound_was_and_what_was_cut_is_hatched() -> None:
    lines = {line[:11].strip(): line[11:] for line in lane_text(known_call()[0], 11 + 160)}  # 10 ms a column
    assert len(lines["generated"]) == (BEGIN_MS + LENGTH_MS) // 10
    assert re.fullmatch(f" {{{BEGIN_MS // 10}}}[▁-█]{{{HEARD_MS // 10}}}╱{{38}}", lines["heard"])
    assert re.fullmatch(" {2}[▁-█]{40}", lines["user"])
    assert lines["playback"] == f"{' ' * (BEGIN_MS // 10)}{'━' * (HEARD_MS // 10 - 1)}╳"
    assert lines["model said"].index("│Your train leaves") == BEGIN_MS // 10
    assert lines["tools"].index("│departure") == 46
    assert lines[""].startswith("0.000")


def test_a_player_that_stands_still_leaves_a_hole_in_the_sound() -> None:
    lines = {line[:11].strip(): line[11:] for line in lane_text(paused_call(), 11 + 175)}  # 20 ms a column
    assert re.fullmatch(" {5}█{20} {40}█{20} {50}█{10}╱{10}".replace("█", "[▁-█]"), lines["heard"])
    assert lines["playback"] == f"{' ' * 5}{'━' * 20}{'┄' * 40}{'━' * 20}{'┈' * 50}{'━' * 9}╳"


def test_nothing_is_wider_than_it_may_be_and_nothing_is_obeyed() -> None:
    for draft in (known_call()[0], hostile_call()):
        for width in (0, 40, 110):
            lines = lane_text(draft, width)
            assert all(len(line) <= max(width, 31) for line in lines)
            assert not re.search("[\x00-\x1f\u202e]", "".join(lines))


def test_what_nobody_tells_of_is_dotted() -> None:
    call = known_call()[0]
    untold = tuple(one for one in call.entries if one.kind != Kind.PLAYBACK)
    lines = lane_text(dataclasses.replace(call, entries=untold), 110)
    assert any(re.fullmatch("heard +·+", line) for line in lines)
    assert not any(line.startswith("playback") for line in lines)


def test_what_is_said_without_sound_is_there_whoever_asked_for_it(tmp_path: Path) -> None:
    lines = lane_text(spoken_elsewhere(tmp_path), 110)
    (said,) = [line for line in lines if line.startswith("model said")]
    assert said.endswith(f"│{GREETING}")


def test_a_peak_is_the_lowest_and_the_highest_sample_of_its_time() -> None:
    samples = [random.Random(7).randrange(-32768, 32768) >> shift for shift in range(12) for _ in range(200)]
    format = SoundFormat("pcm16", 24_000)
    windows = [samples[begin : begin + 240] for begin in range(0, len(samples), 240)]
    expected = [bound(window) >> 8 for window in windows for bound in (min, max)]
    found = array("b", peaks_of(array("h", samples).tobytes() + b"\x01", format, None))
    assert [*found] == expected
    coded = random.Random(8).randbytes(1000)
    table = g711_samples("g711_ulaw")
    told = [table[byte] for byte in coded]
    windows = [told[begin : begin + 80] for begin in range(0, len(told), 80)]
    expected = [bound(window) >> 8 for window in windows for bound in (min, max)]
    assert [*array("b", peaks_of(coded, SoundFormat("g711_ulaw", 8_000), table))] == expected
