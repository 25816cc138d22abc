"""An output guardrail has stopped a response, and its audio is played on.

Until the interruption reaches the provider, audio keeps coming; the session passed it on to the
application. openai-agents-python#4135; released with 0.19.3.
"""

from __future__ import annotations

import asyncio
from typing import Any

from agents import Agent, GuardrailFunctionOutput, OutputGuardrail, RunContextWrapper
from agents.realtime import OpenAIRealtimeWebSocketModel, RealtimeAgent
from realtape.provider import Reply, Script

from ..application import Application, Seen

UPLINK_SECONDS = 0.1
"""At the local provider's pace, a second of audio comes meanwhile."""


class FarAwayModel(OpenAIRealtimeWebSocketModel):
    """What is sent takes its time to the provider."""

    async def send_event(self, event: Any) -> None:
        """Send it, later."""
        await asyncio.sleep(UPLINK_SECONDS)
        await super().send_event(event)


async def _names_a_price(_: RunContextWrapper[Any], __: Agent[Any], text: Any) -> GuardrailFunctionOutput:
    return GuardrailFunctionOutput(output_info=None, tripwire_triggered="price" in text)


def _agent() -> RealtimeAgent[Any]:
    return RealtimeAgent(name="Tickets", output_guardrails=[OutputGuardrail(_names_a_price, "no prices")])


APPLICATION = Application(
    script=Script(
        replies=(
            Reply.speech(
                "I can tell you the price of that ticket at once, although I really should not do so, "
                "because it changes from day to day, and nobody keeps me informed about any of this."
            ),
            Reply.speech("Please ask at the counter."),
        )
    ),
    agent=_agent,
    turns=2,
    model=FarAwayModel,
)


def symptom(seen: Seen) -> list[Any]:
    """Audio that came between the guardrail's verdict and the end of the response."""
    types = [event["type"] for event in seen.events]
    stopped = types.index("guardrail_tripped")
    return [event for event in seen.events[stopped : types.index("agent_end")] if event["type"] == "audio"]
