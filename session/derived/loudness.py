"""`Loudness`: where in a sound there is something to hear: providers, and microphones, pad with silence."""

from __future__ import annotations

import functools
import math
import sys
from array import array
from collections.abc import Iterator, Sequence
from operator import mul

from ..sound import SoundFormat

WINDOW_MS = 10
"""Loudness is that of windows of so many milliseconds: so exact is what it finds."""

THRESHOLD_DBFS = -45.0
"""From this loudness on a window is heard: decibels of its root mean square below that of the loudest sound
there is. Speech is at -35 to -15; the noise of a room, or a line, at -70 to -50."""


class Loudness:
    """Is given a sound piece by piece, in its order, and tells which windows of it are heard.

    Args:
        threshold_dbfs: from which loudness on.
    """

    def __init__(self, threshold_dbfs: float = THRESHOLD_DBFS) -> None:
        self._power = 10 ** (threshold_dbfs / 10) * 32768**2
        self._format: SoundFormat | None = None
        self._rest = b""
        self._begin_ms = 0.0  # of the rest

    def add(self, data: bytes, format: SoundFormat) -> Iterator[tuple[float, float]]:
        """The next piece; yields the begin and the end of each window that is heard, in milliseconds since
        the sound began. What is left of a window waits for the next piece."""
        if format != self._format:
            if self._format is not None:
                self._begin_ms += self._format.duration_ms(len(self._rest))
            self._format, self._rest = format, b""
        data = self._rest + data
        count = format.rate_hz * WINDOW_MS // 1000
        size = count * format.sample_bytes
        window_ms = format.duration_ms(size)
        whole = len(data) // size * size
        for place in range(0, whole, size):
            begin_ms = self._begin_ms
            self._begin_ms += window_ms
            if _power(data[place : place + size], format) >= self._power * count:
                yield begin_ms, self._begin_ms
        self._rest = data[whole:]


def _power(data: bytes, format: SoundFormat) -> float:
    """The sum of the squares of its samples."""
    if format.encoding == "pcm16":
        samples = array("h", data)
        if sys.byteorder == "big":
            samples.byteswap()
        return sum(map(mul, samples, samples))
    return math.fsum(map(_squares(format.encoding).__getitem__, data))


@functools.cache
def _squares(encoding: str) -> Sequence[float]:
    """The square of the sample that each byte of G.711 stands for, of 16 bits."""
    return [float(sample) ** 2 for sample in g711_samples(encoding)]


def g711_samples(encoding: str) -> tuple[int, ...]:
    """The sample of 16 bits that each byte stands for (ITU-T G.711, tables 1 and 2)."""
    return _samples(encoding)


@functools.cache
def _samples(encoding: str) -> tuple[int, ...]:
    return tuple(map(_alaw if encoding == "g711_alaw" else _ulaw, range(256)))


def _ulaw(byte: int) -> int:
    byte = ~byte & 0xFF
    magnitude = (((byte & 0x0F) << 3) + 0x84 << ((byte & 0x70) >> 4)) - 0x84
    return -magnitude if byte & 0x80 else magnitude


def _alaw(byte: int) -> int:
    byte ^= 0x55
    segment = (byte & 0x70) >> 4
    magnitude = ((byte & 0x0F) << 4) + 8
    if segment:
        magnitude = magnitude + 0x100 << segment - 1
    return magnitude if byte & 0x80 else -magnitude
