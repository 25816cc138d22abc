"""`realtape recover`: what is still good of a damaged store, in a new one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..schema import NotAStoreError, UsageError
from ..schema.log import Pages, locate
from ..session import parse_store, survey, write_survey
from ..session.fixture import is_fixture, written_aside
from . import output
from .derived import refuse_existing
from .exit_codes import Exit
from .surveys import put_survey


def recover(
    store: Annotated[str, typer.Argument(metavar="STORE", help="The damaged store: an SQLite file.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Where to: a new store.")],
) -> int:
    """Save what is still good of a damaged store.

    Of each session the longest beginning that its digest chain proves is written into a new store. What is
    not whole is marked as interrupted, and its header says where it comes from. STORE stays as it is.
    """
    refuse_existing(out)
    if is_fixture(store):
        raise UsageError(f"{store} is a fixture: recover takes a store, an SQLite file")
    address = locate(parse_store(store))
    if address.path is None:
        raise UsageError(f"{address} is on a server: recover takes an SQLite file")
    address.require_log()
    with Pages(address.file) as pages:
        found = survey(pages)
        if not found.sessions:
            put_survey(found)
            raise NotAStoreError(
                str(address), "no session can be saved", "name the store that was recorded into"
            )
        with written_aside(out, ".db") as aside:
            write_survey(found, aside)
    put_survey(found)
    saved = sum(len(one.prefix) for one in found.sessions)
    output.put(f"{out}: {saved:,} entries of {len(found.sessions):,} sessions")
    return Exit.SAME if found.whole else Exit.INCOMPLETE
