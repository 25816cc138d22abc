"""What a session comes to, as data: defined in `docs/derived.md`, computed once, shown by all that show it.

Each module has a record, and the reader that finds such records while a session is read. May import the rest
of `realtape.session`.
"""

from __future__ import annotations

from .connection_records import ConnectionRecord
from .derivation import Derivation, Derived, derive, derive_draft
from .exchange import Exchange, Exchanged
from .heard_records import Discrepancy, HeardRecord
from .interruption_records import InterruptionRecord
from .latency_records import LatencyRecord
from .loudness import THRESHOLD_DBFS, Loudness
from .response_records import ResponseRecord
from .token_counts import TokenCounts
from .tool_records import ToolRecord
from .turn_records import TurnRecord

__all__ = [
    "THRESHOLD_DBFS",
    "ConnectionRecord",
    "Derivation",
    "Derived",
    "Discrepancy",
    "Exchange",
    "Exchanged",
    "HeardRecord",
    "InterruptionRecord",
    "LatencyRecord",
    "Loudness",
    "ResponseRecord",
    "TokenCounts",
    "ToolRecord",
    "TurnRecord",
    "derive",
    "derive_draft",
]
