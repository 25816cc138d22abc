"""Edits: each makes of a session another one that could have happened. `varied` applies them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...schema.lazy_doors import open_lazily

if TYPE_CHECKING:
    from .deltas import MergeDeltas, SplitDelta, deltas_of, following, size
    from .disconnection import Disconnect
    from .early_end import EndEarly, cuttable
    from .interruption import (
        Boundary,
        Heard,
        Interrupt,
        MoveInterruption,
        boundaries,
        heard_places,
        interrupt_at,
    )
    from .messages import Delay, DelayResponse, Drop, Duplicate, Reorder, freedom, may_lack, may_repeat
    from .other_calls import AGAIN, CallTwice, OtherArguments
    from .questions import AskAgain, Silence, questions, quiet, repeatable
    from .sketch import Beginning, Sketch
    from .sweep import EVERY_MS, Swept, branches_at, promising, ranges, swept, work_out
    from .tails import TAIL_TURNS, Tail, tail
    from .tools import FAILED, AnswerAfter, FailTool, SlowTool, answered, at_once
    from .variation import PATIENCE_SECONDS, Edit, derived_by, variation_settings, varied

__all__ = [
    "AGAIN",
    "EVERY_MS",
    "FAILED",
    "PATIENCE_SECONDS",
    "TAIL_TURNS",
    "AnswerAfter",
    "AskAgain",
    "Beginning",
    "Boundary",
    "CallTwice",
    "Delay",
    "DelayResponse",
    "Disconnect",
    "Drop",
    "Duplicate",
    "Edit",
    "EndEarly",
    "FailTool",
    "Heard",
    "Interrupt",
    "MergeDeltas",
    "MoveInterruption",
    "OtherArguments",
    "Reorder",
    "Silence",
    "Sketch",
    "SlowTool",
    "SplitDelta",
    "Swept",
    "Tail",
    "answered",
    "at_once",
    "boundaries",
    "branches_at",
    "cuttable",
    "deltas_of",
    "derived_by",
    "following",
    "freedom",
    "heard_places",
    "interrupt_at",
    "may_lack",
    "may_repeat",
    "promising",
    "questions",
    "quiet",
    "ranges",
    "repeatable",
    "size",
    "swept",
    "tail",
    "variation_settings",
    "varied",
    "work_out",
]

open_lazily(__name__)
