"""Where each sound lies on the session's clock: one lane of the user's voice, and one of the model's.

A log says when each piece of sound was sent or came, not when it was spoken or played. A microphone sends a
piece when it has it, so the user's lies before its entry; a player plays the model's pieces one after
another, so they lie behind each other, the first where the playback state says that it began, or where it
came. What was heard is how far of it, so the lane of what was heard is a mask over the model's.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal

from ..schema.codec import REFERS, Reference
from ..schema.entries import Entry, Kind
from ..schema.errors import UsageError
from .appended_sound import appended_sound
from .audio import HeardAudio, Part, audio_event
from .drafts import reference_in
from .fields import event_fields, facts_of, frame_message
from .fixture.voices import said_by_user
from .messages import interrupts
from .playback_spans import PlaybackReader, PlaybackSpan, resumed_in
from .sound import SoundFormat

PAUSE_NS = 250_000_000
"""No more than this between two pieces of the user's sound is jitter, and no break."""

LATE_NS = 50_000_000
"""A piece of the model's that comes no later than this after the end of the one before: likewise."""

LONGEST_NS = 60_000_000_000
"""Longer sound of the user's is cut into stretches that lie end to end, so that of a session that grows only
the last one changes."""

REAL_TIME = 1.5
"""What goes by so many times as fast, or as slowly, does not go at the speed of speech."""

MAX_PACE = 100.0

MOST_SAMPLES = 6 * 3600 * 24_000
"""Of both lanes. A session may refer to the same bytes again and again, and each time takes as long."""

LaneName = Literal["user", "model"]
"""Whose voice a lane holds."""


@dataclass(frozen=True, slots=True)
class SoundPiece:
    """What one entry brought of a sound.

    Attributes:
        seq, at_ns: of the entry.
        reference: where its bytes are.
        begin: in bytes, from the begin of its stretch.
    """

    seq: int
    at_ns: int
    reference: Reference
    begin: int

    @property
    def length(self) -> int:
        """In bytes."""
        return self.reference[2]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Sound without a break.

    Attributes:
        lane: whose.
        begin_ns: where it lies on the session's clock.
        end_ns: where it ends there.
        until_ns: so far it is the one that is playing; then another begins.
        format: of the sound.
        part: of the model's: which sound; None of the user's.
        offset: of the model's: how many bytes of that sound lie in earlier stretches.
        heard: in bytes, how much of this stretch was heard; None where nobody tells. The user's own: None.
        assumed: that is assumed, and not reported.
        pieces: in order.
        length: of all of them, in bytes.
    """

    lane: LaneName
    begin_ns: int
    end_ns: int
    until_ns: int
    format: SoundFormat
    part: Part | None
    offset: int
    heard: int | None
    assumed: bool
    pieces: tuple[SoundPiece, ...]
    length: int

    @property
    def heard_until_ns(self) -> int | None:
        """Up to where it was heard, on the session's clock; None where nobody tells."""
        if self.heard is None or not self.length:
            return None
        return self.begin_ns + (self.end_ns - self.begin_ns) * self.heard // self.length


