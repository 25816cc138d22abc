"""What recording costs, against what is there anyway, in one run: `python benchmarks/recording.py`.

The event loop: `RecordingModel` with a tracker under the SDK's real model, against the SDK's own handling of
the same delta (parse, validate, decode, emit); thread time, and process time with the writer. Sustained: a
mixed session as fast as it goes, against a bare `sqlite3.executemany` of the very rows, and against what
others sustain who record. Many sessions: how late the loop is, and how many full garbage collections there
are. The file, against the bytes that came. The memory of a long session, and of models that nobody closes.

Medians of interleaved runs. Ratios travel from machine to machine, times do not.
"""

from __future__ import annotations

import asyncio
import base64
import contextvars
import gc
import json
import logging
import random
import resource
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from agents.realtime import RealtimeModelListener, RealtimePlaybackTracker
from agents.realtime.model_events import RealtimeModelAudioEvent, RealtimeModelRawServerEvent
from agents.realtime.openai_realtime import OpenAIRealtimeWebSocketModel
from mixed_session import AUDIO_BYTES, BATCH_ROWS, MIXED_EVENTS, mixed_session
from peers import DURABILITY
from realtape.integrations.openai_agents import Recorder, RecordingModel
from realtape.schema.codec import TextFilter
from realtape.schema.entries import Kind

RUNS = 15
PIECES, DELTAS = 4, 200
"""Of a run. Two hundred deltas are what a hundred sessions of fifty events a second hold when the writer
comes; they are committed before the next piece begins, outside of what is measured on the loop."""
SUSTAINED_RUNS = 5
SESSIONS, EVENTS_A_SECOND, SECONDS = 100, 50, 30.0
SHORT_SESSION, LONG_SESSION = 3_000, 30_000
FEW_MODELS, MANY_MODELS = 500, 5_000
PEERS_PYTHON = Path(__file__).parent.parent / "build/peers/bin/python"
"""Of the environment that `make bench` makes for others who record."""

_random = random.Random(5)


class Silent(RealtimeModelListener):
    """Does as little as a listener can."""

    async def on_event(self, event: Any) -> None:
        pass


class Offline(OpenAIRealtimeWebSocketModel):
    """The SDK's model, without a socket."""

    def __init__(self) -> None:
        super().__init__()
        self.context = contextvars.copy_context()

    async def connect(self, options: Any) -> None:
        """Nothing is connected; the context is that in which the socket would be read."""
        self.context = contextvars.copy_context()

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


async def heard(model: Offline, piece: list[str], recorder: Recorder | None) -> Cost:
    """One piece, each message in a round of its own, as the model's own tasks hear them, which begin while it
    connects; until all is committed."""
    return await asyncio.create_task(_heard(model, piece, recorder), context=model.context)


async def _heard(model: Offline, piece: list[str], recorder: Recorder | None) -> Cost:
    began_ns, here_ns = time.process_time_ns(), time.thread_time_ns()
    for each in piece:
        await model.hear(each)
        await asyncio.sleep(0)
    loop_ns = time.thread_time_ns() - here_ns
    if recorder is not None:
        await recorder.flush()
    return Cost(loop_ns / len(piece) / 1e3, (time.process_time_ns() - began_ns) / len(piece) / 1e3)


async def pairs(pieces: list[list[str]], recorder: Recorder) -> AsyncGenerator[tuple[float, Cost, Cost]]:
    """Of each piece what a round of the loop costs, and what it costs to hear it, not recorded and recorded.

    One right after the other, and who is first changes: how the allocator stands, and what else the machine
    does, is another thing a moment later. (A whole run of one, then one of the other, and the loop seemed to
    pay nothing for audio: freed at the top of the heap, it was given back to the system each time.)
    """
    plain, kept = await recorded_model(None), await recorded_model(recorder)
    for model in (plain, kept):
        await heard(model, pieces[0][:5], recorder)
    for number, piece in enumerate(pieces):
        idle = await rounds()
        if number % 2:
            with_it = await heard(kept, piece, recorder)
            yield idle, await heard(plain, piece, None), with_it
        else:
            yield idle, await heard(plain, piece, None), await heard(kept, piece, recorder)


async def rounds() -> float:
    """What a round of the loop costs in which nothing happens."""
    began = time.thread_time_ns()
    for _ in range(DELTAS):
        await asyncio.sleep(0)
    return (time.thread_time_ns() - began) / DELTAS / 1e3


def bare_rows(store: Path, copy: Path) -> float:
    """Microseconds of processor that a bare `executemany` of a delta's two rows takes: of those that were
    recorded last, into the same tables, in commits as large."""
    with closing(sqlite3.connect(store)) as source:
        query = "SELECT * FROM entries WHERE kind = 'received' ORDER BY session DESC, seq LIMIT ?"
        rows = source.execute(query, (PIECES * DELTAS * 2,)).fetchall()
        with closing(_same_tables(source, copy)) as to:
            insert = _insert(rows[0])
            began = time.process_time_ns()
            for start in range(0, len(rows), DELTAS * 2):
                to.execute("BEGIN")
                to.executemany(insert, rows[start : start + DELTAS * 2])
                to.execute("COMMIT")
            took = time.process_time_ns() - began
    copy.unlink()
    return took / len(rows) * 2 / 1e3


