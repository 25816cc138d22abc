"""`ConnectionRecord`: a connection to the provider, from its beginning to its end; and `Connections`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...schema.entries import Entry, Kind
from ..fields import event_fields, index_of, mapping, outcome_of, payload, text_of


@dataclass(frozen=True, slots=True)
class ConnectionRecord:
    """A connection: of the model, as the application sees it, or a socket. Instants are nanoseconds since the
    session began.

    Attributes:
        seq: of the entry with which it began.
        number: of the socket; None: the model's own.
        url: as far as it is kept; empty where it is not known.
        dialect: of a socket; empty where it is not known.
        began_ns: when somebody began to connect.
        opened_ns: when it was there; None: it never was.
        ended_ns: when it was known to be over; None: it was not.
        how: how it ended: `closed`, the application or the client began to; `failed`, it never was there;
            `ended`, by the other side; `open`, the log holds no end.
        code: the close code of a socket.
        reason: why, in words.
        received, sent: how many messages; of the model's own, events and sends.
    """

    seq: int
    number: int | None
    url: str
    dialect: str
    began_ns: int
    opened_ns: int | None = None
    ended_ns: int | None = None
    how: str = "open"
    code: int | None = None
    reason: str = ""
    received: int = 0
    sent: int = 0


class Connections:
    """Reads every entry, in order, and knows the connections by then."""

    def __init__(self) -> None:
        self._all: dict[int | None, dict[str, Any]] = {}
        self._closing: set[int | None] = set()  # what ends now, this side ended

    def read(self, entry: Entry) -> None:
        """The next entry."""
        if entry.kind in (Kind.CONNECT, Kind.SOCKET):
            self._begin(entry)
            return
        known = self._all.get(entry.connection)
        if known is None:
            return
        match entry.kind:
            case Kind.CLOSE | Kind.SOCKET_CLOSE:
                self._closing.add(entry.connection)
            case Kind.RECEIVED:
                known["received"] += 1
                if entry.type == "end_of_stream":
                    _end(known, entry, self._how(entry))
            case Kind.FRAME_IN:
                known["received"] += 1
            case Kind.SENT | Kind.FRAME_OUT:
                known["sent"] += 1
            case Kind.CONNECTED | Kind.SOCKET_OPENED:
                known["opened_ns"] = entry.at_ns
            case Kind.CONNECT_FAILED | Kind.SOCKET_FAILED:
                _end(known, entry, "failed", _raised(entry))
            case Kind.SOCKET_ENDED:
                facts = mapping(payload(entry))
                _end(
                    known, entry, self._how(entry), text_of(facts.get("reason")) or text_of(facts.get("how"))
                )
                known.setdefault("code", index_of(facts.get("code")) or None)
            case Kind.CLOSED | Kind.SOCKET_CLOSED:
                if outcome_of(entry) in (None, "returned"):
                    facts = mapping(payload(entry))
                    _end(known, entry, "closed", text_of(facts.get("reason")))
                    known.setdefault("code", index_of(facts.get("code")) or None)
            case _:
                pass

    def records(self) -> tuple[ConnectionRecord, ...]:
        """In the order in which they began."""
        return tuple(ConnectionRecord(**facts) for facts in self._all.values())

    def _how(self, entry: Entry) -> str:
        return "closed" if entry.connection in self._closing else "ended"

    def _begin(self, entry: Entry) -> None:
        facts = event_fields(entry)
        options = mapping(facts.get("options"))
        self._all[entry.connection] = {
            "seq": entry.seq,
            "number": entry.connection,
            "url": text_of(facts.get("url")) or text_of(options.get("url")),
            "dialect": text_of(facts.get("dialect")),
            "began_ns": entry.at_ns,
            "received": 0,
            "sent": 0,
        }


def _end(known: dict[str, Any], entry: Entry, how: str, reason: str = "") -> None:
    if "ended_ns" not in known:
        known.update(ended_ns=entry.at_ns, how=how, reason=reason)


def _raised(entry: Entry) -> str:
    """What was raised, by name and text."""
    raised = mapping(mapping(payload(entry)).get("raised"))
    name = text_of(raised.get("name")) or text_of(raised.get("$")).removeprefix("py:")
    return ": ".join(
        one for one in (name, text_of(raised.get("$text")) or text_of(raised.get("text"))) if one
    )
