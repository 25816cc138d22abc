"""A process that forks while it records: `forks.py STORE CHILDREN`.

Every child uses the recorder that it was born with: what it appends to its parent's session is not recorded,
its own sessions are, without a line of its own for that. Of the children some close their recorder, some end
as programs do, some at once. Says as JSON how many entries the parent appended, and where each child
recorded.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from realtape.recorder import Recorder
from realtape.recorder.session_log import SessionLog
from realtape.schema.entries import Kind, Status
from support.stored import begin, mark


async def child(recorder: Recorder, inherited: SessionLog, number: int) -> None:
    """What a child does."""
    for _ in range(100):
        mark(inherited, -1)
    inherited.finish(Status.FAILED)
    recorder.mark("nobody's")
    log = begin(recorder, f"child {number}")
    for entry in range(50):
        log.append(Kind.MARKER, {"number": entry, "bytes": os.urandom(500)})
    if number % 3 == 0:
        await recorder.close()
    elif number % 3 == 1:
        await recorder.flush()


def main(store: str, children: int) -> None:
    """Fork again and again, from beside the threads that record."""
    recorder = Recorder(store)
    early = begin(recorder, "nobody's")
    for number in range(3):
        pid = os.fork()
        if pid == 0:  # before the first entry
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
    places: dict[int, str] = {}
    failed = 0
    for number in range(1, children + 1):
        hear, told = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.write(told, str(recorder.address).encode())
            asyncio.run(child(recorder, log, number))
            if number % 3 == 1:
                os._exit(0)
            stop.set()
            sys.exit()
        failed = os.waitpid(pid, 0)[1]
        places[number] = os.read(hear, 4096).decode()
        os.close(hear)
        os.close(told)
        if failed:
            break
    stop.set()
    for thread in threads:
        thread.join()
    asyncio.run(recorder.close())
    assert not failed
    sys.stdout.write(json.dumps([sum(appended), places]))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
