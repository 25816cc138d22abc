"""Replaying: `await Recording.open(store)`, and `ReplayModel(recording)`.

May import `realtape.schema` only.
"""

from __future__ import annotations

from .comparing.comparing import compare
from .comparing.comparison import Aspect, Comparison, EntryDifference
from .loop.virtual_loop import StuckLoopError, VirtualLoop, run
from .matching.matchers import IGNORE, JSON_TEXT, Matcher, MatcherError, Normalised, Tolerance
from .model import ReplayModel
from .recording import Recording
from .reporting.divergence import Difference, Divergence, DivergenceError
from .reporting.report import ReplayReport

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
