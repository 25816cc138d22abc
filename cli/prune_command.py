"""`realtape prune`: sessions that are too old, or too much, are removed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from sqlalchemy import Engine

from ..schema import CorruptRecordError
from ..schema.log import (
    Address,
    free_bytes,
    give_back,
    locate,
    open_blocking,
    open_for_changes,
    rewrite,
    shares,
    used_bytes,
)
from ..session import EVERY, Going, Retention, SessionFilter, due, listed, parse_age, parse_store, removals
from . import output
from .exit_codes import Exit
from .filter_options import filtered
from .ls_command import started_at
from .quantities import parse_size, size_in_words


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
            found = due(connection, retention)
        for each in found.going:
            _tell(each, "would go")
        return _tell_damaged(found.damaged)
    with open_for_changes(address) as engine:
        return _prune(engine, address, retention, vacuum)


def _prune(engine: Engine, address: Address, retention: Retention, vacuum: bool) -> Exit:
    with engine.connect() as connection:
        before = used_bytes(connection) + free_bytes(connection)
        code = _tell_damaged(listed(connection, retention.about).damaged)
    total = 0
    for each in removals(engine, retention):
        _tell(each, "removed")
        total += len(each.sessions)
    merged = rewrite(engine) if vacuum else give_back(engine)
    with engine.connect() as connection:
        used, free = used_bytes(connection), free_bytes(connection)
        too_large = retention.max_bytes is not None and retention.is_about_all
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


def _tell_damaged(damaged: Sequence[CorruptRecordError]) -> Exit:
    for error in damaged:
        output.note(f"{error}; it stays")
    return Exit.INCOMPLETE if damaged else Exit.SAME


def _tell(going: Going, what: str) -> None:
    for session in going.sessions:
        header = session.header
        output.put(
            f"session {header.id}: {what} ({going.reason}); {started_at(header)}, "
            f"{session.status}, {session.entries:,} entries"
        )
