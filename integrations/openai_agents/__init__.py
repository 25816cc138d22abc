"""The OpenAI Agents SDK: `Recorder(store).wrap(model)` and `ReplayModel(recording)` go where a
`RealtimeModel` goes; `replay(recording, app)` plays a recording into an application, and judges it.

All that a user of the SDK needs. Needs the extra `realtape[openai-agents]`.
"""

from __future__ import annotations

from ...replay import Played, run
from ...session import Recording
from .driving import drive
from .recording_model import Recorder, RecordingModel
from .replay_model import ReplayModel, replay, replayed_at
from .stubs import stub_tools
from .vocabulary import VOCABULARY

__all__ = [
    "VOCABULARY",
    "Played",
    "Recorder",
    "Recording",
    "RecordingModel",
    "ReplayModel",
    "drive",
    "replay",
    "replayed_at",
    "run",
    "stub_tools",
]
