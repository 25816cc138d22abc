"""The history agrees with the events that tell of its items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...schema.entries import Entry, Kind
from ...session.fields import event_fields, mapping, outcome_of, server_message, text_of
from ...session.messages import answers_call
from ...session.state import Fold
from ...session.words import item_text
from .rule import Evidence, Found, Invariant, Watching


@dataclass(frozen=True)
class HistoryAgrees(Invariant):
    """A history holds the items that the events tell of.

    With a `history`, as a session of the SDK keeps one: the same items with the same roles and texts, in
    the same order, as at the end of the recording. Without: the items that the model's events tell of
    are those that the provider's messages put into the conversation.

    Attributes:
        history: the items that the application's side holds at the end, as objects or dicts.
    """

    history: Sequence[Any] | None = field(default=None, compare=False)
    name = "the history agrees with the item events"
    needs = ("history", "raw_messages")

    def watch(self) -> Watching:
        """A fresh check."""
        return _Told() if self.history is None else _Held(self.history)

    def given(self) -> frozenset[Evidence]:
        """The history, where there is one."""
        return frozenset() if self.history is None else frozenset({"history"})

    def by_omission(self) -> bool:
        """Who keeps a history may not have put something into it."""
        return self.history is not None


_TELLS = frozenset({Kind.RECEIVED, Kind.SENT, Kind.SENT_DONE})
"""Kinds of the entries that tell of items, and of what was done about them."""


class _Held(Watching):
    """Holds a history against the state that the events give."""

    def __init__(self, history: Sequence[Any]) -> None:
        self._history = [_facts(item) for item in history]
        self.begin(known_before=True)

    def begin(self, *, known_before: bool) -> None:
        self._fold = Fold()
        self._calls = _ToldCalls()

    def add(self, entry: Entry) -> Iterator[Found]:
        self._fold.add(entry)
        self._calls.add(entry)
        return iter(())

    def end(self, at_ns: int) -> Iterator[Found]:
        told = {item.item_id: item for item in self._fold.state().history}
        held = {text_of(item.get("item_id")): item for item in self._history}
        seq = max(self._fold.seq - 1, 0)
        for item_id in told.keys() - held.keys():
            yield Found(f"the history lacks {item_id}, of which the events tell", (seq,))
        for item_id in held.keys() - told.keys():
            yield Found(f"the history holds {item_id}, of which no event tells", (seq,))
        if told.keys() == held.keys() and list(told) != list(held):
            yield Found(f"the history is in another order: {list(held)}, not {list(told)}", (seq,))
        for item_id in told.keys() & held.keys():
            text = item_text(dict(held[item_id]))
            if told[item_id].role != "tool" and text and told[item_id].text and text != told[item_id].text:
                yield Found(f"the history says {text!r} in {item_id}, not {told[item_id].text!r}", (seq,))
            yield from self._calls.against(item_id, held[item_id], seq)


class _Told(Watching):
    """Holds what the model's events tell against what the provider's messages say."""

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._fold = Fold()
        self._seq = -1  # of the last entry
        self._there: dict[str, int] = {}  # items of the conversation → the message that put it there
        self._mentioned: set[str] = set()
        self._last = -1  # the message of which the events are still to come
        self._calls = _ToldCalls()
        self._outputs: dict[str, tuple[str, int]] = {}  # by call, as the provider has them, and where
        self._answering: dict[int, str] = {}  # sends of outputs that have not returned
        self._answered: set[str] = set()  # calls of which the model has told that they are

    def begin(self, *, known_before: bool) -> None:
        self._reset()

    def add(self, entry: Entry) -> Iterator[Found]:
        self._seq = entry.seq
        if entry.kind not in _TELLS:
            return iter(())
        self._fold.add(entry)
        self._calls.add(entry)
        message = server_message(entry)
        if message is not None:
            self._last = entry.seq
            self._read(entry.seq, message)
        elif entry.kind == Kind.SENT:  # what it holds is told inside
            self._mentioned.add(text_of(mapping(event_fields(entry).get("tool_call")).get("id")))
            if (call_id := answers_call(entry)) is not None:
                self._answering[entry.seq] = call_id
        elif entry.kind == Kind.SENT_DONE and entry.of in self._answering:
            call_id = self._answering.pop(entry.of)
            if outcome_of(entry) == "returned":  # who was cancelled may have sent it, and told of nothing
                self._answered.add(call_id)
        return iter(())

    def end(self, at_ns: int) -> Iterator[Found]:
        if not self._mentioned - {""}:
            return
        told = {item.item_id for item in self._fold.state().history}
        for item_id, seq in self._there.items():
            if item_id not in told and seq != self._last:
                yield Found(f"{item_id} is in the conversation, and no event told of it", (seq,))
        for item_id in sorted(told - self._mentioned):
            yield Found(f"an event told of {item_id}, which the provider has not mentioned", (self._seq,))
        for call_id, (output, seq) in self._outputs.items():
            item_id = self._calls.by_call.get(call_id)
            if item_id is not None and seq != self._last and call_id in self._answered:
                answered = {"output": output, "status": "completed"}
                yield from self._calls.against(item_id, answered, seq, "the conversation")

    def _read(self, seq: int, message: Mapping[str, Any]) -> None:
        item = mapping(message.get("item"))
        item_id = text_of(item.get("id") or message.get("item_id"))
        self._mentioned.add(item_id)
        if item.get("type") == "function_call_output":
            self._outputs[text_of(item.get("call_id"))] = (text_of(item.get("output")), seq)
        match message.get("type"):
            case "conversation.item.added" | "conversation.item.created" if item.get("type") == "message":
                self._there[item_id] = seq
            case "response.output_item.done" if _is_told(item):
                self._there[item_id] = seq
            case "conversation.item.deleted":
                self._there.pop(item_id, None)
            case _:
                pass


class _ToldCalls:
    """The calls of tools as the model's events tell of them, the last time.

    Attributes:
        by_call: the item of each, by its `call_id`.
    """

    def __init__(self) -> None:
        self.by_call: dict[str, str] = {}
        self._told: dict[str, tuple[dict[str, Any], int]] = {}

    def add(self, entry: Entry) -> None:
        """The next entry."""
        if entry.kind != Kind.RECEIVED or entry.type != "item_updated":
            return
        item = mapping(event_fields(entry).get("item"))
        if item.get("type") == "function_call":
            item_id = text_of(item.get("item_id"))
            self._told[item_id] = item, entry.seq
            self.by_call[text_of(item.get("call_id"))] = item_id

    def against(
        self, item_id: str, held: Mapping[str, Any], seq: int, who: str = "the history"
    ) -> Iterator[Found]:
        """What is told otherwise of a call than it is held; of what neither says, nothing."""
        told, told_seq = self._told.get(item_id, ({}, seq))
        for name in ("output", "status"):
            has, tells = held.get(name), told.get(name)
            if isinstance(has, str) and isinstance(tells, str) and has != tells:
                summary = f"{who} has {name} {has!r} of the call {item_id}, and the events tell of {tells!r}"
                yield Found(summary, tuple(sorted({told_seq, seq})))


def _is_told(item: Mapping[str, Any]) -> bool:
    """A call that was interrupted is no call, and the application does not get it."""
    return item.get("type") == "function_call" and item.get("status") == "completed"


def _facts(item: Any) -> Mapping[str, Any]:
    """An item as a dict: of the SDK's and of ours, it is a model."""
    return mapping(item) if isinstance(item, dict) else mapping(item.model_dump())
