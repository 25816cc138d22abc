"""The report of a replay: what was matched, what was not, and how far it went."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .divergence import Difference, Divergence, DivergenceError


@dataclass
class ReplayReport:
    """What a replay found; grows while it runs.

    Attributes:
        recordings: ids of the sessions played, one a connection.
        delivered: events given to the listeners.
        matched: recorded calls that the application made again.
        unsent: recorded stimuli (speech, typed text, a hang-up) that nobody made again.
        early: seqs of sends that were completed before their place, because nothing else could go on.
        late: seqs of stimuli that came after their place.
        unmatched_audio: audio sent live that equals none recorded; audio never diverges.
        unheard: events that the application was too quick to hear: it had closed already.
        divergences: in the order in which they were seen.
        changes: settings that differ from the recorded ones, and instructions and tools with them.
        gaps: what the recorder had lost, in words.
        notes: what this replay could not do as recorded, in words.
        unplayed: recorded entries that were not reached.
        finished: everything was played.
    """

    recordings: list[str] = field(default_factory=list[str])
    delivered: int = 0
    matched: int = 0
    unsent: int = 0
    early: list[int] = field(default_factory=list[int])
    late: list[int] = field(default_factory=list[int])
    unmatched_audio: int = 0
    unheard: int = 0
    divergences: list[Divergence] = field(default_factory=list[Divergence])
    changes: list[Difference] = field(default_factory=list[Difference])
    gaps: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])
    unplayed: int = 0
    finished: bool = False

    @property
    def diverged(self) -> bool:
        """Whether the application did what the recording does not hold."""
        return bool(self.divergences)

    def note(self, text: str) -> None:
        """Add a note, once."""
        if text not in self.notes:
            self.notes.append(text)

    def raise_for_divergence(self) -> None:
        """Raise the first divergence, if there is one.

        Raises:
            DivergenceError: with that divergence.
        """
        if self.divergences:
            raise DivergenceError(self.divergences[0])

    def __str__(self) -> str:
        verdict = "diverged" if self.diverged else "same" if self.finished else "not finished"
        lines = [
            f"{verdict}: {self.delivered} events delivered, {self.matched} calls matched, "
            f"{self.unsent} stimuli not sent again, {self.unplayed} entries unplayed"
        ]
        if self.early:
            lines.append(f"early: {len(self.early)} sends, the first at entry {self.early[0]}")
        if self.late:
            lines.append(f"late: {len(self.late)} stimuli, the first at entry {self.late[0]}")
        if self.unheard:
            lines.append(f"unheard: {self.unheard} events came after the application had closed")
        lines += [
            f"changed setting {change.field}: {change.recorded} → {change.live}" for change in self.changes
        ]
        lines += [f"gap: {text}" for text in self.gaps]
        lines += [f"note: {text}" for text in self.notes]
        lines += [str(divergence) for divergence in self.divergences]
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """As a dict that `json` writes."""
        facts = dict(vars(self))
        facts["divergences"] = [divergence.as_json() for divergence in self.divergences]
        facts["changes"] = [vars(change) for change in self.changes]
        facts["diverged"] = self.diverged
        return facts
