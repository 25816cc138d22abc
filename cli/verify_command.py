"""`realtape verify`: is the log what was appended to it?"""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from ..replay import WatchedRecording
from ..schema import Kind, Status
from . import output
from .exit_codes import Exit
from .progress import Progress
from .targets import Target, parse_target

MAX_GAPS = 5
"""Gaps that are named; of the rest, how many."""


def verify(
    target: Annotated[
        str, typer.Argument(metavar="STORE[#SESSION]", help="The recording; without #, the newest.")
    ],
) -> int:
    """Check a recording against its digest chain.

    Finds what was changed, taken out, swapped or cut off after it was recorded.
    """
    return asyncio.run(_verify(parse_target(target)))


async def _verify(target: Target) -> int:
    async with await WatchedRecording.open(target.store, target.session) as recording:
        gaps: list[int] = []
        recording.on_entry = lambda entry: gaps.append(entry.seq) if entry.kind == Kind.GAP else None
        with Progress(lambda: (recording.position, recording.length), "verifying"):
            await recording.verify()
        missing = _missing(recording.status, gaps)
        place = f"session {recording.header.id}: intact, {recording.length} entries"
        output.put(f"{place}; {missing}" if missing else place)
        return Exit.INCOMPLETE if missing else Exit.SAME


def _missing(status: Status, gaps: list[int]) -> str:
    """What an intact log may lack all the same."""
    lacks: list[str] = []
    if status is Status.INTERRUPTED:
        lacks.append("interrupted: its process died, what came last may be missing")
    elif status is Status.RECORDING:
        lacks.append("still being recorded, this is how far it has come")
    if gaps:
        named = ", ".join(f"#{seq}" for seq in gaps[:MAX_GAPS])
        more = f" and {len(gaps) - MAX_GAPS} more" if len(gaps) > MAX_GAPS else ""
        lacks.append(f"the recorder lost entries at {named}{more}")
    return "; ".join(lacks)
