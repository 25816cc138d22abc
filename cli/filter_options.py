"""The options that say which sessions of a store are meant, for every command that takes sessions."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer
from sqlalchemy.engine import Connection

from ..schema import CorruptRecordError, SessionNotFoundError, SessionRecord, Status, UsageError
from ..schema.log import Address
from ..session import EVERY, SessionFilter, Target, listed, worded_filter


def _options(
    label: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Only sessions with this label; may be repeated."),
    ] = None,
    status: Annotated[
        list[Status] | None, typer.Option(help="Only sessions that ended so; may be repeated.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="Only sessions that began then, or after: 2026-11-22, 2h."),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Only sessions that began by then; a day to its end.")
    ] = None,
    longer_than: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only sessions that went on for so long: 30s, 2m.")
    ] = None,
    shorter_than: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only sessions that went on no longer.")
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="Only sessions in which this was said; may be repeated."),
    ] = None,
    tool: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only sessions in which this tool was called; may be repeated."),
    ] = None,
    interrupted: Annotated[
        bool, typer.Option("--interrupted", help="Only sessions in which the model was interrupted.")
    ] = False,
    error: Annotated[
        bool, typer.Option("--error", help="Only sessions in which something failed, or was lost.")
    ] = False,
) -> SessionFilter:
    return worded_filter(
        label=label or (),
        status=status or (),
        since=since,
        until=until,
        longer_than=longer_than,
        shorter_than=shorter_than,
        text=text or (),
        tool=tool or (),
        interrupted=interrupted,
        error=error,
        prefix="--",
    )


OPTIONS = frozenset(f"--{name.replace('_', '-')}" for name in inspect.signature(_options).parameters)
"""Their names."""


def filtered(command: Callable[..., int]) -> Callable[..., int]:
    """A command whose parameter `wanted` becomes these options."""
    ours = inspect.signature(_options, eval_str=True).parameters
    signature = inspect.signature(command, eval_str=True)
    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        parameters += ours.values() if parameter.name == "wanted" else [parameter]

    @functools.wraps(command)
    def with_options(**arguments: Any) -> int:
        told = {name: arguments.pop(name) for name in ours if name in arguments}
        return command(wanted=_options(**told), **arguments)

    changed: Any = with_options
    changed.__signature__ = signature.replace(parameters=parameters)
    changed.__annotations__ = {one.name: one.annotation for one in parameters} | {"return": int}
    return with_options


def refuse_both(target: Target, wanted: SessionFilter) -> None:
    """A session that is named is not looked for, too.

    Raises:
        UsageError: both are asked for.
    """
    if target.session is not None and wanted != EVERY:
        raise UsageError(f"#{target.session} names a session already: leave it out, or the filter")


def fitting(
    connection: Connection, address: Address, wanted: SessionFilter
) -> list[SessionRecord | CorruptRecordError]:
    """The sessions that fit, and what cannot be read.

    Raises:
        SessionNotFoundError: there are none.
    """
    listing = listed(connection, wanted)
    if not listing.sessions and not listing.damaged:
        raise SessionNotFoundError(str(address), "no session of it fits", "list them with `realtape ls`")
    readable = {one.record.header.id for one in listing.sessions}
    damaged = [error for error in listing.damaged if error.session_id not in readable]
    return [*damaged, *(one.record for one in listing.sessions)]
