"""`ReplayModel` for the OpenAI Agents SDK: a recording behind `agents.realtime.RealtimeModel`."""

from __future__ import annotations

from agents.realtime import RealtimeModel

from ...replay.model import ReplayBase
from .vocabulary import VOCABULARY


class ReplayModel(ReplayBase, RealtimeModel):
    """A recording behind the SDK's interface, delivering the SDK's own event classes.

    Hand it to `RealtimeRunner(agent, model=…)` in the place of the model that was recorded. What
    was recorded with another release of the SDK is delivered in the classes of the installed one:
    a field that it lacks is left out, a type that it lacks comes as `other`; the report notes both.
    """

    vocabulary = VOCABULARY