async def event_loop(folder: Path) -> list[str]:
    """The lines of a table."""
    lines = [
        "| a delta | the SDK itself, µs | added on the loop | share | on all processors | share "
        "| of a bare `executemany` of its rows |",
        "|---|---:|---:|---:|---:|---:|---:|",
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
        pieces = [
            [message(kind, piece * DELTAS + number) for number in range(DELTAS)] for piece in range(PIECES)
        ]
        sdk, loop, every, bare = list[float](), list[float](), list[float](), list[float]()
        bare_every = list[float]()
        store = folder / f"{name}.db"
        async with Recorder(store, redactors=filters) as recorder:
            for _ in range(RUNS):
                first = len(every)
                async for idle, plain, kept in pairs(pieces, recorder):
                    sdk.append(plain.loop_us - idle)
                    loop.append(kept.loop_us - plain.loop_us)
                    every.append(kept.all_us - plain.all_us)
                bare_every.append(statistics.median(every[first:]))
                bare.append(bare_rows(store, folder / "rows.db"))
        cells = [f"{statistics.median(sdk):.1f}"]
        for added, own in ((loop, sdk), (every, sdk)):
            cells += [f"{statistics.median(added):.1f}", f"{_share(added, own):.2f}"]
        lines.append(f"| {name} | {' | '.join(cells)} | {_share(bare_every, bare):.2f} |")
    return lines


def _share(some: list[float], of: list[float]) -> float:
    return statistics.median(one / other for one, other in zip(some, of, strict=True))


# --- sustained --------------------------------------------------------------------------------------------


def mixed() -> list[tuple[Any, str]]:
    """The session, as the model's events."""
    events: list[tuple[Any, str]] = []
    for each in mixed_session():
        if isinstance(each, bytes):
            event: Any = RealtimeModelAudioEvent(
                data=each, response_id="resp_1", item_id="item_1", content_index=0
            )
        else:
            event = RealtimeModelRawServerEvent(data=each)
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
        took = time.perf_counter() - began
    require_whole(recorder)
    return took


def require_whole(recorder: Recorder) -> None:
    """A recorder that drops what it has no room for is fast: what is measured must have been written.

    Raises:
        SystemExit: something was lost.
    """
    lost = recorder.status().lost_entries
    if lost:
        raise SystemExit(
            f"{recorder.address}: {lost:,} entries were lost: append more slowly, or flush in between"
        )


def _same_tables(source: sqlite3.Connection, copy: Path) -> sqlite3.Connection:
    """A new file, with the tables, indexes and triggers of another one."""
    query = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
    to = sqlite3.connect(copy, isolation_level=None)
    to.execute("PRAGMA journal_mode=WAL")
    to.execute("PRAGMA synchronous=FULL")
    for (statement,) in source.execute(query):
        to.execute(statement)
    return to


def _insert(row: tuple[Any, ...]) -> str:
    return f"INSERT INTO entries VALUES ({', '.join('?' * len(row))})"


def bare(store: Path, copy: Path) -> float:
    """Seconds to write the same rows, and the same bytes, into the same tables."""
    with closing(sqlite3.connect(store)) as source, closing(_same_tables(source, copy)) as to:
        rows = source.execute("SELECT * FROM entries ORDER BY seq").fetchall()
        audio = b"".join(row[0] for row in source.execute("SELECT data FROM segments ORDER BY segment"))
        insert = _insert(rows[0])
        batches = range(0, len(rows), BATCH_ROWS)
        share = len(audio) // len(batches) + 1
        began = time.perf_counter()
        for number, start in enumerate(batches):
            to.execute("BEGIN")
            to.execute("INSERT INTO segments VALUES (1, ?, ?)", (number, audio[number * share :][:share]))
            to.executemany(insert, rows[start : start + BATCH_ROWS])
            to.execute("COMMIT")
        return time.perf_counter() - began


def peer(name: str, folder: Path) -> float | None:
    """Seconds that another recorder takes for the session; None of one that is not installed."""
    if not PEERS_PYTHON.exists():
        return None
    place = folder / name
    place.mkdir()
    script = Path(__file__).parent / "peers.py"
    done = subprocess.run([PEERS_PYTHON, script, name, place], capture_output=True, text=True, check=True)
    shutil.rmtree(place)
    return float(done.stdout) if done.stdout else None


async def sustained(folder: Path) -> list[str]:
    """The lines of a table."""
    events = mixed()
    found: dict[str, list[float | None]] = {name: [] for name in ("", "bare", *DURABILITY)}
    for run in range(SUSTAINED_RUNS):
        store, copy = folder / f"sustained-{run}.db", folder / f"bare-{run}.db"
        found[""].append(await recorded(events, store))
        found["bare"].append(bare(store, copy))
        for name in DURABILITY:
            found[name].append(await asyncio.to_thread(peer, name, folder))
        store.unlink()
        copy.unlink()
    every = "SQLite, WAL, `synchronous=FULL`: each"
    told = {
        "bare": (f"bare `sqlite3.executemany`, batches of {BATCH_ROWS}", f"{every} batch"),
        "": ("`Recorder`, digests included", f"{every} commit"),
        **{name: (f"{name}, batches of {BATCH_ROWS}", durability) for name, durability in DURABILITY.items()},
    }
    lines = [
        f"| {MIXED_EVENTS:,} events, 60 % audio | what is on the disk when | a second | of the bare |",
        "|---|---|---:|---:|",
    ]
    for name, (who, durability) in told.items():
        seconds = [one for one in found[name] if one is not None]
        if not seconds:
            lines.append(f"| {who} | {durability} | not installed | |")
            continue
        share = statistics.median(
            one / own for own, one in zip(seconds, found["bare"], strict=True) if one is not None
        )
        rate = MIXED_EVENTS / statistics.median(seconds)
        lines.append(f"| {who} | {durability} | {rate:,.0f} | {share:.2f} |")
    return lines


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
    require_whole(recorder)
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
        require_whole(recorder)
        json_bytes = len(messages[0]) - len(json.loads(messages[0])["delta"])
        came = len(messages) * (size + json_bytes)
        lines.append(_file_line(f"audio, {size:,} bytes a delta", came, store))
    logging.getLogger("openai.agents").setLevel(logging.CRITICAL)  # which complains of each
    for text in ("", "w" * 415, "w" * 1_115):
        store = folder / f"unknown-{len(text)}.db"
        unknown = [
            json.dumps(
                {
                    "type": "x.new",
                    "event_id": f"event_{number:021}",
                    "a": 1,
                    **({"text": text} if text else {}),
                }
            )
            for number in range(3_000)
        ]
        async with Recorder(store) as recorder:
            model = await recorded_model(recorder)
            for each in unknown:
                await model.hear(each)
                await asyncio.sleep(0)
        require_whole(recorder)
        name = f"messages of {len(unknown[0]):,} bytes that the SDK does not know, each with an error event"
        lines.append(_file_line(name, sum(map(len, unknown)), store))
    return lines


def _file_line(what: str, came: int, store: Path) -> str:
    found = store.stat().st_size
    return f"| {what} | {came:,} | {found:,} | {found / came:.2f} |"


# --- memory -----------------------------------------------------------------------------------------------


def resident_mb() -> float:
    """What this process has of the machine's memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def _most_resident_mb() -> float:
    # By the kernel's own words: `getrusage` tells what the parent had, too.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) / 1024


async def long_session(deltas: int) -> float:
    """The most memory that one session took, in megabytes; in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        async with Recorder(Path(folder) / "long.db") as recorder:
            model = await recorded_model(recorder)
            for number in range(deltas):
                await model.hear(message("audio" if number % 2 else "audio_transcript", number))
                await asyncio.sleep(0)
                if number % 200 == 199:
                    await recorder.flush()
        require_whole(recorder)
    return _most_resident_mb()


async def left_models(count: int) -> float:
    """What is resident after so many models were connected, and dropped without a close; in megabytes."""
    with tempfile.TemporaryDirectory() as folder:
        async with Recorder(Path(folder) / "left.db") as recorder:
            for number in range(count):
                model = await recorded_model(recorder)
                await model.hear(message("audio", number))
                await asyncio.sleep(0)
                del model
                if number % 100 == 99:
                    await recorder.flush()
            gc.collect()
            return resident_mb()


def memory() -> list[str]:
    """The lines of a table."""
    lines = ["| of | memory, MB | of ten times as much | times |", "|---|---:|---:|---:|"]
    for what, name, less, more in (
        (f"a session of {SHORT_SESSION:,} deltas, at most", "long", SHORT_SESSION, LONG_SESSION),
        (f"{FEW_MODELS:,} models that nobody closed, at their end", "left", FEW_MODELS, MANY_MODELS),
    ):
        found: list[float] = []
        for count in (less, more):
            command = [sys.executable, __file__, name, str(count)]
            found.append(float(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
        lines.append(f"| {what} | {found[0]:.0f} | {found[1]:.0f} | {found[1] / found[0]:.2f} |")
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
            "memory": memory(),
        }


if __name__ == "__main__":
    if len(sys.argv) > 2:
        measured = {"long": long_session, "left": left_models}[sys.argv[1]]
        sys.stdout.write(f"{asyncio.run(measured(int(sys.argv[2])))}\n")
    else:
        for lines in asyncio.run(tables()).values():
            sys.stdout.write("\n".join(lines) + "\n\n")
