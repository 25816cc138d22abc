"""Tools that are slow, that fail, or that answer in another order.

An application runs its own tools: how long they take and what they say is theirs. These variations show
where the tools are stubbed from the recording (`stub_tools`), and in what the server says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...schema.entries import Entry
from ...schema.errors import UsageError
from ...session.drafts import Draft, tree_of, with_tree
from ...session.fields import RAW, facts_of, mapping
from ...session.structure import Structure
from ...session.tool_calls import ToolCall
from .payloads import with_message
from .sketch import Sketch

FAILED = "An error occurred while running the tool. Please try again."
"""What the SDK answers for a tool that raised (`agents.tool.default_tool_error_function`): not why."""


@dataclass(frozen=True)
class SlowTool:
    """A tool answers late, and the server says nothing behind that before it.

    Attributes:
        call_id: which call.
        by_ms: milliseconds.
    """

    call_id: str
    by_ms: int

    def __call__(self, draft: Draft) -> Draft:
        """The session with it; not sealed. The very same where it is late by nothing.

        Raises:
            UsageError: there is no such call, or it was not answered.
        """
        call = _answered(Structure(draft), self.call_id)
        if not self.by_ms:
            return draft
        sketch = Sketch(draft)
        sketch.delay({call.outputs[0]: self.by_ms * 1_000_000})
        return sketch.draft()

    def __str__(self) -> str:
        return f"tool call {self.call_id} answered {self.by_ms} ms later"


@dataclass(frozen=True)
class AnswerAfter:
    """A tool answers after another one that was at work at the same time, and answered later.

    Attributes:
        call_id: which call.
        other: the one that is answered first now.
    """

    call_id: str
    other: str

    def __call__(self, draft: Draft) -> Draft:
        """The session with it; not sealed.

        Raises:
            UsageError: these two calls are not open at the same time.
        """
        structure = Structure(draft)
        if (self.call_id, self.other) not in at_once(structure):
            raise UsageError(f"tool calls {self.call_id} and {self.other} were not open at the same time")
        sketch = Sketch(draft)
        first, second = (_answered(structure, one).outputs[0] for one in (self.call_id, self.other))
        after = sketch.burst_of(second).burst[0] - sketch.burst_of(first).burst[0] + 1_000
        sketch.delay({first: after})
        return sketch.draft()

    def __str__(self) -> str:
        return f"tool call {self.call_id} answered after {self.other}"


@dataclass(frozen=True)
class FailTool:
    """A tool fails, and is answered as the SDK answers for one that raised.

    Attributes:
        call_id: which call.
        output: what it is answered with.
    """

    call_id: str
    output: str = FAILED

    def __call__(self, draft: Draft) -> Draft:
        """The session with it; not sealed.

        Raises:
            UsageError: there is no such call, or it was not answered.
        """
        structure = Structure(draft)
        call = _answered(structure, self.call_id)
        sketch = Sketch(draft)
        told = [seq for one in call.outputs for seq in (one, *structure.followers.get(one, ()))]
        told += [
            message.seqs[0]
            for message in structure.messages
            if mapping(structure.facts(message.seqs[0]).get("item")).get("call_id") == self.call_id
        ]
        sketch.change(told, lambda entry: _saying(entry, self.output))
        return sketch.draft()

    def __str__(self) -> str:
        return f"tool call {self.call_id} fails"


def answered(structure: Structure) -> list[ToolCall]:
    """The calls that were answered, in order."""
    return [call for call in structure.calls if call.outputs]


def at_once(structure: Structure) -> list[tuple[str, str]]:
    """Pairs of calls that were open at the same time: (answered first, answered later)."""
    calls = answered(structure)
    return [
        (one.call_id, other.call_id)
        for one in calls
        for other in calls
        if other.seq < one.outputs[0] < other.outputs[0] and one.call_id != other.call_id
    ]


def _answered(structure: Structure, call_id: str) -> ToolCall:
    found = next((call for call in answered(structure) if call.call_id == call_id), None)
    if found is None:
        raise UsageError(f"this session holds no answered tool call {call_id}")
    return found


def _saying(entry: Entry, output: str) -> Entry:
    if entry.type == RAW:
        item = mapping(facts_of(entry).get("item"))
        return with_message(entry, {"item": {**item, "output": output}}) if item.get("output") else entry
    tree: dict[str, Any] = tree_of(entry)
    item = mapping(tree.get("item"))
    if isinstance(tree.get("output"), str):
        return with_tree(entry, {**tree, "output": output})
    if item.get("output") is not None:
        return with_tree(entry, {**tree, "item": {**item, "output": output}})
    return entry
