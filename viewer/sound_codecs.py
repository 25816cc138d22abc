"""`encoded`: a block of sound made smaller than gzip makes it; a browser decodes it by itself."""

from __future__ import annotations

import importlib
import io
from typing import Any, Literal

from ..schema import UsageError
from .waveforms import samples_of

Codec = Literal["flac", "opus"]
"""FLAC keeps every sample; Opus does not."""

RATES_HZ = range(8_000, 96_001)
"""At which every browser opens what decodes (Web Audio, `BaseAudioContext.createBuffer`)."""

OPUS_RATES_HZ = frozenset({8_000, 12_000, 16_000, 24_000, 48_000})

_FILES: dict[Codec, tuple[str, str]] = {"flac": ("FLAC", "PCM_16"), "opus": ("OGG", "OPUS")}


def codec_for(wanted: Codec, rate_hz: int) -> Codec | None:
    """What is used at a rate; None: nothing, for no browser need decode it."""
    if rate_hz not in RATES_HZ:
        return None
    return "flac" if wanted == "opus" and rate_hz not in OPUS_RATES_HZ else wanted


def require_encoder() -> None:
    """Check that there is one, before anything is written.

    Raises:
        UsageError: there is none.
    """
    _soundfile()


def encoded(pcm: bytes, rate_hz: int, codec: Codec) -> bytes:
    """PCM16, one channel, its low byte first, as a FLAC file, or as Opus in Ogg.

    Raises:
        UsageError: no encoder is installed.
    """
    format, subtype = _FILES[codec]
    file = io.BytesIO()
    with _soundfile().SoundFile(file, "w", rate_hz, 1, subtype, format=format) as sound:
        sound.buffer_write(samples_of(pcm), "int16")
    return file.getvalue()


def _soundfile() -> Any:
    try:
        return importlib.import_module("soundfile")
    except (ImportError, OSError) as error:  # OSError: its library is missing
        raise UsageError(f"no encoder for sound ({error}): pip install 'realtape[audio]'") from error
