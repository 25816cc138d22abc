"""Where a response hands over to another agent, `agent_end` names that one, who never began.

The session named its current agent instead of the one whose response it was.
openai-agents-python#5072, mended by #5073; released with 0.23.1.
"""

from __future__ import annotations

from typing import Any

from agents.realtime import RealtimeAgent, realtime_handoff
from realtape.provider import FunctionCall, Reply, Script, Speech

from ..application import Application, Seen


def _agent() -> RealtimeAgent[Any]:
    lost_property: RealtimeAgent[Any] = RealtimeAgent(name="Lost property")
    return RealtimeAgent(name="Reception", handoffs=[realtime_handoff(lost_property)])


APPLICATION = Application(
    script=Script(
        replies=(
            Reply(
                (FunctionCall("transfer_to_lost_property"), Speech("One moment, I put you through to them."))
            ),
            Reply.speech("Lost property, good morning."),
        )
    ),
    agent=_agent,
    turns=2,
)


def symptom(seen: Seen) -> list[Any]:
    """Turns that ended for another agent than they began for."""
    begun = [event["agent"] for event in seen.events if event["type"] == "agent_start"]
    ended = [event["agent"] for event in seen.events if event["type"] == "agent_end"]
    return [turn for turn in zip(begun, ended, strict=True) if turn[0] != turn[1]]
