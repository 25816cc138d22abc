"""`PlaybackSpan`: what the playback state says over time: which sound plays, how far, where it stands still,
and how that ends; and `PlaybackReader`, which finds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from ..schema.entries import Entry, Flag, Kind
from .audio import SLACK_MS, Part, ReceivedAudio, audio_event, heard_part
from .messages import interrupts
from .sound import SoundFormat

PAUSE_NS = 250_000_000
"""Who has played no more for longer than this pauses; what is shorter is jitter."""

SHORTEST_PAUSE_NS = 50_000_000
"""So long at least by the session's clock, however fast it goes."""

_ASSUMED = int(Flag.ASSUMED)  # a bare number, for every entry is asked

PlaybackDoing = Literal["playing", "paused", "waiting"]
"""A player plays; it stands still; it stands still, for it has played all that came by then."""

PlaybackEnd = Literal["finished", "interrupted", "left", "open"]
"""All that came was played; somebody broke in; the tracker went on to something else; the recording ends."""


@dataclass(frozen=True, slots=True)
class PlaybackSpan:
    """What a player did for a while. Milliseconds are of the sound, as the playback state counts them;
    instants are nanoseconds since the session began.

    Attributes:
        seq: of the entry that first tells it.
        item_id, content_index: which sound.
        doing: what it did with it.
        begin_ns, end_ns: from when until when.
        from_ms, to_ms: how much of the sound had been played before, and after it.
        assumed: nobody told: the recorder assumes that sound plays as it comes.
        ended: how the playing of this sound ends, in the last of its spans; None: another one follows.
    """

    seq: int
    item_id: str
    content_index: int
    doing: PlaybackDoing
    begin_ns: int
    end_ns: int
    from_ms: float
    to_ms: float
    assumed: bool
    ended: PlaybackEnd | None = None


class _Longer(NamedTuple):
    """Between two reports, a longer while apart.

    Attributes:
        seq: of the later one.
        from_ns, from_ms, to_ns, to_ms: of both.
        waits: all that had come was played by the first, and more came before the other.
    """

    seq: int
    from_ns: int
    from_ms: float
    to_ns: int
    to_ms: float
    waits: bool


@dataclass(slots=True)
class _Going:
    """A sound that a player is at.

    Attributes:
        ratio: how many milliseconds of it go by in one of those in which the state counts.
        from_ms: how much of it had been played before.
        first_seq, first_ns, first_ms: where the state told first that some of it was played, when, how much.
        last_seq, last_ns, last_ms: likewise, last.
        longest_ms: the most that was played from one report to the next.
        dry: all that had come was played at the last report.
        came_ns: when more came then; None: nothing did.
        until_ns: when the player was no more at it; None: it still is.
        broken_ns: when somebody broke in; None: nobody did.
    """

    part: Part
    assumed: bool
    ratio: float
    from_ms: float
    first_seq: int
    first_ns: int
    first_ms: float
    last_seq: int
    last_ns: int
    last_ms: float
    longest_ms: float
    dry: bool
    came_ns: int | None = None
    until_ns: int | None = None
    broken_ns: int | None = None
    steps: list[_Longer] = field(default_factory=list[_Longer])


