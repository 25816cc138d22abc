"""Testing an application against everything that a provider and a user may do: `SessionMachine`, and
`assert_sound` for single recordings and their variations.

`docs/strategies.md` is the manual. Needs hypothesis (the extra `testing`).
"""

from __future__ import annotations

from ..soundness import UnsoundError, assert_sound, tool_seconds
from .observed import Observed, observed
from .served import ServedModel
from .session_machine import SessionMachine

__all__ = [
    "Observed",
    "ServedModel",
    "SessionMachine",
    "UnsoundError",
    "assert_sound",
    "observed",
    "tool_seconds",
]
