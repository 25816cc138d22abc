"""Opening a store, for writing (by one thread) and for reading (which never changes it)."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, closing, contextmanager, suppress

import aiosqlite
from sqlalchemy import Engine, create_engine, func, inspect, select
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, NoSuchModuleError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool, QueuePool, StaticPool

from .addresses import Address
from .entries import FORMAT
from .errors import (
    NewerFormatError,
    NotAStoreError,
    StoreBusyError,
    StoreError,
    StoreNotFoundError,
    UsageError,
)
from .tables import METADATA, STORE, create_tables

APPLICATION_ID = 0x52544150
"""`RTAP`: marks our files for `file(1)` and SQLite's tools."""

WRITE_BUSY_SECONDS = 2.0
READ_BUSY_SECONDS = 5.0
_SMALLEST_DATABASE_BYTES = 512
_TABLES = frozenset(METADATA.tables)


def open_for_writing(address: Address) -> Engine:
    """Open a store, or make it where there is nothing yet; for the one thread that writes.

    Raises:
        StoreError: as in `errors.py`; the store is as it was.
    """
    fresh = False
    if address.path is not None:
        size = address.size()
        fresh = not size
        if size and size < _SMALLEST_DATABASE_BYTES:  # SQLite takes a single byte for nothing
            raise NotAStoreError(
                str(address), "not an SQLite database", "name another file; it was left as it is"
            )
        uri = address.sqlite_uri("rwc")
        engine = create_engine(
            "sqlite://",
            creator=lambda: sqlite3.connect(uri, uri=True, timeout=WRITE_BUSY_SECONDS),
            poolclass=StaticPool,
            hide_parameters=True,  # they are what was said
        )
    else:
        try:
            engine = create_engine(
                address.url or "",
                poolclass=QueuePool,
                pool_size=1,
                max_overflow=0,
                hide_parameters=True,
            )
        except (NoSuchModuleError, ModuleNotFoundError) as error:
            raise UsageError("PostgreSQL needs its driver: pip install 'realtape[postgresql]'") from error
    try:
        with store_errors(address):
            if fresh:
                _tune(engine)
            with engine.begin() as connection:
                _make_or_check(address, connection)
            if address.path is not None and not fresh:
                _tune(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _tune(engine: Engine) -> None:
    """The journal's mode is written into the file: of one that exists, not before we know that it
    is ours."""
    with engine.connect() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
        # WAL: readers do not wait for the writer, nor it for them. NORMAL: a commit survives the
        # process; after a power failure the last ones may be missing, never torn.
        raw.execute("PRAGMA journal_mode=WAL")
        raw.execute("PRAGMA synchronous=NORMAL")


def settle(address: Address) -> None:
    """Merge what lies beside an SQLite file into it, so that it stands for itself, also on a
    read-only disk.

    Raises:
        StoreBusyError: somebody has it open.
        StoreError: as in `errors.py`.
    """
    with (
        store_errors(address),
        closing(sqlite3.connect(address.sqlite_uri("rw"), uri=True, timeout=0)) as connection,
    ):
        connection.execute("PRAGMA journal_mode=DELETE")


def _make_or_check(address: Address, connection: Connection) -> None:
    existing = _tables(connection)
    if not existing:
        # Two processes may be here at once, or one may die in the middle of it.
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # Python's driver does not, for DDL
        else:
            connection.execute(select(func.pg_advisory_xact_lock(APPLICATION_ID)))
        existing = _tables(connection)
    if not existing:
        create_tables(connection)
        connection.execute(STORE.insert().values(format=FORMAT, created_ns=time.time_ns()))
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(f"PRAGMA application_id={APPLICATION_ID}")
        return
    if not existing >= _TABLES:
        raise NotAStoreError(str(address), "a database of something else", "record into one of its own")
    _require_format(address, connection.execute(select(STORE.c.format)).scalar_one())


def _tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


def _require_format(address: Address, found: int) -> None:
    if found > FORMAT:
        raise NewerFormatError(
            str(address),
            f"written in format {found}, and this release reads up to {FORMAT}",
            "upgrade: pip install --upgrade realtape",
        )


@asynccontextmanager
async def open_for_reading(address: Address) -> AsyncGenerator[AsyncConnection]:
    """Open a store for reading only; nothing is created, and nothing that was committed changes.

    Raises:
        StoreError: as in `errors.py`.
    """
    address.require_log()
    if address.path is not None:
        await asyncio.to_thread(_undo_unfinished, address)
        uri = address.sqlite_uri("ro")
        engine = create_async_engine(
            "sqlite+aiosqlite://",
            async_creator=lambda: aiosqlite.connect(uri, uri=True, timeout=READ_BUSY_SECONDS),
            poolclass=NullPool,
        )
    else:
        try:
            engine = create_async_engine(address.url or "", poolclass=NullPool)
        except (NoSuchModuleError, ModuleNotFoundError) as error:
            raise UsageError("PostgreSQL needs its driver: pip install 'realtape[postgresql]'") from error
    try:
        with store_errors(address):
            async with engine.connect() as connection:
                await connection.run_sync(lambda sync: _check(address, sync))
                yield connection
    finally:
        # A cancelled reader must not leave the connection's thread behind.
        await asyncio.shield(engine.dispose())


def _undo_unfinished(address: Address) -> None:
    """A process that died while it made the tables, or settled the file, left a journal. Read-only,
    SQLite cannot undo what was begun, and so refuses the whole file."""
    if not os.path.exists(f"{address.path}-journal"):
        return
    with suppress(sqlite3.Error), closing(sqlite3.connect(address.sqlite_uri("rw"), uri=True)) as connection:
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()


def _check(address: Address, connection: Connection) -> None:
    if not _tables(connection) >= _TABLES:
        raise NotAStoreError(
            str(address), "a database, but not a Realtape log", "name the store that was recorded into"
        )
    _require_format(address, connection.execute(select(STORE.c.format)).scalar_one())


@contextmanager
def store_errors(address: Address) -> Generator[None]:
    """Turn what the database driver raises into our errors."""
    try:
        yield
    except DBAPIError as error:
        raise _translated(address, str(error.orig)) from error
    except sqlite3.Error as error:
        raise _translated(address, str(error)) from error
    except OSError as error:
        raise StoreError(str(address), str(error), "check that the server is up and reachable") from error


def _translated(address: Address, text: str) -> StoreError:
    store = str(address)
    text = text.partition("\n")[0]  # what follows quotes the row
    if "locked" in text or "busy" in text:
        return StoreBusyError(store, "held by another process", "close the other one, or wait for it")
    if "unable to open" in text or "readonly" in text:
        return StoreNotFoundError(
            store, f"cannot be opened ({text})", "check that its folder exists, and the permissions"
        )
    if "is not a database" in text:
        return NotAStoreError(store, "not an SQLite database", "name another file; it was left as it is")
    if "malformed" in text or "unsupported file format" in text:
        return NotAStoreError(store, f"damaged ({text})", "restore it from a copy; it was left as it is")
    if "is full" in text or "No space left" in text or "disk I/O error" in text:
        return StoreError(store, text, "free space on the disk, or check it")
    return StoreError(store, text, "see the database's own message")
