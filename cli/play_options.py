"""The options of every command that plays: how, and what is held against the recording."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

OneRecording = Annotated[
    str, typer.Argument(metavar="STORE[#SESSION]", help="The recording; without #, the newest.")
]

Expect = Annotated[
    list[str] | None,
    typer.Option(
        metavar="WHAT",
        help="Which recorded sends must come again: reactions, all, none; or of one, by number or type: "
        "341=user, send_user_input=reaction; may be repeated; or MODULE:NAME of a function that decides.",
    ),
]

Matchers = Annotated[
    str | None,
    typer.Option(
        metavar="MODULE:NAME", help="Fields that need not be sent as recorded: a mapping, or JSON text."
    ),
]

ClientIds = Annotated[
    str | None,
    typer.Option(metavar="MODULE:NAME", help="Fields in which the client mints ids, likewise."),
]

Audio = Annotated[str, typer.Option(metavar="HOW", help="What a microphone sends: bytes, exact, or ignore.")]

Playback = Annotated[
    str, typer.Option(metavar="HOW", help="What a player reports: tolerant, exact, or ignore.")
]

PlaybackMs = Annotated[
    float | None, typer.Option(metavar="MS", min=0.0, help="How much more may be heard, or less.")
]

Depth = Annotated[
    str,
    typer.Option(
        metavar="WHERE",
        help="At the model's `interface`; or on its socket, `wire`, where its own code runs; `auto`: the "
        "deepest that was recorded whole.",
    ),
]

Redactors = Annotated[
    list[str] | None,
    typer.Option(metavar="MODULE:NAME", help="A redactor of the recorder's: what is sent passes it, too."),
]

OriginsFile = Annotated[
    Path | None,
    typer.Option(
        "--origins",
        metavar="FILE",
        help="Where what was learned of stores that are only read is kept.",
    ),
]

Clocks = Annotated[
    bool,
    typer.Option("--clocks", help="time.time and datetime.now follow the recording (realtape[clocks])."),
]

Strict = Annotated[
    bool,
    typer.Option("--strict", help="What was not checked is a failure, and so are changed settings."),
]

StuckAfter = Annotated[
    float,
    typer.Option(
        metavar="SECONDS",
        min=0.001,
        help="Virtual time after which what is waited for is missing, where timers go on.",
    ),
]

First = Annotated[
    str | None,
    typer.Option("--from", metavar="PLACE", help="Begin at an entry (120) or a time (1.5s, 1500ms)."),
]

Last = Annotated[
    str | None,
    typer.Option("--to", metavar="PLACE", help="End with an entry, or at a time."),
]
