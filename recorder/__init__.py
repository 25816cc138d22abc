"""Recording: `Recorder(store)` and `RecordingModel(inner, recorder=…)`.

May import `realtape.schema` and `realtape.session` only. `realtape.recorder.causes` is a door of its own.
"""

from __future__ import annotations

from .memory import InMemory
from .options import harmless_url, secrets_in, settings_secrets
from .recorder import DRAIN_SECONDS, MAX_PENDING_BYTES, Recorder, RecordingBase, RecordingModel
from .status import RecorderStatus

__all__ = [
    "DRAIN_SECONDS",
    "MAX_PENDING_BYTES",
    "InMemory",
    "Recorder",
    "RecorderStatus",
    "RecordingBase",
    "RecordingModel",
    "harmless_url",
    "secrets_in",
    "settings_secrets",
]
