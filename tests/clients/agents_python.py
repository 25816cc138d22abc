"""The OpenAI Agents SDK for Python, with its own model."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from agents import function_tool
from agents.realtime import RealtimeAgent, RealtimeModelSendRawMessage, RealtimeRunner, RealtimeSession
from clients.conversation import QUESTION, SILENCE, TEXTS, Told, answered, main, pieces


async def converse(url: str) -> Told:
    """Lead the conversation."""
    told = Told()

    @function_tool
    async def weather(city: str) -> str:
        """Today's weather."""
        told.calls.append(["weather", {"city": city}])
        return answered()

    settings: Any = {"audio": {"input": {"turn_detection": {"type": "server_vad"}}}, "tracing": None}
    runner = RealtimeRunner(RealtimeAgent(name="desk", tools=[weather]), config={"model_settings": settings})
    async with await runner.run(model_config={"url": url, "api_key": "any"}) as session:
        for text in TEXTS:
            await session.send_message(text)
            await _response(session, told)
        for piece in pieces(QUESTION + SILENCE):
            await session.send_audio(piece)
        await _response(session, told)
        await _settled(session)
    return told


async def _response(session: RealtimeSession, told: Told) -> None:
    """Up to an answer that calls no tool."""
    async for event in session:
        if event.type == "audio":
            told.audio += event.audio.data
        elif event.type == "error":
            raise RuntimeError(event.error)
        elif event.type == "raw_model_event" and event.data.type == "raw_server_event":
            message: Any = event.data.data
            if message["type"] == "response.output_audio_transcript.done":
                told.said.append(message["transcript"])
            elif message["type"] == "response.done" and not json.dumps(message).count("function_call"):
                return


async def _settled(session: RealtimeSession) -> None:
    """Up to where all that the model asked for by itself is answered: who hangs up in the midst of that does
    so at another place each time."""
    await session.model.send_event(RealtimeModelSendRawMessage({"type": "input_audio_buffer.clear"}))
    async for event in session:
        if event.type == "raw_model_event" and event.data.type == "raw_server_event":
            message: Any = event.data.data
            if message["type"] == "input_audio_buffer.cleared":
                return


if __name__ == "__main__":
    asyncio.run(main(converse))
