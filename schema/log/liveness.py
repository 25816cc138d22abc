"""Whether a session that is `recording` still is: who records it holds a lock, which ends with the process.

Beside an SQLite file it is a lock on a byte of another file, the one whose number is the session's key: that
holds across containers, whose processes have numbers and host names of their own. On a server it is an
advisory lock of the connection, on table and key. Which sessions are under it, the table `locks` says;
of others, which are of older releases, host and process are asked.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from sqlalchemy import column, insert, select, table, text, update
from sqlalchemy.engine import Connection

from ..entries import SessionRecord, Status
from .additions import LOCKS, has_addition
from .tables import SESSIONS

try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl: Any = None

SUFFIX = "-live"
"""What the lock's file is called, after the store's name."""

_IMPORTED_NS = time.time_ns()
"""Before any session of this process."""

_ADVISORY = 0x52544C4B  # "RTLK"
# Of the open file, not of the process: a reader of this process may open and close it, too.
_SET: int | None = getattr(fcntl, "F_OFD_SETLK", None)
_ASK: int | None = getattr(fcntl, "F_OFD_GETLK", None)
_FLOCK = struct.Struct("hhqqi0q")
_locks = table(LOCKS.name, column("session"))


class Lock:
    """The lock of one recorder on its sessions of one store. One thread at a time."""

    def __init__(self) -> None:
        self._file: int | None = None
        self._path = ""
        self._held: dict[object, tuple[int, int]] = {}  # the store, which a file need not tell, and the key

    def hold(self, connection: Connection, owner: object, key: int, *, begun: bool) -> None:
        """Hold a session's lock from now on, in the transaction in which it is added or found.

        Args:
            owner: whose key it is; another key that it held is let go.
            begun: whether the session is new in this store.

        Raises:
            OSError: the file cannot be made; the session is judged by host and process, as of old.
        """
        on_server = connection.dialect.name == "postgresql"
        place = (_store_of(connection) if on_server else 0, key)
        if self._held.get(owner, place) != place:
            self.release(connection, owner)
        if on_server:
            if owner not in self._held:  # the server counts how often
                connection.execute(text("SELECT pg_advisory_lock_shared({}, {})".format(*place)))
        elif not self._hold_byte(_path_of(connection), key):
            return
        self._held[owner] = place
        if begun and has_addition(connection, LOCKS):
            connection.execute(insert(_locks).values(session=key))

    def release(self, connection: Connection, owner: object) -> None:
        """Let go of a session that has ended, or moved."""
        place = self._held.pop(owner, None)
        if place is None:
            return
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_unlock_shared({}, {})".format(*place)))
        elif self._file is not None and place not in self._held.values():  # a key that was not committed
            _ask(self._file, _SET, fcntl.F_UNLCK, place[1])

    def is_last(self) -> bool:
        """Let go of all; whether nobody else uses the file, and then nobody does before we have closed it. Of
        several who ask at once one is the last."""
        self._held.clear()
        if self._file is None:
            return True
        try:
            _ask(self._file, _SET, fcntl.F_UNLCK, 0, 0)  # who was forked and did not let go holds it, too
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # where it fails, we use it no more
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Let go of all, and remove the file if nobody else uses it."""
        is_last = self.is_last()
        file, self._file = self._file, None
        if file is None:
            return
        with suppress(OSError):  # its folder may not be written any more
            if is_last and _same_file(file, self._path):
                os.unlink(self._path)
        os.close(file)

    def lost(self) -> None:
        """The connection was: on a server its locks end with it."""
        if self._file is None:
            self._held.clear()

    def abandon(self) -> None:
        """In a forked child: the locks are the parent's, and stay."""
        self._held.clear()
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def _hold_byte(self, path: str, key: int) -> bool:
        if _SET is None or not path:
            return False
        if self._file is None or not _same_file(self._file, self._path):
            self._reopen(path + SUFFIX, os.stat(path).st_mode & 0o666)
        assert self._file is not None
        _ask(self._file, _SET, fcntl.F_RDLCK, key)  # shared: for that, one need not write to the file
        return True

    def _reopen(self, path: str, mode: int) -> None:
        """Open the file, and say that it is in use; what was held in one that is no more is held here."""
        if self._file is not None:
            os.close(self._file)
        self._path = path
        while True:
            self._file = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, mode)
            fcntl.flock(self._file, fcntl.LOCK_SH)
            if _same_file(self._file, path):
                break
            os.close(self._file)  # whoever was the last to use it has just removed it
        for _, key in self._held.values():
            _ask(self._file, _SET, fcntl.F_RDLCK, key)


