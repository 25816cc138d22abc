"""The connection is lost: nothing more comes, but what the SDK's model says of it (`openai_realtime.py`,
`_listen_for_messages`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...schema.codec import to_json
from ...schema.entries import CALL_ENDS, Entry, Kind
from ...schema.errors import UsageError
from ...session.drafts import Draft
from ...session.interruptions import reading_task
from ...session.structure import Structure
from .interruption import boundaries
from .sketch import Sketch

_CLEAN: tuple[dict[str, Any], ...] = (
    {"$": "connection_status", "status": "disconnected", "type": "connection_status"},
    {"$": "end_of_stream", "type": "end_of_stream"},
)

_LOST: tuple[dict[str, Any], ...] = (
    {
        "$": "exception",
        "exception": {
            "$": "websockets:ConnectionClosedError",
            "$text": "no close frame received or sent",
            "args": [None, None],
            "state": {"rcvd": None, "sent": None, "rcvd_then_sent": None},
        },
        "context": "WebSocket connection closed unexpectedly",
        "type": "exception",
    },
)


@dataclass(frozen=True)
class Disconnect:
    """The connection is lost before an entry.

    Attributes:
        seq: of the entry.
        clean: the server closes properly: the model says that it is disconnected, and that the stream has
            ended. If not, it gives the listeners an exception, and nothing after that.
    """

    seq: int
    clean: bool = True

    def __call__(self, draft: Draft) -> Draft:
        """The session up to there; not sealed. What was open by then ends there.

        Raises:
            UsageError: there is no such place.
        """
        structure = Structure(draft)
        if self.seq not in boundaries(structure):
            raise UsageError(f"nothing can come in between before #{self.seq}")
        sketch = Sketch(draft)
        last = sketch.spots[self.seq - 1]
        ends = [spot for spot in sketch.spots if spot.seq >= self.seq and _ends_before(spot.entry, self.seq)]
        for spot in ends:
            spot.put(last.burst, last.round)
            spot.entry = spot.entry._replace(at_ns=last.entry.at_ns)
        sketch.keep([*sketch.spots[: self.seq], *ends])
        head = Entry(0, last.entry.at_ns, last.entry.tick or 0, reading_task(structure), Kind.RECEIVED)
        told = [
            head._replace(seq=-number - 1, type=tree["type"], payload=to_json(tree))
            for number, tree in enumerate(_CLEAN if self.clean else _LOST)
        ]
        sketch.insert(len(sketch.spots), told, last.burst, last.round)
        return sketch.draft()

    def __str__(self) -> str:
        return f"{'disconnected' if self.clean else 'connection lost'} before #{self.seq}"


def _ends_before(entry: Entry, seq: int) -> bool:
    """Whether it ends something that was going on: a send, a listener."""
    return entry.of is not None and entry.of < seq and (entry.kind in CALL_ENDS or entry.kind == Kind.HANDLED)
