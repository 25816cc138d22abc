"""Opening a store, for writing (by one thread) and for reading (which never changes it)."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, cast

from sqlalchemy import Engine, create_engine, event, func, inspect, select
from sqlalchemy.engine import URL, Connection, ExceptionContext
from sqlalchemy.exc import NoSuchModuleError
from sqlalchemy.pool import NullPool, QueuePool, StaticPool

from ..clocks import clock_held
from ..entries import FORMAT
from ..errors import NewerFormatError, NotAStoreError, StoreBusyError, StoreError, UsageError
from .additions import impostors, make_additions
from .addresses import Address
from .driver_errors import SOMETHING_ELSE, damage_of, sqlite_code, store_error, store_errors
from .leftovers import set_aside_leftovers
from .memory_logs import make_in_memory
from .reading_connections import ReadingConnection
from .tables import APPLICATION_ID, METADATA, STORE, create_tables

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

WRITE_BUSY_SECONDS = 0.25
"""How long an attempt to write waits for another process. Not longer: who forks or ends waits for it."""
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

_P = ParamSpec("_P")
_T = TypeVar("_T")


def open_for_writing(address: Address, *, durable: bool = True) -> Engine:
    """Open a store, or make it where there is nothing yet; for the one thread that writes.

    Args:
        durable: whether a commit survives a power failure, and not only the end of the process.

    Raises:
        StoreError: as in `errors.py`; the store is as it was.
    """
    if address.memory is not None:
        return make_in_memory(address.memory)
    fresh = False
    if address.url is None:
        size = None if address.path is None else address.size()
        fresh = address.path is not None and not size
        if address.path is not None and not fresh:
            _require_one_name(address)
        if size and size < _SMALLEST_DATABASE_BYTES:  # SQLite takes a single byte for nothing
            raise NotAStoreError(
                str(address), "not an SQLite database", "name another file; it was left as it is"
            )
        if fresh and address.path is not None:
            try:
                set_aside_leftovers(address.file)
            except OSError as error:
                advice = "move away what a removed store has left there: its -wal and its -shm"
                raise StoreError(str(address), str(error), advice) from error
        uri = address.sqlite_uri("rwc")
        engine = create_engine(
            "sqlite://",
            # A thread that forks closes it.
            creator=lambda: sqlite3.connect(
                uri, uri=True, timeout=WRITE_BUSY_SECONDS, check_same_thread=False
            ),
            poolclass=StaticPool,
            hide_parameters=True,  # they are what was said
        )
    else:
        with _driver_needed():
            engine = _server(address.url, durable)
    try:
        with store_errors(address):
            if fresh:
                _give_back_space(engine)
                _tune(engine, durable)
            with engine.begin() as connection:
                _make_or_check(address, connection)
            if address.path is not None and not fresh:
                _tune(engine, durable)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _require_one_name(address: Address) -> None:
    """Who writes to a file by one name and who does by another have each a log of their own beside it, of
    which the other knows nothing: what is in one of them would be lost without a word."""
    names = os.stat(address.file).st_nlink
    if names > 1:
        raise StoreError(
            str(address),
            f"a file with {names} names (hard links), beside each of which there would be another log",
            "remove the other names, or record into a copy",
        )


@contextmanager
def _driver_needed() -> Generator[None]:
    try:
        yield
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise UsageError("PostgreSQL needs its driver: pip install 'realtape[postgresql]'") from error


def _server(url: URL, durable: bool) -> Engine:
    patience = {name: value for name, value in _SERVER_PATIENCE.items() if name not in url.query}
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        connect_args=patience,
        hide_parameters=True,
    )

    def prepare(connection: Any, _record: Any) -> None:
        connection.execute(f"SET lock_timeout = '{WRITE_BUSY_SECONDS}s'")
        if not durable:
            connection.execute("SET synchronous_commit = off")
        connection.commit()

    event.listen(engine, "connect", prepare)
    return engine


def _give_back_space(engine: Engine) -> None:
    """Let the file shrink again, a part at a time: to be said before anything is in it."""
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA auto_vacuum=INCREMENTAL")


def _tune(engine: Engine, durable: bool) -> None:
    """The journal's mode is written into the file: of one that exists, not before we know that it
    is ours."""
    with engine.connect() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
        # WAL: readers do not wait for the writer, nor it for them. With NORMAL a commit survives the
        # process; after a power failure the last ones may be missing, never torn.
        raw.execute("PRAGMA journal_mode=WAL")
        raw.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")


@contextmanager
def open_for_changes(address: Address) -> Generator[Engine]:
    """Open a store that is there, for who may wait for its recorders; it is settled at the end, if nobody
    else uses it.

    Raises:
        StoreError: as in `errors.py`.
    """
    address.require_log()
    engine = open_for_writing(address)
    try:
        with _translating(engine, address).connect() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql(f"PRAGMA busy_timeout={round(READ_BUSY_SECONDS * 1000)}")
            overwrite_removed(connection)
        yield engine
    finally:
        engine.dispose()
        if address.path is not None:
            with suppress(StoreBusyError):
                settle(address)


def overwrite_removed(connection: Connection) -> None:
    """What is removed by this connection from now on is overwritten with zeros in the file."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete=ON")


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
    else:
        _require_log(address, connection, existing, "record into one of its own")
    make_additions(connection)