def judged(connection: Connection, records: Sequence[SessionRecord]) -> list[SessionRecord]:
    """Sessions as they are: one whose recorder is dead was interrupted."""
    going_on = [record for record in records if record.status is Status.RECORDING]
    facts = ((one.key, one.header.host, one.header.pid, one.header.started_ns) for one in going_on)
    dead = _dead(connection, facts)
    return [replace(one, status=Status.INTERRUPTED) if one.key in dead else one for one in records]


def being_recorded(connection: Connection) -> set[int]:
    """The keys of sessions whose recorder is not known to be gone."""
    going_on = _going_on(connection)
    return {key for key, *_ in going_on} - _dead(connection, going_on)


def mark_interrupted(connection: Connection) -> None:
    """Give sessions whose recorder is dead their status."""
    dead = _dead(connection, _going_on(connection))
    if dead:
        still = SESSIONS.c.key.in_(dead), SESSIONS.c.status == Status.RECORDING
        connection.execute(update(SESSIONS).where(*still).values(status=Status.INTERRUPTED))


# --- asking -----------------------------------------------------------------------------------------


def _going_on(connection: Connection) -> list[tuple[int, str, int, int]]:
    query = select(SESSIONS.c.key, SESSIONS.c.host, SESSIONS.c.pid, SESSIONS.c.started_ns)
    rows = connection.execute(query.where(SESSIONS.c.status == Status.RECORDING))
    return [(row.key, row.host, row.pid, row.started_ns) for row in rows]


def _dead(connection: Connection, sessions: Iterable[tuple[int, str, int, int]]) -> set[int]:
    """Keys of those whose recorder is known to be gone, and that have not ended meanwhile: a lock is let go
    once the end is committed."""
    going_on = list(sessions)
    if not going_on:
        return set()
    locked: set[int] = set()
    if has_addition(connection, LOCKS):
        among = select(SESSIONS.c.key).where(SESSIONS.c.status == Status.RECORDING)
        locked = set(
            connection.execute(select(_locks.c.session).where(_locks.c.session.in_(among))).scalars()
        )
    dead = {key for key, host, pid, began in going_on if key not in locked and _is_dead(host, pid, began)}
    asked = [one[0] for one in going_on if one[0] in locked]
    dead |= set(asked) - _held(connection, asked) if asked else set()
    if not dead:
        return dead
    still = select(SESSIONS.c.key).where(SESSIONS.c.status == Status.RECORDING)
    return dead.intersection(connection.execute(still).scalars())


def _held(connection: Connection, keys: list[int]) -> set[int]:
    """Those whose lock somebody holds; all of them where that cannot be found out."""
    if connection.dialect.name == "postgresql":
        held = text(
            "SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND granted "
            "AND classid = CAST(CAST(:store AS int) AS oid) "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        return set(connection.execute(held, {"store": _store_of(connection)}).scalars())
    path = _path_of(connection)
    if _ASK is None or not path:
        return set(keys)
    try:
        file = os.open(path + SUFFIX, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return set()
    except OSError:
        return set(keys)
    try:
        return {key for key in keys if _ask(file, _ASK, fcntl.F_WRLCK, key) != fcntl.F_UNLCK}
    finally:
        os.close(file)


def _store_of(connection: Connection) -> int:
    """Which store of a server's database: another schema's, or one that was dropped, has the same keys."""
    tables = text(f"SELECT CAST(CAST('{SESSIONS.name}' AS regclass) AS int) # {_ADVISORY}")
    return int(connection.execute(tables).scalar_one())


def _path_of(connection: Connection) -> str:
    """The file that SQLite has open, with no links in between; "" in memory."""
    query = "SELECT file FROM pragma_database_list WHERE name = 'main'"
    return str(connection.exec_driver_sql(query).scalar_one() or "")


def _ask(file: int, command: int | None, kind: int, start: int, length: int = 1) -> int:
    """`fcntl(2)` of an open file description's lock; returns the kind that it answers."""
    assert command is not None
    found = fcntl.fcntl(file, command, _FLOCK.pack(kind, os.SEEK_SET, start, length, 0))
    return int(_FLOCK.unpack(found)[0])


def _same_file(file: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except OSError:
        return False


def _is_dead(host: str, pid: int, started_ns: int) -> bool:
    """Of an older release: whether its process is known to be gone; of another machine's nothing is known."""
    if host != socket.gethostname():
        return False
    if pid == os.getpid():  # ours, or that of a former life: containers number theirs alike
        return started_ns < _IMPORTED_NS
    if os.name != "posix":  # elsewhere signal 0 is not a question
        return False
    if not 0 < pid < 1 << 31:  # no process has such a number
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
