"""Where each sound lies on the session's clock: one lane of the user's voice, and one of the model's.

A log says when each piece of sound was sent or came, not when it was spoken or played. A microphone sends a
piece when it has it, so the user's lies before its entry; a player plays the model's pieces one after
another: where the application reported what it played, and when, there it lies; else behind each other, the
first where it came. What was heard is how far of it, so the lane of that is a mask over the model's.
"""

from __future__ import annotations

from bisect import bisect_right
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
from .playback_spans import PlaybackReader, PlaybackSpan, PlayedStretch, first_played
from .sound import SoundFormat

PAUSE_NS = 250_000_000
"""No more than this between two pieces of the user's sound is jitter, and no break."""

LATE_NS = 50_000_000
"""A piece of the model's that comes no later than this after the end of the one before: likewise."""

LONGEST_NS = 60_000_000_000
"""Longer sound of the user's is cut into stretches that lie end to end, so that of a session that grows only
the last one changes."""

REAL_TIME = 1.5
"""What goes by so many times as fast, or as slowly, does not go at the speed of speech. And reports that go
by so many times as fast as the rest are none of playing: sound keeps its speed."""

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
    """A stretch that is being laid.

    Attributes:
        pace: how many seconds of it go by in a second of the session's clock.
    """

    begin_ns: int
    format: SoundFormat
    part: Part | None
    pace: float
    offset: int = 0
    length: int = 0
    pieces: list[SoundPiece] = field(default_factory=list[SoundPiece])

    @property
    def end_ns(self) -> int:
        """Where it ends, as far as it has come."""
        return self.begin_ns + round(_sound_ns(self.format, self.length) / self.pace)

    def add(self, piece: _Coming) -> None:
        """What was cut, and goes on all the same, is one piece again."""
        segment, begin, length = piece.reference
        last = self.pieces[-1] if self.pieces else None
        if (
            last is not None
            and last.seq == piece.seq
            and last.reference[:2] == (segment, begin - last.length)
        ):
            whole = segment, last.reference[1], last.length + length
            self.pieces[-1] = SoundPiece(piece.seq, piece.at_ns, whole, last.begin)
        else:
            self.pieces.append(SoundPiece(piece.seq, piece.at_ns, piece.reference, self.length))
        self.length += length


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
        return Lanes(pace, (*self._laid("user", user), *self._laid("model", model)), playback)

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
            end_ns = 0 if stretch is None else stretch.end_ns
            over = stretch is None or _sound_ns(stretch.format, stretch.length) >= LONGEST_NS
            pauses = began_ns - end_ns > PAUSE_NS / pace
            if over or stretch is None or pauses or stretch.format != piece.format:
                if stretch is not None:
                    yield stretch
                goes_on = stretch is not None and not pauses
                stretch = _Laying(end_ns if goes_on else max(began_ns, end_ns), piece.format, None, pace)
            stretch.add(piece)
        if stretch is not None:
            yield stretch

    def _models(self, pace: float, playback: Sequence[PlaybackSpan]) -> Iterable[_Laying]:
        """What was played lies where the player says, also of one that goes from one sound to another and
        back; the rest of a sound behind that; what nobody reports where it came, behind what is playing."""
        stretches: list[_Laying] = []
        last: _Laying | None = None  # in time
        at_hand: _Laying | None = None  # that took the piece before
        parts = {part: _LayingPart(played) for part, played in first_played(playback).items()}
        for whole in self._model:
            part = whole.part or ("", 0)
            known = parts.setdefault(part, _LayingPart([]))
            for piece, played in known.split(whole):
                going = known.open if known.played else at_hand
                same = going is not None and going.part == part and going.format == piece.format
                if not (same and going is not None and known.goes_on(piece, played, pace)):
                    going = self._begun(piece, known, played, last, pace, own=going)
                    stretches.append(going)
                    if last is None or last.begin_ns <= going.begin_ns:
                        last = going
                going.add(piece)
                known.took(piece, going, played)
                at_hand = going
        return sorted(stretches, key=_begin_ns)

    def _begun(
        self,
        piece: _Coming,
        known: _LayingPart,
        played: PlayedStretch | None,
        last: _Laying | None,
        pace: float,
        own: _Laying | None,
    ) -> _Laying:
        """A stretch that begins with a piece.

        Args:
            last: the one that begins last of those that there are.
            own: of the sound itself, if that is at hand.
        """
        begin_ns: int | None = None
        if played is not None and played is not known.at:
            begin_ns = played.begin_ns
        elif own is not None and own is known.open:
            begin_ns = max(piece.at_ns if played is None else 0, own.end_ns)
        elif known.open is None and piece.part is not None:
            begin_ns = self._playback.begin_ns(piece.part, pace)
        if begin_ns is None:
            begin_ns = self._free_ns(piece, last)
        if played is None and last is not None:
            begin_ns = max(begin_ns, last.begin_ns)
        if played is not None:
            pace = _pace_of(played, piece.format, pace)
        return _Laying(begin_ns, piece.format, piece.part or ("", 0), pace, offset=known.length)

    def _free_ns(self, piece: _Coming, last: _Laying | None) -> int:
        """When a player begins with what nobody reports: when it came, behind what is playing, which ends
        where the user broke in."""
        if last is None:
            return piece.at_ns
        cut = bisect_right(self._silenced_ns, piece.at_ns)
        free_ns = min(last.end_ns, self._silenced_ns[cut - 1]) if cut else last.end_ns
        return max(piece.at_ns, free_ns)

    def _laid(self, lane: LaneName, stretches: Iterable[_Laying]) -> list[Stretch]:
        opened: Sequence[_Laying] = list(stretches)
        laid: list[Stretch] = []
        for place, one in enumerate(opened):
            end_ns = one.end_ns
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


