"""Where a store is: a path to an SQLite file, or an SQLAlchemy URL."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from .errors import NotAStoreError, StoreNotFoundError, UsageError

SQLITE_MAGIC = b"SQLite format 3\x00"

StoreLocation = str | os.PathLike[str] | URL


@dataclass(frozen=True)
class Address:
    """One store, found but not opened.

    Attributes:
        path: the SQLite file, absolute; None on a server.
        url: the server's URL; None for a file.
    """

    path: Path | None
    url: URL | None

    def __str__(self) -> str:
        """For messages: without a password."""
        return str(self.path) if self.url is None else self.url.render_as_string(hide_password=True)

    def sqlite_uri(self, mode: str) -> str:
        """SQLite's own `file:` URI (https://www.sqlite.org/uri.html), in mode `ro`, `rw` or `rwc`."""
        return f"file:{quote(str(self.path))}?mode={mode}"

    def require_log(self) -> None:
        """Check, without opening it, that an SQLite database lies at the path.

        Raises:
            StoreNotFoundError: nothing is there.
            NotAStoreError: a folder, an empty file, or not SQLite.
        """
        if self.path is None:
            return
        if not self.path.exists():
            raise StoreNotFoundError(
                str(self), "no such file", "check the path, or record a session into it first"
            )
        if not self.path.is_file():
            raise NotAStoreError(str(self), "not a file", "name the SQLite file that was recorded into")
        try:
            with self.path.open("rb") as file:
                beginning = file.read(len(SQLITE_MAGIC))
        except OSError as error:
            raise StoreNotFoundError(
                str(self), f"cannot be read ({error.strerror})", "check its permissions"
            ) from error
        if not beginning:
            raise NotAStoreError(str(self), "an empty file", "name the store that was recorded into")
        if beginning != SQLITE_MAGIC:
            raise NotAStoreError(str(self), "not an SQLite database", "name the store that was recorded into")


def locate(store: StoreLocation) -> Address:
    """What a path or URL means.

    Raises:
        UsageError: neither; or a database in memory, which nobody could read afterwards.
    """
    if isinstance(store, URL) or (isinstance(store, str) and "://" in store):
        try:
            url = make_url(store)
        except ArgumentError as error:
            raise UsageError(f"not a store: {error}; give a path or an SQLAlchemy URL") from error
        if url.get_backend_name() == "sqlite":
            return _file(url.database or "")
        if url.get_backend_name() != "postgresql":
            raise UsageError(
                f"{url.get_backend_name()} is no store of ours: give an SQLite path or a postgresql URL"
            )
        return Address(None, url.set(drivername="postgresql+psycopg"))
    return _file(os.fspath(store))


def _file(path: str) -> Address:
    if path in ("", ":memory:") or path.startswith("file:"):
        raise UsageError(f"{path!r} is not the path of a file: a log must outlive its process")
    return Address(Path(path).expanduser().absolute(), None)
