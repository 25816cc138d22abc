"""However a process ends or divides, what was appended before is written, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from realtape.recorder import Recorder
from realtape.recorder.store import open_files
from realtape.schema.entries import Status
from support.stored import begin, beside, intact, mark, numbers, only

pytestmark = pytest.mark.real_time

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
    ("end", "code", "status"),
    [
        ("asyncio.run(main()); import gc; gc.collect()", 0, Status.CLOSED),
        ("loop = asyncio.new_event_loop(); loop.run_until_complete(main()); sys.exit(3)", 3, Status.CLOSED),
        ("asyncio.run(main()); raise ZeroDivisionError", 1, Status.INTERRUPTED),
    ],
)
def test_what_nobody_closed_is_written_at_the_end(path: Path, end: str, code: int, status: Status):
    done = run(NEVER_CLOSED + end, path)
    assert done.returncode == code, done.stderr
    stored = asyncio.run(only(path))
    assert numbers(stored) == list(range(2_000))
    assert stored.status is status
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


@pytest.mark.parametrize("children", [3, pytest.param(200, marks=pytest.mark.deep)])
def test_a_process_that_forks(path: Path, children: int):
    done = subprocess.run(
        [sys.executable, PROGRAMS / "forks.py", path, str(children)],
        capture_output=True,
        text=True,
        check=False,
        timeout=50 + children,
    )
    assert done.returncode == 0, done.stderr
    appended, places = json.loads(done.stdout)
    found = {stored.label: stored for stored in asyncio.run(intact(path))}
    for place in set(places.values()) - {str(path)}:  # a commit was running for too long when it was born
        found |= {stored.label: stored for stored in asyncio.run(intact(place))}
    parent = found.pop("parent")
    assert len(parent.entries) == appended
    for thread in range(2):
        own = [payload["number"] for payload in parent.payloads() if payload["thread"] == thread]
        assert own == list(range(len(own)))
    assert found.pop("nobody's").entries == []
    assert set(found) == {
        *(f"early {number}" for number in range(3)),
        *(f"child {number}" for number in range(1, children + 1)),
    }
    for label, stored in found.items():
        assert numbers(stored) == list(range(50))
        assert stored.record.header.pid != parent.record.header.pid
        ended = label.startswith("early") or int(label.split()[1]) % 3 != 1
        assert stored.status is (Status.CLOSED if ended else Status.INTERRUPTED)
    assert not {"log.db-wal", "log.db-shm", "log.db-live"} & beside(path)


THIRD = """
recorder = Recorder(sys.argv[1])
parents = begin(recorder, "parent")
mark(parents, *range(100))
asyncio.run(recorder.flush())
hear, told = os.pipe()
leave, bid = os.pipe()
pid = os.fork()
if pid == 0:
    mark(begin(recorder, "child"), *range(100))
    asyncio.run(recorder.flush())
    mark(begin(recorder, "child's second"), *range(100))
    os.write(told, b".")
    os.read(leave, 1)
    sys.exit()
os.read(hear, 1)
asyncio.run(recorder.close())
import subprocess
third = f"import sys; sys.argv[1:] = {sys.argv[1:]!r}" + BEGINNING
third += "r = Recorder(sys.argv[1]); mark(begin(r, 'third'), *range(100)); asyncio.run(r.close())"
subprocess.run([sys.executable, "-c", third], check=True)
os.write(bid, b".")
os.waitpid(pid, 0)
"""


def test_the_child_writes_the_parent_closes_and_a_third_opens(path: Path):
    """Tried with a connection that was open across the fork, one of the child's 201 rows survived that."""
    done = run(f"BEGINNING = {BEGINNING!r}\n" + THIRD, path)
    assert done.returncode == 0, done.stderr
    found = {stored.label: numbers(stored) for stored in asyncio.run(intact(path))}
    assert found == {name: [*range(100)] for name in ("parent", "child", "child's second", "third")}
    assert beside(path) == {"log.db"}


