"""`realtape diff`: do two recordings hold the same conversation?"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from ..lab import Aspect, ChainComparison, compare_chains
from ..session import Recording, Target, parse_target
from . import output
from .derived import put_page, read_chain, refuse_existing
from .exit_codes import Exit

LIMIT = 10
"""Differences that are shown if nobody asks for more."""


_EXITS = {"same": Exit.SAME, "different": Exit.DIVERGED, "incomplete": Exit.INCOMPLETE}


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
    """Compare two recordings, entry by entry.

    Of a model that connected again, each session with its like.
    """
    if as_html is not None:
        refuse_existing(as_html)
    targets = parse_target(a), parse_target(b)
    whole = not any(one.is_single for one in targets)  # of a session that was named, that one alone
    comparison = asyncio.run(_compare(*targets, whole, content, ignore or [], limit))
    if as_html is not None:
        one, other = (read_chain(side)[: None if whole else 1] for side in targets)
        put_page(one, other, as_html, targets[0], redact=not no_redact, other_store=targets[1].store)
    if as_json:
        output.put_json(comparison.as_json(), indent=2)
    else:
        output.put(str(comparison))
        if any(one.columns.get("at_ns", 0) > limit for one in comparison.compared):
            output.note(
                "two live recordings never agree in times: --ignore times, or --content, leaves those out"
            )
    return _EXITS[comparison.verdict]


async def _compare(
    a: Target, b: Target, whole: bool, content: bool, ignore: list[Aspect], limit: int
) -> ChainComparison:
    one, other = await _chain(a, whole), await _chain(b, whole)
    return await compare_chains(one, other, verify=True, ignore=ignore, content_only=content, limit=limit)


async def _chain(target: Target, whole: bool) -> list[Recording]:
    """The session, and if the whole is meant those that its model object had next."""
    found = [await Recording.open(target.store, target.session)]
    known = {found[0].header.id}
    while whole:
        following = found[-1].following()
        if following is None or following.header.id in known:
            break
        known.add(following.header.id)
        found.append(following)
    return found
