"""What recording costs, against what is there anyway, in one run: `python benchmarks/recording.py`.

The event loop: `RecordingModel` with a tracker under the SDK's real model, against the SDK's own handling of
the same delta (parse, validate, decode, emit); thread time, and process time with the writer. Sustained: a
mixed session as fast as it goes, against a bare `sqlite3.executemany` of the very rows. Many sessions: how
late the loop is, and how many full garbage collections there are. The file, against the bytes that came.

Medians of interleaved runs. Ratios travel from machine to machine, times do not.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from agents.realtime import RealtimeModelListener, RealtimePlaybackTracker
from agents.realtime.model_events import RealtimeModelAudioEvent, RealtimeModelRawServerEvent
from agents.realtime.openai_realtime import OpenAIRealtimeWebSocketModel
from realtape.integrations.openai_agents import Recorder, RecordingModel
from realtape.schema.codec import TextFilter
from realtape.schema.entries import Kind

RUNS = 11
DELTAS = 600
AUDIO_BYTES = 4_800  # 100 ms of PCM16
MIXED_EVENTS = 10_000
SESSIONS, EVENTS_A_SECOND, SECONDS = 100, 50, 10.0
BATCH_ROWS = 100

_random = random.Random(5)


class Silent(RealtimeModelListener):
    """Does as little as a listener can."""

    async def on_event(self, event: Any) -> None:
        pass


class Offline(OpenAIRealtimeWebSocketModel):
    """The SDK's model, without a socket."""

    async def connect(self, options: Any) -> None:
        pass

    async def hear(self, message: str) -> None:
        """A message of the provider, as the model gets it from its socket."""
        await self._handle_ws_event(json.loads(message))


def message(kind: str, number: int, size: int = AUDIO_BYTES) -> str:
    """A delta, as it crosses the wire."""
    facts: dict[str, Any] = {
        "type": f"response.output_{kind}.delta",
        "event_id": f"event_{number:021}",
        "response_id": "resp_00000000000000000001",
        "item_id": "item_00000000000000000001",
        "output_index": 0,
        "content_index": 0,
        "delta": f" word{number}",
    }
    if kind == "audio":
        facts["delta"] = base64.b64encode(_random.randbytes(size)).decode()
    return json.dumps(facts)


# --- the event loop ---------------------------------------------------------------------------------------


class Cost(NamedTuple):
    """Microseconds of processor a delta: of the loop's thread, and of the whole process."""

    loop_us: float
    all_us: float


async def recorded_model(recorder: Recorder | None) -> Offline:
    """The model, with somebody who listens, recorded or not."""
    model = Offline()
    outer = model if recorder is None else RecordingModel(model, recorder=recorder)
    outer.add_listener(Silent())
    tracker = RealtimePlaybackTracker()
    await outer.connect({"api_key": "sk-proj-0123456789abcdef", "playback_tracker": tracker})
    return model


async def heard(messages: list[str], recorder: Recorder | None) -> Cost:
    """One run, each message in a round of its own; until all is committed."""
    model = await recorded_model(recorder)
    for each in messages[:5]:
        await model.hear(each)
    if recorder is not None:
        await recorder.flush()
    all_ns, loop_ns = time.process_time_ns(), time.thread_time_ns()
    for each in messages:
        await model.hear(each)
        await asyncio.sleep(0)
    loop_ns = time.thread_time_ns() - loop_ns
    if recorder is not None:
        await recorder.flush()
    all_ns = time.process_time_ns() - all_ns
    return Cost(loop_ns / len(messages) / 1e3, all_ns / len(messages) / 1e3)


async def rounds() -> float:
    """What a round of the loop costs in which nothing happens."""
    began = time.thread_time_ns()
    for _ in range(DELTAS):
        await asyncio.sleep(0)
    return (time.thread_time_ns() - began) / DELTAS / 1e3


