"""`realtape pin` and `realtape unpin`: which sessions no pruning takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated

import typer
from sqlalchemy.engine import Connection

from ..schema.log import fetch_headers, locate, open_for_changes
from ..schema.log import pin as add_pins
from ..schema.log import unpin as take_pins
from ..session import Target, choose_all, parse_target
from . import output
from .exit_codes import Exit

_Target = Annotated[
    str, typer.Argument(metavar="STORE[#SESSION]", help="The recording; without #, the newest.")
]


def pin(target: _Target) -> int:
    """Keep a recording: no pruning takes it, and no erasure, before it is unpinned.

    Without #SESSION it is the newest one, with all sessions that its model had by connecting again.
    """
    return _change(parse_target(target), add_pins, "pinned", "was pinned already")


def unpin(target: _Target) -> int:
    """Take a recording's pin away.

    Without #SESSION it is the newest one, with all sessions that its model had by connecting again.
    """
    return _change(parse_target(target), take_pins, "no longer pinned", "was not pinned")


def _change(target: Target, change: Callable[[Connection, Iterable[int]], int], done: str, vain: str) -> Exit:
    address = locate(target.store)
    with open_for_changes(address) as engine, engine.begin() as connection:
        for session in choose_all(address, fetch_headers(connection), target):
            changed = change(connection, [session.key])
            output.put(f"session {session.header.id}: {done if changed else vain}")
    return Exit.SAME
