"""The speech that ships with the package, and helpers to make an utterance of it.

The recordings were made with espeak-ng 1.51, an artificial voice, and never with a person's:

    espeak-ng -v en-gb+f3 -s 175 -g 0 --stdout "When does my train leave?"
    espeak-ng -v en-gb+f3 -s 175 -g 0 --stdout "Wait which platform?"
    espeak-ng -v en-gb+m3 -s 190 -g 0 --stdout "Your train leaves at nine fifteen from platform four."

each through `sox raw.wav -r 8000 -c 1 -b 16 -D OUT.wav norm -6 silence 1 0.01 0.5% reverse
silence 1 0.01 0.5% reverse`, which cuts the silence at both ends. They are kept at 8 kHz because
size matters in a wheel and fidelity does not; they are 24 kHz, as realtime models speak, when read.
"""

from __future__ import annotations

import math
import sys
import wave
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources

SAMPLE_RATE_HZ = 24_000
BYTES_PER_MS = SAMPLE_RATE_HZ * 2 // 1_000
"""PCM16, mono."""

_HUM_MS_PER_CHARACTER = 60
_HUM_HZ = 220  # 22 whole periods in 100 ms, so that repeating them leaves no click
_HUM_AMPLITUDE = 1_500


@dataclass(frozen=True, slots=True)
class Utterance:
    """One of the recordings in this package.

    Attributes:
        name: the file's name, without `.wav`.
        text: what is said.
    """

    name: str
    text: str

    @property
    def pcm(self) -> bytes:
        """The samples: PCM16, 24 kHz, mono, little-endian. Read from the package once, then kept."""
        return _load(self.name)


USER_QUESTION = Utterance("user_question", "When does my train leave?")
"""The user asks: 1.2 s."""

USER_INTERRUPTION = Utterance("user_interruption", "Wait, which platform?")
"""The user interrupts: 1.1 s."""

ASSISTANT_ANSWER = Utterance("assistant_answer", "Your train leaves at nine fifteen, from platform four.")
"""The assistant answers: 2.6 s."""


def silence(ms: int) -> bytes:
    """So many milliseconds of nothing, as PCM16 at 24 kHz."""
    return bytes(ms * BYTES_PER_MS)


def chunks(pcm: bytes, ms: int = 100) -> Iterator[bytes]:
    """The samples in pieces of `ms` milliseconds, as a microphone gives them; the last may be shorter."""
    step = ms * BYTES_PER_MS
    for start in range(0, len(pcm), step):
        yield pcm[start : start + step]


def hum(text: str) -> bytes:
    """A low tone for as long as the text takes to say (60 ms a character), as PCM16 at 24 kHz."""
    size = max(1, len(text)) * _HUM_MS_PER_CHARACTER * BYTES_PER_MS
    tone = _hum_100_ms()
    return (tone * math.ceil(size / len(tone)))[:size]


@cache
def _hum_100_ms() -> bytes:
    turn = 2 * math.pi * _HUM_HZ / SAMPLE_RATE_HZ
    return _to_bytes(
        array("h", (round(_HUM_AMPLITUDE * math.sin(turn * i)) for i in range(SAMPLE_RATE_HZ // 10)))
    )


@cache
def _load(name: str) -> bytes:
    source = resources.files(__spec__.parent).joinpath(f"{name}.wav")
    with source.open("rb") as file, wave.open(file) as recording:
        samples = from_bytes(recording.readframes(recording.getnframes()))
    return _to_bytes(_three_times(samples))


def _three_times(samples: array[int]) -> array[int]:
    """Three samples for each one, on the straight line to the next."""
    out = array("h")
    following = samples[1:] + samples[-1:]
    for here, there in zip(samples, following, strict=True):
        out.extend((here, (2 * here + there) // 3, (here + 2 * there) // 3))
    return out


def from_bytes(pcm: bytes) -> array[int]:
    """The samples of little-endian PCM16, as numbers from -32,768 to 32,767.

    Raises:
        ValueError: the bytes end within a sample.
    """
    samples = array("h")
    samples.frombytes(pcm)
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def _to_bytes(samples: array[int]) -> bytes:
    if sys.byteorder == "big":
        samples = samples[:]
        samples.byteswap()
    return samples.tobytes()
