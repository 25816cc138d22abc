"""Edits: each makes of a session another one that could have happened. `varied` applies them."""

from __future__ import annotations

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
from .sweep import EVERY_MS, Swept, promising, ranges, swept
from .tools import FAILED, AnswerAfter, FailTool, SlowTool, answered, at_once
from .variation import PATIENCE_SECONDS, Edit, derived_by, variation_settings, varied

__all__ = [
    "EVERY_MS",
    "FAILED",
    "PATIENCE_SECONDS",
    "AnswerAfter",
    "Boundary",
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
    "Reorder",
    "SlowTool",
    "SplitDelta",
    "Swept",
    "answered",
    "at_once",
    "boundaries",
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
    "ranges",
    "size",
    "swept",
    "variation_settings",
    "varied",
]