class PlaybackReader:
    """Is told every entry, in order, after `received` was; keeps a few numbers of each report that came a
    longer while after the one before.

    Args:
        received: what came of each sound, and in which format.

    Attributes:
        played_ms, played_ns: how many milliseconds of sound the application reported to have played, and in
            how many nanoseconds of the session's clock, pauses apart.
    """

    def __init__(self, received: ReceivedAudio) -> None:
        self._received = received
        self._all: list[_Going] = []
        self._first: dict[Part, _Going] = {}
        self._most_ms: dict[Part, float] = {}
        self._broken_ns: dict[Part, int] = {}
        self._at_ns = 0
        self.played_ms = 0.0
        self.played_ns = 0

    def read(self, entry: Entry) -> None:
        """The next entry."""
        self._at_ns = entry.at_ns
        going = self._all[-1] if self._all else None
        if going is not None and (entry.kind == Kind.RECEIVED or entry.kind == Kind.PLAYBACK):
            self._break(entry, going)
            if going.dry and going.came_ns is None and (given := audio_event(entry)) is not None:
                going.came_ns = entry.at_ns if given[0] == going.part else None
        elapsed_ms = entry.elapsed_ms
        part = heard_part(entry)
        if (
            going is not None
            and elapsed_ms == going.last_ms
            and part == going.part
            and going.until_ns is None
        ):
            return  # as with most entries, no more was played since the one before
        assumed = bool(entry.flags & _ASSUMED)
        if part is not None and elapsed_ms is not None and (elapsed_ms or assumed):
            self._told(entry, part, elapsed_ms, assumed)
        elif going is not None and part != going.part and going.until_ns is None:
            going.until_ns = entry.at_ns

    def begin_ns(self, part: Part, pace: float) -> int | None:
        """When a sound began to play, by what was told of it first, or is assumed; None: nothing is."""
        going = self._first.get(part)
        return None if going is None else _begin_ns(going, 1.0 if going.assumed else pace)

    def spans(self, pace: float) -> tuple[PlaybackSpan, ...]:
        """All, in order; none begins before the one before it has ended.

        Args:
            pace: how many seconds of sound go by in a second of the session's clock.
        """
        found: list[PlaybackSpan] = []
        for place, going in enumerate(self._all):
            free_ns = found[-1].end_ns if found else 0
            after = self._all[place + 1] if place + 1 < len(self._all) else None
            found += self._spans_of(going, after, free_ns, 1.0 if going.assumed else pace)
        return (*found,)

    # --- reading --------------------------------------------------------------------------------------

    def _break(self, entry: Entry, going: _Going) -> None:
        """Where somebody breaks into what is being heard, or was a moment ago."""
        told = interrupts(entry) or (entry.kind == Kind.PLAYBACK and entry.method == "on_interrupted")
        if told and (going.until_ns is None or entry.at_ns - going.last_ns <= PAUSE_NS):
            self._broken_ns.setdefault(going.part, entry.at_ns)
            going.broken_ns = self._broken_ns[going.part]

    def _told(self, entry: Entry, part: Part, elapsed_ms: float, assumed: bool) -> None:
        """So much of a sound has been played by now."""
        going = self._all[-1] if self._all else None
        if going is None or going.part != part or going.assumed != assumed or elapsed_ms < going.last_ms:
            self._begin(entry, part, elapsed_ms, assumed)
            return
        going.until_ns = None
        if elapsed_ms == going.last_ms:
            return
        longer_ms, longer_ns = elapsed_ms - going.last_ms, entry.at_ns - going.last_ns
        again = elapsed_ms <= self._most_ms.get(part, 0.0)  # a player that began anew
        if not assumed and not again and longer_ns < 4 * longer_ms * going.ratio * 1e6:  # else it paused
            self.played_ms += longer_ms * going.ratio
            self.played_ns += longer_ns
        if longer_ns > SHORTEST_PAUSE_NS:
            waits = going.dry and going.came_ns is not None
            going.steps.append(
                _Longer(entry.seq, going.last_ns, going.last_ms, entry.at_ns, elapsed_ms, waits)
            )
        going.longest_ms = max(going.longest_ms, longer_ms)
        going.last_seq, going.last_ns, going.last_ms = entry.seq, entry.at_ns, elapsed_ms
        self._most_ms[part] = max(elapsed_ms, self._most_ms.get(part, 0.0))
        going.dry, going.came_ns = self._is_dry(part, elapsed_ms), None

    def _begin(self, entry: Entry, part: Part, elapsed_ms: float, assumed: bool) -> None:
        if self._all and self._all[-1].until_ns is None:
            self._all[-1].until_ns = entry.at_ns
        told = (entry.seq, entry.at_ns, elapsed_ms)
        dry = self._is_dry(part, elapsed_ms)
        most_ms = self._most_ms.get(part, 0.0)
        before_ms = most_ms if most_ms < elapsed_ms else 0.0  # else it began anew
        longest_ms, ratio = elapsed_ms - before_ms, _ratio(self._received.formats.model)
        going = _Going(part, assumed, ratio, before_ms, *told, *told, longest_ms, dry)
        going.broken_ns = self._broken_ns.get(part)
        self._all.append(going)
        self._most_ms[part] = max(elapsed_ms, most_ms)
        self._first.setdefault(part, going)

    def _is_dry(self, part: Part, elapsed_ms: float) -> bool:
        came_ms = self._received.given_ms(part) or self._received.ms(part)
        return 0 < came_ms <= elapsed_ms + SLACK_MS

    # --- telling --------------------------------------------------------------------------------------

    def _spans_of(self, going: _Going, after: _Going | None, free_ns: int, pace: float) -> list[PlaybackSpan]:
        item_id, content_index = going.part
        ended = self._ended(going, after)
        found: list[PlaybackSpan] = []

        def add(seq: int, doing: PlaybackDoing, end_ns: int, to_ms: float) -> None:
            nonlocal begin_ns, from_ms
            end_ns = max(end_ns, begin_ns)
            played = (from_ms, to_ms, going.assumed)
            found.append(PlaybackSpan(seq, item_id, content_index, doing, begin_ns, end_ns, *played))
            begin_ns, from_ms = end_ns, to_ms

        begin_ns, from_ms = max(_begin_ns(going, pace), free_ns), going.from_ms
        seq, last_ns = going.first_seq, going.last_ns
        for step in going.steps:
            length_ns = round((step.to_ms - step.from_ms) * going.ratio * 1e6 / pace)
            if going.assumed and step.waits:  # what came is assumed to be played at once
                length_ns = 0
            elif going.assumed:  # it was played by then, and only now somebody looks
                last_ns = step.from_ns + length_ns if step.to_ns == going.last_ns else last_ns
                continue
            stood_ns = step.to_ns - length_ns
            if stood_ns - step.from_ns > _pause_ns(pace):
                add(seq, "playing", step.from_ns, step.from_ms)
                add(step.seq, "waiting" if step.waits else "paused", stood_ns, step.from_ms)
                seq = step.seq
        add(seq, "playing", last_ns, going.last_ms)
        until_ns = min(self._at_ns if one is None else one for one in (going.until_ns, going.broken_ns))
        if after is not None:  # the first report of another sound is of what was played before it
            until_ns = min(until_ns, _begin_ns(after, 1.0 if after.assumed else pace))
        longest_ns = going.longest_ms * going.ratio * 1e6 / pace
        if ended != "finished" and until_ns - last_ns > max(_pause_ns(pace), longest_ns):
            dry = going.dry and going.came_ns is None
            add(going.last_seq, "waiting" if dry else "paused", until_ns, going.last_ms)
        found[-1] = _ending(found[-1], ended)
        return found

    def _ended(self, going: _Going, after: _Going | None) -> PlaybackEnd:
        received = self._received
        if received.has(going.part) and going.last_ms + SLACK_MS >= received.ms(going.part):
            return "finished"
        if going.broken_ns is not None:
            return "interrupted"
        return "open" if after is None and going.until_ns is None else "left"


