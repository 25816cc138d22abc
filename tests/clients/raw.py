"""A client of bare websockets: what every provider's own example does."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

from clients.conversation import QUESTION, SILENCE, TEXTS, TOOL, Told, answered, main, pieces
from websockets.asyncio.client import ClientConnection, connect

SETTINGS = {
    "type": "realtime",
    "output_modalities": ["audio"],
    "audio": {"input": {"turn_detection": {"type": "server_vad"}}},
    "tools": [TOOL],
}


async def converse(url: str) -> Told:
    """Lead the conversation."""
    told = Told()
    async with connect(url, max_size=None, additional_headers={"Authorization": "Bearer any"}) as client:
        await _send(client, "session.update", session=SETTINGS)
        for text in TEXTS:
            content = [{"type": "input_text", "text": text}]
            await _send(
                client,
                "conversation.item.create",
                item={"type": "message", "role": "user", "content": content},
            )
            await _send(client, "response.create")
            await _response(client, told)
        for piece in pieces(QUESTION + SILENCE):
            await _send(client, "input_audio_buffer.append", audio=base64.b64encode(piece).decode())
        await _response(client, told)
    return told


async def _send(client: ClientConnection, type: str, **fields: Any) -> None:
    await client.send(json.dumps({"type": type, **fields}))


async def _response(client: ClientConnection, told: Told) -> None:
    """Up to an answer that calls no tool."""
    while True:
        message = json.loads(await client.recv())
        match message["type"]:
            case "response.output_audio.delta":
                told.audio += base64.b64decode(message["delta"])
            case "response.output_audio_transcript.done":
                told.said.append(message["transcript"])
            case "response.done":
                calls = [one for one in message["response"]["output"] if one["type"] == "function_call"]
                for call in calls:
                    told.calls.append([call["name"], json.loads(call["arguments"])])
                    output = {
                        "type": "function_call_output",
                        "call_id": call["call_id"],
                        "output": answered(),
                    }
                    await _send(client, "conversation.item.create", item=output)
                    await _send(client, "response.create")
                if not calls:
                    return
            case "error":
                raise RuntimeError(message["error"])
            case _:
                pass


if __name__ == "__main__":
    asyncio.run(main(converse))
