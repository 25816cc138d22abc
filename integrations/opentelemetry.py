"""A recorder's status as metrics of OpenTelemetry. Needs the extra `realtape[opentelemetry]`."""

from __future__ import annotations

import importlib
import weakref
from collections.abc import Callable
from typing import Any

from ..recorder import Recorder

_COUNTERS = {
    "entries": ("{entry}", "entries committed"),
    "payload_bytes": ("By", "text and bytes of the entries committed"),
    "lost_entries": ("{entry}", "entries that gaps tell of"),
    "commits": ("{commit}", "commits made"),
    "removed_sessions": ("{session}", "sessions that the retention took"),
}
_GAUGES = {
    "sessions": ("{session}", "sessions that go on"),
    "pending_entries": ("{entry}", "entries appended and not committed yet"),
    "pending_bytes": ("By", "what they hold in memory"),
    "commit_seconds": ("s", "what the last commit took"),
    "loss_window_seconds": ("s", "how old an entry may be that the end of the machine would cost"),
    "failing_seconds": ("s", "since when nothing could be written; 0 while it can"),
}


def observe(recorder: Recorder, meter: Any = None) -> None:
    """Let a meter ask for the recorder's status, as `realtape.recorder.…`: counters of `entries`,
    `payload_bytes`, `lost_entries`, `commits` and `removed_sessions`; gauges of `sessions`,
    `pending_entries`, `pending_bytes`, `commit_seconds`, `loss_window_seconds` and `failing_seconds`; each
    with the attribute `store`.

    It does not keep the recorder; of one that is gone nothing is told.

    Args:
        recorder: of this process. After a fork the child's own numbers are told.
        meter: the application's; by default the global provider's.
    """
    metrics = importlib.import_module("opentelemetry.metrics")
    meter = meter or metrics.get_meter("realtape")
    observed = weakref.ref(recorder)

    def asked(fact: str) -> Callable[[Any], list[Any]]:
        def answer(_options: Any) -> list[Any]:
            recorder = observed()
            if recorder is None:
                return []
            status = recorder.status()
            return [metrics.Observation(getattr(status, fact), {"store": status.store})]

        return answer

    for facts, create in (
        (_COUNTERS, meter.create_observable_counter),
        (_GAUGES, meter.create_observable_gauge),
    ):
        for fact, (unit, description) in facts.items():
            create(f"realtape.recorder.{fact}", [asked(fact)], unit=unit, description=description)
