"""`Invariant`: a rule about a session, and what one has to write to make one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal, NamedTuple

from ...schema.entries import Entry, Kind
from ...schema.json_text import from_json
from ...session.words import mapping, payload, sequence

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


def fields_of(entry: Entry) -> Mapping[str, Any]:
    """The fields of an event; one whose class nobody registered is kept in a description."""
    facts = mapping(payload(entry))
    return mapping(facts.get("value")) if facts.get("$") == "described" else facts


def server_message(entry: Entry) -> Mapping[str, Any] | None:
    """The provider's message that this entry is, or None if it is none; of two taps, the upper one."""
    if entry.kind == Kind.RECEIVED and entry.type == "raw_server_event":
        return mapping(fields_of(entry).get("data"))
    return None


def framed_message(entry: Entry) -> Mapping[str, Any]:
    """The message in a frame; empty if the frame holds none. Bytes are left as references."""
    pieces = sequence(payload(entry))
    references = [piece for piece in pieces if not isinstance(piece, str)]
    numbers = iter(range(len(references)))
    text = "".join(piece if isinstance(piece, str) else f"\ue000{next(numbers)}" for piece in pieces)
    try:
        message = mapping(from_json(text))
    except ValueError:
        return {}
    for key, value in message.items():
        if isinstance(value, str) and value.startswith("\ue000"):
            message[key] = references[int(value[1:])]
    return message


def client_message(entry: Entry) -> Mapping[str, Any] | None:
    """The message in the provider's protocol that the application sends by itself, or None."""
    if entry.kind == Kind.SENT and entry.type == "send_raw_message":
        message = mapping(fields_of(entry).get("message"))
        return {"type": message.get("type"), **mapping(message.get("other_data"))}
    return None


def text_of(value: object) -> str:
    """A text; empty where there is none."""
    return value if isinstance(value, str) else ""
