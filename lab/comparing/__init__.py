"""Two recordings, held against each other."""

from __future__ import annotations

from .comparing import compare
from .comparison import Aspect, Comparison, EntryDifference

__all__ = [
    "Aspect",
    "Comparison",
    "EntryDifference",
    "compare",
]
