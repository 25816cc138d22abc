"""Waveforms: the lowest and the highest sample of every 10 ms, as two signed bytes; sound at a lower rate."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from functools import lru_cache

from ..session import SoundFormat

PEAK_MS = 10
"""A peak is that of so many milliseconds."""

LOW_RATE_HZ = 16_000


def samples_of(data: bytes) -> array[int]:
    """Samples of PCM16; an odd byte at the end is none."""
    samples = array("h", data[: len(data) // 2 * 2])
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def peaks_of(data: bytes, format: SoundFormat, table: Sequence[int] | None) -> bytes:
    """Lowest and highest sample of each 10 ms, in 256 steps, as pairs of signed bytes.

    Args:
        table: of G.711, the sample that each byte stands for; None of PCM16.
    """
    count = max(format.rate_hz * PEAK_MS // 1000, 1)
    # Of each sample only its 256th part, as a byte: twice as fast to look through as numbers.
    steps = data[1::2].translate(_UNSIGNED) if table is None else data.translate(_steps(tuple(table)))
    peaks = array("b")
    for begin in range(0, len(steps), count):
        window = steps[begin : begin + count]
        peaks.append(min(window) - 128)
        peaks.append(max(window) - 128)
    return peaks.tobytes()


_UNSIGNED = bytes(step ^ 128 for step in range(256))


@lru_cache
def _steps(table: tuple[int, ...]) -> bytes:
    return bytes((sample >> 8) + 128 for sample in table)


def lowered(data: bytes, rate_hz: int) -> bytes:
    """PCM16 at 16 kHz, of a higher rate: each sample the mean of those that it is of. A little of what is
    above 8 kHz comes through, as noise."""
    samples = samples_of(data)
    if rate_hz == 24_000:  # two of three; in strides, for a loop over samples takes a hundred times as long
        samples = samples[: len(samples) // 3 * 3]
        first, second, third = samples[0::3], samples[1::3], samples[2::3]
        made = array("h", bytes(len(first) * 4))
        made[0::2] = array("h", [(2 * a + b) // 3 for a, b in zip(first, second, strict=True)])
        made[1::2] = array("h", [(b + 2 * c) // 3 for b, c in zip(second, third, strict=True)])
    else:
        length = len(samples) * LOW_RATE_HZ // rate_hz
        ends = [place * rate_hz // LOW_RATE_HZ for place in range(length + 1)]
        made = array("h", bytes(length * 2))
        for place in range(length):
            window = samples[ends[place] : ends[place + 1]]
            made[place] = sum(window) // len(window)
    if sys.byteorder == "big":
        made.byteswap()
    return made.tobytes()
