"""The sound of a page: at 16 kHz it is that of the whole, in whatever pieces it came, cut where it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from realtape.session import Draft
from realtape.viewer import AudioKept
from realtape.viewer.entry_sources import DraftSource
from realtape.viewer.gathering import Gathering
from realtape.viewer.session_sound import SessionSound
from realtape.viewer.waveforms import lowered
from support.calls_to_see import spoken_in


def kept_of(draft: Draft, kept: AudioKept | None) -> tuple[dict[str, Any], bytes]:
    """What a page says of its sound, and the model's lane."""
    gathering = Gathering("0", DraftSource(draft), SessionSound(kept))
    gathering.advance()
    told = json.loads(json.dumps(gathering.session()["sound"]))
    blocks = (gathering.sound_block("sound", f"model/{number}") for number in range(1_000))
    return told, b"".join(iter(lambda: next(blocks) or b"", b""))


@pytest.mark.parametrize("rate", [22_050, 24_000, 32_000, 44_100, 48_000])
def test_at_16_khz_it_is_that_of_the_whole_and_cut_where_it_was(
    rate: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pieces end anywhere, in the middle of a sample, too; and so do blocks."""
    monkeypatch.setattr("realtape.viewer.session_sound.BLOCK_BYTES", 1_000)
    lengths = [2, 200, 3, 1, 77, 961, 1, 4_800, 640, 5, 2_222]
    samples = sum(lengths) // 2
    heard_ms = samples / 2 / 24  # as the SDK counts: half of it, whatever the rate
    draft, sound = spoken_in({"type": "audio/pcm", "rate": rate}, lengths, heard_ms)
    told, made = kept_of(draft, AudioKept.LOW)
    assert made == lowered(sound, rate)
    (stretch,) = told["lanes"]["model"]
    assert (stretch["rate_hz"], stretch["length"]) == (16_000, len(made))
    assert stretch["heard"] == samples // 2 * 16_000 // rate
    assert stretch["begins"] == [sum(lengths[:n]) // 2 * 16_000 // rate for n in range(len(lengths))]
    length_ns = stretch["end_ns"] - stretch["begin_ns"]
    assert length_ns == pytest.approx(samples / rate * 1e9, abs=2)
    assert stretch["heard_until_ns"] - stretch["begin_ns"] == pytest.approx(length_ns / 2, abs=1e5)


@pytest.mark.parametrize(
    ("format", "rate", "low"),
    [
        ({"type": "audio/pcm", "rate": 24_000}, 24_000, 16_000),
        ({"type": "audio/pcm", "rate": 16_000}, 16_000, None),
        ({"type": "audio/pcmu"}, 8_000, None),
        ({"type": "audio/pcma"}, 8_000, None),
    ],
)
def test_over_ten_minutes_it_is_kept_at_16_khz_where_it_was_more(
    format: object, rate: int, low: int | None
) -> None:
    for at_ms, kept_rate in ((1_000, rate), (600_000, low or rate)):
        draft, sound = spoken_in(format, [960, 960], 20, at_ms)
        told, made = kept_of(draft, None)
        (stretch,) = told["lanes"]["model"]
        assert stretch["rate_hz"] == kept_rate
        assert told["kept"] == ("16k" if kept_rate < rate else "pcm"), "the page says what is less"
        assert made == (lowered(sound, rate) if kept_rate < rate else sound)


def test_what_the_log_lacks_is_as_long_and_silent(tmp_path: Path) -> None:
    draft, sound = spoken_in({"type": "audio/pcm", "rate": 24_000}, [960, 960], 20)
    cut = Draft(draft.header, draft.status, draft.entries, {0: sound[:960]})
    for kept in (AudioKept.PCM, AudioKept.LOW):
        _, made = kept_of(cut, kept)
        _, whole = kept_of(draft, kept)
        assert len(made) == len(whole)
        half = len(made) // 2
        assert (made[:half], made[half:]) == (whole[:half], bytes(half))
