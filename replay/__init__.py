"""Replaying: `ReplayModel(recording)` goes where the recorded model was.

May import `realtape.schema` and `realtape.session` only.
"""

from __future__ import annotations

from .control.breakpoints import Breakpoint, Moment
from .control.goals import Stop
from .control.rewinding import Rewindable
from .control.transport import Transport
from .loop.virtual_loop import StuckLoopError, VirtualLoop, run
from .matching.matchers import IGNORE, JSON_TEXT, Matcher, MatcherError, Normalised, Tolerance
from .model import ReplayModel
from .play import Application, Ending, Play, Played, ReplayOptions, Verdict, replay
from .reporting.divergence import Difference, Divergence, DivergenceError
from .reporting.report import ReplayReport

__all__ = [
    "IGNORE",
    "JSON_TEXT",
    "Application",
    "Breakpoint",
    "Difference",
    "Divergence",
    "DivergenceError",
    "Ending",
    "Matcher",
    "MatcherError",
    "Moment",
    "Normalised",
    "Play",
    "Played",
    "ReplayModel",
    "ReplayOptions",
    "ReplayReport",
    "Rewindable",
    "Stop",
    "StuckLoopError",
    "Tolerance",
    "Transport",
    "Verdict",
    "VirtualLoop",
    "replay",
    "run",
]
