"""`Invariant`: a rule about a session, and what one has to write to make one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar, Literal, NamedTuple

from ...schema.entries import Entry

Evidence = Literal["playback", "raw_messages", "frames", "history"]
"""What a rule may need of a log. `playback`: what the application's own tracker was told (assumed states
say nothing). `raw_messages`: the provider's messages as `raw_server_event`. `frames`: those of the socket.
`history`: the list of items that the application's side keeps; it is given to the rule."""


class Found(NamedTuple):
    """A violation as a rule sees it.

    Attributes:
        summary: one sentence.
        seqs: the entries that show it.
    """

    summary: str
    seqs: tuple[int, ...]


class Watching(ABC):
    """A rule at work: is told the entries of a session in order, and of the next sessions after it."""

    @abstractmethod
    def add(self, entry: Entry) -> Iterable[Found]:
        """The next entry; answers with what is wrong by now."""

    def end(self, at_ns: int) -> Iterable[Found]:
        """There are no more entries in this session; `at_ns` is how long it lasted, nanoseconds."""
        return ()

    @abstractmethod
    def begin(self, *, known_before: bool) -> None:
        """A session begins.

        Args:
            known_before: what the same model object did before it is known, too: it was the session
                before this one, or there was none.
        """


class Invariant(ABC):
    """A rule that holds in every session of a sound application.

    Attributes:
        name: a short name, for reports.
        needs: any one of these must be in the log, or the rule is not checkable; empty: none.
    """

    name: ClassVar[str]
    needs: ClassVar[tuple[Evidence, ...]] = ()

    @abstractmethod
    def watch(self) -> Watching:
        """A fresh check."""

    def given(self) -> frozenset[Evidence]:
        """The evidence that the rule brings along."""
        return frozenset()
