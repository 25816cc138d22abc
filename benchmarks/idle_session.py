"""How much faster than it happened a long session is replayed: `python benchmarks/idle_session.py`.

The application sends a heartbeat every minute and asks whether the caller is still there after 30 s of
silence; the caller says something every 47.903 s. It is recorded on virtual time, too, because nobody wants
to wait. What is measured is the replay alone: opening the file, reading, deciding, delivering.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from realtape.recorder import Recorder
from realtape.replay import ReplayModel, run
from realtape.schema import (
    RealtimeModel,
    RealtimeModelListener,
    RealtimeModelSendRawMessage,
    RealtimeModelSendUserInput,
    RealtimeModelTurnEndedEvent,
    RealtimeModelTurnStartedEvent,
)
from realtape.session import Recording

HOURS = (1, 6, 24)
RUNS = 5
HEARTBEAT_SECONDS = 60.0
PATIENCE_SECONDS = 30.0
SILENCE_SECONDS = 47.903


class Caller(RealtimeModel):
    """The inner model: two events whenever the caller speaks, for so many hours."""

    def __init__(self, hours: float) -> None:
        self._turns = int(hours * 3600 / SILENCE_SECONDS)
        self._listeners: list[RealtimeModelListener] = []
        self._reading: asyncio.Task[None] | None = None

    async def connect(self, options: Any) -> None:
        self._reading = asyncio.create_task(self._read())

    def add_listener(self, listener: RealtimeModelListener) -> None:
        self._listeners.append(listener)

    def remove_listener(self, listener: RealtimeModelListener) -> None:
        self._listeners.remove(listener)

    async def send_event(self, event: Any) -> None:
        await asyncio.sleep(0)

    async def close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()

    async def _read(self) -> None:
        for number in range(self._turns):
            await asyncio.sleep(SILENCE_SECONDS)
            for cls in (RealtimeModelTurnStartedEvent, RealtimeModelTurnEndedEvent):
                for listener in list(self._listeners):
                    await listener.on_event(cls(response_id=f"resp_{number}"))


class Desk(RealtimeModelListener):
    """The application; hangs up after so many turns."""

    def __init__(self, model: RealtimeModel, turns: int) -> None:
        self._model = model
        self._left = turns
        self._heard = asyncio.Event()

    async def run(self) -> None:
        """From the connection to the hang-up."""
        self._model.add_listener(self)
        await self._model.connect({})
        heart = asyncio.create_task(self._beat())
        while self._left:
            self._heard.clear()
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await self._heard.wait()
            except TimeoutError:
                await self._model.send_event(RealtimeModelSendUserInput(user_input="Are you still there?"))
        heart.cancel()
        await asyncio.wait([heart])
        await self._model.close()

    async def on_event(self, event: Any) -> None:
        if event.type == "turn_ended":
            self._left -= 1
            self._heard.set()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            await self._model.send_event(RealtimeModelSendRawMessage(message={"type": "heartbeat"}))


async def record(store: Path, hours: float) -> None:
    """A recording of so many hours."""
    async with Recorder(store) as recorder:
        await Desk(recorder.wrap(Caller(hours)), int(hours * 3600 / SILENCE_SECONDS)).run()


async def replay(store: Path, hours: float) -> tuple[int, float]:
    """Replay it; how many entries it has, and how many seconds it lasted."""
    async with await Recording.open(store) as recording:
        model = ReplayModel(recording)
        await Desk(model, int(hours * 3600 / SILENCE_SECONDS)).run()
        report = await model.finished()
        assert report.finished
        assert not report.late
        return recording.length, asyncio.get_running_loop().time()


def table() -> list[str]:
    """Measure; returns the lines of a table."""
    lines = ["| hours | entries | replayed in, seconds | times faster |", "|---:|---:|---:|---:|"]
    with tempfile.TemporaryDirectory() as folder:
        for hours in HOURS:
            store = Path(folder) / f"{hours}.db"
            run(record(store, hours))
            runs: list[float] = []
            entries, lasted = 0, 0.0
            for _ in range(RUNS):
                began = time.perf_counter()
                entries, lasted = run(replay(store, hours))
                runs.append(time.perf_counter() - began)
            took = statistics.median(runs)
            lines.append(f"| {lasted / 3600:.1f} | {entries:,} | {took:.2f} | {lasted / took:,.0f} |")
    return lines


if __name__ == "__main__":
    sys.stdout.write("\n".join(table()) + "\n")
