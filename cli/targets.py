"""`STORE[#SESSION]`: how a recording is named on the command line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ..schema import UsageError

_ID = re.compile("[0-9a-f-]+", re.IGNORECASE)


@dataclass(frozen=True)
class Target:
    """A store, and perhaps one of its sessions.

    Attributes:
        store: a path or an SQLAlchemy URL.
        session: an id, or how it begins; None means the newest.
    """

    store: str
    session: str | None


def parse_target(text: str) -> Target:
    """What the words of a user name.

    A file of the whole name wins, whatever it contains. Otherwise what follows the last `#` is a
    session if it can be an id, or if what stands before is a file.

    Raises:
        UsageError: nothing follows the `#`.
    """
    store, mark, session = text.rpartition("#")
    if not mark or _exists(text):
        return Target(text, None)
    if not session and ("://" in store or _exists(store)):
        raise UsageError(f"{text}: no session after the #; name one, or leave the # out for the newest")
    if store and (_ID.fullmatch(session) or ("://" not in store and _exists(store))):
        return Target(store, session.lower())
    return Target(text, None)


def parse_store(text: str) -> str:
    """The same where a whole store is asked for.

    Raises:
        UsageError: a session is named.
    """
    target = parse_target(text)
    if target.session is not None:
        raise UsageError(f"{text}: this takes a whole store; leave out #{target.session}")
    return target.store


def _exists(path: str) -> bool:
    try:
        return Path(path).expanduser().exists()
    except (OSError, ValueError, RuntimeError):  # too long, a NUL in it, nobody's home
        return False
