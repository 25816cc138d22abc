"""What a recording says, read once.

May import `realtape.schema` only; everything else asks this package.
"""

from __future__ import annotations

from .recording import Recording
from .state import State
from .states import States, state_at

__all__ = ["Recording", "State", "States", "state_at"]
