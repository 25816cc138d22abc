"""Recording: `Recorder(store)` and `RecordingModel(inner, recorder=…)`.

May import `realtape.schema` only.
"""

from __future__ import annotations

from .recorder import Recorder, RecordingModel

__all__ = ["Recorder", "RecordingModel"]
