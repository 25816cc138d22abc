"""`--from` and `--to`: a place in a recording, by number or by time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from ..schema import UsageError

_BOUND = re.compile(r"(?:(?P<nth>\d{1,9})/)?(?:#?(?P<seq>\d+)|(?P<time>\d+(?:\.\d*)?|\.\d+)(?P<unit>ms|s))")
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
    """A place: the entry of a number, or a moment since the session began; one of the two is None. Of several
    sessions that follow each other, in the nth from 1; None: in each of them."""

    seq: int | None = None
    at_ns: int | None = None
    nth: int | None = None

    def is_after(self, entry: Placed, nth: int = 1) -> bool:
        """Whether the entry, of the nth session, lies before this place."""
        if self.nth not in (None, nth):
            return nth < self.nth
        if self.seq is not None:
            return entry.seq < self.seq
        return self.at_ns is not None and entry.at_ns < self.at_ns

    def is_before(self, entry: Placed, nth: int = 1) -> bool:
        """Whether the entry, of the nth session, lies behind this place."""
        if self.nth not in (None, nth):
            return nth > self.nth
        if self.seq is not None:
            return entry.seq > self.seq
        return self.at_ns is not None and entry.at_ns > self.at_ns


@dataclass(frozen=True)
class Bounds:
    """From a place on, and up to one; both are in it."""

    first: Bound = Bound()
    last: Bound = Bound()

    def holds(self, entry: Placed, nth: int = 1) -> bool:
        """Whether the entry, of the nth of several sessions, lies in it."""
        return not (self.first.is_after(entry, nth) or self.last.is_before(entry, nth))

    def is_open(self, nth: int = 1) -> bool:
        """Whether what comes behind the nth session's last entry lies in it."""
        last, first = self.last, self.first
        begun = first.nth is None or nth >= first.nth
        return begun and (last == Bound() or (last.nth is not None and nth < last.nth))

    @property
    def is_whole(self) -> bool:
        """Whether everything lies in it."""
        return self == WHOLE


WHOLE = Bounds()
"""From the beginning to the end."""


def parse_bounds(first: str | None, last: str | None, *, of_chain: bool = False) -> Bounds:
    """What `--from` and `--to` say.

    Args:
        of_chain: they may say in which of several sessions, `2/120`.

    Raises:
        UsageError: one of them is no place.
    """
    return Bounds(
        parse_bound("--from", first, of_chain=of_chain), parse_bound("--to", last, of_chain=of_chain)
    )


def parse_bound(option: str, text: str | None, *, of_chain: bool = False) -> Bound:
    """What `120`, `1.5s` or `1500ms` means; no bound where there is no text.

    Args:
        of_chain: it may say in which of several sessions, `2/120`.

    Raises:
        UsageError: none of them.
    """
    if text is None:
        return Bound()
    found = _BOUND.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"{option} {text}: give an entry's number such as 120, or a time: 1.5s or 1500ms")
    nth = None if found["nth"] is None else int(found["nth"])
    if nth is not None and not of_chain:
        raise UsageError(f"{option} {text}: one session is looked at here; leave out `{found['nth']}/`")
    if nth == 0:
        raise UsageError(f"{option} {text}: sessions are counted from 1")
    if found["seq"] is not None:
        return Bound(seq=min(int(found["seq"]), _MAX), nth=nth)
    return Bound(at_ns=min(round(float(found["time"]) * _NANOSECONDS[found["unit"]]), _MAX), nth=nth)
