"""A tool call stays `in_progress`, without an output, in the history for ever.

The model reports the call's item a second time when its output was sent; the session applied such
updates to messages only. openai-agents-python#4284; released with 0.20.0.
"""

from __future__ import annotations

from typing import Any

from agents import function_tool
from agents.realtime import RealtimeAgent
from realtape.provider import Reply, Script

from ..application import Application, Seen


@function_tool
def departure(destination: str) -> str:
    """When the next train leaves."""
    return f"9:15 to {destination}"


def _agent() -> RealtimeAgent[Any]:
    return RealtimeAgent(name="Timetable", tools=[departure])


APPLICATION = Application(
    script=Script(
        replies=(
            Reply.function_call("departure", {"destination": "Brno"}),
            Reply.speech("At a quarter past nine."),
        )
    ),
    agent=_agent,
    turns=2,
)


def symptom(seen: Seen) -> list[Any]:
    """Tool calls of which the history does not know what came of them."""
    return [item for item in seen.history if item["type"] == "function_call" and item["output"] is None]
