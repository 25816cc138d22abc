"""How fast a recording is replayed, in deliveries a second: `python benchmarks/replaying.py`.

The same events, one await each, are given to the same listener by a bare loop, by the SDK's own
scripted model, and by `ReplayModel` out of an SQLite file, reading included; interleaved, in the
same process. The events of the first two are made beforehand. Medians; the ratios travel from machine to
machine, the numbers do not.
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

from agents.realtime import RealtimeModelListener
from agents.realtime.model_events import RealtimeModelTranscriptDeltaEvent
from agents.realtime.testing import ScriptedRealtimeModel
from realtape.integrations.openai_agents import Recorder, ReplayModel
from realtape.replay import Recording, run
from realtape.schema import Kind

EVENTS = 50_000
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


async def record(store: Path) -> None:
    """A recording of the events, in bursts of ten, as a server sends them."""
    async with Recorder(store) as recorder:
        log = recorder.begin({})
        connect = log.append(Kind.CONNECT, {"options": {}, "listeners": ["Counting"]}, method="connect")
        log.append(Kind.CONNECTED, {"outcome": "returned"}, of=connect)
        for number, event in enumerate(EVENTS_MADE):
            if number % 10 == 0:
                await asyncio.sleep(0)
            log.append(Kind.RECEIVED, event, type=event.type)


async def bare(store: Path) -> int:
    """A loop over the listener."""
    listener = Counting()
    for event in EVENTS_MADE:
        await listener.on_event(event)
    return listener.count


async def scripted(store: Path) -> int:
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


WAYS: dict[str, Callable[[Path], int]] = {
    "a bare `await listener.on_event(event)`": lambda store: asyncio.run(bare(store)),
    "`ScriptedRealtimeModel.emit(event)`": lambda store: asyncio.run(scripted(store)),
    "`ReplayModel`, from SQLite, on an ordinary loop": lambda store: asyncio.run(replayed(store)),
    "`ReplayModel`, from SQLite, on virtual time": lambda store: run(replayed(store)),
}


def table() -> list[str]:
    """Measure; returns the lines of a table."""
    runs: dict[str, list[float]] = {name: [] for name in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "log.db"
        asyncio.run(record(store))
        for _ in range(RUNS):
            for name, way in WAYS.items():
                gc.collect()
                began = time.perf_counter()
                count = way(store)
                assert count == EVENTS
                runs[name].append(count / (time.perf_counter() - began))
    medians = {name: statistics.median(values) for name, values in runs.items()}
    emit = medians["`ScriptedRealtimeModel.emit(event)`"]
    return [
        f"| {EVENTS:,} transcript deltas to one listener | deliveries a second | of `emit` |",
        "|---|---:|---:|",
        *(f"| {name} | {median:,.0f} | {median / emit:.2f} |" for name, median in medians.items()),
    ]


if __name__ == "__main__":
    sys.stdout.write("\n".join(table()) + "\n")
