"""The sessions that a command is about, and what each of them comes to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..schema import CorruptRecordError, SessionRecord
from ..schema.log import fetch_headers, open_blocking
from ..session import EVERY, SessionFilter, Target, choose_all
from ..session.derived import THRESHOLD_DBFS, Derived, derive_stored
from ..session.fixture import located
from .filter_options import fitting, refuse_both


class DerivedSession(NamedTuple):
    """A session, and what it comes to.

    Attributes:
        target: as it was named.
        key, head: its key in its store, and the last digest of its chain.
    """

    target: Target
    key: int
    head: bytes
    derived: Derived


def derived_sessions(
    targets: Sequence[Target],
    wanted: SessionFilter = EVERY,
    *,
    every: bool,
    threshold_dbfs: float = THRESHOLD_DBFS,
) -> Iterator[DerivedSession | CorruptRecordError]:
    """What each session comes to that is meant, one after another; or why it cannot be read.

    Args:
        wanted: of a store of which no session is named, those that fit.
        every: without a filter all of them, else the newest conversation.

    Raises:
        SessionNotFoundError: there is none.
        UsageError: a session is named, and a filter given.
    """
    for target in targets:
        refuse_both(target, wanted)
    for target in targets:
        address = located(target.store)
        with open_blocking(address) as connection:
            found: Sequence[SessionRecord | CorruptRecordError]
            if target.session is None and (every or wanted != EVERY):
                found = fitting(connection, address, wanted)
            else:
                found = choose_all(address, fetch_headers(connection), target)
            for session in found:
                if isinstance(session, CorruptRecordError):
                    yield session
                    continue
                try:
                    derived = derive_stored(connection, session, threshold_dbfs=threshold_dbfs)
                except CorruptRecordError as error:
                    yield error
                else:
                    yield DerivedSession(target, session.key, session.last_digest, derived)
