"""The local provider on a loop of its own, for tests that run commands."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator
from contextlib import contextmanager

from realtape.provider import LocalProvider


@contextmanager
def provider_in_thread(provider: LocalProvider) -> Generator[str]:
    """Its URL, for as long as the block lasts."""
    started = threading.Event()
    urls: list[str] = []
    loop = asyncio.new_event_loop()
    over = asyncio.Event()

    async def listen() -> None:
        async with provider:
            urls.append(provider.url)
            started.set()
            await over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(listen()))
    thread.start()
    try:
        assert started.wait(30)
        yield urls[0]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()
