"""The OpenAI Agents SDK: `Recorder(store).wrap(model)` and `ReplayModel(recording)` go where a
`RealtimeModel` goes.

Needs the extra `realtape[openai-agents]`.
"""

from __future__ import annotations

from .driving import drive
from .recording import Recorder, RecordingModel
from .replay import ReplayModel
from .stubs import stub_tools
from .vocabulary import VOCABULARY

__all__ = ["VOCABULARY", "Recorder", "RecordingModel", "ReplayModel", "drive", "stub_tools"]
