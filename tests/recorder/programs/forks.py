"""A process that forks while it records: `forks.py STORE CHILDREN`.

Every child uses the recorder that it was born with: what it appends to its parent's session is not
recorded, and its own sessions need a store of their own. Half of the children end as programs do,
half at once.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from realtape.recorder import Recorder
from realtape.recorder.session_log import SessionLog
from realtape.schema.entries import Kind, Status
from support.stored import begin, mark


async def child(recorder: Recorder, inherited: SessionLog, number: int, store: str) -> None:
    """What a child does."""
    for _ in range(100):
        mark(inherited, -1)
    inherited.finish(Status.FAILED)
    recorder.mark("nobody's")
    await recorder.flush()
    mark(begin(recorder, "homeless"), -1)
    (refused,) = await asyncio.gather(recorder.flush(), return_exceptions=True)
    assert "record into a file of its own" in str(refused)
    own = Recorder(f"{store}.{number}")
    log = begin(own, f"child {number}")
    for entry in range(50):
        log.append(Kind.MARKER, {"number": entry, "bytes": os.urandom(500)})
    if number % 3 == 0:
        await own.close()
    else:
        await own.flush()


def main(store: str, children: int) -> None:
    """Fork again and again, from beside the threads that record."""
    recorder = Recorder(store)
    early = begin(recorder, "nobody's")
    for number in range(3):
        pid = os.fork()
        if pid == 0:  # before the first entry: nothing stands in the way of one store for all
            mark(early, -1)
            mark(begin(recorder, f"early {number}"), *range(50))
            sys.exit()
        assert os.waitpid(pid, 0)[1] == 0
    log = begin(recorder, "parent")
    stop = threading.Event()
    appended = [0, 0]

    def record(thread: int) -> None:
        while not stop.is_set():
            log.append(Kind.MARKER, {"thread": thread, "number": appended[thread], "bytes": os.urandom(300)})
            appended[thread] += 1
            stop.wait(0.001)

    threads = [threading.Thread(target=record, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    asyncio.run(recorder.flush())
    failed = 0
    for number in range(1, children + 1):
        pid = os.fork()
        if pid == 0:
            asyncio.run(child(recorder, log, number, store))
            if number % 2:
                os._exit(0)
            stop.set()
            sys.exit()
        failed = os.waitpid(pid, 0)[1]
        if failed:
            break
    stop.set()
    for thread in threads:
        thread.join()
    asyncio.run(recorder.close())
    assert not failed
    sys.stdout.write(f"{sum(appended)}\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
