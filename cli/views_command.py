"""`realtape views`: SQL views in a store, so that any tool that speaks SQL sees what sessions come to."""

from __future__ import annotations

from typing import Annotated

import typer

from ..schema import UsageError
from ..schema.log import VIEW_NAMES, locate, make_views, open_for_changes, store_errors
from ..session import parse_store
from ..session.fixture import is_fixture
from . import output
from .exit_codes import Exit


def views(
    store: Annotated[str, typer.Argument(metavar="STORE", help="Path of a store, or a URL.")],
) -> int:
    """Make the views responses, usage, tools and connections in a store, or bring them up to date."""
    name = parse_store(store)
    if is_fixture(name):
        raise UsageError(f"{name} is a fixture: views are made in a store; `realtape import` makes one of it")
    address = locate(name)
    with store_errors(address), open_for_changes(address) as engine, engine.begin() as connection:
        made = make_views(connection)
    what = "made" if made else "there already, and up to date"
    output.put(f"{address}: views {', '.join(VIEW_NAMES)}: {what}")
    return Exit.SAME
