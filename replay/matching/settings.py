"""Settings of a connection, recorded and live, compared field by field."""

from __future__ import annotations

from typing import Any, cast

from ...schema.entries import Flag
from ..reporting.divergence import Difference
from ..terms.steps import Step
from .excerpts import told
from .matching import Matching


def setting_changes(
    matching: Matching, recorded: Step, path: tuple[str, ...], live: Any
) -> tuple[Difference, ...]:
    """What differs. Matchers of `send_session_update`'s `session_settings` count for settings that were
    given to `connect`, too.

    Args:
        recorded: the step that holds the recorded settings.
        path: where in its value they stand.

    Raises:
        MatcherError: a function of a matcher raised.
    """
    settings = recorded.value
    for name in path:
        if isinstance(settings, dict):
            settings = cast("dict[str, Any]", settings).get(name, {})
        else:
            settings = getattr(settings, name, {})
    matching.absent.learn(recorded.entry.payload)
    redacted = bool(recorded.entry.flags & Flag.REDACTED)
    return told(matching.changed_settings(settings, live, redacted=redacted))
