"""`Comparison`: what came of holding two recordings against each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Literal

from ...replay.reporting.divergence import Difference


class Aspect(StrEnum):
    """What a comparison can be told to ignore."""

    TIMES = "times"  # when an entry was appended; when a gap began and ended
    TICKS = "ticks"  # the round of the event loop
    TASKS = "tasks"  # the number of the asyncio task
    CAUSES = "causes"  # because of which entry it happened
    PLAYBACK = "playback"  # what the user had heard by then
    IDS = "ids"  # what each session has of its own: ids (paired by where they stand), addresses, its expiry


DifferenceKind = Literal["changed", "moved", "only_a", "only_b"]

KINDS: dict[DifferenceKind, str] = {
    "changed": "changed",
    "moved": "moved",
    "only_a": "only in A",
    "only_b": "only in B",
}
"""In words, for counts."""

_SENTENCES: dict[DifferenceKind, str] = {
    "changed": "{} differs",
    "moved": "{} is at another place",
    "only_a": "{} is in A only",
    "only_b": "{} is in B only",
}


@dataclass(frozen=True)
class EntryDifference:
    """One entry in which two recordings differ.

    Attributes:
        kind: `changed`: both have it, with other fields. `moved`: both have it, at another place among
            the same entries. `only_a`, `only_b`: one of them has it.
        turn: number of the conversation's turn, from 1; 0 before the first.
        said: who spoke last and what, in words; empty if nobody had.
        a, b: what each holds there, in words; None if nothing.
        seq_a, seq_b: numbers of the entries.
        what: the entry's type, or what else it is called.
        differences: the fields that differ, A's value as `recorded`, B's as `live`.
        around: the entries around it, one line each: of A, or of B if A has none.
        count: entries that it stands for: more than one where one side goes on alone behind the last that
            both have.
    """

    kind: DifferenceKind
    turn: int
    said: str
    a: str | None
    b: str | None
    seq_a: int | None
    seq_b: int | None
    what: str
    differences: tuple[Difference, ...] = ()
    around: tuple[str, ...] = ()
    count: int = 1

    @property
    def summary(self) -> str:
        """One sentence."""
        return _SENTENCES[self.kind].format(self.what)

    def as_json(self) -> dict[str, Any]:
        """As a dict that `json` writes."""
        facts: dict[str, Any] = {"summary": self.summary, **asdict(self)}
        facts["differences"] = [
            {"field": one.field, "a": one.recorded, "b": one.live} for one in self.differences
        ]
        return facts

    def __str__(self) -> str:
        place = f"turn {self.turn}; {self.said}" if self.said else f"turn {self.turn}"
        lines = [f"{self.summary} ({place})", f"  A: {self.a or 'nothing'}", f"  B: {self.b or 'nothing'}"]
        for one in self.differences:
            lines.append(f"  differs in {one.field}: {one.recorded} → {one.live}")
        if self.around:
            lines.append("  around it:")
            lines += [f"    {line}" for line in self.around]
        return "\n".join(lines)


@dataclass(frozen=True)
class Comparison:
    """Two recordings, held against each other entry by entry.

    Attributes:
        a, b: store and session of each.
        length_a, length_b: how many entries each has.
        compared_a, compared_b: how many of them were compared.
        counts: how many entries differ, by kind of difference.
        columns: in how many of them each column differs; the payload counts as one.
        missing: how many entries stand on one side only because the other is incomplete there: gaps, what
            was lost in them, and what came after a process had died. They count as no difference.
        incomplete: what either recording lacks, in words.
        differences: the first of them, in the order of the conversation.
        ignored: aspects that were not looked at.
        content_only: only what was said and done was compared, in the order of each direction.
        redacted: what was taken out of one of them, and not in the same way out of the other, in words.
        anchors: pairs of numbers of entries that are each other's partners, ascending on both sides: some of
            them, for who draws the recordings side by side.
    """

    a: str
    b: str
    length_a: int
    length_b: int
    compared_a: int
    compared_b: int
    counts: Mapping[DifferenceKind, int]
    columns: Mapping[str, int]
    missing: int
    incomplete: tuple[str, ...]
    differences: tuple[EntryDifference, ...]
    ignored: tuple[Aspect, ...] = ()
    content_only: bool = False
    redacted: tuple[str, ...] = ()
    anchors: tuple[tuple[int, int], ...] = ()

    @property
    def total(self) -> int:
        """How many entries differ."""
        return sum(self.counts.values())

    @property
    def same(self) -> bool:
        """Whether each entry of either has its like in the other, at the same place."""
        return not self.total and not self.missing

    @property
    def verdict(self) -> Literal["same", "different", "incomplete"]:
        """`incomplete`: nothing differs, as far as both go; but one of them lacks something."""
        if self.total:
            return "different"
        return "incomplete" if self.incomplete else "same"

    def __str__(self) -> str:
        lines = [self._headline(), f"A: {self.a}", f"B: {self.b}"]
        if self.columns:
            told = ", ".join(f"{name} of {count:,}" for name, count in self.columns.items())
            lines.append(f"differing fields: {told}")
        lines += [f"incomplete: {reason}" for reason in self.incomplete]
        if self.redacted and self.total:
            told = ", and ".join(self.redacted)
            lines.append(f"{told}: where a stand-in stands, the other holds another value")
        if self.missing:
            lines.append(f"lacking because of that, on one side: {self.missing:,} entries")
        lines += [str(difference) for difference in self.differences]
        told = sum(one.count for one in self.differences)
        if self.total > told:
            lines.append(f"and {self.total - told:,} more")
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """As a dict that `json` writes."""
        facts: dict[str, Any] = {"verdict": self.verdict, "same": self.same, **vars(self)}
        del facts["anchors"]
        facts["differences"] = [one.as_json() for one in self.differences]
        return facts

    def _headline(self) -> str:
        sizes = (
            f"{_of(self.compared_a, self.length_a)} entries in A, {_of(self.compared_b, self.length_b)} in B"
        )
        counts = ", ".join(f"{self.counts[kind]:,} {words}" for kind, words in KINDS.items())
        what = " (only what was said and done)" if self.content_only else ""
        if self.ignored:
            what += f" ({', '.join(self.ignored)} ignored)"
        return f"{self.verdict}: {sizes}; {counts}{what}"


def _of(compared: int, length: int) -> str:
    return f"{length:,}" if compared == length else f"{compared:,} of {length:,}"
