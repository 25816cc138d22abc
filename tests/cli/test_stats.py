"""`realtape stats` and `realtape heard`: what sessions come to, for people and for programs."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from realtape.cli.stats_command import DerivedTable
from support.command_line import Ran
from support.golden import DEMO, FIXTURES
from support.telephone import record

Realtape = Callable[..., Ran]
PRICES = 'currency = "USD"\nper = 1\n[models."gpt-*"]\ninput = 1\noutput = 2\n'


def test_heard_tells_of_each_part(realtape: Realtape) -> None:
    ran = realtape("heard", DEMO)
    title, headings, *rows = ran.lines
    assert title.endswith(": 3 spoken, 2 with discrepancies")
    assert headings.split()[:5] == ["item", "generated", "given", "heard", "truncated"]
    assert rows[0].split()[:9] == [*("item_0002", "2,100", "ms", "2,100", "ms", "1,360", "ms", "1,360", "ms")]
    assert rows[0].endswith("kept unheard")
    assert ran.code == 0
    told = json.loads(realtape("heard", DEMO, "--json").out)
    assert [(one["item_id"], one["heard_ms"], one["unheard_text"]) for one in told] == [
        ("item_0002", 1360, " timetable."),
        ("item_0006", 580, " leaves at"),
        ("item_0008", 1020, " the left."),
    ]


def test_stats_of_many_sessions(realtape: Realtape) -> None:
    ran = realtape("stats", DEMO, FIXTURES / "switchboard")
    counts = dict(line.rsplit(maxsplit=1) for line in ran.lines[1 : ran.lines.index("")])
    assert (counts["sessions"], counts["turns"], counts["tool calls"]) == ("3", "12", "16")
    facts = json.loads(realtape("stats", DEMO, FIXTURES / "switchboard", "--json").out)
    assert facts["summary"]["counts"]["responses cancelled"] == 3
    assert facts["summary"]["measures_ms"]["tool"]["count"] == 10
    assert [one["turns"] for one in facts["sessions"]] == [3, 7, 2]


def test_a_session_by_its_id_and_those_that_fit(realtape: Realtape) -> None:
    ids = [one["session"] for one in json.loads(realtape("stats", DEMO, "--json").out)["sessions"]]
    named = json.loads(realtape("stats", f"{DEMO}#{ids[0]}", "--json").out)
    assert [one["session"] for one in named["sessions"]] == ids
    fits = json.loads(realtape("stats", DEMO, "--tool", "departure", "--json").out)
    assert [one["session"] for one in fits["sessions"]] == ids
    none = realtape("stats", DEMO, "--tool", "refund")
    assert (none.code, none.err.count("no session of it fits")) == (2, 1)
    both = realtape("stats", f"{DEMO}#{ids[0]}", "--tool", "departure")
    assert (both.code, "names a session already" in both.err) == (2, True)


@pytest.mark.parametrize("table", DerivedTable)
def test_every_table_has_rows(realtape: Realtape, table: DerivedTable) -> None:
    facts = json.loads(realtape("stats", DEMO, "--table", table, "--json").out)[table]
    rows = list(csv.DictReader(io.StringIO(realtape("stats", DEMO, "--table", table, "--csv").out)))
    assert len(rows) == len(facts) > 0
    for row, fact in zip(rows, facts, strict=True):
        assert row["session"] == fact["session"]
        plain = {name: value for name, value in fact.items() if isinstance(value, str | int | float)}
        assert {name: row[name] for name in plain} == {name: str(value) for name, value in plain.items()}


def test_prices_make_costs(realtape: Realtape, tmp_path: Path) -> None:
    (tmp_path / "prices.toml").write_text(PRICES)
    ran = realtape("stats", DEMO, "--prices", tmp_path / "prices.toml", "--table", "responses", "--json")
    facts = json.loads(ran.out)
    assert facts["summary"]["cost"] == 176 + 2 * 116 == sum(one["cost"] for one in facts["responses"])
    assert (facts["summary"]["currency"], facts["summary"]["unpriced"]) == ("USD", 0)
    assert realtape("stats", DEMO, "--prices", tmp_path / "prices.toml").lines[-1] == "cost: 408.0000 USD"
    (tmp_path / "prices.toml").write_text(PRICES.replace("gpt-*", "other"))
    last = realtape("stats", DEMO, "--prices", tmp_path / "prices.toml").lines[-1]
    assert last == "cost: 0.0000 USD, without 4 responses of which it is not known"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--json", "--csv"], "choose one"),
        (["--threshold", "3"], "decibels below the loudest sound"),
        (["--prices", "none.toml"], "no prices can be read"),
    ],
)
def test_what_makes_no_sense_is_refused(realtape: Realtape, options: list[str], problem: str) -> None:
    ran = realtape("stats", DEMO, *options)
    assert (ran.code, problem in ran.err) == (2, True)


def test_a_damaged_session_is_told_and_the_others_count(realtape: Realtape, tmp_path: Path) -> None:
    record(tmp_path / "calls.db", sessions=2)
    with closing(sqlite3.connect(tmp_path / "calls.db")) as connection, connection:
        connection.execute("DROP TRIGGER entries_no_delete")
        connection.execute("DELETE FROM entries WHERE session = 1 AND seq = 7")
    for command in ("stats", "heard"):
        ran = realtape(command, tmp_path / "calls.db")
        assert (ran.code, "entry 7: missing" in ran.err) == (3, True)
    facts = json.loads(realtape("stats", tmp_path / "calls.db", "--json").out)
    assert facts["summary"]["counts"]["sessions"] == 1


@pytest.mark.parametrize(
    "name", ["demo-format-1.db", "values-format-1.db", "switchboard", "kiosk-interrupted"]
)
def test_every_golden_recording_opens_in_all_of_it(realtape: Realtape, tmp_path: Path, name: str) -> None:
    target: Path = FIXTURES / name
    if name.endswith(".db"):
        target = tmp_path / name
        shutil.copy(FIXTURES / name, target)
    assert realtape("stats", target).code == realtape("heard", target).code == 0
    place = tmp_path / "new.json"
    assert realtape("export", target, place, "--otlp", "--no-redact").code == 0
    if name.endswith(".db"):
        assert realtape("views", target).code == realtape("stats", target, "--write").code == 0
        assert realtape("verify", target).code == 0
