"""`Tape`: one session's log, written by hand: entries with time, rounds, tasks, causes and playback state."""

from __future__ import annotations

from typing import Any, cast

from ...schema.codec import Codec, Reference, Vocabulary, event_name
from ...schema.entries import SETTLED_TICKS, Entry, Flag, Header, Kind, Status
from ...schema.playback import RealtimePlaybackTracker
from ...session.drafts import Draft


class Tape:
    """Appends entries as a recorder does.

    Args:
        header: the session's.
        vocabulary: of what is appended.
        tracker: the application's, whose state stands in every entry.
    """

    def __init__(self, header: Header, vocabulary: Vocabulary, tracker: RealtimePlaybackTracker) -> None:
        self.tracker = tracker
        self._header = header
        self._codec = Codec(vocabulary)
        self._entries: list[Entry] = []
        self._bytes = bytearray()
        self._places: dict[bytes, Reference] = {}
        self._tasks: dict[str, int] = {}
        self._at_ns = 0
        self._tick = 0

    def wait(self, ms: float) -> None:
        """Everything runs that can; then so many milliseconds pass."""
        self._at_ns += round(ms * 1e6)
        self._tick += SETTLED_TICKS

    def add(
        self,
        kind: Kind,
        value: Any,
        *,
        task: str,
        type: str | None = None,
        method: str | None = None,
        cause: int | None = None,
        of: int | None = None,
    ) -> int:
        """Append an entry; returns its seq."""
        encoded = self._codec.encode(value, self._put)
        state = self.tracker.get_state()
        entry = Entry(
            *(len(self._entries), self._at_ns, self._tick, self._tasks.setdefault(task, len(self._tasks))),
            *(kind, type, method, cause, of, None),
            *(state["current_item_id"], state["current_item_content_index"], state["elapsed_ms"]),
            encoded.payload,
            int(Flag.LOSSY) if encoded.lossy else 0,
        )
        self._entries.append(entry)
        return entry.seq

    def received(self, event: Any, *, task: str = "read loop", cause: int | None = None) -> int:
        """The model gives an event to its listeners."""
        return self.add(Kind.RECEIVED, event, task=task, type=self._name(event), cause=cause)

    def handled(self, of: int, *, task: str = "read loop") -> None:
        """The listeners returned."""
        self.add(Kind.HANDLED, {}, task=task, of=of)

    def sent(self, event: Any, *, task: str, cause: int | None = None) -> int:
        """The application sends something; `done` ends it."""
        return self.add(Kind.SENT, event, task=task, type=self._name(event), method="send_event", cause=cause)

    def done(self, of: int, *, task: str, cause: int | None = None) -> None:
        """A send returned."""
        value = {"outcome": "returned"}
        self.add(Kind.SENT_DONE, value, task=task, method="send_event", of=of, cause=cause)

    def playback(self, who: str, method: str, *args: Any, task: str, cause: int | None = None) -> None:
        """A call on the tracker, which is made here."""
        getattr(self.tracker, method)(*args)
        told = [{"bytes": len(arg)} if isinstance(arg, bytes) else arg for arg in args]
        value = {"args": told, "state": list(self.tracker.get_state().values())}
        self.add(Kind.PLAYBACK, value, task=task, type=who, method=method, cause=cause)

    def draft(self) -> Draft:
        """The session as a draft, its digest chain computed."""
        segments = {0: bytes(self._bytes)} if self._bytes else {}
        return Draft(self._header, Status.CLOSED, tuple(self._entries), segments).sealed()

    def _name(self, event: Any) -> str:
        return event_name(self._codec.vocabulary, cast("type[Any]", type(event)))

    def _put(self, data: bytes) -> Reference:
        if data not in self._places:
            self._places[data] = (0, len(self._bytes), len(data))
            self._bytes += data
        return self._places[data]
