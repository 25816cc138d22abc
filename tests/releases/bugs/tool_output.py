"""A tool's output guardrail is never asked, and what it should withhold goes out.

The session's own dispatch of tools left such guardrails out. openai-agents-python#5127; released
with 0.23.1.
"""

from __future__ import annotations

from typing import Any

from agents import (
    ToolGuardrailFunctionOutput,
    ToolOutputGuardrailData,
    function_tool,
    tool_output_guardrail,
)
from agents.realtime import RealtimeAgent
from realtape.provider import Reply, Script

from ..application import Application, Seen

SECRET = "card 4111 1111 1111 1111"
WITHHELD = "the card's number is withheld"


@tool_output_guardrail
def _no_cards(data: ToolOutputGuardrailData) -> ToolGuardrailFunctionOutput:
    if "card" in str(data.output):
        return ToolGuardrailFunctionOutput.reject_content(message=WITHHELD)
    return ToolGuardrailFunctionOutput.allow()


@function_tool(tool_output_guardrails=[_no_cards])
def customer(number: int) -> str:
    """What is known about a customer."""
    return f"customer {number}, {SECRET}"


def _agent() -> RealtimeAgent[Any]:
    return RealtimeAgent(name="Tickets", tools=[customer])


APPLICATION = Application(
    script=Script(
        replies=(
            Reply.function_call("customer", {"number": 1042}),
            Reply.speech("I have found you."),
        )
    ),
    agent=_agent,
    turns=2,
)


def symptom(seen: Seen) -> list[Any]:
    """Outputs that hold what they must not."""
    return [event for event in seen.events if event["type"] == "tool_end" and SECRET in event["output"]]
