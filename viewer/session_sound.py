"""`SessionSound`: the sound of a session as a page keeps it: each lane's stretches end to end, in blocks, and
their waveforms."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ..schema.codec import Reference
from ..session import LaneName, Lanes, SoundFormat, Stretch
from ..session.derived.loudness import g711_samples
from .entry_sources import EntrySource, bytes_or_nothing
from .sound_codecs import Codec, codec_for, encoded, require_encoder
from .waveforms import LOW_RATE_HZ, PEAK_MS, lowered, lowered_of, peaks_of

BLOCK_BYTES = 1 << 20
"""Of a block of sound, before it is packed: twenty seconds of PCM16."""

LONG_NS = 600 * 10**9
"""From so long on, sound is kept at 16 kHz unless somebody asks for more."""

LANES: tuple[LaneName, ...] = ("user", "model")


class AudioKept(StrEnum):
    """What a page keeps of the sound."""

    PCM = "pcm"  # as it was recorded
    LOW = "16k"  # PCM16 at 16 kHz, where it was recorded at more
    FLAC = "flac"  # PCM16 as FLAC: as it was recorded, and smaller
    OPUS = "opus"  # PCM16 as Opus: a tenth as large, and not the same
    SILENCE = "silence"  # waveforms and sound are silent; lengths are true
    NONE = "none"  # no sound, and no waveforms; lengths are true


@dataclass
class _Laid:
    """A stretch, and where its sound lies in its lane.

    Attributes:
        begin: in bytes of what is kept.
        length: likewise.
        format: of what is kept.
        peak: the first of its peaks, in the lane's.
    """

    stretch: Stretch
    begin: int
    length: int
    format: SoundFormat
    peak: int


@dataclass
class _Lane:
    laid: list[_Laid] = field(default_factory=list[_Laid])
    peaks: bytearray = field(default_factory=bytearray)
    peaked: list[tuple[Reference, int]] = field(
        default_factory=list[tuple[Reference, int]]
    )  # what peaks are of

    @property
    def length(self) -> int:
        return self.laid[-1].begin + self.laid[-1].length if self.laid else 0


class SessionSound:
    """Is told the lanes, again whenever there is more of them, and gives blocks.

    Args:
        kept: what is kept; None: as it was recorded, of a long session at 16 kHz.

    Raises:
        UsageError: it is to be encoded, and there is no encoder; when it is laid: there is too much.
    """

    def __init__(self, kept: AudioKept | None = None) -> None:
        if kept in (AudioKept.FLAC, AudioKept.OPUS):
            require_encoder()
        self._asked = kept
        self.kept = kept or AudioKept.PCM
        self._lanes: dict[LaneName, _Lane] = {name: _Lane() for name in LANES}

    def lay(self, lanes: Lanes, source: EntrySource) -> None:
        """Take over how the sound lies; waveforms of what is known already are kept."""
        end_ns = max((one.end_ns for one in lanes.stretches), default=0)
        if self.kept not in (AudioKept.SILENCE, AudioKept.NONE):
            lanes.require_bounded()
        if self._asked is None and end_ns * lanes.pace > LONG_NS:
            self.kept = AudioKept.LOW
        for name in LANES:
            self._lay(self._lanes[name], lanes.of(name), source)

    def _lay(self, lane: _Lane, stretches: list[Stretch], source: EntrySource) -> None:
        lane.laid, begin, peak = [], 0, 0
        for number, stretch in enumerate(stretches):
            format = self._format(stretch.format)
            length = self._length(stretch)
            lane.laid.append(_Laid(stretch, begin, length, format, peak))
            known = lane.peaked[number] if number < len(lane.peaked) else None
            own = stretch.pieces[0].reference, stretch.length
            if known != own:
                del lane.peaks[peak * 2 :], lane.peaked[number:]
                lane.peaks += self._peaks(stretch, source)
                lane.peaked.append(own)
            begin += length
            peak += 0 if self.kept is AudioKept.NONE else self._peak_count(stretch)

    def facts(self) -> dict[str, Any]:
        """Where the sound lies, for the page."""
        return {
            "kept": self.kept if self.kept is not AudioKept.LOW or self._is_lowered() else AudioKept.PCM,
            "block": BLOCK_BYTES,
            "peak_ms": PEAK_MS,
            "lanes": {name: [_facts(one) for one in self._lanes[name].laid] for name in LANES},
            "coded": {name: self._coded(name) for name in LANES},
            "g711": {one: list(g711_samples(one)) for one in sorted(self._g711())},
        }

    def block_count(self, lane: LaneName) -> int:
        """How many blocks of sound a lane has."""
        return 0 if self.kept is AudioKept.NONE else -(-self._lanes[lane].length // BLOCK_BYTES)

    def block(self, lane: LaneName, number: int, source: EntrySource) -> bytes:
        """One of them: PCM16, or G.711, as the stretches say; where `codec` says so, as a file."""
        made = b"".join(self._bytes(one, low, high, source) for one, low, high in self._within(lane, number))
        told = self.codec(lane, number)
        return made if told is None else encoded(made, told[1], told[0])

    def _within(self, lane: LaneName, number: int) -> Iterator[tuple[_Laid, int, int]]:
        """The stretches that lie in a block, and which of their bytes do."""
        begin, end = number * BLOCK_BYTES, (number + 1) * BLOCK_BYTES
        laid = self._lanes[lane].laid
        first = max(bisect_right(laid, begin, key=lambda one: one.begin) - 1, 0)
        for one in laid[first:]:
            if one.begin >= end:
                break
            low, high = max(begin - one.begin, 0), min(end - one.begin, one.length)
            if low < high:
                yield one, low, high

    def codec(self, lane: LaneName, number: int) -> tuple[Codec, int] | None:
        """In which form a block is given, and at which rate; None: as its bytes. One rate to a block, for a
        decoder gives one."""
        if self.kept not in (AudioKept.FLAC, AudioKept.OPUS):
            return None
        formats: set[SoundFormat] = set()
        for one, low, high in self._within(lane, number):
            if (one.begin | low | high) % 2:
                return None
            formats.add(one.format)
        (format, *others) = formats
        if others or format.encoding != "pcm16":
            return None
        wanted: Codec = "flac" if self.kept is AudioKept.FLAC else "opus"
        codec = codec_for(wanted, format.rate_hz)
        return None if codec is None else (codec, format.rate_hz)

    def peaks(self, lane: LaneName) -> bytes:
        """Pairs of signed bytes, `PEAK_MS` each, stretch by stretch."""
        return b"" if self.kept is AudioKept.NONE else bytes(self._lanes[lane].peaks)

    # --- helpers ------------------------------------------------------------------------------------

    def _coded(self, lane: LaneName) -> list[dict[str, Any] | None]:
        """Of each block what it must be decoded from; none where no block must."""
        told = [self.codec(lane, number) for number in range(self.block_count(lane))]
        if not any(told):
            return []
        return [None if one is None else {"codec": one[0], "rate_hz": one[1]} for one in told]

    def _format(self, format: SoundFormat) -> SoundFormat:
        if self.kept is AudioKept.LOW and format.encoding == "pcm16" and format.rate_hz > LOW_RATE_HZ:
            return format._replace(rate_hz=LOW_RATE_HZ)
        return format

    def _length(self, stretch: Stretch) -> int:
        """Of what is kept, in bytes."""
        return _kept(stretch.length, stretch.format, self._format(stretch.format))

    def _bytes(self, laid: _Laid, low: int, high: int, source: EntrySource) -> bytes:
        """A part of what is kept of a stretch."""
        if self.kept is AudioKept.SILENCE:
            return laid.format.silence * (high - low)
        stretch = laid.stretch
        if laid.format == stretch.format:
            return _recorded(stretch, low, high, source)
        # As of the whole: where one piece ends and the next begins is no place in the sound.
        first, begin, end = lowered_of(low // 2, high // 2, stretch.format.rate_hz)
        recorded = _recorded(stretch, begin * 2, min(end * 2, stretch.length), source)
        return lowered(recorded, stretch.format.rate_hz)[low - first * 2 : high - first * 2]

    def _peaks(self, stretch: Stretch, source: EntrySource) -> bytes:
        if self.kept is AudioKept.NONE:
            return b""
        if self.kept is AudioKept.SILENCE:
            return bytes(self._peak_count(stretch) * 2)
        format = stretch.format
        table = None if format.encoding == "pcm16" else g711_samples(format.encoding)
        size = max(format.rate_hz * PEAK_MS // 1000, 1) * format.sample_bytes
        made, rest = bytearray(), b""
        for piece in stretch.pieces:
            data = bytes_or_nothing(source, piece.reference)
            rest += format.silence * piece.length if data is None else data
            whole = len(rest) // size * size
            made += peaks_of(rest[:whole], format, table)
            rest = rest[whole:]
        return bytes(made + peaks_of(rest, format, table))

    def _peak_count(self, stretch: Stretch) -> int:
        size = max(stretch.format.rate_hz * PEAK_MS // 1000, 1)
        return -(-(stretch.length // stretch.format.sample_bytes) // size)

    def _is_lowered(self) -> bool:
        return any(one.format != one.stretch.format for lane in self._lanes.values() for one in lane.laid)

    def _g711(self) -> set[str]:
        formats = (one.format.encoding for lane in self._lanes.values() for one in lane.laid)
        return {encoding for encoding in formats if encoding != "pcm16"}


def _kept(length: int, recorded: SoundFormat, kept: SoundFormat) -> int:
    """What becomes of so many bytes, in bytes."""
    if kept == recorded:
        return length
    return length // recorded.sample_bytes * kept.rate_hz // recorded.rate_hz * kept.sample_bytes


def _recorded(stretch: Stretch, low: int, high: int, source: EntrySource) -> bytes:
    """A part of a stretch as it was recorded; silence where the log lacks it."""
    made = bytearray()
    first = max(bisect_right(stretch.pieces, low, key=lambda piece: piece.begin) - 1, 0)
    for piece in stretch.pieces[first:]:
        if piece.begin >= high:
            break
        data = bytes_or_nothing(source, piece.reference)
        if data is None:
            data = stretch.format.silence * piece.length
        made += data[max(low - piece.begin, 0) : high - piece.begin]
    return bytes(made)


def _facts(laid: _Laid) -> dict[str, Any]:
    stretch = laid.stretch

    def samples(recorded: int) -> int:
        return _kept(recorded, stretch.format, laid.format) // laid.format.sample_bytes

    return {
        "begin_ns": stretch.begin_ns,
        "end_ns": stretch.end_ns,
        "until_ns": stretch.until_ns,
        "heard_until_ns": stretch.heard_until_ns,
        "part": stretch.part,
        "assumed": stretch.assumed,
        "encoding": laid.format.encoding,
        "rate_hz": laid.format.rate_hz,
        "recorded_rate_hz": stretch.format.rate_hz,
        "at": laid.begin,
        "length": laid.length,
        "heard": None if stretch.heard is None else samples(stretch.heard),
        "peak": laid.peak,
        # Of each piece: whose it is, and where it begins, in samples of what is kept.
        "seqs": [piece.seq for piece in stretch.pieces],
        "begins": [samples(piece.begin) for piece in stretch.pieces],
    }
