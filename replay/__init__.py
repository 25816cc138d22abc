"""Replaying: `await Recording.open(store)`, and `ReplayModel(recording)`.

May import `realtape.schema` only.
"""

from __future__ import annotations

from .comparing.comparing import compare
from .comparing.comparison import Aspect, Comparison, EntryDifference
from .control.breakpoints import Breakpoint, Moment
from .control.goals import Stop
from .control.rewinding import Rewindable
from .control.state import State
from .control.states import States, state_at
from .control.transport import Transport
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
    "Breakpoint",
    "Comparison",
    "Difference",
    "Divergence",
    "DivergenceError",
    "EntryDifference",
    "Matcher",
    "MatcherError",
    "Moment",
    "Normalised",
    "Recording",
    "ReplayModel",
    "ReplayReport",
    "Rewindable",
    "State",
    "States",
    "Stop",
    "StuckLoopError",
    "Tolerance",
    "Transport",
    "VirtualLoop",
    "compare",
    "run",
    "state_at",
]
