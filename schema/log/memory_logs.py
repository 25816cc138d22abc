"""Stores in the memory of this process: made of a template; their engines share what is compiled.

A sweep, a search or a machine makes thousands of them, each for a few milliseconds: tables made anew, checks
whether they are there, and statements compiled anew would cost more than what is in them.
"""

from __future__ import annotations

import functools
import sqlite3
import threading
import time
from typing import Any, cast

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, Dialect, ExceptionContext
from sqlalchemy.pool import NullPool, StaticPool

from ..entries import FORMAT
from .additions import make_additions
from .addresses import MemoryDatabase
from .driver_errors import store_error
from .tables import APPLICATION_ID, STORE, create_tables

_compiled: dict[Any, Any] = {}
"""The statements that were compiled: those of this package, and no more."""


def make_in_memory(memory: MemoryDatabase) -> Engine:
    """Make a log of a database in memory, if it is none yet; what the driver raises comes as ours."""
    if memory.engine is not None:
        return memory.engine
    template, dialect = _template()
    with _copying:
        template.backup(memory.keeper)
    uri = memory.uri  # and not the database, which lives as long as who holds its address
    memory.engine = Engine(
        NullPool(lambda: cast("Any", sqlite3.connect(uri, uri=True, check_same_thread=False))),
        dialect,
        URL.create("sqlite", database=memory.name),
        hide_parameters=True,
        execution_options={"compiled_cache": _compiled},
    )
    return memory.engine


_copying = threading.Lock()


@functools.cache
def _template() -> tuple[sqlite3.Connection, Dialect]:
    """An empty log, and who speaks to all that are made of it."""
    template = sqlite3.connect(":memory:", check_same_thread=False)
    engine = create_engine("sqlite://", creator=lambda: template, poolclass=StaticPool, hide_parameters=True)
    with engine.begin() as connection:
        create_tables(connection)
        connection.execute(STORE.insert().values(format=FORMAT, created_ns=time.time_ns()))
        connection.exec_driver_sql(f"PRAGMA application_id={APPLICATION_ID}")
        make_additions(connection)
    event.listen(engine, "handle_error", _translate)  # of the dialect, and so of all its engines
    return template, engine.dialect


def _translate(context: ExceptionContext) -> None:
    name = None if context.engine is None else context.engine.url.database
    raise store_error(name or "in memory", context.original_exception) from context.original_exception
