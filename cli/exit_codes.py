"""Exit codes, and which of them an error means."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What a command's exit code says; `docs/cli.md` tells it to users."""

    SAME = 0  # same, or intact, or simply done
    DIVERGED = 1  # diverged, or not a log
    MISUSE = 2  # the question could not be asked
    INCOMPLETE = 3  # gaps, interrupted, intact up to a point
    INTERRUPTED = 130  # by Ctrl-C
    UNREAD = 141  # whoever read the output went away, as `head` does


def is_ours(error: BaseException) -> bool:
    """Whether an error is one of Realtape's own, which say what to do."""
    from ..schema import RealtapeError  # here: a command that goes well imports no more than it needs

    return isinstance(error, RealtapeError)


def exit_of(error: BaseException) -> Exit:
    """The exit code of a command that ended with this error."""
    from ..replay import DivergenceError
    from ..schema import CorruptRecordError, FixtureError, NotAStoreError

    if isinstance(error, NotAStoreError | FixtureError | DivergenceError):
        return Exit.DIVERGED
    if isinstance(error, CorruptRecordError):
        return Exit.INCOMPLETE
    return Exit.MISUSE
