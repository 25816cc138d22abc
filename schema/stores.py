"""Opening a store, for writing (by one thread) and for reading (which never changes it)."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from typing import Any

import aiosqlite
from sqlalchemy import Engine, create_engine, event, func, inspect, select
from sqlalchemy.engine import URL, Connection, ExceptionContext
from sqlalchemy.exc import NoSuchModuleError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool, QueuePool, StaticPool

from .addresses import Address
from .clocks import clock_held
from .driver_errors import SOMETHING_ELSE, sqlite_code, store_error, store_errors
from .entries import FORMAT
from .errors import (
    NewerFormatError,
    NotAStoreError,
    UsageError,
)
from .tables import METADATA, STORE, create_tables

APPLICATION_ID = 0x52544150
"""`RTAP`: marks our files for `file(1)` and SQLite's tools."""

WRITE_BUSY_SECONDS = 2.0
READ_BUSY_SECONDS = 5.0
_SERVER_PATIENCE = {
    "connect_timeout": 5,
    # Of a server that is gone without a word, libpq learns after two hours.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
_SMALLEST_DATABASE_BYTES = 512
_TABLES = frozenset(METADATA.tables)
_DRIVER_MISSING = "PostgreSQL needs its driver: pip install 'realtape[postgresql]'"


def open_for_writing(address: Address) -> Engine:
    """Open a store, or make it where there is nothing yet; for the one thread that writes.

    Raises:
        StoreError: as in `errors.py`; the store is as it was.
    """
    fresh = False
    if address.url is None:
        size = None if address.path is None else address.size()
        fresh = address.path is not None and not size
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
            engine = _server(address.url)
        except (NoSuchModuleError, ModuleNotFoundError) as error:
            raise UsageError(_DRIVER_MISSING) from error
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


def _server(url: URL | None) -> Engine:
    assert url is not None
    patience = {name: value for name, value in _SERVER_PATIENCE.items() if name not in url.query}
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        connect_args=patience,
        hide_parameters=True,
    )
    event.listen(engine, "connect", _limit_waiting)
    return engine


def _limit_waiting(connection: Any, _record: Any) -> None:
    connection.execute(f"SET lock_timeout = '{WRITE_BUSY_SECONDS}s'")
    connection.commit()


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
    _require_log(address, connection, existing, "record into one of its own")


def _tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


def _require_log(address: Address, connection: Connection, tables: set[str], remedy: str) -> None:
    """Check that the database is a log, of a format that we know."""
    formats: list[Any] = []
    if STORE.name in tables:  # looked at first: a newer format may have other tables
        formats = [*connection.execute(select(STORE.c.format)).scalars()]
    known = len(formats) == 1 and type(formats[0]) is int and formats[0] > 0
    if known and formats[0] > FORMAT:
        raise NewerFormatError(
            str(address),
            f"written in format {formats[0]}, and this release reads up to {FORMAT}",
            "upgrade: pip install --upgrade realtape",
        )
    if not known or not tables >= _TABLES:
        raise NotAStoreError(str(address), SOMETHING_ELSE, remedy)


@contextmanager
def open_blocking(address: Address) -> Generator[Connection]:
    """Open a store for reading only, as `open_for_reading` does, for who may wait for the disk.

    Raises:
        StoreError: as in `errors.py`.
    """
    address.require_log()
    if address.url is None:
        uri = _reading_uri(address)
        engine = create_engine("sqlite://", creator=lambda: _connect_blocking(uri), poolclass=NullPool)
    else:
        try:
            engine = create_engine(address.url or "", poolclass=NullPool)
        except (NoSuchModuleError, ModuleNotFoundError) as error:
            raise UsageError(_DRIVER_MISSING) from error
    try:
        with store_errors(address), engine.connect() as connection:
            _check(address, connection)
            yield connection
    finally:
        engine.dispose()


def _connect_blocking(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, timeout=READ_BUSY_SECONDS)
    connection.execute("PRAGMA query_only=ON")
    return connection


@asynccontextmanager
async def open_for_reading(address: Address) -> AsyncGenerator[AsyncConnection]:
    """Open a store for reading only; nothing is created, and nothing that was committed changes.

    What the database raises, here or in the body, is translated; what else the body raises is not.

    Raises:
        StoreError: as in `errors.py`.
    """
    address.require_log()
    if address.url is None:
        uri = await asyncio.to_thread(_reading_uri, address)
        engine = create_async_engine(
            "sqlite+aiosqlite://", async_creator=lambda: _connect(uri), poolclass=NullPool
        )
    else:
        try:
            engine = create_async_engine(address.url or "", poolclass=NullPool)
        except (NoSuchModuleError, ModuleNotFoundError) as error:
            raise UsageError(_DRIVER_MISSING) from error

    def translate(context: ExceptionContext) -> None:
        raise store_error(address, context.original_exception) from context.original_exception

    event.listen(engine.sync_engine, "handle_error", translate)
    try:
        async with AsyncExitStack() as stack:
            with store_errors(address), clock_held():
                connection = await engine.connect()
                stack.push_async_callback(_held, connection.close)
                await connection.run_sync(lambda sync: _check(address, sync))
            yield connection
    finally:
        # A cancelled reader must not leave the connection's thread behind.
        await asyncio.shield(_held(engine.dispose))


async def _held(close: Callable[[], Awaitable[None]]) -> None:
    with clock_held():
        await close()


async def _connect(uri: str) -> aiosqlite.Connection:
    connection = await aiosqlite.connect(uri, uri=True, timeout=READ_BUSY_SECONDS)
    try:
        await connection.execute("PRAGMA query_only=ON")
    except BaseException:
        await connection.close()  # it has a thread of its own
        raise
    return connection


def _reading_uri(address: Address) -> str:
    """How SQLite can read the file, and leave no more beside it than there was."""
    if address.memory is not None:
        return address.memory.uri
    beside = [suffix for suffix in ("-wal", "-journal") if os.path.exists(f"{address.path}{suffix}")]
    # With a log of its own beside the file, it was left by a process that died, or one is writing:
    # whoever opens it read-only leaves that as it is. With a journal, or nothing, SQLite must be
    # allowed to write, or it could not undo what a dying process began, and would leave an empty log.
    uri = address.sqlite_uri("ro" if beside == ["-wal"] else "rw")
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=0)) as connection:
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        if not beside and sqlite_code(error) in ("SQLITE_CANTOPEN", "SQLITE_READONLY"):
            # Nobody can write where not even SQLite's own files can be made.
            return address.sqlite_uri("ro") + "&immutable=1"
    return uri


def _check(address: Address, connection: Connection) -> None:
    _require_log(address, connection, _tables(connection), "name the store that was recorded into")
