"""`realtape trim`: a stretch of a recording, as a recording of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..lab import trimmed
from ..schema import UsageError
from ..session import parse_target
from . import output, play_options
from .bounds import parse_bound
from .derived import read_session, refuse_existing, replayed, write


def trim(
    target: play_options.OneRecording,
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="Where to: a new store (*.db), or a new fixture (a folder, or *.zip)."
        ),
    ],
    first: Annotated[
        str | None,
        typer.Option("--from", metavar="PLACE", help="Begin at an entry (120) or a time (1.5s, 1500ms)."),
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", metavar="PLACE", help="End with an entry, or at a time.")
    ] = None,
    damaged: Annotated[
        bool, typer.Option("--damaged", help="Of a damaged session take the entries before the damage.")
    ] = False,
) -> int:
    """Cut a stretch out of a recording, with what it needs.

    The session's beginning stays, responses that are under way stay from their beginning, and so does
    all that the stretch speaks of. The result is replayed before it is written. Nothing is redacted.
    """
    begin, end = parse_bound("--from", first), parse_bound("--to", last)
    if first is None and last is None:
        raise UsageError("that is the whole session: say where to cut, with --from or --to")
    refuse_existing(out)
    draft, followed = read_session(parse_target(target), damaged=damaged)
    how = f"trimmed to {first or 'the beginning'} - {last or 'the end'}"
    found = trimmed(draft, lambda entry: not (begin.is_after(entry) or end.is_before(entry)), how=how)
    code = replayed(found.draft, draft)
    write(found.draft, out)
    output.put(
        f"{out}: {found.asked:,} of {len(draft.entries):,} entries, and {found.added:,} that they need"
    )
    if followed:
        output.note("only this session was cut; those that followed it on the same model are not in there")
    return code
