"""Opening a store, for writing (by one thread) and for reading (which never changes it)."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import aiosqlite
from sqlalchemy import Engine, create_engine, event, inspect, select
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, NoSuchModuleError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool, StaticPool

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
_TABLES = frozenset(METADATA.tables)


def open_for_writing(address: Address) -> Engine:
    """Open a store, or make it where there is nothing yet; for the one thread that writes.

    Raises:
        StoreError: as in `errors.py`; the store is as it was.
    """
    if address.path is not None:
        if address.path.exists() and address.path.stat().st_size > 0:
            address.require_log()
        uri = address.sqlite_uri("rwc")
        engine = create_engine(
            "sqlite://",
            creator=lambda: sqlite3.connect(uri, uri=True, timeout=WRITE_BUSY_SECONDS),
            poolclass=StaticPool,
        )
        event.listen(engine, "connect", _tune)
    else:
        try:
            engine = create_engine(address.url or "", poolclass=NullPool)
        except (NoSuchModuleError, ModuleNotFoundError) as error:
            raise UsageError("PostgreSQL needs its driver: pip install 'realtape[postgresql]'") from error
    try:
        with store_errors(address), engine.begin() as connection:
            _make_or_check(address, connection)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _tune(connection: sqlite3.Connection, _record: Any) -> None:
    # WAL: readers do not wait for the writer, nor it for them. NORMAL: a commit survives the
    # process; after a power failure the last ones may be missing, never torn.
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


def _make_or_check(address: Address, connection: Connection) -> None:
    existing = set(inspect(connection).get_table_names())
    if not existing:
        create_tables(connection)
        connection.execute(STORE.insert().values(format=FORMAT, created_ns=time.time_ns()))
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(f"PRAGMA application_id={APPLICATION_ID}")
        return
    if not existing >= _TABLES:
        raise NotAStoreError(str(address), "a database of something else", "record into a file of its own")
    _require_format(address, connection.execute(select(STORE.c.format)).scalar_one())


def _require_format(address: Address, found: int) -> None:
    if found > FORMAT:
        raise NewerFormatError(
            str(address),
            f"written in format {found}, and this release reads up to {FORMAT}",
            "upgrade: pip install --upgrade realtape",
        )


@asynccontextmanager
async def open_for_reading(address: Address) -> AsyncGenerator[AsyncConnection]:
    """Open a store for reading only; nothing is created, and nothing in it changes.

    Raises:
        StoreError: as in `errors.py`.
    """
    address.require_log()
    if address.path is not None:
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


def _check(address: Address, connection: Connection) -> None:
    if not set(inspect(connection).get_table_names()) >= _TABLES:
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
    if "locked" in text or "busy" in text:
        return StoreBusyError(store, "held by another process", "close the other one, or wait for it")
    if "unable to open" in text or "readonly" in text:
        return StoreNotFoundError(store, f"cannot be opened ({text})", "check the folder and its permissions")
    if "not a database" in text or "malformed" in text or "unsupported file format" in text:
        return NotAStoreError(store, f"damaged ({text})", "restore it from a copy; it was left as it is")
    return StoreError(store, text, "see the database's own message")