class PlayedStretch(NamedTuple):
    """From where to where a player played a sound for the first time, and when, as it reported.

    Attributes:
        from_ms, to_ms: of the sound, as the playback state counts.
        begin_ns, end_ns: on the session's clock.
    """

    from_ms: float
    to_ms: float
    begin_ns: int
    end_ns: int


def first_played(spans: Sequence[PlaybackSpan]) -> dict[Part, list[PlayedStretch]]:
    """Of each sound that an application reported, what was played when: in order, nothing of it twice. A
    player that goes back to what it has played already is where it was, until it goes further."""
    found: dict[Part, list[PlayedStretch]] = {}
    most_ms: dict[Part, float] = {}
    for span in spans:
        part = span.item_id, span.content_index
        known_ms = most_ms.get(part, 0.0)
        if span.to_ms > known_ms:
            most_ms[part] = span.to_ms
            if span.doing == "playing" and not span.assumed:
                found.setdefault(part, []).append(_further(span, max(known_ms, span.from_ms)))
    return found


def _further(span: PlaybackSpan, from_ms: float) -> PlayedStretch:
    """The rest of a span from a place of the sound on."""
    share = (from_ms - span.from_ms) / (span.to_ms - span.from_ms)
    begin_ns = span.begin_ns + round(share * (span.end_ns - span.begin_ns))
    return PlayedStretch(from_ms, span.to_ms, begin_ns, span.end_ns)


def _begin_ns(going: _Going, pace: float) -> int:
    played_ms = going.first_ms - going.from_ms
    return max(round(going.first_ns - played_ms * going.ratio * 1e6 / pace), 0)


def _pause_ns(pace: float) -> float:
    return max(PAUSE_NS / pace, SHORTEST_PAUSE_NS)


def _ratio(format: SoundFormat) -> float:
    return format.duration_ms(format.sample_bytes) / format.ms(format.sample_bytes)


def _ending(span: PlaybackSpan, ended: PlaybackEnd) -> PlaybackSpan:
    return PlaybackSpan(
        *(span.seq, span.item_id, span.content_index, span.doing, span.begin_ns, span.end_ns),
        *(span.from_ms, span.to_ms, span.assumed, ended),
    )
