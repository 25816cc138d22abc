"""Sessions made out of sessions: edits, shrinking, sweeping, comparing, accepting. `realtape.lab.edits` has
each edit, `realtape.lab.invariants` the rules of a sound application, `realtape.lab.strategies` generates
sessions.

May import `realtape.schema`, `realtape.session`, `realtape.provider` and `realtape.replay`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..schema.lazy_doors import open_lazily

if TYPE_CHECKING:
    from .acceptance import OVER, Acceptance, accepted
    from .comparing import (
        Aspect,
        ChainComparison,
        Comparison,
        EntryDifference,
        compare,
        compare_chains,
        pairs_of,
    )
    from .edits import (
        EVERY_MS,
        PATIENCE_SECONDS,
        TAIL_TURNS,
        Swept,
        promising,
        ranges,
        swept,
        variation_settings,
        varied,
    )
    from .shrinking import Hunt, Shrinking, carrying, trimmed

__all__ = [
    "EVERY_MS",
    "OVER",
    "PATIENCE_SECONDS",
    "TAIL_TURNS",
    "Acceptance",
    "Aspect",
    "ChainComparison",
    "Comparison",
    "EntryDifference",
    "Hunt",
    "Shrinking",
    "Swept",
    "accepted",
    "carrying",
    "compare",
    "compare_chains",
    "pairs_of",
    "promising",
    "ranges",
    "swept",
    "trimmed",
    "variation_settings",
    "varied",
]

open_lazily(__name__)
