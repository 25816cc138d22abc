"""Recording: `Recorder(store)` and `RecordingModel(inner, recorder=…)`.

May import `realtape.schema` only.
"""

from __future__ import annotations

from .model import RecordingModel
from .recorder import Recorder

__all__ = ["Recorder", "RecordingModel"]
