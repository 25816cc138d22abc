"""What tests of the local provider behind its socket share."""

from __future__ import annotations

import asyncio

from realtape.provider import ConnectionLog

PACE = 0.02
PATIENCE_S = 60.0


async def until_closed(log: ConnectionLog) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not log.closed:
            await asyncio.sleep(0.001)
