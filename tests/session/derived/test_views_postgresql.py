"""The views, the tables and the queries of `docs/queries.md` say the same on PostgreSQL as on SQLite."""

from __future__ import annotations

import re
import sqlite3
import uuid
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from realtape.schema import UsageError
from realtape.schema.log import (
    VIEW_NAMES,
    fetch_sessions,
    locate,
    make_derived_tables,
    make_views,
    open_blocking,
    open_for_changes,
    put_derived,
    views_of,
)
from realtape.session.derived import derive_stored, table_rows
from realtape.session.drafts import Draft, in_memory, write_drafts
from realtape.session.fixture import read_fixture
from sqlalchemy import create_engine, text
from support.depths import bare, framed, renamed
from support.golden import FIXTURES
from support.hostile_texts import hostile, hostile_frames
from support.postgresql import server

PAGE = (FIXTURES.parent / "docs" / "queries.md").read_text()
QUERIES = {
    heading: (own, other or own)
    for heading, own, other in re.findall(
        r"^## ([^\n]+)\n+```sql\n(.*?)^```$(?:\n+On PostgreSQL:\n+```sql\n(.*?)^```$)?",
        PAGE,
        re.MULTILINE | re.DOTALL,
    )
}
"""By heading: in SQLite's words, and in PostgreSQL's."""

pytestmark = pytest.mark.postgresql


@pytest.fixture(scope="module")
def store() -> Generator[str]:
    with server() as url:
        if url is None:
            pytest.fail("no PostgreSQL here: install it, or set REALTAPE_TEST_POSTGRESQL")
        name = f"realtape_{uuid.uuid4().hex}"
        engine = create_engine(
            url.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT"
        )
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        yield url.rpartition("/")[0] + "/" + name


def drafts() -> list[Draft]:
    golden = [one for name in ("demo", "switchboard") for one in read_fixture(FIXTURES / name)]
    return [
        *(deep(one) for one in golden for deep in (framed, bare)),
        *golden,
        hostile(),
        renamed(hostile_frames(), "frames"),
    ]


def by_id(rows: list[Any], ids: dict[int, str]) -> list[tuple[Any, ...]]:
    return sorted(((ids[row[0]], *map(_plain, row[1:])) for row in rows), key=repr)


def _plain(value: Any) -> Any:
    """Of a text that neither can hold, one shows escaped backslashes as they are escaped."""
    if isinstance(value, str):
        return value.replace("\\\\", "\\")
    return None if value is None else float(value)


def test_both_say_the_same(store: str) -> None:
    address, memory = locate(store), in_memory(drafts(), "views")
    write_drafts(address, drafts())
    with open_for_changes(address) as engine, engine.begin() as connection:
        assert make_views(connection)
        assert not make_views(connection)
    with (
        open_blocking(address) as there,
        closing(sqlite3.connect(memory.sqlite_uri("rw"), uri=True)) as here,
    ):
        for view in views_of("sqlite"):
            here.execute(view.sql)
        query = "SELECT key, id FROM sessions"
        ours_of: dict[int, str] = dict(here.execute(query).fetchall())
        theirs_of: dict[int, str] = {row[0]: row[1] for row in there.execute(text(query))}
        for name in VIEW_NAMES[1:]:
            ours = by_id(here.execute(f"SELECT * FROM {name}").fetchall(), ours_of)
            theirs = by_id(list(there.execute(text(f"SELECT * FROM {name}"))), theirs_of)
            assert len(ours) > 5
            assert theirs == ours, name


def test_tables_are_filled_and_only_our_own_are_taken(store: str) -> None:
    address = locate(store)
    with open_for_changes(address) as engine:
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE heard (x integer)"))
        with pytest.raises(UsageError, match="heard is something else"), engine.begin() as connection:
            make_derived_tables(connection)
        with engine.begin() as connection:
            connection.execute(text("DROP TABLE heard"))
            make_derived_tables(connection)
            make_derived_tables(connection)
        with open_blocking(address) as reading:
            found = [(one, derive_stored(reading, one)) for one in fetch_sessions(reading)]
        for one, derived in found:
            with engine.begin() as connection:
                put_derived(connection, one.key, one.last_digest.hex(), -45.0, table_rows(derived))
        with engine.connect() as connection:
            turns = connection.execute(text("SELECT count(*) FROM turns")).scalar_one()
            assert turns == sum(len(derived.turns) for _, derived in found) > 10


def test_every_query_of_the_page_answers_the_same_on_both(store: str, tmp_path: Path) -> None:
    """Both filled from the same sessions, of which one has no tables yet."""
    name = f"queries_{uuid.uuid4().hex}"
    engine = create_engine(
        store.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    here, there = locate(tmp_path / "calls.db"), locate(store.rpartition("/")[0] + "/" + name)
    sessions = [*read_fixture(FIXTURES / "switchboard"), *read_fixture(FIXTURES / "kiosk-interrupted")]
    for address in (here, there):
        write_drafts(address, sessions)
        with open_for_changes(address) as changing:
            with changing.begin() as connection:
                make_views(connection)
                make_derived_tables(connection)
            with open_blocking(address) as reading:
                found = [(one, derive_stored(reading, one)) for one in fetch_sessions(reading)[:-1]]
            for one, derived in found:
                with changing.begin() as connection:
                    put_derived(connection, one.key, one.last_digest.hex(), -45.0, table_rows(derived))
    assert len(QUERIES) == PAGE.count("\n## ") == 9
    assert len(re.findall("^On PostgreSQL:$", PAGE, re.MULTILINE)) == sum(a != b for a, b in QUERIES.values())
    answered = 0
    with closing(sqlite3.connect(tmp_path / "calls.db")) as ours, open_blocking(there) as theirs:
        for heading, (own, other) in QUERIES.items():
            rows = [tuple(map(_plain, row)) for row in ours.execute(own)]
            others = [tuple(map(_plain, row)) for row in theirs.exec_driver_sql(other)]
            assert sorted(others, key=repr) == sorted(rows, key=repr), heading
            answered += bool(rows)
    assert answered >= 7
