"""Replaying: `ReplayModel(recording)` goes where the recorded model was.

May import `realtape.schema` and `realtape.session` only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..schema.lazy_doors import open_lazily

if TYPE_CHECKING:
    from ..session import Recording
    from .breakpoints import Breakpoint, Moment
    from .explain import left_unchecked, other_playback, unmade_after, without
    from .loop.virtual_loop import StuckLoopError, VirtualLoop, run
    from .matching.audio_tape import AudioMatching, AudioTape, SentAudio
    from .matching.client_ids import CLIENT_IDS, ClientIds
    from .matching.excerpts import differing, differing_fields
    from .matching.expectation import Decision, Expectation, Expected
    from .matching.live_values import LiveValues
    from .matching.matchers import (
        IGNORE,
        JSON_TEXT,
        Apart,
        Declared,
        Matcher,
        MatcherError,
        Matchers,
        Normalised,
        Tolerance,
    )
    from .model import PATIENCE_SECONDS, Depth, ReplayBase, ReplayModel
    from .play import Application, Ending, Play, Played, ReplayOptions, Verdict, comes_of, related, replay
    from .reporting.divergence import Difference, Divergence, DivergenceError
    from .reporting.report import ReplayReport, Unchecked
    from .reporting.report_builder import ReportBuilder
    from .rewindable import Rewindable
    from .started_tasks import StartedTasks
    from .terms.steps import RecordedCall, Step
    from .tracker import PlaybackMatching, ReplayTracker
    from .transport import Goal, Stop, Transport, starts_turn, steps
    from .watched_recording import WatchedRecording

__all__ = [
    "CLIENT_IDS",
    "IGNORE",
    "JSON_TEXT",
    "PATIENCE_SECONDS",
    "Apart",
    "Application",
    "AudioMatching",
    "AudioTape",
    "Breakpoint",
    "ClientIds",
    "Decision",
    "Declared",
    "Depth",
    "Difference",
    "Divergence",
    "DivergenceError",
    "Ending",
    "Expectation",
    "Expected",
    "Goal",
    "LiveValues",
    "Matcher",
    "MatcherError",
    "Matchers",
    "Moment",
    "Normalised",
    "Play",
    "PlaybackMatching",
    "Played",
    "RecordedCall",
    "Recording",
    "ReplayBase",
    "ReplayModel",
    "ReplayOptions",
    "ReplayReport",
    "ReplayTracker",
    "ReportBuilder",
    "Rewindable",
    "SentAudio",
    "StartedTasks",
    "Step",
    "Stop",
    "StuckLoopError",
    "Tolerance",
    "Transport",
    "Unchecked",
    "Verdict",
    "VirtualLoop",
    "WatchedRecording",
    "comes_of",
    "differing",
    "differing_fields",
    "left_unchecked",
    "other_playback",
    "related",
    "replay",
    "run",
    "starts_turn",
    "steps",
    "unmade_after",
    "without",
]

open_lazily(__name__)