@pytest.mark.parametrize("way", ["locked", "foreign", "reader"])
def test_where_no_fork_would_be_safe_the_child_has_a_file_of_its_own(path: Path, way: str):
    """A commit that is held up is not waited for, or it never ended; what others hold open stays open."""
    program = f"""
import sqlite3
from realtape.session import Recording
way = {way!r}
recorder = Recorder(sys.argv[1])
log = begin(recorder, "parent")
mark(log, 0)
asyncio.run(recorder.flush())
if way == "locked":
    holder = recorder._writer.store.lock
    holder.acquire()  # as a commit does
elif way == "reader":
    loop = asyncio.new_event_loop()
    recording = loop.run_until_complete(Recording.open(sys.argv[1]))
    loop.run_until_complete(recording.entries().__anext__())
else:
    other = sqlite3.connect(sys.argv[1])
    other.execute("SELECT * FROM entries").fetchone()
pid = os.fork()
if pid == 0:
    mark(begin(recorder, "child"), 1)
    mark(begin(Recorder(sys.argv[1]), "another of the child's"), 1)
    sys.exit()
if way == "locked":
    holder.release()
assert os.waitpid(pid, 0)[1] == 0
mark(log, 2)
asyncio.run(recorder.close())
if way == "reader":
    loop.run_until_complete(recording.close())
print(pid)
"""
    done = run(program, path)
    assert done.returncode == 0, done.stderr
    pid = done.stdout.strip()
    assert numbers(asyncio.run(only(path))) == [0, 2]
    childs = asyncio.run(intact(path.with_name(f"log.db-{pid}")))
    assert {stored.label: numbers(stored) for stored in childs} == {
        "child": [1],
        "another of the child's": [1],
    }
    assert "was in use when this process was forked: recording into" in done.stderr


WORKERS = """
import sys
from realtape.recorder import Recorder
from support.stored import begin, mark


def work(store):
    mark(begin(Recorder(store), "worker"), *range(100))
"""


@pytest.mark.parametrize("method", ["fork", pytest.param("spawn", marks=pytest.mark.deep)])
def test_a_process_of_multiprocessing_writes_what_it_holds(path: Path, method: str):
    """It ends without calling what is registered for the end of the interpreter."""
    path.with_name("workers.py").write_text(WORKERS)
    program = f"""
import multiprocessing
sys.path.insert(0, os.path.dirname(sys.argv[1]))
from workers import work
worker = multiprocessing.get_context({method!r}).Process(target=work, args=(sys.argv[1],))
worker.start()
worker.join()
"""
    done = run(program, path)
    assert done.returncode == 0, done.stderr
    stored = asyncio.run(only(path))
    assert numbers(stored) == list(range(100))
    assert stored.status is Status.CLOSED


def test_a_locked_store_holds_up_neither_a_fork_nor_the_end(path: Path):
    """Who waited for it would wait for a thousand seconds."""
    program = """
import sqlite3, time
recorder = Recorder(sys.argv[1], drain_seconds=1000)
mark(begin(recorder, "parent"), 0)
asyncio.run(recorder.flush())
other = sqlite3.connect(sys.argv[1], isolation_level=None)
other.execute("BEGIN IMMEDIATE")
mark(begin(recorder, "second"), 0)
time.sleep(0.1)  # for the thread to come to it
pid = os.fork()
if pid == 0:
    os._exit(0)
os.waitpid(pid, 0)
"""
    done = run(program, path)
    assert done.returncode == 0, done.stderr
    assert "the end of the recording is lost" in done.stderr


async def test_close_waits_for_no_executor(path: Path):
    """The application's threads may be busy for ever."""
    loop, leave = asyncio.get_running_loop(), threading.Event()
    loop.set_default_executor(ThreadPoolExecutor(1))
    busy = asyncio.ensure_future(asyncio.to_thread(leave.wait))
    async with Recorder(path) as recorder:
        mark(begin(recorder), 1)
        await recorder.flush()
        mark(begin(recorder), 2)
    leave.set()
    await busy
    assert [numbers(stored) for stored in await intact(path)] == [[1], [2]]


def test_files_that_nobody_lists_are_asked_one_by_one(path: Path, monkeypatch: pytest.MonkeyPatch):
    def no_folder(name: str) -> list[str]:
        raise FileNotFoundError(name)

    with path.open("w") as file:
        found = os.fstat(file.fileno())
        assert (found.st_dev, found.st_ino) in open_files()
        monkeypatch.setattr("os.listdir", no_folder)
        assert (found.st_dev, found.st_ino) in open_files()
    assert (found.st_dev, found.st_ino) not in open_files()
