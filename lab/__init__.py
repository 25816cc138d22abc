"""Sessions made out of sessions: edits, shrinking, rules, generating, comparing.

May import `realtape.schema`, `realtape.session`, `realtape.provider` and `realtape.replay`.
"""

from __future__ import annotations

from .comparing.comparing import compare
from .comparing.comparison import Aspect, Comparison, EntryDifference

__all__ = ["Aspect", "Comparison", "EntryDifference", "compare"]
