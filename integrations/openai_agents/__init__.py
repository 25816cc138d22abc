"""The OpenAI Agents SDK: `Recorder(store).wrap(model)` and `ReplayModel(recording)` go where a
`RealtimeModel` goes.

Needs the extra `realtape[openai-agents]`.
"""

from __future__ import annotations

from .recording import Recorder, RecordingModel
from .replay import ReplayModel
from .vocabulary import VOCABULARY

__all__ = ["VOCABULARY", "Recorder", "RecordingModel", "ReplayModel"]
