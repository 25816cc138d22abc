"""A switchboard: an application of the SDK with everything in it that can come in another order.

Three agents who hand off to each other, tools that sleep and tools that run in threads, an output
guardrail that trips, tools that must be approved, a player with a playback tracker; and a user who
types, speaks, interrupts by a call and by voice, and sends nonsense. Its first connection is dropped by
the provider; the second it closes itself, while six tools are at work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from agents import GuardrailFunctionOutput, OutputGuardrail, function_tool
from agents.realtime import RealtimeAgent, realtime_handoff
from realtape.provider import USER_INTERRUPTION, USER_QUESTION, Ending, FunctionCall, Reply, Script

from .noise import Noise

Tell = Callable[..., None]
"""Tells what the application itself did, by name and fields."""

ARCHIVES = 6
"""Tools at work when the second connection is closed."""

_LONG = "There are nine trains, and each of them has a story of its own to tell."
_SECRET = "Between us two, the secret fare is one crown, if you know whom to ask at the desk."


def script(connection: int) -> Script:
    """What the provider says on its first connection, and on the second."""
    if connection == 1:
        return Script(
            replies=(
                Reply.speech("Good morning."),
                Reply(outputs=(FunctionCall("departure", {"to": "Brno"}), _fare(2), _fare(3))),
                Reply(outputs=(FunctionCall("departure", {"to": "Cheb"}), _fare(4))),
                Reply.speech(_LONG),  # interrupted by a call
                Reply.function_call("transfer_to_clerk"),
                Reply(outputs=(_book(2), _book(9))),  # one is approved, one is not
                Reply.speech("Two seats."),
                Reply.speech(_SECRET),  # trips the guardrail
                Reply.speech("Forget that."),
                Reply.function_call("transfer_to_guide"),
                Reply.speech(_LONG),  # interrupted by voice
                Reply.text("Platform four."),
                Reply.speech("And now to", ending=Ending(1011, "the provider is tired", after_ms=300)),
            ),
            transcripts=(USER_QUESTION.text, USER_INTERRUPTION.text),
        )
    return Script(
        replies=(
            Reply.speech("Here I am again."),
            Reply(outputs=tuple(FunctionCall("archive", {"year": 2000 + n}) for n in range(ARCHIVES))),
        ),
    )


def _fare(seats: int) -> FunctionCall:
    return FunctionCall("fare", {"seats": seats})


def _book(seats: int) -> FunctionCall:
    return FunctionCall("book", {"seats": seats})


def agents(noise: Noise, tell: Tell) -> RealtimeAgent[Any]:
    """The host, who knows the others.

    Args:
        noise: made in every tool and every guardrail.
        tell: told when a tool begins, and how it ends.
    """

    @function_tool
    async def departure(to: str) -> str:
        """When the next train leaves."""
        noise()
        await asyncio.sleep(0.03 if to == "Brno" else 0.01)
        noise()
        return f"9:15 to {to}"

    @function_tool
    def fare(seats: int) -> dict[str, int]:
        """What it costs; in a thread."""
        noise()
        return {"seats": seats, "crowns": 90 * seats}

    @function_tool(needs_approval=True)
    async def book(seats: int) -> list[int]:
        """Book seats."""
        noise()
        await asyncio.sleep(0.005 * seats)
        return [seats]

    @function_tool
    async def archive(year: int) -> str:
        """The timetable of a year; takes a minute."""
        noise()
        tell("archive begins", year=year)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            noise()
            tell("archive is cancelled", year=year)
            raise
        return "dust"

    async def discreet(context: Any, agent: Any, said: str) -> GuardrailFunctionOutput:
        noise()
        await asyncio.sleep(0.002)
        return GuardrailFunctionOutput({"length": len(said)}, tripwire_triggered="secret" in said)

    clerk = RealtimeAgent[Any](
        name="Clerk",
        instructions="Book.",
        tools=[book, fare],
        output_guardrails=[OutputGuardrail(discreet, name="discretion")],
    )
    guide = RealtimeAgent[Any](name="Guide", instructions="Show the way.", tools=[departure])
    clerk.handoffs = [realtime_handoff(guide, tool_name_override="transfer_to_guide")]
    return RealtimeAgent[Any](
        name="Host",
        instructions="Greet.",
        tools=[departure, fare, archive],
        handoffs=[realtime_handoff(clerk, tool_name_override="transfer_to_clerk")],
    )
