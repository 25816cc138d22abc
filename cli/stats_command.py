"""`realtape stats`: what sessions come to: how long users waited, what was interrupted, what it cost."""

from __future__ import annotations

import csv
import dataclasses
import io
import sys
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from sqlalchemy import Engine

from ..schema import CorruptRecordError, UsageError
from ..schema.log import locate, make_derived_tables, open_for_changes, put_derived, store_errors
from ..session import EVERY, SessionFilter, Target, parse_target
from ..session.derived import (
    PERCENTILES,
    THRESHOLD_DBFS,
    Derived,
    Distribution,
    Prices,
    Summary,
    cost_of,
    table_rows,
)
from ..session.fixture import is_fixture
from . import output
from .derived_sessions import DerivedSession, derived_sessions
from .exit_codes import Exit
from .filter_options import filtered
from .ls_command import started_at

_HEADINGS = ("ms", "count", "least", *(f"p{one}" for one in PERCENTILES), "most")


class DerivedTable(StrEnum):
    """What `--csv` and `--json` have a row for."""

    SESSIONS = "sessions"
    CONNECTIONS = "connections"
    TURNS = "turns"
    RESPONSES = "responses"
    TOOLS = "tools"
    HEARD = "heard"
    INTERRUPTIONS = "interruptions"
    LATENCY = "latency"


