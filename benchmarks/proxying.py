"""What the recording proxy adds to a round trip, against a forwarder of bare `websockets`: `make bench`.

Each stands in a process of its own, between an echo and clients in this one. Two figures for each: the
processor time of the thread whose loop carries the messages, which depends least on who else is on the
machine, and what a round trip takes longer than without anything in between. At the pace of calls that is
latency; where each client sends as soon as it has its answer, all wait for the processor, and it is
throughput.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from realtape.recorder import Recorder
from realtape.wire import RecordingProxy
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.connection import Connection
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

MIDDLES = ("forwarder", "proxy", "recording")
"""Bare websockets; ours with `REALTAPE_DISABLED=1`; ours."""

PACED = ((1, 0.02), (50, 0.1), (200, 0.4))
"""Connections, and seconds between two messages of one, each the audio of so long."""

PACED_SECONDS = 3.0
CONNECTIONS = (1, 50, 200)
ROUND_TRIPS = 2_000
"""Of all connections together, in each turn."""

TURNS = 5
LONG_MINUTES = 10


def _delta(seconds: float) -> str:
    audio = base64.b64encode(os.urandom(int(seconds * 24_000) * 2)).decode()
    return json.dumps({"type": "response.output_audio.delta", "item_id": "item_1", "delta": audio})


DELTA = _delta(0.1)


@dataclass(frozen=True)
class Spent:
    """Of a middle's process, so far.

    Attributes:
        loop_s: processor time of the thread that carries messages.
        all_s: of all its threads.
        kilobytes: the most memory that it had.
    """

    loop_s: float
    all_s: float
    kilobytes: int


@dataclass
class Middle:
    """A process between clients and the echo."""

    url: str
    process: asyncio.subprocess.Process

    async def spent(self) -> Spent:
        """Ask it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(b"spent\n")
        return Spent(**json.loads(await self.process.stdout.readline()))


async def _forward(source: Connection, sink: Connection) -> None:
    try:
        async for message in source:
            await sink.send(message)
    except ConnectionClosed:
        pass
    await sink.close()


@asynccontextmanager
async def _forwarding(upstream: str) -> AsyncGenerator[str]:
    async def between(client: ServerConnection) -> None:
        async with connect(upstream, compression=None, max_size=None, ping_interval=None) as there:
            await asyncio.gather(_forward(client, there), _forward(there, client))

    options = {"compression": None, "max_size": None, "ping_interval": None}
    async with serve(between, "127.0.0.1", 0, **options) as server:  # pyright: ignore[reportArgumentType]
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


async def _stand_between(kind: str, upstream: str) -> None:
    """The middle's own process: tells its address, and what it spent whenever it is asked."""
    with tempfile.TemporaryDirectory() as folder:
        store = Recorder(Path(folder) / "calls.db")
        standing = _forwarding(upstream) if kind == "forwarder" else RecordingProxy(upstream, store)
        async with store, standing as url:
            print(url, flush=True)  # noqa: T201
            reader = asyncio.StreamReader()
            await asyncio.get_running_loop().connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
            )
            while await reader.readline():
                spent = Spent(
                    time.thread_time(),
                    time.process_time(),
                    resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
                )
                print(json.dumps(spent.__dict__), flush=True)  # noqa: T201


@asynccontextmanager
async def _middle(kind: str, upstream: str) -> AsyncGenerator[Middle]:
    environment = {**os.environ, "REALTAPE_DISABLED": "1" if kind == "proxy" else ""}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, __file__, kind, upstream),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=environment,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Middle((await process.stdout.readline()).decode().strip(), process)
    finally:
        process.stdin.close()
        await process.wait()


