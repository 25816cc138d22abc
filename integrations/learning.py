"""What is learned of a recording's calls by replaying it into the application that was recorded."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from ..replay import ReplayReport
from ..schema import UsageError
from ..session import Draft, Origins, reactions, unknown_calls


def users_calls(drafts: Sequence[Draft], user: Collection[int]) -> frozenset[int]:
    """The calls of the first session of which somebody says that they are the user's.

    Raises:
        UsageError: one of them is no call of unknown origin.
    """
    wrong = sorted(set(user) - unknown_calls(drafts[0].entries))
    if wrong:
        raise UsageError(
            f"--user {wrong[0]}: that is no send of unknown origin of session {drafts[0].header.id}"
        )
    return frozenset(user)


def learned_from(
    drafts: Sequence[Draft],
    reports: Sequence[ReplayReport],
    app: str,
    source: str,
    user: frozenset[int] = frozenset(),
) -> list[Draft]:
    """The sessions of a chain with what was learned of their calls.

    Args:
        drafts: of one model object, in order.
        reports: of their replays into the application that was recorded, whatever was learned before.
        app: its name.
        source: the digest of its code.
        user: calls of the first session that are the user's.
    """
    found: list[Draft] = []
    for number, draft in enumerate(drafts):
        id, unknown = draft.header.id, unknown_calls(draft.entries)
        left_out = [
            {one.seq for one in report.unchecked if one.session == id} if id in report.recordings else unknown
            for report in reports
        ]
        users = frozenset[int]() if number else user
        came = reactions(unknown, left_out) - users
        head = draft.last_digest.hex()
        found.append(replace(draft, origins=Origins(head, app, source, len(reports), came, users)))
    return found


def source_digest(application: Any) -> str:
    """The digest of the file that an application's code stands in."""
    code: Any = inspect.unwrap(application)
    path = inspect.getsourcefile(cast("Any", code if inspect.isroutine(code) else type(code)))
    return hashlib.sha256(Path(path).read_bytes() if path else b"").hexdigest()
