"""What lies beside a path at which no store is: the `-wal` and the `-shm` of one that was removed.

SQLite makes a new file together with them. Who still has the removed one open, and who has made the new one,
then share an index, and neither finds what he wrote.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ..errors import StoreBusyError

try:
    import fcntl
except ImportError:  # where nobody can remove what somebody has open
    fcntl: Any = None


def set_aside_leftovers(path: Path) -> None:
    """Take them away before a store is made there. A `-wal` with something in it gets another name, which
    ends in the time, unix nanoseconds: it may hold what is nowhere else.

    Raises:
        StoreBusyError: another one is about to do the same.
        OSError: one of them cannot be moved.
    """
    if fcntl is None or not any(os.path.lexists(beside) for beside in _beside(path)):
        return
    with _alone(path):
        # In this order: a store has something in it before anything of its own lies beside it.
        left = [beside for beside in _beside(path) if os.path.lexists(beside)]
        with suppress(FileNotFoundError):
            if path.stat().st_size:
                return
        for beside in left:
            if beside.endswith("-wal") and os.path.getsize(beside):
                os.rename(beside, f"{beside}-{time.time_ns()}")
            else:
                os.unlink(beside)


def _beside(path: Path) -> tuple[str, str]:
    return f"{path}-wal", f"{path}-shm"


@contextmanager
def _alone(path: Path) -> Generator[None]:
    """While nobody else does this in that folder."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise StoreBusyError(
            str(path), "made by another process just now", "try again: that takes no time"
        ) from error
    finally:
        os.close(folder)
