"""What the model calls tools with: other arguments, and two calls in one response made of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...schema.entries import Entry, Kind
from ...schema.errors import UsageError
from ...session.drafts import Draft, tree_of, with_tree
from ...session.fields import facts_in, mapping, sequence, text_of
from ...session.messages import answered_call, server_event, tool_called
from ...session.structure import Message, Structure
from ...session.tool_calls import ToolCall
from .payloads import rewritten, sent_again
from .sketch import Sketch

AGAIN = "_again"
"""So ends the id of a call that was made of another, and that of its item."""


@dataclass(frozen=True)
class OtherArguments:
    """The model calls a tool with other arguments, and all that tells of the call says so. What is answered,
    and what the model says to that, stays as it was.

    Attributes:
        call_id: which call.
        arguments: JSON text.
    """

    call_id: str
    arguments: str

    def __call__(self, draft: Draft) -> Draft:
        """The session with it; not sealed. The very same where these are its arguments.

        Raises:
            UsageError: there is no such call.
        """
        structure = Structure(draft)
        call = _call(structure, self.call_id)
        if call.arguments == self.arguments:
            return draft
        item_id = item_of(structure, call)
        sketch = Sketch(draft)
        pieces = _pieces(structure, item_id)
        each = -(-len(self.arguments) // max(1, len(pieces)))
        texts = {seq: self.arguments[n * each : (n + 1) * each] for n, seq in enumerate(pieces)}
        sketch.change(texts, lambda entry: _saying(entry, texts[entry.seq]))
        ids = [one for one in (self.call_id, item_id) if one]
        about = {one.seq for one in draft.entries if any(id in one.payload for id in ids)}
        sketch.change(about - texts.keys(), lambda entry: self._told(entry, item_id))
        return sketch.draft()

    def _told(self, entry: Entry, item_id: str) -> Entry:
        tree = tree_of(entry)
        changed = self._with_arguments(tree, item_id)
        return entry if changed == tree else with_tree(entry, changed)

    def _with_arguments(self, tree: Any, item_id: str) -> Any:
        if isinstance(tree, list):
            return [self._with_arguments(one, item_id) for one in sequence(tree)]
        if not isinstance(tree, dict):
            return tree
        facts = {name: self._with_arguments(one, item_id) for name, one in mapping(tree).items()}
        ours = facts.get("call_id") == self.call_id or (item_id != "" and facts.get("item_id") == item_id)
        if ours and facts.get("arguments"):  # a call that has only begun has none yet
            facts["arguments"] = self.arguments
        return facts

    def __str__(self) -> str:
        return f"tool call {self.call_id} with {self.arguments}"


@dataclass(frozen=True)
class CallTwice:
    """The model makes a call twice in one response, under another id, and the application answers both.

    Attributes:
        call_id: which call.
    """

    call_id: str

    def __call__(self, draft: Draft) -> Draft:
        """The session with it; not sealed.

        Raises:
            UsageError: there is no such call, or it was made twice already, or not answered in the session.
        """
        structure = Structure(draft)
        call = _call(structure, self.call_id)
        again = call.call_id + AGAIN
        if not call.outputs or any(one.call_id == again for one in structure.calls):
            raise UsageError(f"the tool call {self.call_id} was not answered, or was made twice already")
        item_id = item_of(structure, call)
        sketch = Sketch(draft)
        made = [
            message
            for message in structure.messages
            if message.seqs[0] <= call.seq and _is_of_item(structure, message, item_id, call)
        ]
        new = [_renamed(sent_again(sketch.entry(seq)), call, item_id) for one in made for seq in one.seqs]
        asked = made[-1].seqs[-1]
        self._put(sketch, asked, new)
        asking = next(spot.seq for spot in sketch.spots if tool_called(spot.entry) == again)
        for message in structure.messages:
            if message.seqs[0] > asked and message.response_id == made[-1].response_id:
                sketch.change(message.seqs, lambda entry: _with_output(entry, call, item_id))
        self._answer(sketch, call, item_id, asking)
        return sketch.draft()

    def _answer(self, sketch: Sketch, call: ToolCall, item_id: str, asking: int) -> None:
        structure, entries = sketch.structure, sketch.source.entries
        (output, *_) = call.outputs
        inside = [seq for seq in structure.followers.get(output, ()) if entries[seq].of == output]
        end = max(inside, default=output)
        task = max((entry.task or 0 for entry in entries), default=0) + 1
        sent = [one for one in entries[output : end + 1] if output in (one.seq, one.of, one.cause)]
        own = [_renamed(one, call, item_id)._replace(task=task) for one in sent]
        own[0] = own[0]._replace(cause=asking)
        self._put(sketch, end, own)
        taken = [
            message
            for message in structure.messages
            if (event := server_event(entries[message.seqs[0]])) is not None
            and answered_call(event) == call.call_id
            and message.seqs[0] > end
        ]
        if not taken:
            return
        answer = taken[0].item_id or ""
        told = [sent_again(entries[seq]) for message in taken for seq in message.seqs]
        told = [rewritten(one, ("item_id", "id"), answer, answer + AGAIN) for one in told]
        told = [_renamed(one, call, item_id) for one in told]
        self._put(sketch, taken[-1].seqs[-1], told)

    def _put(self, sketch: Sketch, behind: int, entries: Sequence[Entry]) -> None:
        index = sketch.index(behind)
        spot = sketch.spots[index]
        placed = [one._replace(at_ns=spot.entry.at_ns) for one in entries]
        sketch.insert(index + 1, placed, spot.burst, spot.round)

    def __str__(self) -> str:
        return f"tool call {self.call_id} made twice"


def item_of(structure: Structure, call: ToolCall) -> str:
    """The item that a call is; empty where nothing tells."""
    return (
        text_of(structure.facts(call.seq).get("id"))
        or structure.messages[structure.message_of[call.seq]].item_id
        or ""
    )


def _call(structure: Structure, call_id: str) -> ToolCall:
    found = next((call for call in structure.calls if call.call_id == call_id), None)
    if found is None:
        raise UsageError(f"this session holds no tool call {call_id}")
    return found


def _pieces(structure: Structure, item_id: str) -> list[int]:
    """The messages that bring the arguments a piece at a time."""
    return [
        message.seqs[0]
        for message in structure.messages
        if item_id and message.item_id == item_id and message.type == "response.function_call_arguments.delta"
    ]


def _saying(entry: Entry, delta: str) -> Entry:
    tree = tree_of(entry)
    facts_in(entry, tree)["delta"] = delta
    return with_tree(entry, tree)


def _is_of_item(structure: Structure, message: Message, item_id: str, call: ToolCall) -> bool:
    return call.seq in message.seqs or (item_id != "" and message.item_id == item_id)


def _renamed(entry: Entry, call: ToolCall, item_id: str) -> Entry:
    found = rewritten(entry, ("call_id",), call.call_id, call.call_id + AGAIN)
    return rewritten(found, ("item_id", "id"), item_id, item_id + AGAIN) if item_id else found


def _with_output(entry: Entry, call: ToolCall, item_id: str) -> Entry:
    """Of a message that lists what a response holds: the call's item twice."""
    if entry.kind != Kind.RECEIVED or call.call_id not in entry.payload:
        return entry
    tree = tree_of(entry)
    response = mapping(facts_in(entry, tree).get("response"))
    output: list[Any] = []
    for item in sequence(response.get("output")):
        output.append(item)
        facts = mapping(item)
        if facts.get("call_id") == call.call_id:
            renamed = {"call_id": call.call_id + AGAIN}
            if item_id and facts.get("id") == item_id:
                renamed["id"] = item_id + AGAIN
            output.append({**facts, **renamed})
    if not output:
        return entry
    response["output"] = output
    return with_tree(entry, tree)
