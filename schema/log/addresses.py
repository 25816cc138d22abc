"""Where a store is: a path to an SQLite file, an SQLAlchemy URL, or the memory of this process."""

from __future__ import annotations

import itertools
import os
import sqlite3
import stat
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from ..errors import NotAStoreError, StoreNotFoundError, UsageError

StoreLocation = str | os.PathLike[str] | URL


_numbers = itertools.count(1)

_PASSWORDS = frozenset({"password", "sslpassword"})
"""Of libpq's parameters, which a URL's query may give, too."""


class MemoryDatabase:
    """An SQLite database in memory, which all connections of this process to its URI share.

    It is there as long as this object is: a connection that nobody uses keeps it. (SQLite's `memdb`,
    from 3.36 on; the older shared cache locks whole tables against each other.)

    Attributes:
        name: for messages.
        uri: SQLite's own.
        keeper: the connection that keeps it.
        engine: opens it, once it is a log (`memory_logs.py`).
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.uri = f"file:/realtape-{os.getpid()}-{next(_numbers)}?vfs=memdb"
        # Whoever lets go of this last, in whichever thread, closes it.
        self.keeper = sqlite3.connect(self.uri, uri=True, check_same_thread=False)
        self.engine: Engine | None = None

    def __del__(self) -> None:
        self.keeper.close()


@dataclass(frozen=True)
class Address:
    """One store, found but not opened.

    Attributes:
        path: the SQLite file, absolute; None on a server.
        url: the server's URL; None for a file.
        memory: a database in memory, which lives as long as this.
    """

    path: Path | None
    url: URL | None = field(repr=False)
    memory: MemoryDatabase | None = None

    def __str__(self) -> str:
        """For messages: without a password."""
        if self.memory is not None:
            return self.memory.name
        if self.url is None:
            return str(self.path)
        hidden = {name: "hidden" for name in self.url.query if name in _PASSWORDS}
        return self.url.update_query_dict(hidden).render_as_string(hide_password=True)

    @property
    def passwords(self) -> list[str]:
        """With which a server is opened."""
        if self.url is None:
            return []
        given = [self.url.password, *map(self.url.query.get, _PASSWORDS)]
        return [text for text in given if isinstance(text, str)]

    @property
    def file(self) -> Path:
        """The file itself, with no links in between: SQLite makes its `-wal` and its `-shm` beside that."""
        assert self.path is not None
        return Path(os.path.realpath(self.path))

    def beside(self, suffix: str) -> Path:
        """What lies beside the file, such as its `-wal`."""
        file = self.file
        return file.with_name(f"{file.name}{suffix}")

    def sqlite_uri(self, mode: str) -> str:
        """SQLite's own `file:` URI (https://www.sqlite.org/uri.html), in mode `ro`, `rw` or `rwc`."""
        if self.memory is not None:
            return self.memory.uri
        assert self.path is not None
        path = self.path.as_posix()
        # With an empty host, or a path that begins with two slashes would be taken for one.
        return f"file://{'' if path.startswith('/') else '/'}{quote(os.fsencode(path))}?mode={mode}"

    def size(self) -> int | None:
        """The size of the file at the path, in bytes; None where there is nothing yet.

        The file is not opened: closing it would drop every lock that this process holds on it, a
        recorder's too (https://www.sqlite.org/howtocorrupt.html, section 2.2). Whether it is a
        database, SQLite says.

        Raises:
            StoreNotFoundError: the path cannot be reached.
            NotAStoreError: something other than a file.
        """
        assert self.path is not None
        try:
            found = self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise StoreNotFoundError(
                str(self), f"cannot be reached ({error.strerror})", "check its folder's permissions"
            ) from error
        if not stat.S_ISREG(found.st_mode):
            raise NotAStoreError(str(self), "not a file", "name the path of an SQLite file")
        return found.st_size

    def require_log(self) -> None:
        """Check that something lies at the path that may be a log.

        Raises:
            StoreNotFoundError: nothing is there, or it cannot be reached.
            NotAStoreError: a folder, or an empty file.
        """
        if self.path is None:
            return
        size = self.size()
        if size is None:
            raise StoreNotFoundError(
                str(self), "no such file", "check the path, or record a session into it first"
            )
        if not size:
            raise NotAStoreError(str(self), "an empty file", "name the store that was recorded into")


def locate(store: StoreLocation) -> Address:
    """What a path or URL means.

    Raises:
        UsageError: neither; or a database in memory, which nobody could read afterwards.
    """
    if isinstance(store, URL) or (isinstance(store, str) and "://" in store):
        try:
            url = make_url(store)
        except (ArgumentError, ValueError):  # which may quote the password
            raise UsageError("not the URL of a store: give a path or an SQLAlchemy URL") from None
        if url.get_backend_name() == "sqlite":
            return _file(url.database or "")
        if url.get_backend_name() != "postgresql":
            raise UsageError(
                f"{url.get_backend_name()} is no store of ours: give an SQLite path or a postgresql URL"
            )
        return Address(None, url.set(drivername="postgresql+psycopg"))
    return _file(os.fsdecode(store))


def _file(path: str) -> Address:
    if path in ("", ":memory:") or path.startswith("file:") or "\0" in path:
        raise UsageError(f"{path!r} is not the path of a file: a log must outlive its process")
    try:
        return Address(Path(path).expanduser().absolute(), None)
    except (OSError, RuntimeError) as error:  # no such user; the working folder is gone
        raise UsageError(f"{path!r} leads nowhere ({error}): give an absolute path") from error
