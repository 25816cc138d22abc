"""Replaying: `await Recording.open(store)`, and `ReplayModel(recording)`.

May import `realtape.schema` only.
"""

from __future__ import annotations

from .comparing import compare
from .comparison import Aspect, Comparison, EntryDifference
from .divergence import Difference, Divergence, DivergenceError
from .model import ReplayModel
from .recording import Recording
from .report import ReplayReport
from .virtual_loop import StuckLoopError, VirtualLoop, run

__all__ = [
    "Aspect",
    "Comparison",
    "Difference",
    "Divergence",
    "DivergenceError",
    "EntryDifference",
    "Recording",
    "ReplayModel",
    "ReplayReport",
    "StuckLoopError",
    "VirtualLoop",
    "compare",
    "run",
]
