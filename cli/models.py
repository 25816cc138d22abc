"""Which `ReplayModel` a recording is replayed with on the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..integrations.classes import replay_class
from ..replay import ReplayModel
from ..replay.model import ReplayBase
from ..schema import UsageError


def replay_model(versions: Mapping[str, str], note: Callable[[str], None]) -> type[ReplayBase]:
    """The class whose interface the recorded application was written for.

    Args:
        versions: of the recording's header.
        note: gets a sentence where it is another class, because the right one is not here.
    """
    try:
        return replay_class(versions)
    except UsageError as error:
        note(f"{error}; replaying with Realtape's own event classes")
        return ReplayModel
