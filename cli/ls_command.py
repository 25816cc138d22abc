"""`realtape ls`: the sessions of a store."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from ..schema import Header, Status, StoreLocation
from ..schema.log import open_blocking
from ..session import EVERY, ListedSession, Listing, SessionFilter, listed, parse_store
from ..session.fixture import located
from ..session.words import short
from . import output
from .exit_codes import Exit
from .filter_options import filtered

SDK = "openai-agents"
MIN_ID = 8
"""Characters of an id that are shown at least."""

NARROW = 100
"""On fewer columns the offset of local time is left out."""

_STYLES: dict[str, str] = {Status.FAILED: "red", Status.INTERRUPTED: "red", Status.RECORDING: "green"}
_HEADINGS = ("id", "started", "duration", "entries", "status", "previous", "labels", "sdk")


@filtered
def ls(
    store: Annotated[str, typer.Argument(metavar="STORE", help="Path of a store or a fixture, or a URL.")],
    wanted: SessionFilter = EVERY,
    as_json: Annotated[bool, typer.Option("--json", help="Print an array of objects.")] = False,
) -> int:
    """List the sessions of a store, the oldest first."""
    listing = _read(parse_store(store), wanted)
    sessions, damaged = listing.sessions, listing.damaged
    for error in damaged:
        output.note(str(error))
    code = Exit.INCOMPLETE if damaged else Exit.SAME
    if as_json:
        output.put_json([_facts(one) for one in sessions], indent=2)
        return code
    console = output.console(sys.stdout)
    if not sessions and not damaged:
        why = "holds no session yet; record one into it first" if wanted == EVERY else "no session of it fits"
        output.note(f"{store}: {why}")
    elif console.is_terminal:
        ids = _shortest([one.record.header.id for one in sessions])
        console.print(_table([_cells(one, ids) for one in sessions], console.width))
    else:
        output.put_aligned([_HEADINGS, *(_cells(one, {}) for one in sessions)])
    return code


def _read(store: StoreLocation, wanted: SessionFilter) -> Listing:
    address = located(store)
    with open_blocking(address) as connection:
        return listed(connection, wanted)


def started_at(header: Header) -> str:
    """When a session began: ISO 8601, in local time."""
    moment = datetime.fromtimestamp(header.started_ns // 10**9, UTC)
    return moment.astimezone().isoformat()


def duration(nanoseconds: int | None) -> str:
    """A duration for people: seconds, or minutes and seconds, or hours as well."""
    if nanoseconds is None:
        return "-"
    seconds = nanoseconds / 1e9
    if seconds < 60:
        return f"{seconds:.3f}s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m{seconds:02}s" if hours else f"{minutes}m{seconds:02}s"


def _facts(one: ListedSession) -> dict[str, Any]:
    header = one.record.header
    return {
        "id": header.id,
        "started": started_at(header),
        "started_ns": header.started_ns,
        "duration_ns": one.duration_ns,
        "entries": one.record.entries,
        "status": one.record.status,
        "previous_session": header.previous_session,
        "labels": header.labels,
        "sdk": header.versions.get(SDK),
        "versions": header.versions,
        "source": header.source,
        "host": header.host,
        "pid": header.pid,
        "format": header.format,
        "head": one.record.last_digest.hex(),
    }


def _cells(one: ListedSession, ids: dict[str, str]) -> Sequence[str]:
    header = one.record.header
    previous = header.previous_session or "-"
    return (
        ids.get(header.id, header.id),
        started_at(header),
        duration(one.duration_ns),
        f"{one.record.entries}",
        one.record.status,
        ids.get(previous, previous),
        short(" ".join(f"{name}={value}" for name, value in header.labels.items())) or "-",
        header.versions.get(SDK, "-"),
    )


def _shortest(ids: Sequence[str]) -> dict[str, str]:
    """Each id cut as short as tells them all apart."""
    ordered = sorted(ids)
    shortest: dict[str, str] = {}
    for index, one in enumerate(ordered):
        neighbours = ordered[max(index - 1, 0) : index] + ordered[index + 1 : index + 2]
        length = 1 + max((_common(one, other) for other in neighbours), default=0)
        shortest[one] = one[: max(length, MIN_ID)]
    return shortest


def _common(one: str, other: str) -> int:
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))


def _table(rows: Sequence[Sequence[str]], width: int) -> Table:
    """Without the columns that say nothing; and what does not fit is said shorter."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    shown = [index for index in range(len(_HEADINGS)) if any(row[index] != "-" for row in rows)]
    for index in shown:
        heading = _HEADINGS[index]
        right = heading in ("duration", "entries")
        table.add_column(
            heading, justify="right" if right else "left", no_wrap=heading != "labels", overflow="fold"
        )
    for row in rows:
        cells = [Text(row[index]) for index in shown]
        if width < NARROW:
            cells[1].truncate(len("2026-11-22T09:15:43"))
        table.add_row(*cells, style=_STYLES.get(row[4], ""))
    return table
