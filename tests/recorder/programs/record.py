"""Records sessions into a store until told to stop: `record.py STORE NAME SESSIONS ENTRIES`."""

from __future__ import annotations

import asyncio
import sys

from realtape.recorder import Recorder
from realtape.schema.entries import Kind, Status


async def main(store: str, name: str, sessions: int, entries: int) -> None:
    """Sessions one after another, in each some entries with bytes, each commit as it comes."""
    async with Recorder(store) as recorder:
        for session in range(sessions):
            log = recorder.begin({"name": f"{name} {session}"})
            for number in range(entries):
                log.append(
                    Kind.MARKER, {"number": number, "bytes": f"{name} {session} {number}".encode() * 9}
                )
                if number % 10 == 0:
                    await asyncio.sleep(0)
            log.finish(Status.CLOSED)
            await asyncio.sleep(0.03)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
