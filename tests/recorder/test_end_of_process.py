"""However a process ends or divides, what was appended before is written, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from realtape.schema.entries import Kind, Status
from support.stored import beside, intact, numbers, only

TESTS = Path(__file__).parents[1]
PROGRAMS = Path(__file__).parent / "programs"

BEGINNING = """
import asyncio, os, sys
sys.path.insert(0, sys.argv[2])
from realtape.recorder import Recorder
from realtape.schema.entries import Kind
from support.stored import begin, mark
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


def run(program: str, path: Path, executable: str = sys.executable) -> subprocess.CompletedProcess[str]:
    arguments = [executable, "-c", BEGINNING + program, str(path), str(TESTS)]
    return subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=50)


NEVER_CLOSED = """
async def main():
    recorder = Recorder(sys.argv[1])  # nobody holds it once this returns
    mark(begin(recorder), *range(2000))
"""


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("asyncio.run(main()); import gc; gc.collect()", 0),
        ("loop = asyncio.new_event_loop(); loop.run_until_complete(main()); sys.exit(3)", 3),
        ("asyncio.run(main()); raise ZeroDivisionError", 1),
    ],
)
def test_what_nobody_closed_is_written_at_the_end(path: Path, end: str, code: int):
    done = run(NEVER_CLOSED + end, path)
    assert done.returncode == code, done.stderr
    stored = asyncio.run(only(path))
    assert numbers(stored) == list(range(2_000))
    assert stored.status is Status.CLOSED
    assert beside(path) == {"log.db"}


def test_a_loop_that_crashes(path: Path):
    program = """
async def main():
    async with Recorder(sys.argv[1]) as recorder:
        log = begin(recorder)
        mark(log, *range(100))
        asyncio.get_running_loop().call_soon(crash)
        await asyncio.sleep(10)

def crash():
    raise SystemExit(7)  # goes through the loop, as KeyboardInterrupt does

asyncio.run(main())
"""
    done = run(program, path)
    assert done.returncode == 7, done.stderr
    assert numbers(asyncio.run(only(path))) == list(range(100))


def test_an_end_without_ceremony_leaves_an_interrupted_session(path: Path):
    program = """
async def main():
    recorder = Recorder(sys.argv[1])
    mark(begin(recorder), *range(100))
    await recorder.flush()
    os._exit(0)
asyncio.run(main())
"""
    assert run(program, path).returncode == 0
    stored = asyncio.run(only(path))
    assert numbers(stored) == list(range(100))
    assert stored.status is Status.INTERRUPTED


def test_a_close_that_is_cancelled_is_made_up_for(path: Path):
    program = """
async def main():
    recorder = Recorder(sys.argv[1])
    mark(begin(recorder), *range(10000))
    task = asyncio.create_task(recorder.close())
    await asyncio.sleep(0)
    task.cancel()
asyncio.run(main())
"""
    done = run(program, path)
    assert (done.returncode, done.stderr) == (0, "")
    assert numbers(asyncio.run(only(path))) == list(range(10_000))


def test_no_exit_waits_for_ever_for_a_disk(path: Path):
    program = """
import sqlite3
from realtape.schema.log import stores
stores.WRITE_BUSY_SECONDS = 0.1
async def main():
    recorder = Recorder(sys.argv[1])
    mark(begin(recorder), 1)
    await recorder.flush()
    recorder._drain_seconds = 0.2
    global lock
    lock = sqlite3.connect(sys.argv[1], isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    mark(begin(recorder), 2)
asyncio.run(main())
"""
    done = run(program, path)  # and no longer than its own time limit
    assert done.returncode == 0
    assert "the end of the recording is lost" in done.stderr


def test_a_process_that_can_start_no_thread_still_writes(path: Path):
    """At the end of the interpreter none can be started; nor where the machine has no more."""
    program = """
import threading
def start(self):
    raise RuntimeError("can't start new thread")
threading.Thread.start = start
recorder = Recorder(sys.argv[1])
log = begin(recorder)
mark(log, 1, 2, 3)
"""
    done = run(program, path)
    assert done.returncode == 0
    assert "nothing is written until `close`: can't start new thread" in done.stderr
    assert numbers(asyncio.run(only(path))) == [1, 2, 3]


FORKED_INSIDE = """
import signal, threading
from realtape.recorder import causes

recorder = Recorder(sys.argv[1])
parents, inside, forked = begin(recorder, "parent"), threading.Event(), threading.Event()

def remember():
    with parents.received._lock:
        inside.set()
        forked.wait()

thread = threading.Thread(target=remember)
thread.start()
inside.wait()
pid = os.fork()
if pid == 0:
    signal.alarm(30)  # ends the child if it waits for a thread that it does not have
    own = begin(recorder, "child")
    event = Recorder(sys.argv[1])  # any object that can be referred to weakly
    own.received.remember(event, causes.Frame(own.number, 0))
    os._exit(0 if own.received.of(event) else 1)
status = os.waitpid(pid, 0)[1]
forked.set()
thread.join()
sys.exit(1 if status else 0)
"""


def test_a_child_waits_for_no_thread_of_its_parent_that_was_remembering_an_event(path: Path):
    done = run(FORKED_INSIDE, path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("children", [4, pytest.param(200, marks=pytest.mark.deep)])
def test_a_process_that_forks(path: Path, children: int):
    done = subprocess.run(
        [sys.executable, PROGRAMS / "forks.py", path, str(children)],
        capture_output=True,
        text=True,
        check=False,
        timeout=50 + children,
    )
    assert done.returncode == 0, done.stderr
    found = {stored.label: stored for stored in asyncio.run(intact(path))}
    parent = found.pop("parent")
    assert len(parent.entries) == int(done.stdout)
    for thread in range(2):
        own = [payload["number"] for payload in parent.payloads() if payload["thread"] == thread]
        assert own == list(range(len(own)))
    assert found.pop("nobody's").entries == []
    assert set(found) == {"early 0", "early 1", "early 2"}
    for stored in found.values():
        assert numbers(stored) == list(range(50))
        assert stored.record.header.pid != parent.record.header.pid
    for number in range(1, children + 1):
        stored = asyncio.run(only(path.with_name(f"log.db.{number}")))
        assert stored.label == f"child {number}"
        assert len(stored.of_kind(Kind.MARKER)) == 50
        if number % 3 == 0:  # it closed its recorder
            assert not path.with_name(f"log.db.{number}-wal").exists()
    assert not {"log.db-wal", "log.db-shm"} & beside(path)
