"""`realtape trim`: a stretch of a recording, as a recording of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..lab import carrying, trimmed
from ..replay import Application, replay, run
from ..schema import UsageError
from ..session import Draft, Recording, parse_target
from . import output, play_options
from .bounds import parse_bounds
from .derived import read_session, refuse_existing, replayed, write
from .user_code import load_application
from .wish import replay_model


def trim(
    target: play_options.OneRecording,
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="Where to: a new store (*.db), or a new fixture (a folder, or *.zip)."
        ),
    ],
    first: play_options.First = None,
    last: play_options.Last = None,
    app: Annotated[
        str | None,
        typer.Option(
            metavar="MODULE:CALLABLE",
            help="Keep what this application needs: it replays the stretch the same.",
        ),
    ] = None,
    damaged: Annotated[
        bool, typer.Option("--damaged", help="Of a damaged session take the entries before the damage.")
    ] = False,
) -> int:
    """Cut a stretch out of a recording, with what it needs.

    The session's beginning stays, responses that are under way stay from their beginning, and so does
    all that the stretch speaks of. The result is replayed before it is written. Nothing is redacted.
    """
    stretch = parse_bounds(first, last)
    if stretch.is_whole:
        raise UsageError("that is the whole session: say where to cut, with --from or --to")
    refuse_existing(out)
    draft, followed = read_session(parse_target(target), damaged=damaged)
    how = f"trimmed to {first or 'the beginning'} - {last or 'the end'}"

    found = trimmed(draft, stretch.holds, how=how)
    first_seq = next(entry.seq for entry in draft.entries if stretch.holds(entry))
    if app is not None:
        asked, application = found, load_application(app)
        found = carrying(draft, asked, stretch.holds, lambda one: _is_same(one, application), how=how)
        if found is None:
            raise UsageError(
                f"{app} does otherwise in every stretch that ends there; replay the whole with it first"
            )
        if found is not asked:
            more = len(found.draft.entries) - len(asked.draft.entries)
            output.put(f"{app} carries over what came before #{first_seq}: {more:,} entries more are kept")
    code = replayed(found.draft, draft)
    write(found.draft, out)
    output.put(
        f"{out}: {found.asked:,} of {len(draft.entries):,} entries, and {found.added:,} that they need"
    )
    if app is None and first_seq > 0:
        output.put("an application that carries something over from before does otherwise in it; see --app")
    if followed:
        output.note("only this session was cut; those that followed it on the same model are not in there")
    return code


def _is_same(draft: Draft, application: Application) -> bool:
    model = replay_model(draft.header.versions, output.note)
    played = run(
        replay(Recording.of(draft, name="a stretch"), application, model=model, on_divergence="collect")
    )
    return played.verdict == "same"
