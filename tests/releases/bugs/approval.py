"""A tool that asks for approval by its arguments runs unasked when these are no JSON.

The session gave such a policy no arguments at all, to which it agreed. openai-agents-python#3863,
mended by #3867; released with 0.19.0.
"""

from __future__ import annotations

from typing import Any

from agents import FunctionTool, RunContextWrapper
from agents.realtime import RealtimeAgent, RealtimeSession, RealtimeSessionEvent
from agents.tool_context import ToolContext
from realtape.provider import Reply, Script

from ..application import Application, Seen

ARGUMENTS = "amount=500"
PAID = "paid out"


async def _is_large(_: RunContextWrapper[Any], arguments: dict[str, Any], __: str) -> bool:
    return arguments.get("amount", 0) > 100


async def _pay_out(_: ToolContext[Any], __: str) -> str:
    return PAID


def _agent() -> RealtimeAgent[Any]:
    refund = FunctionTool(
        name="refund",
        description="Pays out what a customer has paid.",
        params_json_schema={"type": "object", "properties": {"amount": {"type": "integer"}}},
        on_invoke_tool=_pay_out,
        strict_json_schema=False,
        needs_approval=_is_large,
    )
    return RealtimeAgent(name="Tickets", tools=[refund])


async def _react(session: RealtimeSession, event: RealtimeSessionEvent) -> None:
    if event.type == "tool_approval_required":
        await session.reject_tool_call(event.call_id)


APPLICATION = Application(
    script=Script(
        replies=(
            Reply.function_call("refund", ARGUMENTS),
            Reply.speech("That is settled."),
        )
    ),
    agent=_agent,
    turns=2,
    react=_react,
)


def symptom(seen: Seen) -> list[Any]:
    """Runs of the tool for which nobody was asked."""
    asked = any(event["type"] == "tool_approval_required" for event in seen.events)
    return [event for event in seen.events if event["type"] == "tool_start" and not asked]