def _tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


def _require_log(address: Address, connection: Connection, tables: set[str], remedy: str) -> None:
    """Check that the database is a log, of a format that we know."""
    if not tables:
        raise NotAStoreError(
            str(address), "no log yet: its tables were not made", "record into it, or name another store"
        )
    formats: list[Any] = []
    false = impostors(connection)
    if STORE.name in tables - false:  # looked at first: a newer format may have other tables
        formats = [*connection.execute(select(STORE.c.format)).scalars()]
    known = len(formats) == 1 and type(formats[0]) is int and formats[0] > 0
    if known and formats[0] > FORMAT:
        raise NewerFormatError(
            str(address),
            f"written in format {formats[0]}, and this release reads up to {FORMAT}",
            "upgrade: pip install --upgrade realtape",
        )
    if not known or not tables - false >= _TABLES:
        raise NotAStoreError(str(address), SOMETHING_ELSE, remedy)
    if false:
        names = ", ".join(sorted(false))
        raise NotAStoreError(str(address), f"{SOMETHING_ELSE} ({names} of another make)", remedy)


@contextmanager
def open_blocking(address: Address) -> Generator[Connection]:
    """Open a store for reading only, for who may wait for the disk; nothing is created, and nothing that was
    committed changes.

    What the database raises, here or in the body, is translated; what else the body raises is not.

    Raises:
        StoreError: as in `errors.py`.
    """
    address.require_log()
    with ExitStack() as stack:
        if address.memory is not None and address.memory.engine is not None:  # we have made it
            with store_errors(address):
                connection = stack.enter_context(address.memory.engine.connect())
            yield connection
            return
        with store_errors(address):
            url = _reading_url(address, "sqlite")
            with _driver_needed():
                engine = create_engine(url, poolclass=NullPool, connect_args=_reading_args(url))
            stack.callback(engine.dispose)
            connection = stack.enter_context(_translating(engine, address).connect())
            _begin_reading(connection, address)
        yield connection


@asynccontextmanager
async def open_for_reading(address: Address) -> AsyncGenerator[AsyncConnection]:
    """As `open_blocking`, without blocking the event loop; `read` asks such a connection."""
    from sqlalchemy.ext.asyncio import create_async_engine  # with SQLAlchemy's ORM: here, for who asks

    address.require_log()
    async with AsyncExitStack() as stack:
        with store_errors(address), clock_held():
            url = await asyncio.to_thread(_reading_url, address, "sqlite+aiosqlite")
            with _driver_needed():
                engine = create_async_engine(url, poolclass=NullPool, connect_args=_reading_args(url))
            # A cancelled reader must not leave the connection's thread behind.
            stack.push_async_callback(lambda: asyncio.shield(_held(engine.dispose)))
            _translating(engine.sync_engine, address)
            connection = await engine.connect()
            stack.push_async_callback(_held, connection.close)
            await connection.run_sync(_begin_reading, address)
        yield connection


_COMPUTED_INDEXES = """
SELECT count(*) FROM sqlite_master AS m, pragma_index_list(m.name) AS i, pragma_index_xinfo(i.name) AS x
WHERE m.type = 'table' AND (x.cid = -2 OR i.partial)
"""


