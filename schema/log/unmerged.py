"""Closing a store's connection, and leaving its `-wal` as it is: whoever closes the last one of a file merges
what is in it."""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

try:
    import fcntl
except ModuleNotFoundError:  # Windows, where nobody removes what somebody has open
    fcntl: Any = None

_NO_CKPT_ON_CLOSE = 1006  # SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE
_SHARED_FIRST, _SHARED_SIZE = 0x40000002, 510
"""The bytes of which who merges must have all to himself (https://www.sqlite.org/src/file/src/os.h)."""
_SET: int | None = getattr(fcntl, "F_OFD_SETLK", None)
_FLOCK = struct.Struct("hhqqi0q")


def leave_unmerged(engine: Engine) -> bool:
    """Say so for when it is closed; whether Python can."""
    raw: Any = engine.raw_connection().driver_connection
    if not hasattr(raw, "setconfig"):  # Python 3.12
        return False
    raw.setconfig(_NO_CKPT_ON_CLOSE, True)
    return True


def close_unmerged(engine: Engine, file: Path) -> None:
    """Close it so.

    Args:
        file: which it has open.
    """
    if leave_unmerged(engine) or _SET is None:
        engine.dispose()
        return
    # It stays open: to close it would drop the locks of other connections of this process to that file
    # (https://www.sqlite.org/howtocorrupt.html, section 2.2).
    lock = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    _lock(lock, fcntl.F_RDLCK)
    engine.dispose()
    _lock(lock, fcntl.F_UNLCK)


def _lock(file: int, kind: int) -> None:
    with suppress(OSError):  # then somebody has it to himself, and so we have not
        fcntl.fcntl(file, _SET, _FLOCK.pack(kind, os.SEEK_SET, _SHARED_FIRST, _SHARED_SIZE, 0))
