"""What recording costs the event loop, in microseconds an event: `python benchmarks/appending.py`.

Every event comes in a round of the loop of its own, as from a socket; a loop that does nothing but
go round is subtracted. Medians of interleaved runs: processor time of the loop's thread, and what
elapsed with the writer at work. Absolute times do not travel from machine to machine, ratios do:
hence the references of the same run.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from realtape.recorder import Recorder
from realtape.recorder.session_log import SessionLog
from realtape.schema import (
    RealtimeModelAudioEvent,
    RealtimeModelRawServerEvent,
    RealtimeModelTranscriptDeltaEvent,
)
from realtape.schema.entries import Kind

AUDIO_BYTES = 4_800  # 100 ms of PCM16
EVENTS = 1_000
RUNS = 21

Happening = tuple[Any, ...]
"""The events that one message of the provider becomes."""


def audio_deltas() -> Iterator[Happening]:
    """A raw server event, and the audio event that the model makes of it."""
    for number in range(EVENTS):
        audio = os.urandom(AUDIO_BYTES)
        raw: dict[str, Any] = {
            "type": "response.output_audio.delta",
            "event_id": f"event_{number:021}",
            "response_id": "resp_00000000000000000001",
            "item_id": "item_00000000000000000001",
            "output_index": 0,
            "content_index": 0,
            "delta": base64.b64encode(audio).decode(),
        }
        event = RealtimeModelAudioEvent(
            data=audio, response_id=raw["response_id"], item_id=raw["item_id"], content_index=0
        )
        yield RealtimeModelRawServerEvent(data=raw), event


def transcript_deltas() -> Iterator[Happening]:
    """A raw server event, and the transcript event that the model makes of it."""
    for number in range(EVENTS):
        raw: dict[str, Any] = {
            "type": "response.output_audio_transcript.delta",
            "event_id": f"event_{number:021}",
            "response_id": "resp_00000000000000000001",
            "item_id": "item_00000000000000000001",
            "output_index": 0,
            "content_index": 0,
            "delta": f" word{number}",
        }
        event = RealtimeModelTranscriptDeltaEvent(
            item_id=raw["item_id"], delta=raw["delta"], response_id=raw["response_id"]
        )
        yield RealtimeModelRawServerEvent(data=raw), event


class Cost(NamedTuple):
    """Of one happening.

    Attributes:
        cpu_us: processor time of the loop's thread.
        elapsed_us: with the writer's thread at work on what comes without a pause, and whatever
            else the machine does.
    """

    cpu_us: float
    elapsed_us: float


async def microseconds(happenings: list[Happening], work: Callable[[Happening], Any]) -> Cost:
    """One run: microseconds a happening, the loop's own round included."""
    began_ns, cpu_began_ns = time.perf_counter_ns(), time.thread_time_ns()
    for happening in happenings:
        work(happening)
        await asyncio.sleep(0)
    cpu_ns, elapsed_ns = time.thread_time_ns() - cpu_began_ns, time.perf_counter_ns() - began_ns
    return Cost(cpu_ns / len(happenings) / 1_000, elapsed_ns / len(happenings) / 1_000)


async def measure(log: SessionLog, recorder: Recorder, happenings: list[Happening]) -> dict[str, Cost]:
    """Medians by way of handling."""
    kept: deque[tuple[Any, ...]] = deque(maxlen=10_000)
    names = [getattr(event, "type", None) for event in happenings[0]]

    def nothing(happening: Happening) -> None:
        pass

    def to_deque(happening: Happening) -> None:
        for event in happening:
            kept.append((1, 2, 3, event))

    def to_json(happening: Happening) -> None:
        json.dumps(happening[0].data)

    def to_log(happening: Happening) -> None:
        for event, name in zip(happening, names, strict=True):
            log.append(Kind.RECEIVED, event, type=name)

    ways = {
        "a tuple into a deque": to_deque,
        "`json.dumps` of the raw event": to_json,
        "`SessionLog.append`": to_log,
    }
    runs: dict[str, list[Cost]] = {name: [] for name in ways}
    for _ in range(RUNS):
        rounds = await microseconds(happenings, nothing)
        for name, work in ways.items():
            cost = await microseconds(happenings, work)
            runs[name].append(Cost(cost.cpu_us - rounds.cpu_us, cost.elapsed_us - rounds.elapsed_us))
            await recorder.flush()
    return {name: Cost(*map(statistics.median, zip(*costs, strict=True))) for name, costs in runs.items()}


async def table() -> list[str]:
    """Measure; returns the lines of a table."""
    columns: list[dict[str, Cost]] = []
    for name, events in (("audio", audio_deltas), ("transcript", transcript_deltas)):
        with tempfile.TemporaryDirectory() as folder:
            async with Recorder(Path(folder) / f"{name}.db") as recorder:
                log = recorder.begin({})
                columns.append(await measure(log, recorder, list(events())))
    audio, transcript = columns
    return [
        f"| µs a delta (raw event + event) | audio, {AUDIO_BYTES:,} bytes | elapsed | transcript | elapsed |",
        "|---|---:|---:|---:|---:|",
        *(f"| {way} | {_cells(audio[way])} | {_cells(transcript[way])} |" for way in audio),
    ]


def _cells(cost: Cost) -> str:
    return f"{cost.cpu_us:.1f} | {cost.elapsed_us:.1f}"


if __name__ == "__main__":
    sys.stdout.write("\n".join(asyncio.run(table())) + "\n")
