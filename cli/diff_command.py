"""`realtape diff`: do two recordings hold the same conversation?"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Any

import typer

from ..lab import Aspect, Comparison, compare
from ..session import Recording, Target, parse_target
from . import output
from .derived import put_page, read_session, refuse_existing
from .exit_codes import Exit

LIMIT = 10
"""Differences that are shown if nobody asks for more."""


@dataclass(frozen=True)
class ChainComparison:
    """What came of comparing the sessions of two chains, each with its like in order.

    Attributes:
        compared: of each pair.
        only_a, only_b: the ids of sessions with which one side goes on alone.
    """

    compared: Sequence[Comparison]
    only_a: Sequence[str] = ()
    only_b: Sequence[str] = ()

    @property
    def exit(self) -> Exit:
        """The exit code: that of the worst."""
        verdicts = {one.verdict for one in self.compared}
        if self.only_a or self.only_b or "different" in verdicts:
            return Exit.DIVERGED
        return Exit.INCOMPLETE if "incomplete" in verdicts else Exit.SAME

    def as_json(self) -> dict[str, Any]:
        """As a dict that `json` writes: of one pair alone what it says, else those of all."""
        facts = [one.as_json() for one in self.compared]
        if len(facts) == 1 and not (self.only_a or self.only_b):
            return facts[0]
        verdicts = {Exit.SAME: "same", Exit.DIVERGED: "different"}
        return {
            "verdict": verdicts.get(self.exit, "incomplete"),
            "same": self.exit == Exit.SAME and all(one.same for one in self.compared),
            "sessions": facts,
            "only_a": list(self.only_a),
            "only_b": list(self.only_b),
        }

    def __str__(self) -> str:
        lines = [str(one) for one in self.compared]
        for side, ids in (("A", self.only_a), ("B", self.only_b)):
            lines += [
                f"different: session {id} is in {side} only: the other did not connect again" for id in ids
            ]
        return "\n\n".join(lines)


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
    comparison = asyncio.run(_compare(parse_target(a), parse_target(b), content, ignore or [], limit))
    if as_html is not None:
        one, other = read_session(parse_target(a))[0], read_session(parse_target(b))[0]
        put_page(one, other, as_html, parse_target(a), redact=not no_redact)
        if len(comparison.compared) > 1:
            output.note(f"{as_html} shows the first of {len(comparison.compared)} sessions")
    if as_json:
        output.put_json(comparison.as_json(), indent=2)
    else:
        output.put(str(comparison))
        if any(one.columns.get("at_ns", 0) > limit for one in comparison.compared):
            output.note(
                "two live recordings never agree in times: --ignore times, or --content, leaves those out"
            )
    return comparison.exit


async def _compare(a: Target, b: Target, content: bool, ignore: list[Aspect], limit: int) -> ChainComparison:
    whole = not (a.is_single or b.is_single)
    compared: list[Comparison] = []
    only_a: list[str] = []
    only_b: list[str] = []
    for one, other in zip_longest(await _chain(a, whole), await _chain(b, whole)):
        if one is None or other is None:
            only_a += [] if one is None else [one.header.id]
            only_b += [] if other is None else [other.header.id]
            continue
        async with AsyncExitStack() as stack:
            for recording in (one, other):  # no verdict on what was changed
                await stack.enter_async_context(recording)
                await recording.verify()
            compared.append(await compare(one, other, ignore=ignore, content_only=content, limit=limit))
    return ChainComparison(compared, only_a, only_b)


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
