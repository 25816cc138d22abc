"""Testing an application against everything that a provider and a user may do: `SessionMachine`, and
`assert_sound` for single recordings and their variations.

`docs/strategies.md` is the manual. Needs hypothesis (the extra `testing`).
"""

from __future__ import annotations

from ..soundness import UnsoundError, assert_sound
from .served import ServedModel
from .session_machine import SessionMachine

__all__ = ["ServedModel", "SessionMachine", "UnsoundError", "assert_sound"]
