"""What a session comes to, as data: defined in `docs/derived.md`, computed once, shown by all that show it.

Each module has a record, and the reader that finds such records while a session is read. May import the rest
of `realtape.session`.
"""

from __future__ import annotations

from .connection_records import ConnectionRecord
from .derivation import Derivation, Derived, derive, derive_draft, derive_stored
from .exchange import INTERRUPT, Exchange, Exchanged
from .heard_records import Discrepancy, HeardRecord
from .interruption_records import InterruptionRecord
from .latency_records import LatencyRecord
from .loudness import THRESHOLD_DBFS, Loudness, g711_samples
from .prices import Prices
from .response_records import ResponseRecord
from .summary import PERCENTILES, Distribution, Summary, cost_of
from .table_rows import table_rows
from .token_counts import TokenCounts
from .tool_records import ToolRecord
from .turn_records import TurnRecord

__all__ = [
    "INTERRUPT",
    "PERCENTILES",
    "THRESHOLD_DBFS",
    "ConnectionRecord",
    "Derivation",
    "Derived",
    "Discrepancy",
    "Distribution",
    "Exchange",
    "Exchanged",
    "HeardRecord",
    "InterruptionRecord",
    "LatencyRecord",
    "Loudness",
    "Prices",
    "ResponseRecord",
    "Summary",
    "TokenCounts",
    "ToolRecord",
    "TurnRecord",
    "cost_of",
    "derive",
    "derive_draft",
    "derive_stored",
    "g711_samples",
    "table_rows",
]
