"""`realtape diff`: do two recordings hold the same conversation?"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

import typer

from ..lab import Aspect, Comparison, compare
from ..session import Recording, Target, parse_target
from . import output
from .derived import put_page, read_session, refuse_existing
from .exit_codes import Exit

LIMIT = 10
"""Differences that are shown if nobody asks for more."""


def diff(
    a: Annotated[str, typer.Argument(metavar="STORE[#SESSION]", help="A recording; without #, the newest.")],
    b: Annotated[str, typer.Argument(metavar="STORE[#SESSION]", help="The one to hold against it.")],
    content: Annotated[
        bool,
        typer.Option(
            "--content", help="Compare only what was said and done, in the order of each direction."
        ),
    ] = False,
    ignore: Annotated[
        list[Aspect] | None,
        typer.Option(
            metavar="ASPECT", help="Leave out times, ticks, tasks, causes, playback or ids; may be repeated."
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option(metavar="N", min=0, help="Show so many differences; all are counted.")
    ] = LIMIT,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
    as_html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write a page, too: one beside the other, redacted."),
    ] = None,
    no_redact: Annotated[bool, typer.Option("--no-redact", help="Redact nothing on the page.")] = False,
) -> int:
    """Compare two recordings, entry by entry."""
    if as_html is not None:
        refuse_existing(as_html)
    comparison = asyncio.run(_compare(parse_target(a), parse_target(b), content, ignore or [], limit))
    if as_html is not None:
        one, other = read_session(parse_target(a))[0], read_session(parse_target(b))[0]
        put_page(one, other, as_html, parse_target(a), redact=not no_redact)
    if as_json:
        output.put_json(comparison.as_json(), indent=2)
    else:
        output.put(str(comparison))
        if comparison.columns.get("at_ns", 0) > limit:
            output.note(
                "two live recordings never agree in times: --ignore times, or --content, leaves those out"
            )
    return _exit_of(comparison)


async def _compare(a: Target, b: Target, content: bool, ignore: list[Aspect], limit: int) -> Comparison:
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(await Recording.open(a.store, a.session))
        other = await stack.enter_async_context(await Recording.open(b.store, b.session))
        for recording in (one, other):  # no verdict on what was changed
            await recording.verify()
        return await compare(one, other, ignore=ignore, content_only=content, limit=limit)


def _exit_of(comparison: Comparison) -> Exit:
    if comparison.verdict == "different":
        return Exit.DIVERGED
    return Exit.INCOMPLETE if comparison.verdict == "incomplete" else Exit.SAME
