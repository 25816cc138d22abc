"""How fast a recording is replayed, in deliveries a second: `python benchmarks/replaying.py`.

The same events, one await each, are given to the same listener by a bare loop, by the SDK's own
scripted model, and by `ReplayModel` out of an SQLite file, reading included; interleaved, in the
same process. The events of the first two are made beforehand. Medians; the ratios travel from machine to
machine, the numbers do not.

A replay gives each event in the round of the event loop in which it came, and rounds cost something: so
there is a recording for each of several numbers of events that came in one. What the scripted model emits
comes all in one. Of a server, it depends on how many messages had come when the client looked.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

from agents.realtime import RealtimeModelListener
from agents.realtime.model_events import RealtimeModelTranscriptDeltaEvent
from agents.realtime.testing import ScriptedRealtimeModel
from realtape.integrations.openai_agents import Recorder, ReplayModel
from realtape.replay import run
from realtape.schema import Kind
from realtape.schema.log import DigestChain
from realtape.session import Recording

EVENTS = 50_000
BURSTS = (1, 3, 10, 100, EVENTS)
"""So many events of a recording came in one round of the event loop."""

RUNS = 5


class Counting(RealtimeModelListener):
    """Does as little as a listener can."""

    def __init__(self) -> None:
        self.count = 0

    async def on_event(self, event: Any) -> None:
        self.count += 1


def deltas() -> list[RealtimeModelTranscriptDeltaEvent]:
    """The events: short pieces of a transcript."""
    return [
        RealtimeModelTranscriptDeltaEvent(item_id="item_1", delta=f" word{number}", response_id="resp_1")
        for number in range(EVENTS)
    ]


EVENTS_MADE = deltas()


async def record(store: Path, burst: int) -> None:
    """A recording of the events, so many in a round."""
    async with Recorder(store) as recorder:
        log = recorder.begin({})
        connect = log.append(Kind.CONNECT, {"options": {}, "listeners": ["Counting"]}, method="connect")
        log.append(Kind.CONNECTED, {"outcome": "returned"}, of=connect)
        for number, event in enumerate(EVENTS_MADE):
            if number % burst == 0:
                await asyncio.sleep(0)
            log.append(Kind.RECEIVED, event, type=event.type)


async def bare() -> int:
    """A loop over the listener."""
    listener = Counting()
    for event in EVENTS_MADE:
        await listener.on_event(event)
    return listener.count


async def scripted() -> int:
    """The SDK's scripted model, an await each."""
    listener, model = Counting(), ScriptedRealtimeModel()
    model.add_listener(listener)
    await model.connect({})
    for event in EVENTS_MADE:
        await model.emit(event)
    await model.close()
    return listener.count


async def replayed(store: Path) -> int:
    """A replay out of the file."""
    listener = Counting()
    async with await Recording.open(store) as recording:
        model = ReplayModel(recording, at_end="hold")
        model.add_listener(listener)
        await model.connect({})
        await model.finished()
    return listener.count


def _nothing(*_: object) -> None:
    """In place of a proof: a mock keeps all that it was called with, and takes its time for it."""


async def unproven(store: Path) -> int:
    """The same, not held against its digests."""
    with patch.object(DigestChain, "follow", _nothing), patch.object(DigestChain, "end", _nothing):
        return await replayed(store)


EMIT = "`ScriptedRealtimeModel.emit(event)`"


def ways(folder: Path) -> dict[str, Callable[[], int]]:
    """What is measured; the recordings are made here."""
    found: dict[str, Callable[[], int]] = {
        "a bare `await listener.on_event(event)`": lambda: asyncio.run(bare()),
        EMIT: lambda: asyncio.run(scripted()),
    }
    for burst in BURSTS:
        store = folder / f"{burst}.db"
        asyncio.run(record(store, burst))
        came = f"{burst} in a round" if burst < EVENTS else "all in one round, as `emit` gives them"
        name = f"`ReplayModel`, from SQLite, {came}"
        found[f"{name}, on virtual time"] = lambda store=store: run(replayed(store))
        unheld = f"{name}, on virtual time, not held against its digests"
        found[unheld] = lambda store=store: run(unproven(store))
        found[f"{name}, on an ordinary loop"] = lambda store=store: asyncio.run(replayed(store))
    return found


def table() -> list[str]:
    """Measure; returns the lines of a table."""
    with tempfile.TemporaryDirectory() as folder:
        measured = ways(Path(folder))
        runs: dict[str, list[float]] = {name: [] for name in measured}
        for _ in range(RUNS):
            for name, way in measured.items():
                gc.collect()
                began = time.perf_counter()
                count = way()
                assert count == EVENTS
                runs[name].append(count / (time.perf_counter() - began))
    medians = {name: statistics.median(values) for name, values in runs.items()}
    return [
        f"| {EVENTS:,} transcript deltas to one listener | deliveries a second | of `emit` |",
        "|---|---:|---:|",
        *(f"| {name} | {median:,.0f} | {median / medians[EMIT]:.2f} |" for name, median in medians.items()),
    ]


if __name__ == "__main__":
    sys.stdout.write("\n".join(table()) + "\n")
