"""One recorder serves many sessions, event loops and threads; one file serves many recorders."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from realtape.recorder import Recorder
from realtape.schema import RealtimePlaybackTracker
from realtape.schema.entries import Kind, Status
from support.models import EchoModel, Ignoring
from support.stored import begin, beside, intact, mark, numbers, only, until

pytestmark = pytest.mark.real_time

PROGRAM = Path(__file__).parent / "programs" / "record.py"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


async def converse(recorder: Recorder, name: str, sends: int) -> None:
    """One session through a wrapped model, with a player that reports from a thread of its own: at least
    once, and no more often than is sent, or a slow disk could not keep up with it."""
    model = recorder.wrap(EchoModel(), labels={"name": name})
    model.add_listener(Ignoring())
    tracker = RealtimePlaybackTracker()
    await model.connect({"playback_tracker": tracker})
    stop = threading.Event()

    def play() -> None:
        for _ in range(sends):
            tracker.on_play_ms(name, 0, 1.0)
            if stop.wait(0.002):
                break

    player = threading.Thread(target=play)
    player.start()
    for number in range(sends):
        await model.send_event(name.encode() + bytes([number % 256]) * 50)
    stop.set()
    await asyncio.to_thread(player.join)
    await model.close()


def run_loops(recorder: Recorder, loops: int, sessions: int, sends: int) -> None:
    async def one_loop(loop: int) -> None:
        names = [f"{loop}.{session}" for session in range(sessions)]
        await asyncio.gather(*(converse(recorder, name, sends) for name in names))

    def one_thread(loop: int) -> None:
        asyncio.run(one_loop(loop))

    threads = [threading.Thread(target=one_thread, args=(loop,)) for loop in range(loops)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize(
    ("loops", "sessions", "sends"),
    [(3, 4, 25), pytest.param(6, 10, 200, marks=pytest.mark.deep)],
)
def test_many_sessions_loops_and_threads(path: Path, loops: int, sessions: int, sends: int):
    recorder = Recorder(path)
    run_loops(recorder, loops, sessions, sends)
    asyncio.run(recorder.close())
    found = asyncio.run(intact(path))
    assert sorted(stored.label for stored in found) == sorted(
        f"{loop}.{session}" for loop in range(loops) for session in range(sessions)
    )
    for stored in found:
        assert stored.status is Status.CLOSED
        assert len(stored.of_kind(Kind.SENT)) == len(stored.of_kind(Kind.RECEIVED)) == sends
        played = [entry for entry in stored.of_kind(Kind.PLAYBACK) if entry.method == "on_play_ms"]
        assert played
        assert {(entry.tick, entry.task) for entry in played} == {(None, None)}
        assert {entry.item_id for entry in stored.entries} <= {stored.label, None}


def test_threads_append_to_one_session(path: Path):
    recorder = Recorder(path)
    log = begin(recorder)
    starts = range(0, 4_000, 1_000)
    threads = [threading.Thread(target=mark, args=(log, *range(first, first + 1_000))) for first in starts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asyncio.run(recorder.close())
    found = numbers(asyncio.run(only(path)))
    assert sorted(found) == list(range(4_000))
    for first in starts:  # each thread's own order is kept
        own = [number for number in found if first <= number < first + 1_000]
        assert own == sorted(own)


@pytest.mark.parametrize(
    ("processes", "sessions", "entries"), [(2, 4, 200), pytest.param(4, 30, 1_000, marks=pytest.mark.deep)]
)
async def test_processes_record_into_one_file(path: Path, processes: int, sessions: int, entries: int):
    """From the first moment: they make the tables at once, too."""
    names = [f"process {number}" for number in range(processes)]
    running = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            *(PROGRAM, path, name, str(sessions), str(entries)),
            stderr=subprocess.PIPE,
        )
        for name in names
    ]
    for process in running:
        _, errors = await process.communicate()
        assert process.returncode == 0, errors
        assert b"Traceback" not in errors  # that they wait for each other may be told
    found = {stored.label: stored for stored in await intact(path)}
    assert set(found) == {f"{name} {session}" for name in names for session in range(sessions)}
    for label, stored in found.items():
        assert stored.status is Status.CLOSED
        assert numbers(stored) == list(range(entries))
        for entry in stored.of_kind(Kind.MARKER)[:5]:
            assert label.encode() in b"".join(stored.segments.values()), entry
    assert beside(path) == {"log.db"}


@pytest.mark.parametrize("sessions", [200, pytest.param(5_000, marks=pytest.mark.deep)])
async def test_ended_sessions_are_let_go(path: Path, sessions: int):
    async with Recorder(path) as recorder:
        model = recorder.wrap(EchoModel(), labels={"name": "again and again"})
        for _ in range(sessions):
            await model.connect({"playback_tracker": RealtimePlaybackTracker()})
            await model.send_event(b"x" * 50)
            await model.close()

        def held() -> int:
            gc.collect()
            return len(recorder._open)  # pyright: ignore[reportPrivateUsage]

        await recorder.flush()
        await until(lambda: held() <= 1)  # the model's own, which may still deliver
    assert len(await intact(path)) == sessions


async def test_the_newest_entries_survive_many_sessions_at_once(path: Path):
    """Two hundred sessions flow at once: the writer serves each of them in every round."""
    async with Recorder(path) as recorder:
        logs = [begin(recorder, str(number)) for number in range(200)]
        for number in range(10):
            for log in logs:
                mark(log, number)
            await asyncio.sleep(0)
    for stored in await intact(path):
        assert numbers(stored) == list(range(10))