async def _talk(clients: list[ClientConnection], round_trips: int) -> float:
    """Seconds for a round trip of a connection, all at it at once."""

    async def one(client: ClientConnection) -> None:
        for _ in range(round_trips // len(clients)):
            await client.send(DELTA)
            await client.recv()

    began = time.perf_counter()
    await asyncio.gather(*map(one, clients))
    return (time.perf_counter() - began) / (round_trips // len(clients))


async def _call(clients: list[ClientConnection], pause_s: float, seconds: float) -> list[float]:
    """Seconds of each round trip, in order of length: each client sends at its own moments, evenly spread,
    whatever the others do."""
    took: list[float] = []
    delta, begin = _delta(pause_s), time.perf_counter() + pause_s

    async def one(client: ClientConnection, due: float) -> None:
        while due < begin + seconds:
            await asyncio.sleep(max(due - time.perf_counter(), 0))
            sent = time.perf_counter()
            await client.send(delta)
            await client.recv()
            took.append(time.perf_counter() - sent)
            due += pause_s

    await asyncio.gather(
        *(one(each, begin + pause_s * number / len(clients)) for number, each in enumerate(clients))
    )
    return sorted(took)


async def _echo(server: ServerConnection) -> None:
    async for message in server:
        await server.send(message)


@asynccontextmanager
async def _echoing() -> AsyncGenerator[str]:
    async with serve(_echo, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


@asynccontextmanager
async def _clients(url: str, count: int) -> AsyncGenerator[list[ClientConnection]]:
    clients = [await connect(url, compression=None, ping_interval=None) for _ in range(count)]
    try:
        yield clients
    finally:
        await asyncio.gather(*(client.close() for client in clients))


async def _compared(count: int, round_trips: int, turns: int) -> dict[str, tuple[float, float, float]]:
    """Kind → µs of the loop's thread, of all threads, and added to a round trip; medians of the turns."""
    found: dict[str, list[tuple[float, float, float]]] = {kind: [] for kind in MIDDLES}
    async with _echoing() as upstream, _clients(upstream, count) as direct:
        for kind in MIDDLES:
            async with _middle(kind, upstream) as middle, _clients(middle.url, count) as through:
                await _talk(through, count)  # all that is done once
                for _ in range(turns):
                    bare_s = await _talk(direct, round_trips)
                    before = await middle.spent()
                    took_s = await _talk(through, round_trips)
                    after = await middle.spent()
                    found[kind].append(
                        (
                            (after.loop_s - before.loop_s) / round_trips * 1e6,
                            (after.all_s - before.all_s) / round_trips * 1e6,
                            (took_s - bare_s) * 1e6,
                        )
                    )
    return {kind: _medians(each) for kind, each in found.items()}


async def _called(
    count: int, pause_s: float, seconds: float, turns: int
) -> dict[str, tuple[float, float, float]]:
    """Kind, or `direct` → µs of the loop's thread, of a round trip, and of the one in a hundred that is
    longest; medians of the turns. All stand at once, and are called in turn."""
    found: dict[str, list[tuple[float, float, float]]] = {kind: [] for kind in ("direct", *MIDDLES)}
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(_echoing())
        direct = await stack.enter_async_context(_clients(upstream, count))
        standing: list[tuple[str, Middle | None, list[ClientConnection]]] = [("direct", None, direct)]
        for kind in MIDDLES:
            middle = await stack.enter_async_context(_middle(kind, upstream))
            standing.append((kind, middle, await stack.enter_async_context(_clients(middle.url, count))))
        for turn in range(turns + 1):
            for kind, middle, clients in standing:
                before = None if middle is None else await middle.spent()
                took = await _call(clients, pause_s, seconds if turn else pause_s)  # first what is done once
                loop_s = 0.0
                if before is not None and middle is not None:
                    loop_s = ((await middle.spent()).loop_s - before.loop_s) / len(took)
                if turn:
                    times = (loop_s, statistics.median(took), took[len(took) * 99 // 100])
                    found[kind].append((times[0] * 1e6, times[1] * 1e6, times[2] * 1e6))
    return {kind: _medians(each) for kind, each in found.items()}


def _medians(each: list[tuple[float, float, float]]) -> tuple[float, float, float]:
    first, second, third = zip(*each, strict=True)
    return statistics.median(first), statistics.median(second), statistics.median(third)


async def paced(seconds: float = PACED_SECONDS, turns: int = TURNS) -> list[str]:
    """The rows of the page, at the pace of calls."""
    lines = [
        "| connections, and of each a message every | between | its loop, µs | × | a round trip, µs "
        "| the longest of 100 | added, µs | × |",
        "|---:|---|---:|---:|---:|---:|---:|---:|",
    ]
    for count, pause_s in PACED:
        found = await _called(count, pause_s, seconds, turns)
        _, direct, longest = found.pop("direct")
        bare_loop, bare, _ = found["forwarder"]
        head = f"| {count}, {pause_s * 1000:,.0f} ms |"
        lines.append(f"{head} nothing | | | {direct:,.0f} | {longest:,.0f} | | |")
        for kind, (loop, took, longest) in found.items():
            added = f"{took - direct:,.0f} | {(took - direct) / (bare - direct):.2f}"
            cells = f"{loop:,.0f} | {loop / bare_loop:.2f} | {took:,.0f} | {longest:,.0f} | {added}"
            lines.append(f"{head} {kind} | {cells} |")
    return lines


async def table(round_trips: int = ROUND_TRIPS, turns: int = TURNS) -> list[str]:
    """The rows of the page, where all clients send as soon as they can."""
    lines = [
        "| connections | between | its loop, µs | × | all threads, µs | added to a round trip, µs | × |",
        "|---:|---|---:|---:|---:|---:|---:|",
    ]
    for count in CONNECTIONS:
        found = await _compared(count, round_trips, turns)
        bare_loop, _, bare_added = found["forwarder"]
        for kind, (loop, every, added) in found.items():
            cells = (f"{loop:,.0f}", f"{loop / bare_loop:.2f}", f"{every:,.0f}", f"{added:,.0f}")
            lines.append(f"| {count} | {kind} | {' | '.join(cells)} | {added / bare_added:.2f} |")
    return lines


async def memory(minutes: int = LONG_MINUTES) -> list[str]:
    """The most memory that the recording proxy had, after so many minutes' worth of audio, as fast as it
    goes."""
    lines = ["| minutes of audio, each way | most memory, MB |", "|---:|---:|"]
    async with _echoing() as upstream, _middle("recording", upstream) as middle:
        async with _clients(middle.url, 1) as clients:
            for minute in range(1, minutes + 1):
                await _talk(clients, 600)
                if minute in (1, 2, minutes // 2, minutes):
                    lines.append(f"| {minute} | {(await middle.spent()).kilobytes / 1024:,.0f} |")
    return lines


if __name__ == "__main__":
    if len(sys.argv) > 2:
        asyncio.run(_stand_between(*sys.argv[1:]))
    else:
        for line in (*asyncio.run(paced()), "", *asyncio.run(table()), "", *asyncio.run(memory())):
            print(line)  # noqa: T201
