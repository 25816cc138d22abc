"""Divergences: where the application under replay does what the recording does not hold."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from ..schema.errors import RealtapeError

DivergenceKind = Literal["unexpected", "missing", "handler", "unheard", "exhausted"]


@dataclass(frozen=True)
class Difference:
    """One field in which what came differs from the nearest recorded candidate."""

    field: str
    recorded: str
    live: str


@dataclass(frozen=True)
class Divergence:
    """The first point at which application and recording part, or one of several.

    Attributes:
        kind: `unexpected`: a call came that the recording does not hold. `missing`: a recorded one
            did not come. `handler`: a listener raised, returned, or stayed, where it did not.
            `unheard`: an event found no listener. `exhausted`: the recording holds no further
            connection.
        summary: one sentence.
        turn: number of the conversation's turn, from 1; 0 before the first.
        expected: what the recording holds there, in words.
        actual: what came, in words.
        seq: the recorded entry concerned, if there is one.
        differences: against the nearest recorded candidate.
        around: the recorded entries around, one line each.
    """

    kind: DivergenceKind
    summary: str
    turn: int
    expected: str | None = None
    actual: str | None = None
    seq: int | None = None
    differences: tuple[Difference, ...] = ()
    around: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"{self.summary} (turn {self.turn})"]
        if self.expected is not None:
            lines.append(f"  recorded: {self.expected}")
        if self.actual is not None:
            lines.append(f"  came:     {self.actual}")
        for difference in self.differences:
            lines.append(f"  differs in {difference.field}: {difference.recorded} → {difference.live}")
        if self.around:
            lines.append("  around it:")
            lines += [f"    {line}" for line in self.around]
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """As a dict that `json` writes."""
        return asdict(self)


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
