"""What is heard when: the lanes of a session as pieces of PCM on one clock of sound."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator
from itertools import zip_longest
from typing import NamedTuple

from ...session import (
    Draft,
    LaneName,
    Lanes,
    LanesReader,
    SoundFormat,
    Stretch,
    entries_with_events,
    with_events,
)
from ...session.derived import g711_samples


class LaidPiece(NamedTuple):
    """A piece of sound.

    Attributes:
        lane: `user`, `model`, or `heard`: what of the model's was heard.
        at_ns: where it begins on the session's clock, in nanoseconds since the session began.
        sounds_ns: likewise, where the session is played at the speed of speech.
        rate_hz: samples a second.
        samples: of 16 bits.
    """

    lane: str
    at_ns: int
    sounds_ns: float
    rate_hz: int
    samples: array[int]


def laid(draft: Draft) -> tuple[Lanes, Iterator[LaidPiece]]:
    """The lanes of a session, and their pieces, in no particular order.

    Raises:
        UsageError: it is too much.
        CorruptRecordError: bytes are missing.
    """
    whole = with_events(draft)
    reader = LanesReader()
    for entry in entries_with_events(whole):
        reader.read(entry)
    lanes = reader.lanes()
    lanes.require_bounded()
    return lanes, _pieces(whole, lanes)


def _pieces(draft: Draft, lanes: Lanes) -> Iterator[LaidPiece]:
    names: tuple[LaneName, ...] = ("user", "model")
    for name in names:
        stretches = lanes.of(name)
        for stretch, after in zip_longest(stretches, stretches[1:]):
            yield from _pieces_of(draft, stretch, after, lanes.pace)


def _pieces_of(draft: Draft, stretch: Stretch, after: Stretch | None, pace: float) -> Iterator[LaidPiece]:
    """Those of a stretch, each up to where another sound of its lane begins."""
    format = stretch.format
    for piece in stretch.pieces:
        data = draft.bytes_at(*piece.reference)
        share = (stretch.end_ns - stretch.begin_ns) * piece.begin // stretch.length
        sounds_ns = stretch.begin_ns * pace + format.duration_ms(piece.begin) * 1e6
        place = stretch.begin_ns + share, sounds_ns, format.rate_hz
        left = None
        if after is not None:
            left = max(round((after.begin_ns * pace - sounds_ns) * format.rate_hz / 1e9), 0)
        yield LaidPiece(stretch.lane, *place, pcm(data, format)[:left])
        if stretch.lane == "model" and stretch.heard is not None and stretch.heard > piece.begin:
            yield LaidPiece("heard", *place, pcm(data[: stretch.heard - piece.begin], format)[:left])


def pcm(data: bytes, format: SoundFormat) -> array[int]:
    """A sound as samples of 16 bits."""
    if format.encoding != "pcm16":
        table = g711_samples(format.encoding)
        return array("h", map(table.__getitem__, data))
    samples = array("h", data[: len(data) // 2 * 2])
    if sys.byteorder == "big":
        samples.byteswap()
    return samples