async def event_loop(folder: Path) -> list[str]:
    """The lines of a table."""
    lines = [
        "| a delta | the SDK itself, µs | added on the loop | share | on all processors | share |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    redactors: tuple[TextFilter, ...] = (
        lambda text: text.replace("Jane", "J."),
        lambda text: text.replace("Doe", "D."),
    )
    ways: list[tuple[str, str, tuple[TextFilter, ...]]] = [
        ("audio", f"audio, {AUDIO_BYTES:,} bytes", ()),
        ("audio_transcript", "transcript", ()),
        ("audio_transcript", "transcript, two redactors", redactors),
    ]
    for kind, name, filters in ways:
        messages = [message(kind, number) for number in range(DELTAS)]
        sdk, loop, every = list[float](), list[float](), list[float]()
        async with Recorder(folder / f"{name}.db", redactors=filters) as recorder:
            for _ in range(RUNS):
                idle, plain, kept = (
                    await rounds(),
                    await heard(messages, None),
                    await heard(messages, recorder),
                )
                sdk.append(plain.loop_us - idle)
                loop.append(kept.loop_us - plain.loop_us)
                every.append(kept.all_us - plain.all_us)
        cells = [f"{statistics.median(sdk):.1f}"]
        for added in (loop, every):
            share = statistics.median(one / own for one, own in zip(added, sdk, strict=True))
            cells += [f"{statistics.median(added):.1f}", f"{share:.2f}"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


# --- sustained --------------------------------------------------------------------------------------------


def mixed() -> list[tuple[Any, str]]:
    """A session: six of ten events are audio, the others 300 bytes of JSON."""
    events: list[tuple[Any, str]] = []
    for number in range(MIXED_EVENTS):
        if number % 10 < 6:
            data = _random.randbytes(AUDIO_BYTES)
            event: Any = RealtimeModelAudioEvent(
                data=data, response_id="resp_1", item_id="item_1", content_index=0
            )
        else:
            event = RealtimeModelRawServerEvent(
                data={"type": "conversation.item.done", "event_id": f"event_{number:021}", "text": "x" * 220}
            )
        events.append((event, event.type))
    return events


async def recorded(events: list[tuple[Any, str]], store: Path) -> float:
    """Seconds until all is committed."""
    async with Recorder(store, durability="full") as recorder:
        log = recorder.begin({})
        log.append(Kind.CONNECT, {"options": {}, "listeners": []}, method="connect")
        await recorder.flush()
        began = time.perf_counter()
        for number, (event, type) in enumerate(events):
            log.append(Kind.RECEIVED, event, type=type)
            if number % 200 == 0:
                await asyncio.sleep(0)
        await recorder.flush()
        return time.perf_counter() - began


def bare(store: Path, copy: Path) -> float:
    """Seconds to write the same rows, and the same bytes, into the same tables."""
    with (
        closing(sqlite3.connect(store)) as source,
        closing(sqlite3.connect(copy, isolation_level=None)) as to,
    ):
        query = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
        tables = [row[0] for row in source.execute(query)]
        rows = source.execute("SELECT * FROM entries ORDER BY seq").fetchall()
        audio = b"".join(row[0] for row in source.execute("SELECT data FROM segments ORDER BY segment"))
        to.execute("PRAGMA journal_mode=WAL")
        to.execute("PRAGMA synchronous=FULL")
        for table in tables:
            to.execute(table)
        insert = f"INSERT INTO entries VALUES ({', '.join('?' * len(rows[0]))})"
        batches = range(0, len(rows), BATCH_ROWS)
        share = len(audio) // len(batches) + 1
        began = time.perf_counter()
        for number, start in enumerate(batches):
            to.execute("BEGIN")
            to.execute("INSERT INTO segments VALUES (1, ?, ?)", (number, audio[number * share :][:share]))
            to.executemany(insert, rows[start : start + BATCH_ROWS])
            to.execute("COMMIT")
        return time.perf_counter() - began


async def sustained(folder: Path) -> list[str]:
    """The lines of a table."""
    events = mixed()
    found: list[tuple[float, float]] = []
    for run in range(5):
        store, copy = folder / f"sustained-{run}.db", folder / f"bare-{run}.db"
        found.append((await recorded(events, store), bare(store, copy)))
        store.unlink()
        copy.unlink()
    ours, theirs = (statistics.median(column) for column in zip(*found, strict=True))
    share = statistics.median(other / own for own, other in found)
    return [
        f"| {MIXED_EVENTS:,} events, 60 % audio, `synchronous=FULL` | events a second | of the bare |",
        "|---|---:|---:|",
        f"| bare `sqlite3.executemany`, batches of {BATCH_ROWS} | {MIXED_EVENTS / theirs:,.0f} | 1.00 |",
        f"| `Recorder` | {MIXED_EVENTS / ours:,.0f} | {share:.2f} |",
    ]


# --- many sessions ----------------------------------------------------------------------------------------


async def lateness(recorder: Recorder | None, seconds: float) -> tuple[float, int]:
    """How late the loop is at p99.9, in milliseconds, and how many full collections there were."""
    messages = [message("audio" if number % 2 else "audio_transcript", number) for number in range(200)]
    late: list[float] = []
    stop = time.perf_counter() + seconds

    async def converse(number: int) -> None:
        model = await recorded_model(recorder)
        due = time.perf_counter() + number / SESSIONS / EVENTS_A_SECOND
        while due < stop:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            await model.hear(messages[number % len(messages)])
            number += 1
            due += 1 / EVENTS_A_SECOND

    async def watch() -> None:
        while time.perf_counter() < stop:
            due = time.perf_counter() + 0.005
            await asyncio.sleep(0.005)
            late.append((time.perf_counter() - due) * 1e3)

    gc.collect()
    before = gc.get_stats()[2]["collections"]
    await asyncio.gather(watch(), *(converse(number) for number in range(SESSIONS)))
    late.sort()
    return late[int(len(late) * 0.999)], gc.get_stats()[2]["collections"] - before


async def many_sessions(folder: Path) -> list[str]:
    """The lines of a table."""
    without = await lateness(None, SECONDS)
    async with Recorder(folder / "many.db") as recorder:
        recorded = await lateness(recorder, SECONDS)
    name = f"{SESSIONS} sessions, {EVENTS_A_SECOND} messages a second each"
    return [
        f"| {name} | p99.9 of the loop's lateness, ms | full collections |",
        "|---|---:|---:|",
        *(
            f"| {who} | {ms:.1f} | {count} |"
            for who, (ms, count) in (("not recorded", without), ("recorded", recorded))
        ),
    ]


# --- the file ---------------------------------------------------------------------------------------------


async def file_size(folder: Path) -> list[str]:
    """The lines of a table."""
    lines = [
        "| what came | its bytes: audio, and JSON without it | the file's | of it |",
        "|---|---:|---:|---:|",
    ]
    for size in (AUDIO_BYTES, AUDIO_BYTES // 3):
        store = folder / f"{size}.db"
        messages = [message("audio", number, size) for number in range(3_000)]
        async with Recorder(store) as recorder:
            model = await recorded_model(recorder)
            for each in messages:
                await model.hear(each)
                await asyncio.sleep(0)
        json_bytes = len(messages[0]) - len(json.loads(messages[0])["delta"])
        came = len(messages) * (size + json_bytes)
        found = store.stat().st_size
        lines.append(f"| audio, {size:,} bytes a delta | {came:,} | {found:,} | {found / came:.2f} |")
    return lines


async def tables() -> dict[str, list[str]]:
    """Measure; returns the lines of each table, by its name."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return {
            "event_loop": await event_loop(folder),
            "sustained": await sustained(folder),
            "many_sessions": await many_sessions(folder),
            "file_size": await file_size(folder),
        }


if __name__ == "__main__":
    for lines in asyncio.run(tables()).values():
        sys.stdout.write("\n".join(lines) + "\n\n")
