"""Notes on entries: what only those before it tell of one. The number of a turn, and how long a tool took."""

from __future__ import annotations

from ..schema.entries import Entry
from .messages import answers_call, begins_turn, tool_called

NOTED = frozenset({"turn_started", "function_call", "send_tool_output", "send_raw_message"})
"""The types of all entries that tell something of later ones."""


class Notes:
    """Reads along.

    Args:
        turns: turns are counted: what is read begins where the session does.

    Attributes:
        turn: number of the conversation's turn, from 1; 0 before the first. As reports number them.
    """

    def __init__(self, *, turns: bool = True) -> None:
        self.turn = 0
        self._turns = turns
        self._asked_ns: dict[str, int] = {}

    def read(self, entry: Entry) -> str:
        """The next entry; what is to be noted of it, or empty."""
        if begins_turn(entry):
            self.turn += 1
            return f"turn {self.turn}" if self._turns else ""
        if (call_id := tool_called(entry)) is not None:
            self._asked_ns[call_id] = entry.at_ns
        elif (call_id := answers_call(entry)) is not None:
            asked_ns = self._asked_ns.pop(call_id, None)
            if asked_ns is not None:
                return f"after {took(entry.at_ns - asked_ns)}"
        return ""


def took(nanoseconds: int) -> str:
    """A time that something took, for people: 22 ms, 3.2 s."""
    return f"{nanoseconds / 1e6:,.0f} ms" if nanoseconds < 1e9 else f"{nanoseconds / 1e9:,.1f} s"
