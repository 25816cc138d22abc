"""The rows of a timeline: entries, or bursts of them, as people read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..schema.codec import standard_json
from ..schema.entries import Entry, Flag, Kind
from . import words
from .failures import is_failure
from .fields import payload, payload_kept


@dataclass(frozen=True)
class Row:
    """One line of a timeline.

    Attributes:
        seq: of the entry, or of the first of the burst.
        at_ns: nanoseconds since the session began.
        direction: an arrow, or a dot.
        title: what it is.
        playback: what the user had heard then.
        cause: `#4`, the entry because of which it happened.
        content: short.
        count: how many entries it stands for.
        alarming: something raised, or was lost.
        kind: of the entries.
        text: the content in full.
    """

    seq: int
    at_ns: int
    direction: str
    title: str
    playback: str
    cause: str
    content: str
    count: int = 1
    alarming: bool = False
    kind: str = ""
    text: str = ""

    @property
    def time(self) -> str:
        """Seconds since the session began, to the millisecond."""
        return seconds(self.at_ns)


def row_of(entry: Entry, note: str = "", text: str | None = None) -> Row:
    """The row of a single entry.

    Args:
        note: what those before it tell of it; see `notes.py`.
        text: what it tells, where that is more than its own words.
    """
    told = words.told(entry) if text is None else text
    before = note if entry.of is None else f"of #{entry.of}"
    text = ": ".join(part for part in (before, told) if part)
    return Row(
        seq=entry.seq,
        at_ns=entry.at_ns,
        direction=words.direction(entry),
        title=title_of(entry),
        playback=words.playback(entry),
        cause=cause_of(entry),
        content=words.short(text),
        alarming=is_failure(entry),
        kind=entry.kind,
        text=text,
    )


def title_of(entry: Entry) -> str:
    """What it is, beside an arrow that says whether it came or went."""
    if entry.kind in (Kind.RECEIVED, Kind.SENT):
        return words.short(entry.type or "?", 60)
    if entry.kind == Kind.PLAYBACK:
        return words.short(entry.method or "?", 60)
    return entry.kind


def cause_of(entry: Entry) -> str:
    """The cause's number; a question mark where the recorder lost it."""
    if entry.cause is not None:
        return f"#{entry.cause}"
    return "#?" if entry.flags & Flag.CAUSE_LOST else ""


def seconds(nanoseconds: int) -> str:
    """1.500 of 1_500_000_000."""
    return f"{nanoseconds / 1e9:.3f}"


def entry_columns(session_id: str, entry: Entry) -> dict[str, Any]:
    """Every column of an entry by its name, for JSON; its payload as a tree."""
    columns = _columns(session_id, entry)
    columns["payload"] = payload(entry)
    return columns


def entry_json(session_id: str, entry: Entry) -> str:
    """The same as JSON, in which the payload stands as its own text: with its digits, and its escapes."""
    text = entry.payload
    if payload_kept(entry) == text or "NaN" in text or "Infinity" in text:  # it is no JSON, or may be none
        return standard_json(entry_columns(session_id, entry))
    columns = _columns(session_id, entry)
    columns["payload"] = 0
    before, name, after = standard_json(columns).rpartition('"payload":0')
    return f"{before}{name[:-1]}{text}{after}"


def _columns(session_id: str, entry: Entry) -> dict[str, Any]:
    return {"session": session_id, **entry._asdict(), "digest": entry.digest.hex()}
