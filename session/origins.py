"""Whose a call of the application is, as far as the recording tells, and as far as it was learned."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import StrEnum

from ..schema.entries import Entry, Kind
from .learned import Origins
from .stimuli import is_reaction


class Origin(StrEnum):
    """Where a recorded send, or close, comes from."""

    CAUSE = "cause"  # the log names what it answers, seen by the recorder or given by `caused_by`
    LEARNED = "learned"  # a reaction: the recorded application makes it by itself, every time
    USER = "user"  # a microphone's sound, by its type; or somebody has said so
    UNKNOWN = "unknown"  # the user, a timer, or a reaction that was made where its cause was lost


def origin_of(entry: Entry, learned: Origins | None = None) -> Origin:
    """Where this call comes from.

    Args:
        learned: of its session.
    """
    if entry.type == "send_audio":
        return Origin.USER
    if is_reaction(entry):
        return Origin.CAUSE
    if learned is not None and entry.seq in learned.user:
        return Origin.USER
    if learned is not None and entry.seq in learned.reactions:
        return Origin.LEARNED
    return Origin.UNKNOWN


def unknown_calls(entries: Iterable[Entry]) -> set[int]:
    """The calls of a session whose origin the log does not tell."""
    return {
        one.seq for one in entries if one.kind in (Kind.SENT, Kind.CLOSE) and origin_of(one) is Origin.UNKNOWN
    }


def reactions(unknown: Collection[int], left_out: Iterable[Collection[int]]) -> frozenset[int]:
    """What of the calls of unknown origin came by itself in every run.

    Args:
        left_out: of each run, what did not come.
    """
    came = set(unknown)
    for one in left_out:
        came -= set(one)
    return frozenset(came)
