"""Edits: each makes of a session another one that could have happened. `varied` applies them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Protocol

from ...session.drafts import Draft
from .deltas import MergeDeltas, SplitDelta
from .disconnection import Disconnect
from .early_end import EndEarly
from .interruption import Boundary, Heard
from .messages import Delay, DelayResponse, Drop, Duplicate, Reorder
from .moving import MoveInterruption
from .putting_in import Interrupt, interrupt_at
from .tools import AnswerAfter, FailTool, SlowTool

__all__ = [
    "AnswerAfter",
    "Boundary",
    "Delay",
    "DelayResponse",
    "Disconnect",
    "Drop",
    "Duplicate",
    "Edit",
    "EndEarly",
    "FailTool",
    "Heard",
    "Interrupt",
    "MergeDeltas",
    "MoveInterruption",
    "Reorder",
    "SlowTool",
    "SplitDelta",
    "interrupt_at",
    "varied",
]


class Edit(Protocol):
    """A pure function of a draft. `str(edit)` is what the header of the new recording says of it."""

    def __call__(self, draft: Draft) -> Draft:
        """The session changed, with a chain that is not computed yet.

        Raises:
            UsageError: the session has no such place.
        """
        ...


def varied(draft: Draft, edits: Sequence[Edit]) -> Draft:
    """A recording of its own, made of this one by edits, one after another: each names places of the session
    that the ones before it made. Without a change it is this very draft.

    Raises:
        UsageError: the session has no such place.
    """
    found = draft
    for edit in edits:
        found = edit(found)
    return derived_by(edits, draft, found)


def derived_by(edits: Sequence[Edit], draft: Draft, found: Draft) -> Draft:
    """What edits made of a draft, as a recording of its own; the very draft where they changed nothing."""
    if found is draft:
        return draft
    how = "varied: " + ", ".join(map(str, edits))
    return dataclasses.replace(draft, segments=found.segments).derived(how, found.entries)
