"""What tests of the wire's shells on real sockets share."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any

from agents.realtime import RealtimeAgent, RealtimeRunner
from support.wire_talk import Said, data_of
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

PATIENCE_S = 30.0
_SPOKEN = ("response.output_text.delta", "response.output_audio_transcript.delta")


async def talk(client: ClientConnection, said: Iterable[Said]) -> list[str | bytes]:
    """Do what a client did: send what it sent, each when as much came as before. What came."""
    got: list[str | bytes] = []
    async with asyncio.timeout(PATIENCE_S):
        for way, what in said:
            if way == ">":
                await client.send(data_of(what))
            else:
                got.append(await client.recv())
    return got


async def rest_of(client: ClientConnection) -> tuple[list[Any], ConnectionClosed]:
    """What comes up to the end, and the end."""
    got: list[Any] = []
    async with asyncio.timeout(PATIENCE_S):
        try:
            while True:
                got.append(json.loads(await client.recv()))
        except ConnectionClosed as closed:
            return got, closed


async def quiet(client: ClientConnection) -> bool:
    """Whether nothing more comes for a moment."""
    try:
        async with asyncio.timeout(0.05):
            await client.recv()
    except TimeoutError:
        return True
    return False


async def say(url: str, model: Any, *texts: str) -> list[str]:
    """What the SDK's session says to each text; nothing of the SDK is replaced, only the URL is another."""
    said: list[str] = []
    runner = RealtimeRunner(RealtimeAgent(name="desk"), model=model)
    async with asyncio.timeout(PATIENCE_S):
        async with await runner.run(model_config={"url": url, "api_key": "any"}) as session:
            for text in texts:
                said.append("")
                await session.send_message(text)
                async for event in session:
                    if event.type == "raw_model_event":
                        if event.data.type == "raw_server_event" and event.data.data["type"] in _SPOKEN:
                            said[-1] += event.data.data["delta"]
                        if event.data.type == "turn_ended":
                            break
    return said
