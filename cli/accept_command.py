"""`realtape accept`: what the application does now is right; it becomes the recording."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ..integrations.accepting import Change, change_of, redacted_again
from ..replay import PATIENCE_SECONDS
from ..schema import UsageError
from ..schema.log import locate
from ..session import Draft, Target, parse_target, write_drafts
from ..session.fixture import is_fixture, read_fixture, replace_fixture, write_fixture
from ..session.redaction import Redaction
from . import output, play_options, redaction_options
from .derived import read_chain, refuse_existing, write_store
from .exit_codes import Exit
from .user_code import load_application
from .wish import Wish, expectation_of


def accept(
    target: play_options.OneRecording,
    app: Annotated[
        str,
        typer.Option(metavar="MODULE:CALLABLE", help="The application as it is now, an `async def`."),
    ],
    into: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="A new store (*.db), or a new fixture (a folder, or *.zip); else a fixture is replaced, "
            "and a store gets one more session.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    expect: play_options.Expect = None,
    matchers: play_options.Matchers = None,
    client_ids: play_options.ClientIds = None,
    audio: play_options.Audio = "bytes",
    playback: play_options.Playback = "tolerant",
    playback_ms: play_options.PlaybackMs = None,
    stuck_after: play_options.StuckAfter = PATIENCE_SECONDS,
    origins: play_options.OriginsFile = None,
    word: redaction_options.Word = None,
    pattern: redaction_options.Pattern = None,
    region: redaction_options.Region = None,
    keep_word: redaction_options.KeepWord = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print the differences as JSON, and ask nobody: only --yes accepts."),
    ] = False,
) -> int:
    """Accept what the application does now: it takes the place of what it did when it was recorded.

    What the provider said stays; where it says again what the application sent, that is rewritten. The
    differences are shown first.
    """
    words = parse_target(target)
    if into is not None:
        refuse_existing(into)
    wish = Wish(
        words,
        load_application(app),
        expectation_of(expect or ()),
        patience=stuck_after,
        matchers=matchers,
        client_ids=client_ids,
        audio=audio,
        playback=playback,
        playback_ms=playback_ms,
    )
    assert wish.application is not None, "it was loaded just now"
    redaction = redaction_options.redaction_of(word, pattern, region, keep_word)
    drafts = read_chain(words, origins=origins)
    if into is None and is_fixture(words.store) and len(drafts) < len(read_fixture(words.store)):
        raise UsageError(f"{target}: a fixture is accepted whole: leave out #{words.session}, or name --into")
    change = change_of(drafts, wish.application, app, **wish.options())
    if as_json:
        made = _made(drafts, change, redaction) if yes and change.differs else []
        place = _put(made, words, into) if made else None
        output.put_json(_facts(change, made, place), indent=2)
        return Exit.DIVERGED if change.differs and not made else Exit.SAME
    output.put(output.scrubbed(change.text))
    if not change.differs:
        output.note("nothing differs: nothing to accept")
        return Exit.SAME
    if not (yes or _asked()):
        output.note("nothing was accepted")
        return Exit.DIVERGED
    made = _made(drafts, change, redaction)
    place = _put(made, words, into)
    entries = sum(len(one.entries) for one in made)
    more = f" and {len(made) - 1} more" if len(made) > 1 else ""
    output.put(f"accepted: session {made[0].header.id}{more}, {entries} entries, in {place}")
    return Exit.SAME


def _made(drafts: list[Draft], change: Change, redaction: Mapping[str, Any]) -> list[Draft]:
    """What is to be written: of what was redacted, redacted as well."""
    made = list(change.acceptance.drafts)
    if any(Redaction.told_by(one.header.source) for one in drafts):
        made = redacted_again(made, **redaction)
    return made


def _facts(change: Change, made: list[Draft], place: str | None) -> dict[str, Any]:
    return {
        "differs": change.differs,
        "accepted": bool(made),
        "session": made[0].header.id if made else None,
        "entries": sum(len(one.entries) for one in made) if made else None,
        "into": place,
        "stays": list(change.acceptance.stays),
        "rewritten": change.acceptance.echoes,
        "assumed": list(change.assumed),
        "report": change.played.report.as_json(),
    }


def _asked() -> bool:
    """Whether somebody says yes.

    Raises:
        UsageError: nobody is there to be asked.
    """
    if not sys.stdin.isatty():
        raise UsageError("nothing was accepted: there is no terminal to ask at; --yes accepts without asking")
    return typer.confirm("accept this?", err=True)


def _put(drafts: list[Draft], words: Target, into: Path | None) -> str:
    if into is not None:
        if into.suffix == ".db":
            write_store(into, drafts)
        else:
            write_fixture(drafts, into)
        return str(into)
    if is_fixture(words.store):
        replace_fixture(drafts, words.store)
    else:
        write_drafts(locate(words.store), drafts)
    return words.store
