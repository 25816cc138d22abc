"""Replaying: `await Recording.open(store)`, and `ReplayModel(recording)`.

May import `realtape.schema` only.
"""

from __future__ import annotations

from .divergence import Difference, Divergence, DivergenceError
from .model import ReplayModel
from .recording import Recording
from .report import ReplayReport

__all__ = [
    "Difference",
    "Divergence",
    "DivergenceError",
    "Recording",
    "ReplayModel",
    "ReplayReport",
]
