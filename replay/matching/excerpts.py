"""Differences of fields in words: the shortest path to what differs, and no more of a text than that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...session.words import short
from ..reporting.divergence import Difference
from .field_paths import unwrapped
from .json_values import json_tree
from .matching import differences

MAX_DIFFERENCES = 8
"""Fields that are named; more say nothing more."""

WHOLE = 60
"""Characters up to which both texts are shown whole."""

CONTEXT = 20
"""Characters that stay of a longer text on either side of where it differs."""


def difference(path: str, recorded: Any, live: Any) -> Difference:
    """One field; texts are cut to where they differ."""
    if isinstance(recorded, str) and isinstance(live, str) and max(len(recorded), len(live)) > WHOLE:
        recorded, live = _cut(recorded, live)
    return Difference(path or "(value)", short(repr(recorded)), short(repr(live)))


def told(
    found: list[tuple[str, Any, Any]], same: Callable[[Any, Any], bool] = lambda recorded, live: False
) -> tuple[Difference, ...]:
    """The first of several fields; those that differ in a text that holds JSON lead on into it.

    Args:
        same: whether two values are the same all the same; where all are, they are told.
    """
    precise = [one for field in found for one in _inside(*field)]
    others = [one for one in precise if not same(one[1], one[2])]
    return tuple(difference(*one) for one in (others or precise)[:MAX_DIFFERENCES])


def differing_fields(recorded: Any, live: Any) -> list[tuple[str, Any, Any]]:
    """The fields in which two JSON trees differ, also in texts that hold JSON: (path, recorded, live)."""
    found = differences(unwrapped(recorded), unwrapped(live))
    return [one for field in found for one in _inside(*field)]


def differing(recorded: Any, live: Any) -> tuple[Difference, ...]:
    """The first fields in which two JSON trees differ."""
    return told(differences(unwrapped(recorded), unwrapped(live)))


def _inside(path: str, recorded: Any, live: Any) -> list[tuple[str, Any, Any]]:
    if isinstance(recorded, str) and isinstance(live, str):
        trees = unwrapped(json_tree(recorded)), unwrapped(json_tree(live))
        if all(isinstance(tree, dict | list) for tree in trees):
            return differences(*trees, path) or [(path, recorded, live)]
    return [(path, recorded, live)]


def _cut(recorded: str, live: str) -> tuple[str, str]:
    """What differs, and a little around it."""
    start = _shared(recorded, live)
    most = min(len(recorded), len(live)) - start
    end = min(_shared(recorded[::-1], live[::-1]), most)
    begin = max(start - CONTEXT, 0)
    return _part(recorded, begin, len(recorded) - end), _part(live, begin, len(live) - end)


def _shared(one: str, other: str) -> int:
    """How many characters two texts begin with alike."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def _part(text: str, begin: int, end: int) -> str:
    end = min(end + CONTEXT, len(text))
    return ("…" if begin else "") + text[begin:end] + ("…" if end < len(text) else "")
