"""The `openai` package's own realtime client."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

from clients.conversation import QUESTION, SILENCE, TEXTS, TOOL, Told, answered, main, pieces
from openai import AsyncOpenAI


async def converse(url: str) -> Told:
    """Lead the conversation."""
    told = Told()
    base = url.partition("?")[0].removesuffix("/realtime")
    client = AsyncOpenAI(api_key="any", websocket_base_url=base)
    async with client.realtime.connect(model="local") as realtime:
        settings: Any = {
            "type": "realtime",
            "audio": {"input": {"turn_detection": {"type": "server_vad"}}},
            "tools": [TOOL],
        }
        await realtime.session.update(session=settings)
        for text in TEXTS:
            item: Any = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
            await realtime.conversation.item.create(item=item)
            await realtime.response.create()
            await _response(realtime, told)
        for piece in pieces(QUESTION + SILENCE):
            await realtime.input_audio_buffer.append(audio=base64.b64encode(piece).decode())
        await _response(realtime, told)
    return told


async def _response(realtime: Any, told: Told) -> None:
    """Up to an answer that calls no tool."""
    while True:
        event = await realtime.recv()
        if event.type == "response.output_audio.delta":
            told.audio += base64.b64decode(event.delta)
        elif event.type == "response.output_audio_transcript.done":
            told.said.append(event.transcript)
        elif event.type == "error":
            raise RuntimeError(event.error)
        elif event.type == "response.done":
            calls = [one for one in event.response.output if one.type == "function_call"]
            for call in calls:
                told.calls.append([call.name, json.loads(call.arguments)])
                output = {"type": "function_call_output", "call_id": call.call_id, "output": answered()}
                await realtime.conversation.item.create(item=output)
                await realtime.response.create()
            if not calls:
                return


if __name__ == "__main__":
    asyncio.run(main(converse))
