"""Which `ReplayModel` a recording is replayed with."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import cast

from ..recorder import Recorder
from ..replay import ReplayModel
from ..replay.model import ReplayBase

SDK = "openai-agents"
_INTEGRATION = "..integrations.openai_agents"


def replay_model(versions: Mapping[str, str], note: Callable[[str], None]) -> type[ReplayBase]:
    """The class whose interface the recorded application was written for.

    Args:
        versions: of the recording's header.
        note: gets a sentence where it is another class, because the right one is not here.
    """
    if SDK not in versions:
        return ReplayModel
    try:
        front_door = importlib.import_module(_INTEGRATION, __package__)
        return cast("type[ReplayBase]", front_door.ReplayModel)
    except (ImportError, AttributeError) as error:
        note(
            f"recorded with {SDK} {versions[SDK]}, which is not usable here ({error}); "
            "replaying with Realtape's own event classes: pip install 'realtape[openai-agents]' for the SDK's"
        )
        return ReplayModel


def recorder_class(model: type[ReplayBase]) -> type[Recorder]:
    """The recorder for what this replays: one that knows the same classes."""
    if model is ReplayModel:
        return Recorder
    return cast("type[Recorder]", importlib.import_module(_INTEGRATION, __package__).Recorder)
