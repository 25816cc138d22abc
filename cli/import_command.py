"""`realtape import`: the sessions of a fixture, or captured frames, into a store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..schema import UsageError
from ..schema.log import locate
from ..session import write_drafts
from ..session.fixture import is_fixture, read_fixture
from ..wire import LineFields, read_frames, read_har
from . import output
from .derived import write_store
from .exit_codes import Exit


def import_(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="A fixture (a folder, or a .zip file), a .har file, or with --frames a .jsonl.",
        ),
    ],
    store: Annotated[
        str, typer.Argument(metavar="STORE", help="Path of a store, new or not, or a postgresql:// URL.")
    ],
    frames: Annotated[
        bool, typer.Option("--frames", help="DIR is a file of captured frames: a line of JSON each.")
    ] = False,
    direction_field: Annotated[
        str, typer.Option(metavar="NAME", help="With --frames: where client, server or close stands.")
    ] = LineFields().direction,
    message_field: Annotated[
        str, typer.Option(metavar="NAME", help="With --frames: where the message stands.")
    ] = LineFields().message,
    time_field: Annotated[
        str, typer.Option(metavar="NAME", help="With --frames: where the milliseconds stand.")
    ] = LineFields().time_ms,
) -> int:
    """Write the sessions of a fixture, or what others captured, into a store."""
    if frames:
        drafts = [read_frames(folder, LineFields(direction_field, message_field, time_field))]
    elif folder.suffix.lower() == ".har":
        drafts = read_har(folder)
    else:
        drafts = read_fixture(folder)
    if is_fixture(store):
        raise UsageError(f"{store} is a fixture, or a folder: name a store")
    address = locate(store)
    if address.path is None or address.size() is not None:
        write_drafts(address, drafts)
    else:
        write_store(address.path, drafts)
    count = sum(len(draft.entries) for draft in drafts)
    for draft in drafts:
        output.put(f"session {draft.header.id}: {len(draft.entries)} entries")
    output.put(f"{count} entries written to {address}")
    return Exit.SAME
