"""Replaying: `ReplayModel(recording)` goes where the recorded model was.

May import `realtape.schema` and `realtape.session` only.
"""

from __future__ import annotations

from .breakpoints import Breakpoint, Moment
from .loop.virtual_loop import StuckLoopError, VirtualLoop, run
from .matching.matchers import IGNORE, JSON_TEXT, Matcher, MatcherError, Normalised, Tolerance
from .model import ReplayModel
from .play import Application, Ending, Play, Played, ReplayOptions, Verdict, replay
from .reporting.divergence import Difference, Divergence, DivergenceError
from .reporting.report import ReplayReport
from .rewindable import Rewindable
from .transport import Stop, Transport

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
