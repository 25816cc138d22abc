"""What a check found: violations, and what could not be checked."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from ...schema.errors import RealtapeError


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
