"""Sessions made smaller: what one can do without, and what has to stay, or it could not have happened."""

from __future__ import annotations

from .checks import Problem, new_problems, problems
from .removal import without
from .shrink import Hunt, Shrinking, smallest
from .trim import Trimmed, carrying, trimmed

__all__ = [
    "Hunt",
    "Problem",
    "Shrinking",
    "Trimmed",
    "carrying",
    "new_problems",
    "problems",
    "smallest",
    "trimmed",
    "without",
]
