"""Regular expressions that somebody else wrote: one that goes astray in a text is ended."""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from ..schema.errors import UsageError

MATCH_SECONDS = 5.0
"""Of processor that one text takes, at most: `(a+)+$` would take longer than anybody lives."""

_T = TypeVar("_T")
_CAN_END = hasattr(signal, "setitimer")


class OwnPattern:
    """A regular expression, as Python's `re` has it.

    It is ended where a signal can end it: in the main thread, and not on Windows.

    Args:
        name: what messages call it.
        pattern: the expression.
        flags: of `re`.

    Raises:
        UsageError: it is none; and, of the methods: it took too long in a text.
    """

    def __init__(self, name: str, pattern: str | re.Pattern[str], flags: int = 0) -> None:
        self._name = name
        try:
            self._compiled = re.compile(pattern, flags)
        except re.error as error:
            raise UsageError(f"{name}: {pattern!r} is no regular expression: {error}") from error

    def matches_nothing(self) -> bool:
        """Whether it matches where there is nothing at all."""
        return self._ended(lambda: self._compiled.match("")) is not None

    def is_in(self, text: str) -> bool:
        """Whether it is found in a text."""
        return self._ended(lambda: self._compiled.search(text)) is not None

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where it is found, each behind the one before."""
        return self._ended(lambda: [match.span() for match in self._compiled.finditer(text)])

    def _ended(self, look: Callable[[], _T]) -> _T:
        if not _CAN_END or threading.current_thread() is not threading.main_thread():
            return look()
        before = signal.signal(signal.SIGVTALRM, self._end)
        try:
            signal.setitimer(signal.ITIMER_VIRTUAL, MATCH_SECONDS)
            try:
                return look()
            finally:
                signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        finally:
            signal.signal(signal.SIGVTALRM, before or signal.SIG_DFL)

    def _end(self, *_: Any) -> NoReturn:
        raise UsageError(
            f"{self._name}: {self._compiled.pattern!r} took more than {MATCH_SECONDS:.0f} s in one text; "
            "write it so that there is one way to match: not (a+)+, but a+"
        )
