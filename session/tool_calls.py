"""Tool calls: which tools the model called in a recorded session, and what the application answered."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Any

from ..schema.codec import MAX_DEPTH, from_json
from ..schema.entries import Kind
from .places import Numbering
from .recording import Recording
from .stimuli import NANOSECONDS


@dataclass(frozen=True, slots=True)
class RecordedToolCall:
    """One call of a tool, and its answer.

    Attributes:
        seq: of the entry at which the call was received.
        at_ns: its instant, in nanoseconds since the session began.
        call_id, name, arguments: as the model gave them; the arguments are JSON text.
        output: the text that the application sent for it; None where it sent none.
        answered_ns: the instant at which it began to send it, in nanoseconds since the session began;
            None where it sent none.
        seconds: from the burst of the event loop in which the call came to that in which it was
            answered: 0 where nothing was waited for in between.
    """

    seq: int
    at_ns: int
    call_id: str
    name: str
    arguments: str
    output: str | None = None
    answered_ns: int | None = None
    seconds: float = 0.0

    def __str__(self) -> str:
        return f"{self.name}({self.arguments}), call {self.call_id} at entry {self.seq}"


async def tool_calls(recording: Recording) -> list[RecordedToolCall]:
    """The tool calls of a recorded session, in the order in which they were received.

    Raises:
        CorruptRecordError: a payload cannot be decoded.
    """
    calls: list[RecordedToolCall] = []
    unanswered: dict[Any, tuple[int, int]] = {}  # by call id: places in the list, and bursts
    numbering = Numbering()
    async for entry in recording.entries():
        burst_ns = numbering.place(entry.tick, entry.at_ns).ns
        if entry.kind == Kind.RECEIVED and entry.type == "function_call":
            event: Any = await recording.decode(entry)
            if not hasattr(event, "call_id"):
                continue  # the recorder could not encode it, and says so in its place
            unanswered[event.call_id] = (len(calls), burst_ns)
            calls.append(RecordedToolCall(entry.seq, entry.at_ns, event.call_id, event.name, event.arguments))
        elif entry.kind == Kind.SENT and entry.type == "send_tool_output":
            event = await recording.decode(entry)
            call_id = getattr(getattr(event, "tool_call", None), "call_id", None)
            if call_id in unanswered:  # sent again after a failure, it is the same output
                place, asked_ns = unanswered.pop(call_id)
                seconds = (burst_ns - asked_ns) / NANOSECONDS
                calls[place] = replace(
                    calls[place], output=event.output, answered_ns=entry.at_ns, seconds=seconds
                )
    return calls


class ToolAnswers:
    """Gives out recorded calls, each of them once.

    Args:
        calls: in the order in which they were received.
    """

    def __init__(self, calls: Iterable[RecordedToolCall]) -> None:
        self._calls = list(calls)
        self._unclaimed = list(self._calls)
        self._by_id: dict[str, deque[RecordedToolCall]] = {}
        for call in self._calls:
            self._by_id.setdefault(call.call_id, deque()).append(call)

    def claim(self, call_id: str | None, name: str, arguments: str) -> RecordedToolCall | None:
        """The recorded call that a live one is: that of its id; where the recording does not know the
        id, the first of that name and those arguments which is left. None if there is none.

        A call that comes again under its id gets the same answer again.
        """
        of_this_id = self._by_id.get(call_id) if call_id is not None else None
        if of_this_id:
            call = of_this_id.popleft() if len(of_this_id) > 1 else of_this_id[0]
            if call.name == name:
                self._unclaimed = [one for one in self._unclaimed if one is not call]
                return call
        for call in self._unclaimed:
            if call.name == name and _same_arguments(call.arguments, arguments):
                self._unclaimed.remove(call)
                return call
        return None

    def nearest(self, name: str, arguments: str) -> RecordedToolCall | None:
        """The recorded call that resembles this one most, given out or not; None if there is none."""

        def likeness(call: RecordedToolCall) -> tuple[float, float]:
            return (_likeness(call.name, name), _likeness(call.arguments, arguments))

        return max(self._calls, key=likeness, default=None)


def _same_arguments(recorded: str, live: str) -> bool:
    return recorded == live or _canonical(recorded) == _canonical(live)


def _canonical(arguments: str) -> str:
    try:
        return json.dumps(from_json(arguments, MAX_DEPTH), sort_keys=True)
    except ValueError:
        return arguments


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other, autojunk=False).ratio()
