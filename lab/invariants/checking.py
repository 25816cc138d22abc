"""`check` and `Watch`: rules held against recordings, and against entries as they come; and what is found:
violations, and what could not be checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ...schema.entries import Entry, Flag, Header, Kind
from ...schema.errors import RealtapeError, UsageError
from ...session.drafts import Draft
from ...session.fields import server_message
from ...session.recording import Recording
from ...session.speech import Speech
from ...session.wire_events import entries_with_events
from ...session.words import line
from .calls import CallsAnsweredOnce
from .ends import NothingAfterEndOfStream, NothingSentAfterClose
from .heard import HeardWithinGenerated, TruncatedWithinReceived
from .history import HistoryAgrees
from .interrupted import InterruptsTheInterrupted
from .responses import OneResponseAtATime
from .rule import Evidence, Found, Invariant, Readings, Watching
from .silenced import SilentOnceInterrupted

ALL: tuple[Invariant, ...] = (
    CallsAnsweredOnce(),
    OneResponseAtATime(),
    HeardWithinGenerated(),
    TruncatedWithinReceived(),
    InterruptsTheInterrupted(),
    NothingAfterEndOfStream(),
    HistoryAgrees(),
    NothingSentAfterClose(),
    SilentOnceInterrupted(),
)
"""Every rule that is shipped."""

_WORDS: dict[Evidence, str] = {
    "playback": "calls on a playback tracker",
    "raw_messages": "the provider's raw messages",
    "frames": "the socket's frames",
    "history": "a history",
}

_SOUND = frozenset({"audio", "send_audio"})


class Watch:
    """Holds rules against entries as they come.

    ```python
    watch = Watch(ALL)
    watch.begin(header)
    for entry in entries:
        for violation in watch.add(entry): ...
    violations = watch.end()  # of this session; then begin(header) of the next, or
    findings = watch.findings()
    ```

    Args:
        invariants: the rules.
    """

    def __init__(self, invariants: Iterable[Invariant] = ALL) -> None:
        self._rules = [(rule, rule.watch()) for rule in invariants]
        self._readings = Readings()
        for _, watching in self._rules:
            watching.readings = self._readings
        self._told: dict[str, list[tuple[Invariant, Watching]]] = {}  # by kind, who is told of it
        self._violations: list[Violation] = []
        self._not_checkable: list[NotCheckable] = []
        self._session: str | None = None
        self._before: str | None = None

    def begin(self, header: Header) -> None:
        """A session begins.

        Raises:
            UsageError: the one before it has not ended.
        """
        if self._session is not None:
            raise UsageError(f"session {self._session} is being watched: call end() first")
        known_before = header.previous_session in (None, self._before)
        self._session = header.id
        self._spoken = Speech()
        self._entries: dict[int, Entry] = {}
        self._evidence: set[Evidence] = set()
        self._at_ns = 0
        self._gap: int | None = None
        self._readings.begin()
        for _, watching in self._rules:
            watching.begin(known_before=known_before)

    def add(self, entry: Entry) -> list[Violation]:
        """The next entry of the session; returns what is wrong by now.

        Raises:
            UsageError: no session has begun.
        """
        self._begun()
        self._at_ns = entry.at_ns
        if self._gap is not None:
            return []
        if entry.kind == Kind.GAP:
            self._gap = entry.seq
            return []
        self._look(entry)
        self._readings.read(entry)
        if entry.type not in _SOUND:
            self._entries[entry.seq] = entry  # to be quoted
            self._spoken.read(entry)
        found: list[Violation] = []
        told = self._told.get(entry.kind)
        if told is None:
            told = [one for one in self._rules if one[1].kinds is None or entry.kind in one[1].kinds]
            self._told[entry.kind] = told
        for rule, watching in told:
            for one in watching.add(entry):
                found.append(self._violation(rule, one))
        self._violations += found
        return found

    def end(self) -> list[Violation]:
        """The session has ended; returns what is only now known to be wrong.

        Raises:
            UsageError: no session has begun.
        """
        session = self._begun()
        found: list[Violation] = []
        for rule, watching in self._rules:
            if self._gap is not None:
                why = f"behind #{self._gap}: the recorder lost entries there"
                self._not_checkable.append(NotCheckable(rule.name, session, why))
            elif rule.needs and not self._has(rule):
                needed = " or ".join(_WORDS[need] for need in rule.needs)
                self._not_checkable.append(NotCheckable(rule.name, session, f"the log lacks {needed}"))
            else:
                found += [self._violation(rule, one) for one in watching.end(self._at_ns)]
        self._violations += found
        self._before, self._session = session, None
        return found

    def findings(self) -> Findings:
        """All that was found so far."""
        return Findings(tuple(self._violations), tuple(self._not_checkable))

    # --- helpers ------------------------------------------------------------------------------------

    def _begun(self) -> str:
        if self._session is None:
            raise UsageError("no session is being watched: call begin(header) first")
        return self._session

    def _has(self, rule: Invariant) -> bool:
        return bool((self._evidence | rule.given()) & set(rule.needs))

    def _look(self, entry: Entry) -> None:
        """What the log holds to judge by."""
        if entry.kind in (Kind.FRAME_IN, Kind.FRAME_OUT):
            self._evidence.add("frames")
        elif (message := server_message(entry)) is not None:
            if "$" not in message:
                self._evidence.add("raw_messages")
        elif entry.kind == Kind.PLAYBACK and not entry.flags & Flag.ASSUMED:
            self._evidence.add("playback")

    def _violation(self, rule: Invariant, found: Found) -> Violation:
        seqs = tuple(sorted(found.seqs))
        lines = tuple(line(self._entries[seq]) for seq in seqs if seq in self._entries)
        spoken = self._spoken
        return Violation(
            *(rule.name, found.summary, self._begun(), seqs, lines),
            *(spoken.turn, spoken.speaker, spoken.words),
        )


def check(
    recording: Recording | Draft | Sequence[Draft],
    invariants: Iterable[Invariant] = ALL,
) -> Findings:
    """Hold rules against a recording, and against the sessions that followed it; blocking.

    Args:
        recording: a recording, or drafts: one, or those of one model object in order.
        invariants: the rules.

    Raises:
        StoreError, CorruptRecordError: the recording cannot be read.
    """
    if isinstance(recording, Recording):
        drafts: Sequence[Any] = recording.drafts()
    else:
        drafts = [recording] if isinstance(recording, Draft) else recording
    watch = Watch(invariants)
    for draft in drafts:
        watch.begin(draft.header)
        for entry in entries_with_events(draft):
            watch.add(entry)
        watch.end()
    return watch.findings()


@dataclass(frozen=True)
class Violation:
    """One place where a session breaks a rule.

    Attributes:
        invariant: the rule's name.
        summary: one sentence.
        session: id of the session.
        seqs: numbers of the entries that show it, ascending; the last is where it was seen.
        entries: the same, one line each.
        turn: number of the conversation's turn, from 1; 0 before the first.
        speaker: who spoke last, `user` or `assistant`; None if nobody has.
        said: what, cut short.
    """

    invariant: str
    summary: str
    session: str
    seqs: tuple[int, ...]
    entries: tuple[str, ...] = ()
    turn: int = 0
    speaker: Literal["user", "assistant"] | None = None
    said: str | None = None

    def __str__(self) -> str:
        turn = f"turn {self.turn}" if self.turn else "before the first turn"
        place = turn if self.speaker is None else f"{turn}, after the {self.speaker} said {self.said!r}"
        lines = [self.summary, f"  rule:     {self.invariant}", f"  when:     {place}"]
        lines += [f"  {'entries:' if not n else '':9} {line}" for n, line in enumerate(self.entries)]
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """As a dict that `json` writes."""
        return asdict(self)


@dataclass(frozen=True)
class NotCheckable:
    """A rule of which a log does not tell whether it holds.

    Attributes:
        invariant: the rule's name.
        session: id of the session.
        why: what is missing.
    """

    invariant: str
    session: str
    why: str

    def __str__(self) -> str:
        return f"{self.invariant}: not checkable, {self.why}"


@dataclass(frozen=True)
class Findings:
    """The answer of a check. A rule that is in neither list holds.

    Attributes:
        violations: in the order of the log.
        not_checkable: rules of which nothing can be said, by session.
    """

    violations: tuple[Violation, ...] = ()
    not_checkable: tuple[NotCheckable, ...] = ()

    def raise_for_violation(self) -> None:
        """Raise the first violation, if there is any.

        Raises:
            InvariantError: there is one.
        """
        if self.violations:
            raise InvariantError(self.violations)

    def as_json(self) -> dict[str, Any]:
        """As a dict that `json` writes."""
        return asdict(self)

    def __str__(self) -> str:
        told: list[Violation | NotCheckable] = [*self.violations, *self.not_checkable]
        return "\n".join(map(str, told)) if told else "every rule holds"


class InvariantError(RealtapeError, AssertionError):
    """A session breaks a rule. An `AssertionError`, too, so that test runners show it as one.

    Attributes:
        violations: all that were found, at least one.
    """

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        super().__init__(violations)
        self.violations = violations

    def __str__(self) -> str:
        return "\n".join(map(str, self.violations))
