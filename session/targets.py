"""`STORE[#SESSION]`: how a recording is named, on the command line and in Python."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ..schema.errors import UsageError

_ID = re.compile("[0-9a-f-]+", re.IGNORECASE)
_LABEL = re.compile(r"[\w.-]+=.*", re.DOTALL)


@dataclass(frozen=True)
class Target:
    """A store, and perhaps one of its sessions.

    Attributes:
        store: a path or an SQLAlchemy URL.
        session: an id, or how it begins, with or without its hyphens; or a label, `NAME=VALUE`; None means
            the newest.
    """

    store: str
    session: str | None

    @property
    def is_single(self) -> bool:
        """Whether one session is named by its id: without those that its model had next."""
        return self.session is not None and label_in(self.session) is None


def parse_target(text: str) -> Target:
    """What the words of a user name.

    A file of the whole name wins, whatever it contains. Otherwise what follows the last `#` is a
    session if it can be an id or a label, or if what stands before is a file.

    Raises:
        UsageError: nothing follows the `#`.
    """
    store, mark, session = text.rpartition("#")
    if not mark or _exists(text):
        return Target(text, None)
    if not session and ("://" in store or _exists(store)):
        raise UsageError(f"{text}: no session after the #; name one, or leave the # out for the newest")
    is_file = "://" not in store and _exists(store)
    if store and label_in(session) and ("://" in store or is_file):
        return Target(store, session)
    if store and (_ID.fullmatch(session) or is_file):
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


def label_in(session: str) -> tuple[str, str] | None:
    """The label that stands in the place of an id; None if an id stands there."""
    name, _, value = session.partition("=")
    return (name, value) if _LABEL.fullmatch(session) else None


def _exists(path: str) -> bool:
    try:
        return Path(path).expanduser().exists()
    except (OSError, ValueError, RuntimeError):  # too long, a NUL in it, nobody's home
        return False
