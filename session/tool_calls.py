"""Tool calls: which tools the model called in a recorded session, and what the application answered."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Any

from ..schema.codec import MAX_DEPTH, from_json
from ..schema.entries import Entry
from .fields import event_fields, text_of
from .messages import answers_call, output_of, tool_called
from .places import Numbering
from .recording import Recording
from .stimuli import NANOSECONDS


@dataclass(frozen=True, slots=True)
class ToolCall:
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
        outputs: seqs of the sends that answered its id: one, in a healthy session.
    """

    seq: int
    at_ns: int
    call_id: str
    name: str
    arguments: str
    output: str | None = None
    answered_ns: int | None = None
    seconds: float = 0.0
    outputs: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}({self.arguments}), call {self.call_id} at entry {self.seq}"


class ToolCalls:
    """Reads along, and knows the tool calls by then."""

    def __init__(self) -> None:
        self._calls: list[ToolCall] = []
        self._unanswered: dict[str, tuple[int, int]] = {}  # by call id: places in the list, and bursts
        self._outputs: dict[str, list[int]] = {}
        self._numbering = Numbering()

    def read(self, entry: Entry, event: Any = None) -> None:
        """The next entry.

        Args:
            event: the same decoded, where texts must be those that the application had to the letter.
        """
        burst_ns = self._numbering.place(entry.tick, entry.at_ns).ns
        if (call_id := tool_called(entry)) is not None:
            if "call_id" not in event_fields(entry):
                return  # the recorder could not encode it, and says so in its place
            fields = _values(entry, event)
            self._unanswered[call_id] = (len(self._calls), burst_ns)
            self._calls.append(ToolCall(entry.seq, entry.at_ns, call_id, fields("name"), fields("arguments")))
        elif (call_id := answers_call(entry)) is not None:
            self._outputs.setdefault(call_id, []).append(entry.seq)
            if call_id in self._unanswered:  # sent again after a failure, it is the same output
                place, asked_ns = self._unanswered.pop(call_id)
                by_message = entry.type != "send_tool_output"
                self._calls[place] = replace(
                    self._calls[place],
                    output=output_of(entry) if by_message else _values(entry, event)("output"),
                    answered_ns=entry.at_ns,
                    seconds=(burst_ns - asked_ns) / NANOSECONDS,
                )

    def calls(self) -> tuple[ToolCall, ...]:
        """In the order in which they were received."""
        return tuple(replace(call, outputs=(*self._outputs.get(call.call_id, ()),)) for call in self._calls)


async def tool_calls(recording: Recording) -> list[ToolCall]:
    """The tool calls of a recorded session, in the order in which they were received.

    Cancelled, it has changed nothing.

    Raises:
        CorruptRecordError: a payload cannot be decoded.
    """
    calls = ToolCalls()
    async for entry in recording.entries():
        if tool_called(entry) is None and answers_call(entry) is None:
            calls.read(entry)
        else:
            calls.read(entry, await recording.decode(entry))
    return list(calls.calls())


class ToolAnswers:
    """Gives out recorded calls, each of them once.

    Args:
        calls: in the order in which they were received.
    """

    def __init__(self, calls: Iterable[ToolCall]) -> None:
        self._calls = list(calls)
        self._unclaimed = list(self._calls)
        self._by_id: dict[str, deque[ToolCall]] = {}
        for call in self._calls:
            self._by_id.setdefault(call.call_id, deque()).append(call)

    def claim(self, call_id: str | None, name: str, arguments: str) -> ToolCall | None:
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

    def nearest(self, name: str, arguments: str) -> ToolCall | None:
        """The recorded call that resembles this one most, given out or not; None if there is none."""

        def likeness(call: ToolCall) -> tuple[float, float]:
            return (_likeness(call.name, name), _likeness(call.arguments, arguments))

        return max(self._calls, key=likeness, default=None)


def _values(entry: Entry, event: Any) -> Callable[[str], str]:
    """How the texts of an event are found: in what was decoded, or in its fields."""
    fields = event_fields(entry)

    def value(name: str) -> str:
        told = text_of(fields.get(name))
        return told if event is None else getattr(event, name, told)

    return value


def _same_arguments(recorded: str, live: str) -> bool:
    return recorded == live or _canonical(recorded) == _canonical(live)


def _canonical(arguments: str) -> str:
    try:
        return json.dumps(from_json(arguments, MAX_DEPTH), sort_keys=True)
    except ValueError:
        return arguments


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other, autojunk=False).ratio()
