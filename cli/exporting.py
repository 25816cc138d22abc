"""`realtape export`: a recording as a fixture, to be kept in a repository."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..replay import Recording
from ..schema import UsageError
from ..schema.drafts import Draft
from ..schema.fixture import write_fixture
from ..schema.redaction import redacted
from . import output
from .exits import Exit
from .targets import Target, parse_target


class Audio(StrEnum):
    """What becomes of the sound in a redacted fixture."""

    KEEP = "keep"
    SILENCE = "silence"
    DROP = "drop"


def export(
    target: Annotated[
        str, typer.Argument(metavar="STORE[#SESSION]", help="The recording; without #, the newest session.")
    ],
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A new folder, or a new file that ends in .zip.")
    ],
    no_redact: Annotated[
        bool, typer.Option("--no-redact", help="Keep everything: the same entries and digests.")
    ] = False,
    audio: Annotated[
        Audio | None,
        typer.Option(metavar="WHAT", help="keep (default), silence or drop what was said aloud."),
    ] = None,
    only_this_session: Annotated[
        bool,
        typer.Option("--only-this-session", help="Leave out the sessions that followed it."),
    ] = False,
) -> int:
    """Write a recording as a fixture, without e-mail addresses, phone and card numbers."""
    if no_redact and audio not in (None, Audio.KEEP):
        raise UsageError(f"--no-redact keeps everything: leave out --audio {audio}, or --no-redact")
    drafts = asyncio.run(_drafts(parse_target(target)))
    if only_this_session:
        drafts = drafts[:1]
    if not no_redact:
        drafts = redacted(drafts, audio=(audio or Audio.KEEP).value)
    write_fixture(drafts, folder, audio_files=audio is not Audio.DROP)
    more = f", and {len(drafts) - 1} that followed" if len(drafts) > 1 else ""
    count = sum(len(draft.entries) for draft in drafts)
    output.put(f"session {drafts[0].header.id}{more}: {count} entries written to {folder}")
    return Exit.SAME


async def _drafts(target: Target) -> list[Draft]:
    async with await Recording.open(target.store, target.session) as recording:
        return recording.drafts()
