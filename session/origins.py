"""Whose a call of the application is, as far as the recording tells."""

from __future__ import annotations

from enum import StrEnum

from ..schema.entries import Entry
from .stimuli import is_reaction


class Origin(StrEnum):
    """Where a recorded send, or close, comes from."""

    CAUSE = "cause"  # the log names what it answers, seen by the recorder or given by `caused_by`
    USER = "user"  # a microphone's sound, by its type
    UNKNOWN = "unknown"  # the user, a timer, or a reaction that was made where its cause was lost


def origin_of(entry: Entry) -> Origin:
    """Where this call comes from."""
    if entry.type == "send_audio":
        return Origin.USER
    return Origin.CAUSE if is_reaction(entry) else Origin.UNKNOWN
