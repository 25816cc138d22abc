"""The ends of a session: nothing is received after the end of the stream, nothing sent after the close."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...schema.entries import Entry, Kind
from ...session.fields import outcome_of
from ...session.words import described
from .rule import Found, Invariant, Watching


@dataclass(frozen=True)
class NothingAfterEndOfStream(Invariant):
    """The end of the stream is the last event of a session."""

    name = "no event after the end of the stream"

    def watch(self) -> Watching:
        """A fresh check."""
        return _AfterEnd()

    def by_omission(self) -> bool:
        """Somebody has said it."""
        return False


@dataclass(frozen=True)
class NothingSentAfterClose(Invariant):
    """The application sends nothing after it began to close; but it may answer what it is given meanwhile."""

    name = "nothing is sent after the close"

    def watch(self) -> Watching:
        """A fresh check."""
        return _AfterClose()

    def by_omission(self) -> bool:
        """Somebody has said it."""
        return False


class _AfterEnd(Watching):
    kinds = frozenset({Kind.RECEIVED})

    def __init__(self) -> None:
        self._end: int | None = None

    def begin(self, *, known_before: bool) -> None:
        self._end = None

    def add(self, entry: Entry) -> Iterator[Found]:
        if self._end is not None:
            yield Found(f"{described(entry)} came after the end of the stream", (self._end, entry.seq))
        elif entry.type == "end_of_stream":
            self._end = entry.seq


class _AfterClose(Watching):
    kinds = frozenset({Kind.CLOSE, Kind.CLOSED, Kind.RECEIVED, Kind.SENT, Kind.FRAME_OUT})

    def __init__(self) -> None:
        self.begin(known_before=True)

    def begin(self, *, known_before: bool) -> None:
        self._close: int | None = None
        self._meanwhile: set[int] = set()  # what was received while it closes

    def add(self, entry: Entry) -> Iterator[Found]:
        if entry.kind == Kind.CLOSE:
            self._close = entry.seq
        elif entry.kind == Kind.CLOSED:
            self._meanwhile.clear()
            if outcome_of(entry) != "returned":
                self._close = None  # it may still be open
        elif self._close is not None and entry.kind == Kind.RECEIVED:
            self._meanwhile.add(entry.seq)
        elif (
            self._close is not None
            and entry.kind in (Kind.SENT, Kind.FRAME_OUT)
            and entry.cause not in self._meanwhile
        ):
            what = described(entry) if entry.kind == Kind.SENT else "a frame"
            yield Found(f"the application sent {what} after it had closed", (self._close, entry.seq))