@dataclass(frozen=True, slots=True)
class Lanes:
    """The sound of a session.

    Attributes:
        pace: how many seconds of sound go by in a second of the session's clock: 1, but for what a test or a
            demonstration told faster than people speak.
        stretches: of both lanes, each in order.
        playback: what the playback state says of playing, in order.
    """

    pace: float
    stretches: tuple[Stretch, ...]
    playback: tuple[PlaybackSpan, ...]

    def of(self, lane: LaneName) -> list[Stretch]:
        """Those of one lane."""
        return [one for one in self.stretches if one.lane == lane]

    def require_bounded(self) -> None:
        """For who is about to go through all of the sound.

        Raises:
            UsageError: it is more than MOST_SAMPLES.
        """
        samples = sum(one.length // one.format.sample_bytes for one in self.stretches)
        if samples > MOST_SAMPLES:
            raise UsageError(
                f"{samples:,} samples of sound, more than the {MOST_SAMPLES:,} that are gone through (six "
                "hours): trim it first, or leave the sound out (`realtape show`, `export --audio drop`)"
            )


@dataclass(slots=True)
class _Coming:
    """A piece that was read."""

    seq: int
    at_ns: int
    reference: Reference
    format: SoundFormat
    part: Part | None = None


@dataclass(slots=True)
class _Laying:
    """A stretch that is being laid."""

    begin_ns: int
    format: SoundFormat
    part: Part | None
    offset: int = 0
    length: int = 0
    pieces: list[SoundPiece] = field(default_factory=list[SoundPiece])

    def add(self, piece: _Coming) -> None:
        self.pieces.append(SoundPiece(piece.seq, piece.at_ns, piece.reference, self.length))
        self.length += piece.reference[2]


class LanesReader:
    """Reads along, and lays the sound. Keeps a few numbers of each piece, and no bytes."""

    def __init__(self) -> None:
        self._heard = HeardAudio()
        self._formats = self._heard.received.formats
        self._user: list[_Coming] = []
        self._model: list[_Coming] = []
        self._user_kind: str | None = None  # the same voice is in the sends, and in the frames below them
        self._playback = PlaybackReader(self._heard.received)
        self._silenced_ns: list[int] = []

    def read(self, entry: Entry) -> None:
        """The next entry; frames followed by the events that they come to."""
        self._heard.read(entry)
        self._playback.read(entry)
        if interrupts(entry):
            self._silenced_ns.append(entry.at_ns)
        if REFERS not in entry.payload:
            return
        given = audio_event(entry)
        if given is not None:
            self._add(self._model, entry, event_fields(entry).get("data"), self._formats.model, given[0])
        elif entry.kind == Kind.SENT:
            self._add(self._user, entry, said_by_user(entry, facts_of(entry)), self._formats.user)
        elif entry.kind == Kind.FRAME_OUT and self._user_kind != Kind.SENT:
            for audio, _ in appended_sound(frame_message(entry)):
                self._add(self._user, entry, audio, self._formats.user)

    def lanes(self) -> Lanes:
        """As far as was read."""
        pace = self._pace()
        playback = self._playback.spans(pace)
        user, model = self._users(pace), self._models(pace, playback)
        return Lanes(pace, (*self._laid("user", user, pace), *self._laid("model", model, pace)), playback)

    # --- reading --------------------------------------------------------------------------------------

    def _add(
        self, lane: list[_Coming], entry: Entry, audio: object, format: SoundFormat, part: Part | None = None
    ) -> None:
        reference = reference_in(audio)
        if reference is None or not reference[2]:
            return
        if lane is self._user:
            self._user_kind = entry.kind
        lane.append(_Coming(entry.seq, entry.at_ns, reference, format, part))

    # --- laying ---------------------------------------------------------------------------------------

    def _pace(self) -> float:
        """By the application's reports; where there are none, by how the user's pieces came."""
        ms, ns = self._playback.played_ms, self._playback.played_ns
        if not ms:
            for before, piece in pairwise(self._user):
                length_ms = _sound_ns(before.format, before.reference[2]) / 1e6
                if piece.at_ns - before.at_ns < 4 * length_ms * 1e6:  # else he paused
                    ms, ns = ms + length_ms, ns + piece.at_ns - before.at_ns
        pace = ms * 1e6 / ns if ns else 1.0
        return 1.0 if 1 / REAL_TIME < pace < REAL_TIME or pace > MAX_PACE else pace

    def _users(self, pace: float) -> Iterable[_Laying]:
        """A piece ends when it is sent; pieces without a pause between them lie end to end."""
        stretch: _Laying | None = None
        for piece in self._user:
            length_ns = round(_sound_ns(piece.format, piece.reference[2]) / pace)
            began_ns = max(piece.at_ns - length_ns, 0)
            end_ns = 0 if stretch is None else _end_ns(stretch, pace)
            over = stretch is None or _sound_ns(stretch.format, stretch.length) >= LONGEST_NS
            pauses = began_ns - end_ns > PAUSE_NS / pace
            if over or stretch is None or pauses or stretch.format != piece.format:
                if stretch is not None:
                    yield stretch
                goes_on = stretch is not None and not pauses
                stretch = _Laying(end_ns if goes_on else max(began_ns, end_ns), piece.format, None)
            stretch.add(piece)
        if stretch is not None:
            yield stretch

    def _models(self, pace: float, playback: Sequence[PlaybackSpan]) -> Iterable[_Laying]:
        """A sound begins where the playback state says, or when it comes, behind what is playing; where its
        player stands still, it goes on later."""
        stretch: _Laying | None = None
        lengths: dict[Part, int] = {}
        resumed = {part: deque(places) for part, places in resumed_in(playback).items()}
        for whole in self._model:
            part = whole.part or ("", 0)
            for piece, resumed_ns in _split(whole, lengths.get(part, 0), resumed.get(part)):
                # What is playing when the user breaks in ends there.
                cut = bisect_right(self._silenced_ns, piece.at_ns)
                silenced_ns = self._silenced_ns[cut - 1] if cut else -1
                end_ns = 0 if stretch is None else _end_ns(stretch, pace)
                free_ns = min(end_ns, silenced_ns) if silenced_ns >= 0 and stretch is not None else end_ns
                same = stretch is not None and stretch.part == part and stretch.format == piece.format
                breaks = not same or piece.at_ns - end_ns > LATE_NS / pace
                if stretch is None or breaks or resumed_ns is not None:
                    begin_ns = resumed_ns
                    if begin_ns is None and part not in lengths:
                        begin_ns = self._playback.begin_ns(part, pace)
                    if begin_ns is None:
                        begin_ns = max(piece.at_ns, end_ns if same else max(free_ns, 0))
                    if stretch is not None:
                        begin_ns = max(begin_ns, stretch.begin_ns)
                        yield stretch
                    stretch = _Laying(begin_ns, piece.format, part, offset=lengths.get(part, 0))
                stretch.add(piece)
                lengths[part] = lengths.get(part, 0) + piece.reference[2]
        if stretch is not None:
            yield stretch

    def _laid(self, lane: LaneName, stretches: Iterable[_Laying], pace: float) -> list[Stretch]:
        opened: Sequence[_Laying] = list(stretches)
        laid: list[Stretch] = []
        for place, one in enumerate(opened):
            end_ns = _end_ns(one, pace)
            after = opened[place + 1].begin_ns if place + 1 < len(opened) else end_ns
            heard_ms, assumed = (None if one.part is None else self._heard.known(one.part)) or (None, False)
            of_sound = None if heard_ms is None else one.format.bytes_in(heard_ms)
            laid.append(
                Stretch(
                    lane,
                    one.begin_ns,
                    end_ns,
                    max(min(end_ns, after), one.begin_ns),
                    one.format,
                    one.part,
                    one.offset,
                    None if of_sound is None else min(max(of_sound - one.offset, 0), one.length),
                    assumed,
                    tuple(one.pieces),
                    one.length,
                )
            )
        return laid


def _split(
    piece: _Coming, offset: int, resumed: deque[tuple[float, int]] | None
) -> Iterator[tuple[_Coming, int | None]]:
    """A piece, cut where its player went on after it had stood still, and of each part when that was.

    Args:
        offset: how many bytes of the sound came before.
        resumed: where it did, and has not been told yet.
    """
    resumed_ns: int | None = None
    while resumed and (place := piece.format.bytes_in(resumed[0][0]) - offset) < piece.reference[2]:
        segment, begin, length = piece.reference
        if place > 0:
            yield replace(piece, reference=(segment, begin, place)), resumed_ns
            piece = replace(piece, reference=(segment, begin + place, length - place))
            offset += place
        resumed_ns = resumed.popleft()[1]
    yield piece, resumed_ns


def _sound_ns(format: SoundFormat, length: int) -> int:
    """How long so many bytes sound. (Not as the SDK counts: at the rate at which they were recorded.)"""
    return length // format.sample_bytes * 1_000_000_000 // format.rate_hz


def _end_ns(stretch: _Laying, pace: float) -> int:
    return stretch.begin_ns + round(_sound_ns(stretch.format, stretch.length) / pace)
