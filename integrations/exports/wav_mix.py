"""WAV: a conversation as it sounded, the user on the left and the model on the right; or what was heard,
alone."""

from __future__ import annotations

import io
import sys
import wave
from array import array
from collections.abc import Sequence

from ...schema import UsageError
from ...session import Draft
from .laid_sound import laid

MAX_SAMPLES = 1 << 31
"""What a WAV file can say that it holds, and a little less."""


def wav_of(drafts: Sequence[Draft], *, heard: bool = False) -> bytes:
    """The file. Where a session went by faster, or slower, than people speak, it sounds at the speed of
    speech.

    Args:
        drafts: one session.
        heard: only what was heard of the model, on one channel.

    Raises:
        UsageError: there is more than one session; or no sound; or nobody tells what was heard.
        CorruptRecordError: bytes are missing.
    """
    if len(drafts) != 1:
        raise UsageError("a sound file is of one session: --only-this-session leaves out those that followed")
    _, pieces = laid(drafts[0])
    names = ("heard",) if heard else ("user", "model")
    wanted = [piece for piece in pieces if piece.lane in names]
    if not wanted:
        raise UsageError(
            "the recording does not tell what was heard" if heard else "the recording holds no sound"
        )
    rate_hz = max(piece.rate_hz for piece in wanted)
    tracks = {name: array("h") for name in names}
    for piece in wanted:
        begin = round(piece.sounds_ns * rate_hz / 1e9)
        samples = _at_rate(piece.samples, piece.rate_hz, rate_hz)
        if (begin + len(samples)) * 2 * len(names) > MAX_SAMPLES:
            raise UsageError("it is longer than a WAV file can be: trim it first")
        track = tracks[piece.lane]
        track.extend([0] * (begin + len(samples) - len(track)))
        track[begin : begin + len(samples)] = samples
    length = max(map(len, tracks.values()))
    mixed = array("h", bytes(2 * length * len(names)))
    for place, name in enumerate(names):
        tracks[name].extend([0] * (length - len(tracks[name])))
        mixed[place :: len(names)] = tracks[name]
    if sys.byteorder == "big":
        mixed.byteswap()
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(len(names))
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(mixed.tobytes())
    return made.getvalue()


def _at_rate(samples: array[int], rate_hz: int, wanted_hz: int) -> array[int]:
    """The same at another rate: what lies between two samples is between them."""
    if rate_hz == wanted_hz or not samples:
        return samples
    count = len(samples) * wanted_hz // rate_hz
    made = array("h")
    for number in range(count):
        place, rest = divmod(number * rate_hz, wanted_hz)
        after = samples[min(place + 1, len(samples) - 1)]
        made.append(samples[place] + (after - samples[place]) * rest // wanted_hz)
    return made
