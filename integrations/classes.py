"""Whose classes a model speaks: the SDK's, or Realtape's own. The SDK is imported only where it is used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..recorder import Recorder
from ..replay import ReplayBase, ReplayModel
from ..schema import UsageError

_SDK = "openai-agents"
_SDK_PACKAGE = "agents"


def recorder_class(model: type[Any]) -> type[Recorder]:
    """The recorder that knows the classes of this class of models."""
    if not any(base.__module__.partition(".")[0] == _SDK_PACKAGE for base in model.__mro__):
        return Recorder
    from .openai_agents import Recorder as OfTheSdk

    return OfTheSdk


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
