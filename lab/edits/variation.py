"""A variation: a session made of another by edits; and how one is replayed, under which settings it is a
plausible world for the application.

A variation is not replayed to be the same. What the application was recorded to do may not be what a
healthy one does here; what it does is judged by the invariants. `docs/replay.md` has the rules.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Protocol, TypedDict

from ...replay.matching.expectation import Expectation
from ...replay.model import OnDivergence
from ...schema.entries import Entry, Kind
from ...session.drafts import Draft
from ...session.messages import answers_call


class Edit(Protocol):
    """A pure function of a draft. `str(edit)` is what the header of the new recording says of it."""

    def __call__(self, draft: Draft) -> Draft:
        """The session changed, with a chain that is not computed yet.

        Raises:
            UsageError: the session has no such place.
        """
        ...


def varied(draft: Draft, edits: Sequence[Edit], **columns: Any) -> Draft:
    """A recording of its own, made of this one by edits, one after another: each names places of the session
    that the ones before it made. Without a change it is this very draft.

    Args:
        columns: of its header, that are otherwise, such as `previous_session`.

    Raises:
        UsageError: the session has no such place.
    """
    found = draft
    for edit in edits:
        found = edit(found)
    return derived_by(edits, draft, found, **columns)


def derived_by(edits: Sequence[Edit], draft: Draft, found: Draft, **columns: Any) -> Draft:
    """What edits made of a draft, as a recording of its own; the very draft where they changed nothing."""
    if found is draft:
        return draft
    how = "varied: " + ", ".join(map(str, edits))
    return dataclasses.replace(draft, segments=found.segments).derived(how, found.entries, **columns)


PATIENCE_SECONDS = 30.0
"""Virtual seconds after which an answer that a healthy application would have given will not come."""


class VariationSettings(TypedDict):
    """Arguments of a `ReplayModel`."""

    expect: Expectation
    on_divergence: OnDivergence
    patience: float


def is_certain(entry: Entry) -> bool:
    """Whether a recorded call is awaited in a variation, too: an answer to a tool call, and a close that
    answers something. (A tool call that the variation lacks has lost its answer with it.)"""
    if entry.kind == Kind.CLOSE:
        return entry.cause is not None
    return answers_call(entry) is not None


def variation_settings(*, patience: float = PATIENCE_SECONDS) -> VariationSettings:
    """For `ReplayModel(variation, **variation_settings())`.

    The server waits for answers to tool calls as it did, and gives what it gave inside them. Whatever else
    the application sends is taken if it was recorded, and returns at once if not; what does not come is
    skipped, and what happened in it comes in its place. Nothing of that raises.

    Args:
        patience: virtual seconds for which an answer is awaited while the application's timers go on.
    """
    return {"expect": is_certain, "on_divergence": "collect", "patience": patience}
