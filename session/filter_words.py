"""`worded_filter`: which sessions are meant, in the words of people: `2h`, `2026-11-22`, `customer=1042`.

The command line and `realtape view` have the same words for it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from ..schema.entries import Status
from ..schema.errors import UsageError
from .filters import SessionFilter

_QUANTITY = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*([a-z]+)", re.IGNORECASE)
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}
_DURATIONS = {**_SECONDS, "ms": 0.001, "min": 60}
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def worded_filter(
    *,
    label: Sequence[str] = (),
    status: Sequence[str] = (),
    since: str | None = None,
    until: str | None = None,
    longer_than: str | None = None,
    shorter_than: str | None = None,
    text: Sequence[str] = (),
    tool: Sequence[str] = (),
    interrupted: bool = False,
    error: bool = False,
    prefix: str = "",
) -> SessionFilter:
    """What these words come to.

    Args:
        prefix: what stands before their names, where they are told: `--` of options.

    Raises:
        UsageError: they come to nothing.
    """
    for one in status:
        if one not in set(Status):
            raise UsageError(f"{prefix}status {one}: there are {', '.join(Status)}")
    return SessionFilter(
        labels=parse_labels(f"{prefix}label", label),
        statuses=frozenset(map(Status, status)),
        since_ns=parse_moment(f"{prefix}since", since, end=False),
        until_ns=parse_moment(f"{prefix}until", until, end=True),
        at_least_ns=_nanoseconds(f"{prefix}longer-than", longer_than),
        at_most_ns=_nanoseconds(f"{prefix}shorter-than", shorter_than),
        texts=tuple(text),
        tools=tuple(tool),
        interrupted=interrupted,
        failed=error,
    )


def parse_quantity(name: str, text: str | None, units: Mapping[str, float], wanted: str) -> float | None:
    """A number of units; None: nobody says any.

    Raises:
        UsageError: it is none; `wanted` says what is.
    """
    if text is None:
        return None
    found = _QUANTITY.fullmatch(text.strip())
    if found is None or found[2].lower() not in units:
        raise UsageError(f"{name} {text}: give {wanted}")
    return float(found[1]) * units[found[2].lower()]


def parse_age(name: str, text: str | None) -> float | None:
    """Seconds.

    Raises:
        UsageError: it is no age.
    """
    return parse_quantity(name, text, _SECONDS, "an age: 45m, 12h, 30d or 8w")


def parse_labels(name: str, texts: Sequence[str]) -> dict[str, str]:
    """Name → value.

    Raises:
        UsageError: one is no `NAME=VALUE`, or two of a name differ.
    """
    labels: dict[str, str] = {}
    for text in texts:
        label, mark, value = text.partition("=")
        if not mark or not label:
            raise UsageError(f"{name} {text}: give a label as NAME=VALUE")
        if labels.setdefault(label, value) != value:
            raise UsageError(f"{name}: no session has two labels {label}; give one of them")
    return labels


def parse_moment(name: str, text: str | None, *, end: bool) -> int | None:
    """A day, a moment (both in local time, unless it says otherwise), or how long ago: Unix nanoseconds.

    Args:
        end: of a day its end is meant.

    Raises:
        UsageError: it is none of these.
    """
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
        if end and _DAY.fullmatch(text.strip()):
            moment += timedelta(days=1)
        return round(moment.timestamp() * 1e9)
    except (ValueError, OverflowError, OSError):
        pass
    try:
        ago = parse_age(name, text)
    except UsageError:
        ago = None
    if ago is None:
        raise UsageError(
            f"{name} {text}: give a day (2026-11-22), a moment (2026-11-22T09:38), "
            "or how long ago: 45m, 2h, 30d"
        )
    return time.time_ns() - round(ago * 1e9)


def _nanoseconds(name: str, text: str | None) -> int | None:
    """How long something went on.

    Raises:
        UsageError: it is no duration.
    """
    seconds = parse_quantity(name, text, _DURATIONS, "how long: 500ms, 30s, 2m or 1h")
    return None if seconds is None else round(seconds * 1e9)
