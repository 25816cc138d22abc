"""WAV files open in libsndfile, which we did not write; `make test-browser` installs it."""

from __future__ import annotations

import importlib
import io
import wave
from typing import Any

import pytest
from realtape.integrations.exports import wav_of
from realtape.session.fixture import read_fixture
from support.golden import FIXTURES

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("heard", "channels"), [(False, 2), (True, 1)])
def test_a_wav_file_is_what_it_says(*, heard: bool, channels: int) -> None:
    """What its samples are is asserted where Python's own module reads them."""
    soundfile: Any = importlib.import_module("soundfile")
    data = wav_of(read_fixture(FIXTURES / "demo"), heard=heard)
    told = soundfile.info(io.BytesIO(data))
    facts = (told.format, told.subtype, told.samplerate, told.channels)
    assert facts == ("WAV", "PCM_16", 24_000, channels)
    samples, _ = soundfile.read(io.BytesIO(data), dtype="int16", always_2d=True)
    with wave.open(io.BytesIO(data)) as file:
        assert samples.tobytes() == file.readframes(file.getnframes())
    assert samples.any(axis=0).all()
