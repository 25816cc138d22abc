"""`--from` and `--to`: a place in a recording, by number or by time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from ..schema import UsageError

_BOUND = re.compile(r"#?(?P<seq>\d+)|(?P<time>\d+(?:\.\d*)?|\.\d+)(?P<unit>ms|s)")
_NANOSECONDS = {"s": 10**9, "ms": 10**6}
_MAX = (1 << 63) - 1


class Placed(Protocol):
    """What stands somewhere in a recording."""

    @property
    def seq(self) -> int:
        """The number of its entry."""
        ...

    @property
    def at_ns(self) -> int:
        """Nanoseconds since the session began."""
        ...


@dataclass(frozen=True)
class Bound:
    """A place: the entry of a number, or a moment since the session began; one of the two is None."""

    seq: int | None = None
    at_ns: int | None = None

    def is_after(self, entry: Placed) -> bool:
        """Whether the entry lies before this place."""
        if self.seq is not None:
            return entry.seq < self.seq
        return self.at_ns is not None and entry.at_ns < self.at_ns

    def is_before(self, entry: Placed) -> bool:
        """Whether the entry lies behind this place."""
        if self.seq is not None:
            return entry.seq > self.seq
        return self.at_ns is not None and entry.at_ns > self.at_ns


@dataclass(frozen=True)
class Bounds:
    """From a place on, and up to one; both are in it."""

    first: Bound = Bound()
    last: Bound = Bound()

    def holds(self, entry: Placed) -> bool:
        """Whether the entry lies in it."""
        return not (self.first.is_after(entry) or self.last.is_before(entry))

    @property
    def is_whole(self) -> bool:
        """Whether everything lies in it."""
        return self == WHOLE


WHOLE = Bounds()
"""From the beginning to the end."""


def parse_bounds(first: str | None, last: str | None) -> Bounds:
    """What `--from` and `--to` say.

    Raises:
        UsageError: one of them is no place.
    """
    return Bounds(parse_bound("--from", first), parse_bound("--to", last))


def parse_bound(option: str, text: str | None) -> Bound:
    """What `120`, `1.5s` or `1500ms` means; no bound where there is no text.

    Raises:
        UsageError: none of them.
    """
    if text is None:
        return Bound()
    found = _BOUND.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"{option} {text}: give an entry's number such as 120, or a time: 1.5s or 1500ms")
    if found["seq"] is not None:
        return Bound(seq=min(int(found["seq"]), _MAX))
    return Bound(at_ns=min(round(float(found["time"]) * _NANOSECONDS[found["unit"]]), _MAX))
