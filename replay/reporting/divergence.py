"""Divergences: where the application under replay does what the recording does not hold."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from ...schema.errors import RealtapeError

DivergenceKind = Literal[
    "changed",
    "unexpected",
    "missing",
    "late",
    "order",
    "handler",
    "unheard",
    "settings",
    "unchecked",
    "playback",
    "exhausted",
    "moved",
    "given up",
    "heard",
]

Waited = Literal["stuck", "overdue"]
"""How what is missing was waited for. `stuck`: until nothing was left that could ever happen. `overdue`:
for as long as the replay's patience lasted, while timers of the application went on."""


@dataclass(frozen=True)
class Difference:
    """One field in which what came differs from what was recorded; long texts are cut to where they
    differ."""

    field: str
    recorded: str
    live: str


@dataclass(frozen=True)
class Candidate:
    """The recorded call that is most like one that came, and why it is not that one.

    Attributes:
        seq: its number in the log.
        line: what it is, in words.
        why: it is not what came; goes on after a `but`.
    """

    seq: int
    line: str
    why: str


@dataclass(frozen=True)
class Divergence:
    """One point at which application and recording part.

    Attributes:
        kind: `changed`: a recorded call came, with another content. `unexpected`: a call came that the
            recording does not hold. `missing`: a recorded one did not come, or listeners have not
            returned. `late`: it came after all, when it had been given up. `order`: two calls of one
            task came in the other order. `handler`: a listener raised where it did not, or the
            reverse. `unheard`: an event found no listener. `settings`:
            the settings differ, and that was to diverge. `unchecked`: so do calls of unknown origin that did
            not come. `exhausted`: the recording holds no further
            connection. `moved`, `given up`, `heard`: of frames, as `docs/wire.md` has it.
        summary: one sentence.
        headline: what it is about, in a line: `missing: send_user_input 'Are you still there?' (#341)`.
        turn: number of the conversation's turn, from 1; 0 before the first.
        speaker: who spoke last, `user` or `assistant`; None if nobody has.
        said: what, cut short.
        expected: what the recording holds there, in words.
        actual: what came, in words.
        seq: the recorded entry concerned, if there is one.
        here: the first recorded entry that had not happened then, where that is known.
        differences: the fields that differ, against `nearest`, or against `expected`.
        nearest: of a call that the recording does not hold: the one most like it.
        open_calls: of a changed tool output: the other tools that owed an answer then, in words.
        order: of a changed tool output: which other ones stood before it, or behind it, when recorded, and do
            not now.
        chain: how it came to this, in words: each because of the one before it.
        around: the recorded entries around, one line each.
        waited: how it was waited for, if it is missing.
        meanwhile: of a call that the recording does not hold: the recorded one that had been awaited for some
            time by then. It may have come because that had not.
        session: the id of the recorded session that was played, or had been; empty: none was.
        nth: its number among those that were played, from 1: entries are numbered anew in each.
    """

    kind: DivergenceKind
    summary: str
    turn: int
    speaker: Literal["user", "assistant"] | None = None
    said: str | None = None
    expected: str | None = None
    actual: str | None = None
    seq: int | None = None
    differences: tuple[Difference, ...] = ()
    nearest: Candidate | None = None
    open_calls: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    chain: tuple[str, ...] = ()
    around: tuple[str, ...] = ()
    waited: Waited | None = None
    meanwhile: int | None = None
    headline: str = ""
    here: int | None = None
    session: str = ""
    nth: int = 1

    def __str__(self) -> str:
        return self.told(of_several=self.nth > 1)

    def told(self, *, of_several: bool) -> str:
        """In several lines.

        Args:
            of_several: say in which session it is.
        """
        place = f"session {self.nth} (#{self.session}), {self._place}" if of_several else self._place
        lines = [self.headline, f"  what:     {self.summary}"] if self.headline else [self.summary]
        lines.append(f"  when:     {place}")
        if self.expected is not None:
            lines.append(f"  recorded: {self.expected}")
        if self.actual is not None:
            lines.append(f"  now:      {self.actual}")
        if self.nearest is not None:
            lines.append(f"  like:     {self.nearest.line}, but {self.nearest.why}")
        for difference in self.differences:
            lines.append(f"  differs in {difference.field}: {difference.recorded} → {difference.live}")
        lines += [f"  open too: {call}" for call in self.open_calls]
        lines += [f"  order:    {told}" for told in self.order]
        if self.chain:
            lines.append(f"  how it came to this: {' → '.join(self.chain)}")
        if self.around:
            lines.append("  the recording around it (◀ the application was given, ▶ it did):")
            lines += [f"  {self._mark(line)} {line}" for line in self.around]
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """As a dict that `json` writes."""
        return asdict(self)

    @property
    def _place(self) -> str:
        turn = f"turn {self.turn}" if self.turn else "before the first turn"
        return turn if self.speaker is None else f"{turn}, after the {self.speaker} said {self.said!r}"

    def _mark(self, line: str) -> str:
        return ">" if self.seq is not None and line.startswith(f"#{self.seq} ") else " "


class DivergenceError(RealtapeError):
    """Raised where the application diverges, and again by `close()` and `finished()`.

    Attributes:
        divergence: what happened.
    """

    def __init__(self, divergence: Divergence) -> None:
        super().__init__(divergence)
        self.divergence = divergence

    def __str__(self) -> str:
        return str(self.divergence)
