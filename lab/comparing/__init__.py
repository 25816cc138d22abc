"""Two recordings, held against each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...schema.lazy_doors import open_lazily

if TYPE_CHECKING:
    from .chain_comparison import ChainComparison, compare_chains, pairs_of
    from .comparing import compare
    from .comparison import Aspect, Comparison, EntryDifference

__all__ = [
    "Aspect",
    "ChainComparison",
    "Comparison",
    "EntryDifference",
    "compare",
    "compare_chains",
    "pairs_of",
]

open_lazily(__name__)
