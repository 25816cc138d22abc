"""What was not recorded, and the gap entry that says so: a log has gaps, and never holes."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..schema.codec import to_json
from ..schema.entries import Entry, Kind

OVERLOAD = "overload: the writer could not keep up"


@dataclass(slots=True)
class Loss:
    """Entries that were dropped one after another.

    Attributes:
        reason: why; of the first of them.
        count: how many.
        from_ns, to_ns: when the first and the last of them would have been appended.
        kinds: how many of each kind.
    """

    reason: str
    count: int = 0
    from_ns: int = 0
    to_ns: int = 0
    kinds: dict[str, int] = field(default_factory=dict[str, int])

    def add(self, kind: str, at_ns: int) -> None:
        """One more."""
        if not self.count:
            self.from_ns = at_ns
        self.count += 1
        self.to_ns = at_ns
        self.kinds[kind] = self.kinds.get(kind, 0) + 1

    def gap(self, seq: int, at_ns: int, tick: int | None, task: int | None) -> Entry:
        """The entry that says so."""
        payload = to_json(
            {
                "lost": self.count,
                "from_ns": self.from_ns,
                "to_ns": self.to_ns,
                "kinds": self.kinds,
                "reason": self.reason,
            }
        )
        return Entry(seq, at_ns, tick, task, Kind.GAP, payload=payload)


def gap_instead(entry: Entry, reason: str) -> Entry:
    """A gap at the place of one entry that cannot be written: its number stays taken."""
    loss = Loss(reason)
    loss.add(entry.kind, entry.at_ns)
    return loss.gap(entry.seq, entry.at_ns, entry.tick, entry.task)
