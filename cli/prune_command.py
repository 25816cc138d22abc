"""`realtape prune`: sessions that are too old, or too much, are removed."""

from __future__ import annotations

import time
from typing import Annotated

import typer
from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from ..schema.log import (
    Address,
    fetch_sessions,
    free_bytes,
    give_back,
    locate,
    open_blocking,
    open_for_changes,
    pinned,
    remove_sessions,
    rewrite,
    shares,
    used_bytes,
)
from ..session import EVERY, Going, Retention, SessionFilter, listed, parse_store
from . import output
from .exit_codes import Exit
from .filter_options import filtered
from .ls_command import started_at
from .quantities import parse_age, parse_size, size_in_words


@filtered
def prune(
    store: Annotated[str, typer.Argument(metavar="STORE", help="Path of a store, or a URL.")],
    older_than: Annotated[
        str | None, typer.Option(metavar="AGE", help="Those that began longer ago: 12h, 30d, 8w.")
    ] = None,
    keep_last: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="The newest N stay; without another limit, no others do."),
    ] = None,
    max_size: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="The oldest, until the rest takes no more: 500MB, 2GB."),
    ] = None,
    wanted: SessionFilter = EVERY,
    chains: Annotated[
        bool, typer.Option("--chains", help="Sessions of one model that connected again go all or none.")
    ] = False,
    vacuum: Annotated[
        bool,
        typer.Option("--vacuum", help="Write the store anew: gives back what an older store cannot else."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
) -> int:
    """Remove whole sessions.

    Never one that is being recorded, or pinned. A store keeps of each that went its id, and when and why.
    """
    address = locate(parse_store(store))
    retention = Retention(
        older_than_s=parse_age("--older-than", older_than),
        keep_last=keep_last,
        max_bytes=parse_size("--max-size", max_size),
        about=wanted,
        chains=chains,
    )
    if dry_run:
        with open_blocking(address) as connection:
            going, code = _chosen(connection, retention)
        for each in going:
            _tell(each, "would go")
        return code
    with open_for_changes(address) as engine:
        return _prune(engine, address, retention, vacuum)


def _prune(engine: Engine, address: Address, retention: Retention, vacuum: bool) -> Exit:
    with engine.connect() as connection:
        before = used_bytes(connection) + free_bytes(connection)
    total = 0
    while True:
        with engine.connect() as connection:
            going, code = _chosen(connection, retention)
        removed = 0
        for each in going:
            if remove_sessions(engine, [one.key for one in each.sessions], each.reason):
                _tell(each, "removed")
                removed += len(each.sessions)
        total += removed
        if (
            retention.max_bytes is None or not removed
        ):  # a session's share of the file is not quite what it frees
            break
    merged = rewrite(engine) if vacuum else give_back(engine)
    with engine.connect() as connection:
        used, free = used_bytes(connection), free_bytes(connection)
        too_large = retention.max_bytes is not None and retention.about == EVERY
        too_large = too_large and sum(shares(connection).values()) > (retention.max_bytes or 0)
    output.put(
        f"{address}: {total:,} sessions removed, {size_in_words(max(before - used - free, 0))} given back, "
        f"{size_in_words(used + free)} left"
    )
    if too_large:
        output.note(f"{address}: larger all the same; the others are pinned, being recorded, or to be kept")
        code = Exit.INCOMPLETE
    if not merged:
        output.note(
            f"{address}: somebody reads it; its file is shortened when the last of them has closed it"
        )
    if free:
        output.note(f"{address}: {size_in_words(free)} of it are free; --vacuum gives them back to the disk")
    return code


def _chosen(connection: Connection, retention: Retention) -> tuple[list[Going], Exit]:
    code = Exit.SAME
    sessions = fetch_sessions(connection)
    listing = listed(connection, retention.about)
    for error in listing.damaged:
        output.note(f"{error}; it stays")
        code = Exit.INCOMPLETE
    fitting = {one.record.key for one in listing.sessions}
    unfit = {one.key for one in sessions if one.key not in fitting}
    sizes = None if retention.max_bytes is None else shares(connection)
    going = retention.chosen(
        sessions, now_ns=time.time_ns(), unfit=unfit, pinned=pinned(connection), sizes=sizes
    )
    return going, code


def _tell(going: Going, what: str) -> None:
    for session in going.sessions:
        header = session.header
        output.put(
            f"session {header.id}: {what} ({going.reason}); {started_at(header)}, "
            f"{session.status}, {session.entries:,} entries"
        )
