"""Waveforms: the lowest and the highest sample of every 10 ms, as two signed bytes; sound at a lower rate."""

from __future__ import annotations

import math
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
    length = len(samples) * LOW_RATE_HZ // rate_hz
    if rate_hz == 24_000:  # two of three
        while len(samples) % 3:
            samples.append(samples[-1])
        first, second, third = samples[0::3], samples[1::3], samples[2::3]
        made = array("h", bytes(len(first) * 4))
        made[0::2] = _thirds(first, second)
        made[1::2] = _thirds(third, second)
        del made[length:]
    else:
        ends = [place * rate_hz // LOW_RATE_HZ for place in range(length + 1)]
        made = array("h", bytes(length * 2))
        for place in range(length):
            window = samples[ends[place] : ends[place + 1]]
            made[place] = sum(window) // len(window)
    if sys.byteorder == "big":
        made.byteswap()
    return made.tobytes()


def lowered_of(low: int, high: int, rate_hz: int) -> tuple[int, int, int]:
    """Of which samples of a sound `lowered` makes those from one place to another, as of all of it: the place
    of the first that it makes of them, at most that which is wanted; their begin, and their end."""
    common = math.gcd(rate_hz, LOW_RATE_HZ)
    made, of = LOW_RATE_HZ // common, rate_hz // common  # so many are made of so many
    return low // made * made, low // made * of, -(-high // made) * of


def _thirds(near: array[int], far: array[int]) -> array[int]:
    """Two thirds of each sample, and a third of the other, to within 3 of 65,536.

    All samples are digits of one long number, which is added and multiplied at once: a loop over samples
    takes four times as long, and was a tenth of an hour's page. Every second of them at a time, for the sum
    of three samples has 18 bits, and times 5461 (a third of 2^14) 30: two samples have room for that. They
    are counted from 32,768 below, so none is negative; 40,960 leaves silence where it is, and rounds.
    """
    size = -(-len(near) // 2) * 4
    below = int.from_bytes(b"\0\x80" * (size // 2), "little")
    every_second = int.from_bytes(b"\xff\xff\0\0" * (size // 4), "little")
    rounding = 40_960 * int.from_bytes(b"\1\0\0\0" * (size // 4), "little")
    one, other = (int.from_bytes(_little(samples), "little") ^ below for samples in (near, far))
    made = 0
    for shift in (0, 16):
        sums = 2 * (one >> shift & every_second) + (other >> shift & every_second)
        made |= ((sums * 5461 + rounding) >> 14 & every_second) << shift
    return samples_of((made ^ below).to_bytes(size, "little"))[: len(near)]


def _little(samples: array[int]) -> bytes:
    if sys.byteorder == "big":
        samples = samples[:]
        samples.byteswap()
    return samples.tobytes()
