"""What the fixture `realtape_server` gives a test: servers that play recordings, each on a loop of its own.

So the test may be synchronous, on any loop, on virtual time, or run a client in another process.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from ...schema import StoreLocation
from ...session import Recording
from ...wire import ReplayServer, SelfMadeCertificate, WireReport


class Servers:
    """The servers of one test.

        def test_my_client(realtape_server):
            url = realtape_server("recordings/call", pace=0)
            assert my_client(url) == "Good day."

    When the test is over, it fails if a client did what a recording does not hold, or if nobody came.

    Args:
        folder: of the test's file; paths of recordings are relative to it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._served: list[_Served] = []

    def __call__(
        self,
        recording: str | Path,
        *,
        check: bool = True,
        certificate: SelfMadeCertificate | None = None,
        **options: Any,
    ) -> str:
        """Serve a recording; returns the URL for the client.

        Args:
            recording: a store or a fixture; `STORE#SESSION` for one of several sessions.
            check: whether divergences fail the test, which may look at `reports` itself.
            certificate: to speak `wss://` with.
            options: of `ReplayServer`.

        Raises:
            UsageError: it holds nothing that can be served, or an option makes no sense.
            StoreError, CorruptRecordError: it cannot be read.
        """
        is_path = isinstance(recording, Path) or "://" not in recording
        store = self._folder / Path(recording).expanduser() if is_path else str(recording)
        if certificate is not None:
            options["ssl"] = certificate.server
        served = _Served(store, options, check)
        self._served.append(served)
        return served.url()

    @property
    def reports(self) -> Sequence[WireReport]:
        """What has come of them so far, in their order."""
        return [one.server.report() for one in self._served if one.server is not None]

    def close(self) -> None:
        """Stop them all, and judge."""
        for one in self._served:
            one.stop()
        judged = [one.server.report() for one in self._served if one.check and one.server is not None]
        bad = [str(report) for report in judged if report.verdict != "same"]
        if bad:
            pytest.fail("\n".join(bad), pytrace=False)


class _Served:
    """A server, its thread and its loop."""

    def __init__(self, store: StoreLocation, options: dict[str, Any], check: bool) -> None:
        self.server: ReplayServer | None = None
        self.check = check
        self._store, self._options = store, options
        self._url: Future[str] = Future()
        self._over: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None
        self._thread = threading.Thread(target=self._run, name="realtape-server", daemon=True)

    def url(self) -> str:
        """Start it, and wait until it listens."""
        self._thread.start()
        return self._url.result()

    def stop(self) -> None:
        """Stop it, and wait for that."""
        if self._over is not None:
            (loop, over), self._over = self._over, None
            loop.call_soon_threadsafe(over.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=_plain_loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        over = asyncio.Event()
        try:
            async with await Recording.open(self._store) as recording:
                await self._listen(ReplayServer(recording, **self._options), over)
        except BaseException as error:
            if self._url.done():
                raise
            self._url.set_exception(error)  # of the test that asked

    async def _listen(self, server: ReplayServer, over: asyncio.Event) -> None:
        async with server as url:
            self.server = server
            self._over = asyncio.get_running_loop(), over
            self._url.set_result(url)
            await over.wait()


def _plain_loop() -> asyncio.AbstractEventLoop:
    """Whatever loops the test's own thread is given."""
    return asyncio.SelectorEventLoop()
