"""`Invariant`: a rule about a session, and what one has to write to make one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import ClassVar, Literal, NamedTuple

from ...schema.entries import Entry, Kind
from ...session.audio import HeardAudio

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


class Readings:
    """What several rules ask of the entries, read once for all: each entry before they are told of it.

    Attributes:
        received: the model's sound, in all sessions that are watched.
        heard: what of it was heard, and came, in this session.
    """

    def __init__(self) -> None:
        self.heard = HeardAudio()
        self.received = self.heard.received
        self._begun = False

    def begin(self) -> None:
        """A session begins."""
        if self._begun:
            self.heard = HeardAudio()
        self._begun = True

    def read(self, entry: Entry) -> None:
        """The next entry."""
        self.heard.read(entry)
        if self.received is not self.heard.received:
            self.received.read(entry)


class Watching(ABC):
    """A rule at work: is told the entries of a session in order, and of the next sessions after it.

    Attributes:
        kinds: of entries that it is told; None: every one.
        readings: of who tells it.
    """

    kinds: ClassVar[frozenset[Kind] | None] = None
    readings: Readings

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

    def by_omission(self) -> bool:
        """Whether it may be broken by what the application does not do. If not, and all entries that show a
        violation were received, it was the provider or the model: in a replay, the recording."""
        return True


Judge = Callable[[Sequence[Entry]], Iterable[Found]]
"""Gets the entries of a session, and answers with what is wrong."""


def rule(name: str, *needs: Evidence) -> Callable[[Judge], Invariant]:
    """A rule as a function: it gets all entries of a session at its end.

    ```python
    @rule("nobody is asked twice whether he is there")
    def asked_once(entries):
        asked = [one.seq for one in entries if one.type == "send_user_input" and "still there" in one.payload]
        if len(asked) > 1:
            yield Found("asked again", tuple(asked))
    ```

    Args:
        name: a short name, for reports.
        needs: any one of these must be in the log; none: it needs none.
    """

    def made(judge: Judge) -> Invariant:
        return _Judged(name, needs, judge)

    return made


class _Judged(Invariant):
    def __init__(self, name: str, needs: tuple[Evidence, ...], judge: Judge) -> None:
        self.name = name  # pyright: ignore[reportAttributeAccessIssue] - of this one, not of the class
        self.needs = needs  # pyright: ignore[reportAttributeAccessIssue]
        self._judge = judge

    def watch(self) -> Watching:
        return _Judging(self._judge)


class _Judging(Watching):
    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._entries: list[Entry] = []

    def begin(self, *, known_before: bool) -> None:
        self._entries = []

    def add(self, entry: Entry) -> Iterable[Found]:
        self._entries.append(entry)
        return ()

    def end(self, at_ns: int) -> Iterator[Found]:
        yield from self._judge(self._entries)
