"""Applications that do not bear every interruption, or do what a fork does not copy."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from typing import Any

from support.voice import Voice


class Moody(Voice):
    """Interrupted in the first 100 ms it ends its process, in the next 100 ms it never comes back."""

    async def interrupted(self, event: Any) -> None:
        heard_ms = self.tracker.get_state()["elapsed_ms"] or 0
        if heard_ms < 100:
            os._exit(7)
        while heard_ms < 200:
            pass


async def moody(model: Any) -> None:
    """See there."""
    await Moody(model).run()


async def deaf(model: Any) -> None:
    """A listener that never returns from an interruption."""

    class Deaf(Voice):
        async def interrupted(self, event: Any) -> None:
            if int(self.tracker.get_state()["elapsed_ms"] or 0) < 100:
                await asyncio.Event().wait()

    await Deaf(model).run()


async def threaded(model: Any) -> None:
    """From its first tool call on it has a thread of its own."""
    done = threading.Event()
    thread = threading.Thread(target=done.wait, name="at work")

    class Threaded(Voice):
        async def answer(self, call: Any) -> None:
            thread.start()
            await super().answer(call)

    try:
        await Threaded(model).run()
    finally:
        done.set()


async def aside(model: Any) -> None:
    """A tool of it does its work in a thread of the loop's."""

    class Aside(Voice):
        async def answer(self, call: Any) -> None:
            await asyncio.to_thread(lambda: None)
            await super().answer(call)

    await Aside(model).run()


async def connected(model: Any) -> None:
    """It has a socket open."""
    one, other = socket.socketpair()
    with one, other:
        await Voice(model).run()
