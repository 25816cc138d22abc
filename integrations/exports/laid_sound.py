"""What is heard when: the lanes of a session as pieces of PCM on one clock of sound."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator
from typing import NamedTuple

from ...session import Draft, Lanes, LanesReader, SoundFormat, Stretch, entries_with_events, with_events
from ...session.derived import g711_samples


class LaidPiece(NamedTuple):
    """A piece of sound.

    Attributes:
        lane: `user`, `model`, or `heard`: what of the model's was heard.
        at_ns: where it begins on the session's clock, in nanoseconds since the session began.
        rate_hz: samples a second.
        samples: of 16 bits.
    """

    lane: str
    at_ns: int
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
    for stretch in lanes.stretches:
        for piece in stretch.pieces:
            data = draft.bytes_at(*piece.reference)
            at_ns = stretch.begin_ns + _ns(stretch.format, piece.begin, lanes.pace)
            yield LaidPiece(
                stretch.lane, at_ns, stretch.format.rate_hz, _until(stretch, data, at_ns, lanes.pace)
            )
            if stretch.lane == "model" and stretch.heard is not None and stretch.heard > piece.begin:
                heard = pcm(data[: stretch.heard - piece.begin], stretch.format)
                yield LaidPiece("heard", at_ns, stretch.format.rate_hz, heard)


def _until(stretch: Stretch, data: bytes, at_ns: int, pace: float) -> array[int]:
    """What of a piece sounds before another sound of its lane begins."""
    samples = pcm(data, stretch.format)
    left = max(round((stretch.until_ns - at_ns) * pace * stretch.format.rate_hz / 1e9), 0)
    return samples[:left] if stretch.until_ns < stretch.end_ns else samples


def _ns(format: SoundFormat, byte_count: int, pace: float) -> int:
    return round(byte_count / format.sample_bytes / format.rate_hz * 1e9 / pace)


def pcm(data: bytes, format: SoundFormat) -> array[int]:
    """A sound as samples of 16 bits."""
    if format.encoding != "pcm16":
        table = g711_samples(format.encoding)
        return array("h", map(table.__getitem__, data))
    samples = array("h", data[: len(data) // 2 * 2])
    if sys.byteorder == "big":
        samples.byteswap()
    return samples