def file_damage(connection: Connection) -> str | None:
    """What SQLite finds wrong with its file, first of all; None where it is in order. It reads all of it."""
    if connection.dialect.name != "sqlite":
        return None
    # What somebody wrote into the schema is not computed: it may take days, and gigabytes.
    connection.exec_driver_sql("PRAGMA ignore_check_constraints=ON")
    check = "quick_check" if connection.exec_driver_sql(_COMPUTED_INDEXES).scalar() else "integrity_check"
    try:
        found = str(connection.exec_driver_sql(f"PRAGMA {check}(1)").scalar())
    except StoreError as error:
        found = damage_of(error)
        if found is None:
            raise
    return None if found == "ok" else found


async def read(
    connection: AsyncConnection,
    fetch: Callable[Concatenate[Connection, _P], _T],
    *args: _P.args,
    **facts: _P.kwargs,
) -> _T:
    """What a function of a blocking connection fetches, without blocking the event loop.

    Cancelled, it fetches nothing more; a statement that already runs ends in the driver's thread.
    """
    with clock_held():
        return await connection.run_sync(fetch, *args, **facts)


async def read_each(
    connection: AsyncConnection,
    fetch: Callable[Concatenate[Connection, _P], Iterator[_T]],
    *args: _P.args,
    **facts: _P.kwargs,
) -> AsyncGenerator[_T]:
    """What a generator of a blocking connection fetches, each without blocking the event loop."""
    things = await read(connection, fetch, *args, **facts)
    end = object()
    while (thing := await read(connection, lambda _: next(things, end))) is not end:
        yield cast("_T", thing)


async def _held(close: Callable[[], Awaitable[None]]) -> None:
    with clock_held():
        await close()


def _translating(engine: Engine, address: Address) -> Engine:
    """From now on, what the database raises comes as ours."""

    def translate(context: ExceptionContext) -> None:
        raise store_error(address, context.original_exception) from context.original_exception

    event.listen(engine, "handle_error", translate)
    return engine


def _begin_reading(connection: Connection, address: Address) -> None:
    if connection.dialect.name == "sqlite":
        raw: Any = connection.connection.driver_connection
        raw = getattr(raw, "_conn", raw)  # behind aiosqlite's
        if address.path is not None:
            raw.expect(address.file)
        connection.exec_driver_sql("PRAGMA query_only=ON")
        connection.exec_driver_sql("PRAGMA trusted_schema=OFF")
        try:
            connection.exec_driver_sql("SELECT 1 FROM sqlite_master").fetchone()
        except StoreError as error:
            if damage_of(error) is None:
                raise
            # A file that was cut: with this SQLite reads of it what there is.
            connection.exec_driver_sql("PRAGMA writable_schema=ON")
            try:
                _require_log(
                    address, connection, _tables(connection), "name the store that was recorded into"
                )
            except NotAStoreError:
                raise error from None  # what would tell was cut off
    _require_log(address, connection, _tables(connection), "name the store that was recorded into")


def _reading_url(address: Address, sqlite: str) -> URL:
    """Where SQLAlchemy finds it.

    Args:
        sqlite: the driver for a file.
    """
    if address.url is not None:
        return address.url
    return URL.create(
        sqlite, database=_reading_uri(address), query={"uri": "true", "timeout": str(READ_BUSY_SECONDS)}
    )


def _reading_args(url: URL) -> dict[str, Any]:
    return {"factory": ReadingConnection} if url.get_backend_name() == "sqlite" else {}


def _reading_uri(address: Address) -> str:
    """How SQLite can read the file, and leave no more beside it than there was."""
    if address.memory is not None:
        return address.memory.uri
    beside = [suffix for suffix in ("-wal", "-journal") if address.beside(suffix).exists()]
    # With a log of its own beside the file, it was left by a process that died, or one is writing:
    # whoever opens it read-only leaves that as it is. With a journal, or nothing, SQLite must be
    # allowed to write, or it could not undo what a dying process began, and would leave an empty log.
    uri = address.sqlite_uri("ro" if beside == ["-wal"] else "rw")
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=0)) as connection:
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except UnicodeDecodeError:  # in the words of an error, which quote a damaged schema
        return uri
    except sqlite3.Error as error:
        if not beside and sqlite_code(error) in ("SQLITE_CANTOPEN", "SQLITE_READONLY"):
            # Nobody can write where not even SQLite's own files can be made.
            return address.sqlite_uri("ro") + "&immutable=1"
    return uri