@filtered
def stats(
    targets: Annotated[
        list[str],
        typer.Argument(metavar="STORE[#SESSION]…", help="Recordings; of a store without #, all sessions."),
    ],
    wanted: SessionFilter = EVERY,
    table: Annotated[
        DerivedTable, typer.Option(help="What --json and --csv have a row for.")
    ] = DerivedTable.SESSIONS,
    prices: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What tokens cost: a TOML file of yours.")
    ] = None,
    threshold: Annotated[
        float, typer.Option(metavar="DBFS", help="From which loudness on a sound is heard.")
    ] = THRESHOLD_DBFS,
    write: Annotated[
        bool,
        typer.Option(
            "--write", help="Write turns, heard, interruptions and latency into tables of the store."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print an object: the summary, and rows.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print rows as CSV.")] = False,
) -> int:
    """Count and measure what happened in sessions: turns, answers, tools, interruptions, waiting, tokens."""
    if as_json and as_csv:
        raise UsageError("--json and --csv are two forms of the same: choose one")
    if threshold >= 0:
        raise UsageError(f"--threshold {threshold:g}: decibels below the loudest sound, such as -45")
    summary = Summary(Prices.read(prices) if prices is not None else None)
    rows: list[dict[str, Any]] = []
    code = Exit.SAME
    named = [parse_target(one) for one in targets]
    with ExitStack() as stack:
        stores = {one.store: stack.enter_context(_writable(one)) for one in named} if write else {}
        for one in derived_sessions(named, wanted, every=True, threshold_dbfs=threshold):
            if isinstance(one, CorruptRecordError):
                output.note(str(one))
                code = Exit.INCOMPLETE
                continue
            summary.add(one.derived)
            if write:
                _write(stores[one.target.store], one, threshold)
            if as_json or as_csv:
                rows += rows_of(one.derived, table, summary.prices)
    if as_json:
        output.put_json({"summary": summary_facts(summary), table.value: rows}, indent=2)
    elif as_csv:
        _put_csv(rows)
    else:
        _put(summary)
    return code


@contextmanager
def _writable(target: Target) -> Generator[Engine]:
    """A store with the tables, for who may wait for its recorders."""
    if is_fixture(target.store):
        raise UsageError(f"{target.store} is a fixture: --write fills tables of a store")
    address = locate(target.store)
    with store_errors(address), open_for_changes(address) as engine:
        with engine.begin() as connection:
            make_derived_tables(connection)
        yield engine


def _write(engine: Engine, one: DerivedSession, threshold_dbfs: float) -> None:
    with engine.begin() as connection:
        put_derived(connection, one.key, one.head.hex(), threshold_dbfs, table_rows(one.derived))


def rows_of(derived: Derived, table: DerivedTable, prices: Prices | None) -> list[dict[str, Any]]:
    """The rows of a session."""
    if table is DerivedTable.SESSIONS:
        return [_session(derived, prices)]
    records: Sequence[Any] = getattr(derived, table.value)
    rows = [{"session": derived.header.id, **dataclasses.asdict(one)} for one in records]
    if table is DerivedTable.RESPONSES and prices is not None:
        for row, one in zip(rows, derived.responses, strict=True):
            row["cost"] = _amount(prices.cost(one.model, one.tokens))
    return rows


def _session(derived: Derived, prices: Prices | None) -> dict[str, Any]:
    alone = Summary(prices)
    alone.add(derived)
    spread = alone.distributions()
    cost, unpriced = cost_of(derived, prices) if prices is not None else (None, None)
    return {
        "session": derived.header.id,
        "started": started_at(derived.header),
        "started_ns": derived.header.started_ns,
        "status": derived.status,
        "labels": derived.header.labels,
        "duration_ms": derived.duration_ns / 1e6,
        **{name: len(getattr(derived, name)) for name in ("turns", "responses", "tools", "interruptions")},
        **{
            f"{name}_p{rank}_ms": None if (one := spread.get(name)) is None else one.percentile(rank)
            for name in ("first_byte", "first_sound", "played", "silence")
            for rank in (50, 95)
        },
        "discrepancies": sum(len(part.discrepancies) for part in derived.heard),
        "tokens": dataclasses.asdict(derived.tokens) if derived.tokens is not None else None,
        "cost": _amount(cost),
        "unpriced": unpriced,
    }


def summary_facts(summary: Summary) -> dict[str, Any]:
    """What many sessions come to, as `--json` prints it."""
    return {
        "counts": dict(sorted(summary.counts.items())),
        "measures_ms": {
            name: {
                "count": one.count,
                "least": one.least,
                **{f"p{rank}": value for rank, value in zip(PERCENTILES, one.percentiles, strict=True)},
                "most": one.most,
                "total": one.total,
            }
            for name, one in sorted(summary.distributions().items())
        },
        "tokens": dataclasses.asdict(summary.tokens) if summary.tokens is not None else None,
        "cost": _amount(summary.cost),
        "currency": summary.prices.currency if summary.prices is not None else None,
        "unpriced": summary.unpriced,
    }


def _amount(cost: Decimal | None) -> float | None:
    return None if cost is None else float(cost)


def _put(summary: Summary) -> None:
    """For people."""
    counts = [(name, f"{count:,}") for name, count in sorted(summary.counts.items())]
    output.put_aligned([("", "count"), *counts])
    spread = summary.distributions()
    if spread:
        output.put("")
        output.put_aligned([_HEADINGS, *(_cells(name, one) for name, one in sorted(spread.items()))])
    if summary.tokens is not None:
        output.put("")
        told = dataclasses.asdict(summary.tokens)
        output.put_aligned([("tokens", ""), *((n, f"{v:,}") for n, v in told.items() if v is not None)])
    if summary.prices is not None and summary.cost is not None:
        unpriced = f", without {summary.unpriced} responses of which it is not known" * bool(summary.unpriced)
        output.put(f"\ncost: {summary.cost:.4f} {summary.prices.currency}{unpriced}")


def _cells(name: str, one: Distribution) -> tuple[str, ...]:
    values = (one.least, *one.percentiles, one.most)
    return (name.replace("_", " "), f"{one.count:,}", *("-" if v is None else f"{v:,.0f}" for v in values))


def _put_csv(rows: Sequence[dict[str, Any]]) -> None:
    """A table with a heading; what is nested has a column for each of its values."""
    flat = [dict(_flat(row)) for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    sys.stdout.write(output.scrubbed(text.getvalue()))


def _flat(row: dict[str, Any]) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in row.items():
        if isinstance(value, dict):
            inner = cast("dict[str, Any]", value)
            found += [(f"{name}.{key}", one) for key, one in inner.items()]
        elif isinstance(value, tuple):
            found.append((name, " ".join(map(str, cast("tuple[Any, ...]", value)))))
        else:
            found.append((name, value))
    return found
