"""SQLite's connections of who reads: bounded, for a file may come from anybody.

Our statements on our tables take little; what takes more is a table of another shape than ours, or a loop in
a damaged file. So a statement is ended that does many times the work of reading the whole file, and nothing
is made that is larger than a row of ours.
"""

from __future__ import annotations

import os
import sqlite3
from typing import Any

MAX_ROW_BYTES = 1 << 30
"""A payload has 256 Mi characters at most, and JSON takes up to four bytes for one."""

MAX_STATEMENT_BYTES = 1 << 20
"""Of SQL, also of what a file says of its tables."""

STEPS_PER_BYTE = 16
"""A row of forty bytes takes some hundred steps of SQLite's machine to be read and checked."""
LEAST_STEPS = 200_000_000
"""So many take a few seconds."""
_ASKED_EVERY = 1_000_000

_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: MAX_ROW_BYTES,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: MAX_STATEMENT_BYTES,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}


class ReadingConnection(sqlite3.Connection):
    """Ends a statement that takes too long, as `SQLITE_INTERRUPT`."""

    def __init__(self, *args: Any, **facts: Any) -> None:
        super().__init__(*args, **facts)
        for limit, value in _LIMITS.items():
            self.setlimit(limit, value)
        self._left = self._most = LEAST_STEPS
        self.set_progress_handler(self._is_too_much, _ASKED_EVERY)

    def cursor(self, factory: Any = None) -> Any:
        """One whose statements begin to count anew."""
        return super().cursor(_Cursor if factory is None else factory)

    def begin(self) -> None:
        """A statement begins."""
        self._left = self._most

    def expect(self, path: str | os.PathLike[str]) -> None:
        """As much as the file, and its log, give reason for."""
        size = sum(os.stat(part).st_size for part in (path, f"{path}-wal") if os.path.exists(part))
        self._left = self._most = max(LEAST_STEPS, size * STEPS_PER_BYTE)

    def _is_too_much(self) -> bool:
        self._left -= _ASKED_EVERY
        return self._left < 0


class _Cursor(sqlite3.Cursor):
    def execute(self, *args: Any) -> Any:
        connection: Any = self.connection
        connection.begin()
        return super().execute(*args)
