"""Replaying: `await Recording.open(store)`, and `ReplayModel(recording)`.

May import `realtape.schema` only.
"""

from __future__ import annotations

from .comparing import compare
from .comparison import Aspect, Comparison, EntryDifference
from .divergence import Difference, Divergence, DivergenceError
from .matchers import IGNORE, JSON_TEXT, Matcher, MatcherError, Normalised, Tolerance
from .model import ReplayModel
from .recording import Recording
from .report import ReplayReport
from .virtual_loop import StuckLoopError, VirtualLoop, run

__all__ = [
    "IGNORE",
    "JSON_TEXT",
    "Aspect",
    "Comparison",
    "Difference",
    "Divergence",
    "DivergenceError",
    "EntryDifference",
    "Matcher",
    "MatcherError",
    "Normalised",
    "Recording",
    "ReplayModel",
    "ReplayReport",
    "StuckLoopError",
    "Tolerance",
    "VirtualLoop",
    "compare",
    "run",
]
