"""The state of a conversation at every place: a whole state every so many entries, and what changes it.

Nothing is decided here: `session.State` says what is true, and the page puts back together what it is told.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, fields
from typing import Any

from ..schema import Entry
from ..session import Fold, HeardSoFar, State

EVERY = 1000
"""Entries from one whole state to the next."""

_PLAYED = tuple(one.name for one in fields(HeardSoFar))


def state_facts(state: State) -> dict[str, Any]:
    """A state, as the page shows it; of its settings the number by which it has them."""
    return {
        "turn": state.turn,
        "history": [[item.item_id, item.role, item.text, item.status] for item in state.history],
        "played": _played_facts(state.played),
        "open": [asdict(call) for call in state.open_calls],
        "settings": None if state.settings is None else state.settings.seq,
    }


def state_block(fold: Fold, place: int, entries: Iterable[Entry]) -> dict[str, Any]:
    """The state before the first of some entries, and how each of them changes it.

    Args:
        fold: has been told all entries before these; afterwards these, too.
        place: of the first.
    """
    state = fold.state()
    first = state_facts(state)
    patches: list[list[Any]] = []
    for entry in entries:
        fold.add(entry)
        after = fold.state()
        patch = _patch(state, after)
        place += 1
        if patch:
            patches.append([place, patch])
        state = after
    return {"first": first, "patches": patches}


def _played_facts(played: HeardSoFar | None) -> dict[str, Any] | None:
    """Its fields as they are: `asdict` copies each, and a session has one for every report of its player."""
    return None if played is None else {name: getattr(played, name) for name in _PLAYED}


def _patch(before: State, after: State) -> dict[str, Any]:
    patch: dict[str, Any] = {}
    if before.turn != after.turn:
        patch["turn"] = after.turn
    if before.played is not after.played:
        patch["played"] = _played_facts(after.played)
    if before.open_calls is not after.open_calls and before.open_calls != after.open_calls:
        patch["open"] = [asdict(call) for call in after.open_calls]
    if before.settings is not after.settings:
        patch["settings"] = None if after.settings is None else after.settings.seq
    if before.history is after.history:
        return patch
    items = [
        [place, item.item_id, item.role, item.text, item.status]
        for place, item in enumerate(after.history)
        if place >= len(before.history) or before.history[place] is not item
    ]
    if items or len(before.history) != len(after.history):
        patch["items"], patch["length"] = items, len(after.history)
    return patch
