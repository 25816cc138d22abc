"""The report of a replay: what was as recorded, what was not, and how far it went."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from .divergence import Difference, Divergence, DivergenceError, Waited

SHOWN = 20
"""Of calls that were not checked, so many are listed in the text; all of them as JSON."""


@dataclass(frozen=True)
class Awaited:
    """Something recorded that did not happen, though it was waited for.

    Attributes:
        seq: the recorded entry.
        line: what it is, in words.
        how: it was waited for.
    """

    seq: int
    line: str
    how: Waited


@dataclass(frozen=True)
class Unchecked:
    """A recorded call of unknown origin, which did not come: nobody knows whether it should have.

    Attributes:
        seq: its entry.
        type: of a send; else the kind, `close`.
        line: what it is, in words.
        session: the id of its session.
    """

    seq: int
    type: str
    line: str
    session: str


@dataclass(frozen=True)
class HeardOtherwise:
    """Where the application's player had played more, or less, of an item than when it was recorded, and the
    model acted on it.

    Attributes:
        seq: the recorded entry: the model asks the playback tracker, or interrupts it.
        item_id: of what is played.
        recorded_ms: how much of it the user had heard then.
        live_ms: how much by the player of today.
        session: the id of the entry's session.
    """

    seq: int
    item_id: str
    recorded_ms: float
    live_ms: float
    session: str = ""


@dataclass(frozen=True)
class Unreported:
    """A recorded call of the application's player on the playback tracker, which never came.

    Attributes:
        seq: its entry.
        session: the id of its session.
    """

    seq: int
    session: str = ""


@dataclass(frozen=True)
class ReplayReport:
    """What a replay found, up to now or to its end. It does not change.

    Attributes:
        recordings: ids of the sessions played, one a connection.
        delivered: events given to the listeners.
        matched: recorded calls that the application made again.
        differing: those that it made with another content, and that were taken for made.
        extra: calls that it made, and that the recording does not hold.
        missing: recorded calls that had to come again, and did not in time.
        unsent: what the user did when recorded (speech, typed text, a hang-up) and nobody did again.
        waived: reactions that did not come, and need not: nothing was expected.
        unchecked: recorded calls of unknown origin that did not come: the user's, or reactions that are
            missing. What is in here, "same" does not say.
        early: seqs of sends that were completed before their place, because nothing else could go on.
        late: seqs of calls that came after their place.
        unmatched_audio: audio sent live that equals none recorded; audio never diverges.
        unheard: events that the application was too quick to hear: it had closed already.
        divergences: in the order in which they were seen.
        awaited: what did not happen though it was waited for.
        changes: settings that differ from the recorded ones, and instructions and tools with them.
        gaps: what the recorder had lost, in words.
        notes: what this replay could not do as recorded, in words.
        weaker: what this event loop does not guarantee, in words; empty on virtual time.
        unreported: calls on the playback tracker that never came: of a player that reports
            nothing any more, or of any, where they are compared exactly.
        heard: where more or less of an item was heard, by the application's own reports, than when recorded.
        uncompared: ids of the sessions in which it was not compared how much was heard: the application's
            player reports from a thread of its own, for which virtual time does not wait.
        closes: why the recorded application closed, in words, for each close that was played.
        unread: events that a session of the application's holds, of which it has read none.
        unplayed: recorded entries that were not reached.
        finished: everything was played.
        recorded_seconds: how long what was played took when it was recorded.
        wall_seconds: how long it took now.
        redacted: what was taken out of what was played, in words.
        outside: divergences that do not count, for they are outside of what is looked at (`within`).
        unmade: connections that followed when this was recorded, and that the application did not make.
    """

    recordings: tuple[str, ...] = ()
    delivered: int = 0
    matched: int = 0
    differing: int = 0
    extra: int = 0
    missing: int = 0
    unsent: int = 0
    waived: int = 0
    unchecked: tuple[Unchecked, ...] = ()
    early: tuple[int, ...] = ()
    late: tuple[int, ...] = ()
    unmatched_audio: int = 0
    unheard: int = 0
    divergences: tuple[Divergence, ...] = ()
    awaited: tuple[Awaited, ...] = ()
    changes: tuple[Difference, ...] = ()
    gaps: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    weaker: tuple[str, ...] = ()
    unreported: tuple[Unreported, ...] = ()
    heard: tuple[HeardOtherwise, ...] = ()
    uncompared: tuple[str, ...] = ()
    closes: tuple[str, ...] = ()
    unread: int = 0
    unplayed: int = 0
    finished: bool = False
    recorded_seconds: float = 0.0
    wall_seconds: float = 0.0
    redacted: str = ""
    outside: int = 0
    unmade: int = 0

    @property
    def places(self) -> list[tuple[str, int | None, str]]:
        """Of each divergence the recorded session, its entry, if one is concerned, and a line."""
        return [(one.session, one.seq, str(one).splitlines()[0]) for one in self.divergences]

    @property
    def diverged(self) -> bool:
        """Whether the application did what the recording does not hold."""
        return bool(self.divergences)

    @property
    def verdict(self) -> str:
        """In two words at most: `same`, `diverged`, `not finished`."""
        return "diverged" if self.diverged else "same" if self.finished else "not finished"

    @property
    def remark(self) -> str:
        """What "same" does not say, in a line; empty where all was checked."""
        closes = sum(one.type == "close" for one in self.unchecked)
        sends = len(self.unchecked) - closes
        parts = [_count(sends, "send")] if sends else []
        parts += [_count(closes, "close")] if closes else []
        found = [f"{' and '.join(parts)} of unknown origin {_was(len(self.unchecked))} not checked"]
        found = found if parts else []
        if self.waived:
            were = _was(self.waived)
            found.append(f"{_count(self.waived, 'reaction')} {were} not expected, and did not come")
        if self.unreported:
            found.append(f"{_count(len(self.unreported), 'report')} of the player never came")
        if self.heard:
            found.append(f"what was heard differs at {_count(len(self.heard), 'place')}")
        if self.uncompared:
            found.append("how much was heard was not compared, for the player has a thread of its own")
        if self.unread:
            found.append(f"none of the {_count(self.unread, 'event')} of its session was read")
        if self.unmade:
            found.append(
                f"{_count(self.unmade, 'connection')} that followed {_was(self.unmade)} not made again"
            )
        if self.outside:
            was = _was(self.outside)
            found.append(f"{_count(self.outside, 'divergence')} outside of the stretch {was} not counted")
        return ", and ".join(found)

    @property
    def times_real_time(self) -> float | None:
        """How many times faster than when it was recorded; None where no time passed."""
        return self.recorded_seconds / self.wall_seconds if self.wall_seconds > 0 else None

    def within(self, counts: Callable[[str, int], bool], *, end: bool) -> ReplayReport:
        """The same of a stretch alone: what was found elsewhere is no divergence, and is counted.

        Args:
            counts: says whether of a session (its id) the number of an entry, or one behind the last, is in
                the stretch.
            end: so is the recording's end: a further connection has no entry.
        """
        unchecked = tuple(one for one in self.unchecked if counts(one.session, one.seq))
        heard = tuple(one for one in self.heard if counts(one.session, one.seq))
        unreported = tuple(one for one in self.unreported if counts(one.session, one.seq))
        of_many = {"unchecked": bool(unchecked), "playback": bool(heard or unreported or self.uncompared)}

        def is_in(one: Divergence) -> bool:
            place = one.here if one.seq is None or one.kind == "unexpected" else one.seq
            return of_many.get(one.kind, end if place is None else counts(one.session, place))

        divergences = tuple(filter(is_in, self.divergences))
        return replace(
            self,
            divergences=divergences,
            unchecked=unchecked,
            heard=heard,
            unreported=unreported,
            outside=len(self.divergences) - len(divergences),
            unmade=self.unmade if end else 0,
        )

    def raise_for_divergence(self) -> None:
        """Raise the first divergence, if there is one.

        Raises:
            DivergenceError: with that divergence.
        """
        if self.divergences:
            raise DivergenceError(self.divergences[0])

    def __str__(self) -> str:
        return self.told()

    def told(self, verdict: str | None = None) -> str:
        """The report as text.

        Args:
            verdict: its first word, where somebody knows more than the report; None: the report's own.
        """
        lines = [self._headline(verdict or self.verdict), *self._lines()]
        for number, divergence in enumerate(self.divergences, 1):
            told = divergence.told(of_several=len(self.recordings) > 1 or divergence.nth > 1)
            lines += ["", f"{number}. {told}"]
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """As a dict that `json` writes."""
        facts = asdict(self)
        if not self.redacted:
            del facts["redacted"]
        if not self.uncompared:
            del facts["uncompared"]
        if not self.waived:
            del facts["waived"]
        if not self.outside:
            del facts["outside"]
        if not self.unmade:
            del facts["unmade"]
        facts["verdict"] = self.verdict
        facts["remark"] = self.remark
        facts["diverged"] = self.diverged
        facts["times_real_time"] = self.times_real_time
        return facts

    def _in(self, session: str) -> str:
        several = len(self.recordings) > 1 and session in self.recordings
        return f" (in session {self.recordings.index(session) + 1})" if several else ""

    def _headline(self, verdict: str) -> str:
        parts = [
            f"{_count(self.delivered, 'event')} delivered",
            f"{_count(self.matched, 'call')} as recorded",
        ]
        parts += [f"{self.differing} with another content"] if self.differing else []
        parts += [f"{self.extra} extra"] if self.extra else []
        parts += [f"{self.missing} missing"] if self.missing else []
        left = "entry" if self.unplayed == 1 else "entries"
        but = f", but {self.remark}" if self.remark else ""
        return f"{verdict}{but}: {', '.join(parts)}, {self.unplayed} {left} unplayed"

    def _lines(self) -> list[str]:
        lines: list[str] = []
        if self.times_real_time is not None:
            lines.append(
                f"speed: {self.recorded_seconds:,.3g} s of conversation in {self.wall_seconds:,.3g} s, "
                f"{self.times_real_time:,.3g} times real time"
            )
        lines += [f"not checked: {one.line}{self._in(one.session)}" for one in self.unchecked[:SHOWN]]
        if len(self.unchecked) > SHOWN:
            lines.append(f"not checked: {len(self.unchecked) - SHOWN} more")
        if len(self.recordings) > 1:
            lines.append(
                f"sessions: {len(self.recordings)}, from #{self.recordings[0]} to #{self.recordings[-1]}: "
                "the model connected again"
            )
        lines += [
            f"heard: at #{one.seq} {one.live_ms:,.0f} ms of {one.item_id}, when recorded "
            f"{one.recorded_ms:,.0f} ms{self._in(one.session)}"
            for one in self.heard[:SHOWN]
        ]
        for session in dict.fromkeys(one.session for one in self.unreported):
            lost = [f"#{one.seq}" for one in self.unreported if one.session == session]
            numbers = ", ".join([*lost[:SHOWN], *(["…"] if len(lost) > SHOWN else [])])
            told = f"the player did not report what it did when recorded{self._in(session)}"
            lines.append(f"playback: {told}: {numbers}")
        if self.unsent:
            lines.append(
                f"left out: {_count(self.unsent, 'thing')} that the user did (spoke, typed, hung up); "
                "a replay goes on without"
            )
        if self.early:
            lines.append(
                f"early: {_count(len(self.early), 'send')} went through before the recorded moment, the "
                f"first at entry {self.early[0]}: everything else was waiting for it"
            )
        if self.late:
            lines.append(
                f"late: {_count(len(self.late), 'call')} came after the recorded moment had passed, "
                f"the first at entry {self.late[0]}"
            )
        if self.unmatched_audio:
            lines.append(
                f"audio: {_count(self.unmatched_audio, 'chunk')} sent that the recording does not hold; "
                "audio is never a divergence"
            )
        if self.unheard:
            lines.append(f"unheard: {_count(self.unheard, 'event')} found no listener")
        lines += [
            f"changed setting {change.field}: {change.recorded} → {change.live}" for change in self.changes
        ]
        lines += [f"gap: {text}" for text in self.gaps]
        if self.redacted and self.diverged:
            lines.append(
                f"{self.redacted}: who decides by what was taken out is given a stand-in, and acts "
                "otherwise; export it anew with --no-redact"
            )
        lines += [f"note: {text}" for text in self.notes]
        lines += [f"note: {text}" for text in self.weaker]
        return lines


def _was(number: int) -> str:
    return "was" if number == 1 else "were"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
