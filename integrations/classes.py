"""Whose classes a model speaks: the SDK's, or Realtape's own. The SDK is imported only where it is used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..recorder import Recorder
from ..replay import Depth, ReplayBase, ReplayModel
from ..schema import WIRE_FORMAT, UsageError
from ..session import Recording

_SDK = "openai-agents"
_SDK_PACKAGE = "agents"


def recorder_class(model: type[Any]) -> type[Recorder]:
    """The recorder that knows the classes of this class of models."""
    if not any(base.__module__.partition(".")[0] == _SDK_PACKAGE for base in model.__mro__):
        return Recorder
    from .openai_agents import Recorder as OfTheSdk

    return OfTheSdk


def class_at(
    depth: Depth | None, recording: Recording, at_interface: type[ReplayBase], *, driven: bool = True
) -> type[Any]:
    """The class with which a recording is replayed at a depth.

    Args:
        depth: None: below the interface where all frames of the session were recorded, and its model is here.
        at_interface: what replays it there.
        driven: there is an application.

    Raises:
        UsageError: it is to be replayed below the interface, and the SDK is not here.
    """
    by_itself = not driven or recording.header.format < WIRE_FORMAT or at_interface is ReplayModel
    if depth == "interface" or (depth is None and by_itself):
        return at_interface
    try:
        from .openai_agents import replayed_at
    except ImportError as error:
        raise UsageError(
            f"below the interface the model of {_SDK} is replayed, which is not usable here ({error}): "
            "pip install 'realtape[openai-agents]'; or replay it at the interface"
        ) from error
    return replayed_at(depth, recording)


def replay_class(versions: Mapping[str, str]) -> type[ReplayBase]:
    """The replay whose interface the recorded application was written for.

    Args:
        versions: of the recording's header.

    Raises:
        UsageError: it was recorded with an SDK that is not here.
    """
    if _SDK not in versions:
        return ReplayModel
    try:
        from .openai_agents import ReplayModel as OfTheSdk
    except ImportError as error:
        raise UsageError(
            f"recorded with {_SDK} {versions[_SDK]}, which is not usable here ({error}): "
            "pip install 'realtape[openai-agents]'"
        ) from error
    return OfTheSdk
