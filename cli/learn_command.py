"""`realtape learn`: which sends of a recording, whose origin it does not tell, are reactions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from ..integrations.learning import learned_from, source_digest, users_calls
from ..replay import Played
from ..schema import UsageError
from ..schema.log import locate
from ..session import (
    RUNS,
    Draft,
    Target,
    keep_origins,
    parse_target,
    unknown_calls,
    write_origins,
)
from ..session.fixture import is_fixture, read_fixture, rewrite_origins
from . import output, play_options
from .derived import read_chain
from .exit_codes import Exit
from .user_code import load_application
from .wish import Wish, play


def learn(
    target: play_options.OneRecording,
    app: Annotated[
        str,
        typer.Option(
            metavar="MODULE:CALLABLE", help="The application that was recorded, `async def app(model): ...`."
        ),
    ],
    user: Annotated[
        str | None,
        typer.Option(metavar="SEQ,SEQ…", help="These sends are the user's, by the numbers of their entries."),
    ] = None,
    origins: play_options.OriginsFile = None,
) -> int:
    """Replay a recording five times into the application that was recorded, and keep what it does by itself.

    A send without a cause that comes again in each run is a reaction from now on, and must come.
    """
    for draft in learn_into(parse_target(target), app, _numbers(user), origins):
        output.put(told(draft))
    return Exit.SAME


def learn_into(
    words: Target, app: str, user: Collection[int] = (), origins: Path | None = None
) -> list[Draft]:
    """Learn, and keep it beside the recording, or in a file of its own.

    Raises:
        UsageError: the application is not the one that was recorded; or such a call is none.
        ApplicationError: its module raises.
        StoreError: it cannot be written there.
    """
    wish = Wish(words, load_application(app), collect=True, learned=False)
    drafts = read_chain(words)
    learned = origins_of(drafts, app, wish.application, lambda: play(wish), user)
    if origins is not None:
        write_origins(origins, {one.header.id: one.origins for one in learned if one.origins is not None})
    elif is_fixture(words.store):
        by_id = {draft.header.id: draft.origins for draft in learned}
        whole = [
            replace(one, origins=by_id.get(one.header.id, one.origins)) for one in read_fixture(words.store)
        ]
        rewrite_origins(whole, words.store)
    else:
        for draft in learned:
            assert draft.origins is not None, "something was learned of each"
            keep_origins(locate(words.store), draft.header.id, draft.origins)
    return learned


def origins_of(
    drafts: Sequence[Draft],
    app: str,
    application: Any,
    play_once: Callable[[], Played],
    user: Collection[int] = (),
) -> list[Draft]:
    """The sessions of a chain with what was learned of their calls.

    Args:
        drafts: of one model object, in order.
        play_once: replays them into the application, collecting divergences, whatever was learned before.
        user: calls of the first that are the user's.

    Raises:
        UsageError: the application is not the one that was recorded; or such a call is none.
    """
    users = users_calls(drafts, user)
    runs: list[Played] = []
    for _ in range(RUNS):
        runs.append(play_once())
        if runs[-1].verdict not in ("same", "incomplete"):
            raise UsageError(
                f"{app} is not the application that was recorded, or it has changed: {runs[-1].problem}; "
                "learn with the one that was, of what it does by itself"
            )
    reports = [run.report for run in runs]
    return learned_from(drafts, reports, app, source_digest(application), users)


def told(draft: Draft) -> str:
    """What was learned of a session, in a line."""
    origins = draft.origins
    assert origins is not None, "something was"
    left = unknown_calls(draft.entries) - origins.reactions - origins.user
    count = len(origins.reactions)
    parts = [f"{count} reaction{'' if count == 1 else 's'}", f"{len(origins.user)} of the user's"]
    parts.append(f"{len(left)} unknown")
    line = f"session {draft.header.id}: {', '.join(parts)}"
    numbers = ",".join(map(str, sorted(left)))
    return f"{line}; if these are the user's: --user {numbers}" if left else line


def _numbers(told: str | None) -> set[int]:
    try:
        return {int(one) for one in (told or "").split(",") if one.strip()}
    except ValueError:
        raise UsageError(f"--user {told}: numbers of entries, such as 341,350") from None