class _LayingPart:
    """A sound that is being laid.

    Args:
        played: what of it was played when.

    Attributes:
        length: in bytes, how much was laid.
        open: the stretch that took the last of it; None: nothing was laid.
        at: what was played that this was of; None: nobody reports it.
    """

    def __init__(self, played: Sequence[PlayedStretch]) -> None:
        self.played = played
        self.length = 0
        self.open: _Laying | None = None
        self.at: PlayedStretch | None = None
        self._place = 0

    def goes_on(self, piece: _Coming, played: PlayedStretch | None, pace: float) -> bool:
        """Whether a piece goes on in the open stretch."""
        if played is not None or self.open is None:
            return played is self.at
        return piece.at_ns - self.open.end_ns <= LATE_NS / pace

    def took(self, piece: _Coming, stretch: _Laying, played: PlayedStretch | None) -> None:
        """A piece was laid."""
        self.length += piece.reference[2]
        self.open, self.at = stretch, played

    def split(self, piece: _Coming) -> Iterator[tuple[_Coming, PlayedStretch | None]]:
        """A piece, cut where its player went elsewhere, or came from there; each is taken before the next is
        asked for."""
        segment, begin, left = piece.reference
        while left:
            played, length = self._next(piece.format, left)
            yield replace(piece, reference=(segment, begin, length)), played
            begin, left = begin + length, left - length

    def _next(self, format: SoundFormat, left: int) -> tuple[PlayedStretch | None, int]:
        """What was played of the next bytes, and for how many that holds."""
        while self._place < len(self.played):
            played = self.played[self._place]
            from_bytes, to_bytes = format.bytes_in(played.from_ms), format.bytes_in(played.to_ms)
            if self.length < from_bytes:
                return None, min(left, from_bytes - self.length)
            if self.length < to_bytes:
                return played, min(left, to_bytes - self.length)
            self._place += 1
        return None, left


def _pace_of(played: PlayedStretch, format: SoundFormat, pace: float) -> float:
    """How many seconds of sound go by in a second of the clock while this is played: as the reports say,
    where they do not differ by jitter alone, and can be of playing."""
    sound_ns = _sound_ns(format, format.bytes_in(played.to_ms) - format.bytes_in(played.from_ms))
    length_ns = played.end_ns - played.begin_ns
    if pace == 1 and abs(length_ns - sound_ns) <= PAUSE_NS:
        return pace
    own = sound_ns / length_ns if length_ns > 0 else 0.0
    return own if pace / REAL_TIME < own < pace * REAL_TIME else pace


def _begin_ns(stretch: _Laying) -> int:
    return stretch.begin_ns


def _sound_ns(format: SoundFormat, length: int) -> int:
    """How long so many bytes sound. (Not as the SDK counts: at the rate at which they were recorded.)"""
    return length // format.sample_bytes * 1_000_000_000 // format.rate_hz
