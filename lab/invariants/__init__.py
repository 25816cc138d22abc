"""What holds in every session of a sound application, as rules that can be checked on any recording.

`check(recording)` answers with the violations, and with what could not be checked. Each rule can be used
alone, and `Watch` checks entries as they come. `docs/strategies.md` has each rule with its source.
"""

from __future__ import annotations

from .calls import CallsAnsweredOnce
from .checking import ALL, Findings, InvariantError, NotCheckable, Violation, Watch, check
from .ends import NothingAfterEndOfStream, NothingSentAfterClose
from .heard import HeardWithinGenerated, TruncatedWithinReceived
from .history import HistoryAgrees
from .interrupted import InterruptsTheInterrupted
from .responses import OneResponseAtATime
from .rule import Evidence, Found, Invariant, Watching, rule
from .silenced import SilentOnceInterrupted

__all__ = [
    "ALL",
    "CallsAnsweredOnce",
    "Evidence",
    "Findings",
    "Found",
    "HeardWithinGenerated",
    "HistoryAgrees",
    "InterruptsTheInterrupted",
    "Invariant",
    "InvariantError",
    "NotCheckable",
    "NothingAfterEndOfStream",
    "NothingSentAfterClose",
    "OneResponseAtATime",
    "SilentOnceInterrupted",
    "TruncatedWithinReceived",
    "Violation",
    "Watch",
    "Watching",
    "check",
    "rule",
]
