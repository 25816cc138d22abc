"""`ReportBuilder`: the report of a replay while it grows."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields, replace
from typing import Any, cast

from ...schema.entries import Entry
from ...session.words import line
from .divergence import Difference, Divergence
from .report import Awaited, HeardOtherwise, ReplayReport, Unchecked, Unreported

Played = Callable[[], tuple[int, int]]
"""How far a connection was played: the first entry that has not happened, and when the last that has was
recorded, in nanoseconds."""


@dataclass
class ReportBuilder:
    """Grows while a replay runs; `frozen()` is what others get to see. Its attributes are those of a
    `ReplayReport`.

    Attributes:
        answers_itself: no application is replayed: the recording is answered with what it holds.
    """

    recordings: list[str] = field(default_factory=list[str])
    delivered: int = 0
    matched: int = 0
    differing: int = 0
    extra: int = 0
    missing: int = 0
    unsent: int = 0
    waived: int = 0
    unchecked: dict[tuple[str, int], Unchecked] = field(default_factory=dict[tuple[str, int], Unchecked])
    early: list[int] = field(default_factory=list[int])
    late: list[int] = field(default_factory=list[int])
    unmatched_audio: int = 0
    unheard: int = 0
    divergences: list[Divergence] = field(default_factory=list[Divergence])
    awaited: list[Awaited] = field(default_factory=list[Awaited])
    changes: list[Difference] = field(default_factory=list[Difference])
    gaps: list[str] = field(default_factory=list[str])
    unreported: list[Unreported] = field(default_factory=list[Unreported])
    heard: list[HeardOtherwise] = field(default_factory=list[HeardOtherwise])
    uncompared: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])
    closes: list[str] = field(default_factory=list[str])
    unread: int = 0
    finished: bool = False
    redacted: str = ""
    answers_itself: bool = False
    connections: list[PlayedConnection] = field(default_factory=list["PlayedConnection"])
    _closed_before: list[int] = field(default_factory=list[int])  # closes, by the time that each began

    def leave_unchecked(self, entry: Entry) -> None:
        """A call that nobody knows the origin of did not come."""
        session = self.session
        one = Unchecked(entry.seq, entry.type or str(entry.kind), line(entry), session)
        self.unchecked[session, entry.seq] = one

    def check_late(self, seq: int) -> None:
        """It came after all."""
        self.unchecked.pop((self.session, seq), None)

    @property
    def session(self) -> str:
        """The id of the session that is played, or was last; empty: none was."""
        return self.recordings[-1] if self.recordings else ""

    def note(self, text: str) -> None:
        """Add a note, once."""
        if text not in self.notes:
            self.notes.append(text)

    def begin(
        self, id: str, length: int, played: Played, weaker: Callable[[], Iterable[str]]
    ) -> PlayedConnection:
        """A connection begins to be played.

        Args:
            id: of its session.
            length: entries of it.
            played: says how far it has come.
            weaker: what its event loop does not guarantee.
        """
        self.finished = False
        self.recordings.append(id)
        self._closed_before.append(len(self.closes))
        connection = PlayedConnection(length, played, weaker)
        self.connections.append(connection)
        return connection

    def end(self, *, finished: bool = False) -> None:
        """The connection that began last is played, or will not be played any further."""
        self.finished = self.finished or finished
        if self.connections:
            self.connections[-1].end()

    def was_extra(self, taken: Divergence) -> None:
        """A call that was taken for a recorded one with another content was not: that one has come."""
        place = next((at for at, one in enumerate(self.divergences) if one is taken), None)
        if place is None:
            return
        self.differing -= 1
        self.extra += 1
        self.divergences[place] = replace(
            taken,
            kind="unexpected",
            summary=f"{taken.summary}, which came later all the same: this one is extra",
            headline=f"extra: {taken.actual}, before #{taken.seq}",
        )

    def add(self, divergence: Divergence) -> None:
        """One more. What came while a missing call was awaited stands behind that; and whom it should have
        come before is not in another order, too."""
        found = self.divergences
        if divergence.kind != "missing":
            return found.append(divergence)
        session, seq = divergence.session, divergence.seq
        found[:] = [one for one in found if (one.kind, one.session, one.seq) != ("order", session, seq)]
        place = len(found)
        while place and (found[place - 1].session, found[place - 1].meanwhile) == (session, seq):
            place -= 1
        found.insert(place, divergence)

    def came_late(self, seq: int) -> None:
        """A call that was given up as missing has come: it is late, and not missing as well."""
        for place in range(len(self.divergences) - 1, -1, -1):
            one = self.divergences[place]
            if one.kind == "missing" and one.seq == seq:
                self.missing -= 1
                self.divergences[place] = replace(
                    one,
                    kind="late",
                    summary=f"{one.summary}; it came later, when it had been given up",
                    headline=one.headline.replace("missing:", "late:", 1),
                )
                return

    def frozen(self) -> ReplayReport:
        """What was found up to now."""
        measured = [connection.measured() for connection in self.connections]  # counts what is being given
        facts: dict[str, Any] = {one.name: _frozen(getattr(self, one.name)) for one in fields(self)}
        del facts["connections"], facts["answers_itself"], facts["_closed_before"]
        if len(self.recordings) > 1:
            facts["closes"] = tuple(
                f"{text} (in session {bisect_right(self._closed_before, at)})"
                for at, text in enumerate(self.closes)
            )
        if self.answers_itself:  # whoever made a call: nobody is checked
            facts["unsent"] += len(self.unchecked) + self.waived
            facts["waived"] = 0
            facts["unchecked"] = facts["unreported"] = facts["heard"] = facts["uncompared"] = ()
        return ReplayReport(
            **facts,
            weaker=tuple(dict.fromkeys(text for one in measured for text in one.weaker)),
            unplayed=sum(one.unplayed for one in measured[:-1])
            + (measured[-1].unplayed if measured and not self.finished else 0),
            recorded_seconds=sum(one.recorded_ns for one in measured) / 1e9,
            wall_seconds=sum(one.wall_seconds for one in measured),
        )


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple(cast("dict[Any, Any]", value).values())
    return tuple(cast("list[Any]", value)) if isinstance(value, list) else value


def _nothing() -> Iterable[str]:
    return ()


def _nowhere() -> tuple[int, int]:
    return 0, 0


@dataclass(frozen=True)
class Measured:
    """How far a connection was played, for how long, and what was weaker."""

    unplayed: int
    recorded_ns: int
    wall_seconds: float
    weaker: tuple[str, ...]


class PlayedConnection:
    """One connection that is being played; its arguments are those of `ReportBuilder.begin`."""

    def __init__(self, length: int, played: Played, weaker: Callable[[], Iterable[str]]) -> None:
        self._length = length
        self._played = played
        self._weaker = weaker
        self._began = time.perf_counter()
        self._measured: Measured | None = None

    def end(self) -> None:
        """It goes no further."""
        self._measured = self.measured()
        self._played, self._weaker = _nowhere, _nothing  # which may hold a lot

    def measured(self) -> Measured:
        """How far it has come."""
        if self._measured is not None:
            return self._measured
        here, passed_ns = self._played()
        return Measured(
            max(self._length - here, 0),
            passed_ns,
            time.perf_counter() - self._began,
            tuple(self._weaker()),
        )
