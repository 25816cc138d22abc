"""Testing an application against everything that a provider and a user may do: `SessionMachine`.

`docs/strategies.md` is the manual. Needs hypothesis (the extra `testing`).
"""

from __future__ import annotations

from .machine import SessionMachine
from .served import ServedModel

__all__ = ["ServedModel", "SessionMachine"]
