"""What tests of the wire's shells on real sockets share."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any

from support.wire_talk import Said, data_of
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

PATIENCE_S = 30.0


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
