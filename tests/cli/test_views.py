"""`realtape views`, `stats --write`, and the queries of `docs/queries.md`: whoever speaks SQL can ask."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from realtape.schema.log import DERIVED_TABLES, VIEW_NAMES, locate
from realtape.session import erase
from realtape.session.derived import derive_draft, table_rows
from realtape.session.drafts import write_drafts
from realtape.session.fixture import read_fixture
from support.command_line import Ran
from support.golden import FIXTURES

Realtape = Callable[..., Ran]
PAGE = (Path(__file__).parents[2] / "docs" / "queries.md").read_text()
QUERIES = dict(re.findall(r"^## ([^\n]+)\n+```sql\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
DRAFTS = [
    one for name in ("demo", "kiosk-interrupted", "switchboard") for one in read_fixture(FIXTURES / name)
]
TABLES = [one.name for one in DERIVED_TABLES]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("views") / "calls.db"
    write_drafts(locate(path), DRAFTS)
    return path


@pytest.fixture
def asked(store: Path, realtape: Realtape) -> Callable[[str], list[tuple[Any, ...]]]:
    """What a query answers, once the views and the tables are there."""
    assert realtape("views", store).code == 0
    assert realtape("stats", store, "--write").code == 0

    def ask(query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(store)) as connection:
            return connection.execute(query).fetchall()

    return ask


Ask = Callable[[str], list[tuple[Any, ...]]]


def test_views_are_made_once(store: Path, realtape: Realtape) -> None:
    assert realtape("views", store).code == 0
    again = realtape("views", store)
    assert again.out == f"{store}: views {', '.join(VIEW_NAMES)}: there already, and up to date\n"
    assert realtape("verify", store).code == 0, "they are outside the chain"
    fixture = realtape("views", FIXTURES / "demo")
    assert (fixture.code, "views are made in a store" in fixture.err) == (2, True)
    fixture = realtape("stats", FIXTURES / "demo", "--write")
    assert (fixture.code, "--write fills tables of a store" in fixture.err) == (2, True)


def test_every_view_table_and_column_is_named(asked: Ask) -> None:
    tables = PAGE.split("## ")[0]
    named = set(re.findall(r"`(\w+)`", tables))
    for view in VIEW_NAMES:
        columns = {row[1] for row in asked(f"PRAGMA table_info({view})")}
        assert {view, *columns} <= named, view
    assert {*TABLES, *(row[1] for row in asked("PRAGMA table_info(derivations)"))} <= named


def test_tables_hold_what_python_says(asked: Ask) -> None:
    keys = dict(asked("SELECT id, key FROM sessions"))
    for draft in DRAFTS:
        for table, rows in table_rows(derive_draft(draft)).items():
            names = [row[1] for row in asked(f"PRAGMA table_info({table})")]
            found = asked(f"SELECT * FROM {table} WHERE session = {keys[draft.header.id]}")
            told = [dict(zip(names, row, strict=True)) for row in found]
            wanted = [{"session": keys[draft.header.id], **row} for row in rows]
            assert sorted(told, key=repr) == sorted(({n: row[n] for n in names} for row in wanted), key=repr)
    assert [row[0] for row in asked("SELECT head FROM derivations ORDER BY session")] == [
        draft.last_digest.hex() for draft in DRAFTS
    ]


@pytest.mark.parametrize("name", QUERIES)
def test_every_query_of_the_page_answers(name: str, asked: Ask) -> None:
    rows = asked(QUERIES[name])
    empty = ("Connections that were lost", "Sessions of which the tables are not up to date")
    assert bool(rows) == (name not in empty)


def test_what_is_derived_of_a_session_goes_with_it(tmp_path: Path, realtape: Realtape) -> None:
    path = tmp_path / "calls.db"
    write_drafts(locate(path), DRAFTS[:2])
    assert realtape("views", path).code == realtape("stats", path, "--write").code == 0
    (label,) = DRAFTS[0].header.labels.items()
    assert erase(locate(path), dict([label])).erased == 1
    with closing(sqlite3.connect(path)) as connection:
        for table in (*TABLES, "derivations", "responses", "usage"):
            keys = {row[0] for row in connection.execute(f"SELECT session FROM {table}")}
            assert keys <= {2}, table
        assert connection.execute("SELECT count(*) FROM turns").fetchone() == (
            len(derive_draft(DRAFTS[1]).turns),
        )
    assert b"I know the timetable" not in path.read_bytes()
