"""`ToolRecord`: a call of a tool, how long it took, beside which others; and `Tools`, which finds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..fields import mapping, text_of
from .exchange import Exchanged


@dataclass(frozen=True, slots=True)
class ToolRecord:
    """One call of a tool. Instants are nanoseconds since the session began.

    Attributes:
        seq: of the entry with which its arguments were whole: then the model has asked for it.
        call_id, name, arguments: as the model gave them; the arguments are JSON text.
        response_id: the response that made it; empty where the log does not tell.
        began_ns: when it was asked for.
        ended_ns: when its output was sent; None: it was not.
        output: what was sent; None: nothing.
        output_seq: the entry that sent it.
        beside: the ids of the calls that were open while it was, in the order in which they were made.
        connection: number of the socket; None above sockets.
    """

    seq: int
    call_id: str
    name: str
    arguments: str
    response_id: str
    began_ns: int
    ended_ns: int | None = None
    output: str | None = None
    output_seq: int | None = None
    beside: tuple[str, ...] = ()
    connection: int | None = None

    @property
    def duration_ms(self) -> float | None:
        """How long it took, in milliseconds; None: it has not ended."""
        return None if self.ended_ns is None else (self.ended_ns - self.began_ns) / 1e6


class Tools:
    """Reads the messages of one connection, in order, and knows its calls by then."""

    def __init__(self) -> None:
        self._all: dict[str, dict[str, Any]] = {}
        self._open: dict[str, None] = {}
        self._beside: dict[str, dict[str, None]] = {}
        self._names: dict[str, str] = {}

    def read(self, one: Exchanged, response_id: str = "") -> None:
        """The next message.

        Args:
            response_id: the response that it is of, where it does not say itself.
        """
        item = mapping(one.message.get("item"))
        call_id = text_of(item.get("call_id"))
        if one.by_server:
            if item.get("type") == "function_call":
                self._names.setdefault(call_id, text_of(item.get("name")))
            if one.type == "response.function_call_arguments.done":
                item = one.message
                self._called(one, item, text_of(item.get("call_id")), response_id)
            elif one.type == "response.output_item.done" and _is_call(item):
                self._called(one, item, call_id, response_id)
        elif one.type == "conversation.item.create" and item.get("type") == "function_call_output":
            self._answered(one, call_id, item.get("output"))

    def _answered(self, one: Exchanged, call_id: str, output: object) -> None:
        if call_id not in self._open:
            return  # sent again, or of another session
        del self._open[call_id]
        self._all[call_id].update(
            ended_ns=one.entry.at_ns,
            output=output if isinstance(output, str) else "",
            output_seq=one.entry.seq,
        )

    def _called(self, one: Exchanged, item: dict[str, Any], call_id: str, response_id: str) -> None:
        if call_id in self._all:
            return
        response_id = text_of(one.message.get("response_id")) or response_id
        self._all[call_id] = {
            "seq": one.entry.seq,
            "call_id": call_id,
            "name": text_of(item.get("name")) or self._names.get(call_id, ""),
            "arguments": text_of(item.get("arguments")),
            "response_id": response_id,
            "began_ns": one.entry.at_ns,
            "connection": one.entry.connection,
        }
        self._beside[call_id] = dict(self._open)
        for other in self._open:
            self._beside[other].setdefault(call_id)
        self._open[call_id] = None

    def records(self) -> tuple[ToolRecord, ...]:
        """In the order in which they were made."""
        return tuple(
            ToolRecord(**facts, beside=(*self._beside[call_id],)) for call_id, facts in self._all.items()
        )


def _is_call(item: dict[str, Any]) -> bool:
    """One that was cut off is none."""
    return item.get("type") == "function_call" and item.get("status") == "completed"
