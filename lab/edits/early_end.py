"""A response that ends before its time, of itself or because the application cancels it: what was still to
come of it falls away, and what closes it says so.

The messages that close it (`….done`) are the recorded ones: their texts are what had come by then, what had
not begun is not closed, a call of a tool that was not complete is not made. Its usage stays as recorded: what
the part would have cost nobody knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ...schema.entries import Entry, Kind
from ...schema.errors import UsageError
from ...session.drafts import Draft, tree_of, with_tree
from ...session.fields import RAW, facts_of, mapping, sequence, text_of
from ...session.structure import Message, Response, Structure
from .payloads import with_message
from .sketch import Burst, Sketch

How = Literal["turn_detected", "client_cancelled", "max_output_tokens"]
"""Why it ends early, in the provider's words: the first two leave it cancelled, the last one incomplete."""

_ABOUT_ITEMS = frozenset(
    f"conversation.item.{what}" for what in ("truncated", "retrieved", "deleted", "created")
)
"""Messages about an item of the response, and none of its own."""

_TEXTS = ("transcript", "text", "arguments")


@dataclass(frozen=True)
class _Cut:
    """What had come of a response by then: its items, in order, and the text of each."""

    begun: tuple[str, ...]
    parts: frozenset[str]  # items of which a part was begun
    heard: frozenset[str]  # items of which audio had come
    texts: dict[str, str]
    status: str
    details: dict[str, Any]


def ends_after(structure: Structure, response: Response, seq: int) -> bool:
    """Whether a response was begun before this entry, and its end comes after it."""
    began = response.began
    if began is None:
        return False
    ended = response.ended
    first = structure.messages[structure.message_of[began]].seqs[0]
    if ended is not None:
        ended = structure.messages[structure.message_of[ended]].seqs[0]
    return first < seq and (ended is None or ended >= seq)


def cut_off(
    sketch: Sketch, response: Response, seq: int, how: How, *, behind: int, burst: Burst, round: int
) -> set[int]:
    """End a response before the entry `seq`; returns what fell away.

    Args:
        behind: seq of an entry of the sketch: what closes the response comes right after it.
        burst, round: where that is.
    """
    structure = sketch.structure
    messages = [structure.messages[place] for place in response.messages]
    messages = [message for message in messages if message.type not in _ABOUT_ITEMS]
    before = [message for message in messages if message.seqs[0] < seq]
    after = [message for message in messages if message.seqs[0] >= seq]
    cut = _cut(structure, before, how)
    closing = [message for message in after if _closes(structure, message, cut)]
    unmade = [message for message in closing if _makes_call(structure, message)]
    kept = {one for message in closing if message not in unmade for one in message.seqs}
    extra = [_adapted(sketch.entry(message.seqs[0]), cut) for message in unmade]
    gone = sketch.drop(one for message in after if message.seqs[0] not in kept for one in message.seqs)
    moved = [spot for spot in sketch.spots if spot.seq in kept]
    sketch.keep(spot for spot in sketch.spots if spot.seq not in kept)
    for spot in moved:
        spot.put(burst, round)
        spot.entry = _adapted(spot.entry, cut)
    index = next(n for n, spot in enumerate(sketch.spots) if spot.seq == behind) + 1
    sketch.spots[index:index] = moved
    if extra:
        done = next((n for n, spot in enumerate(moved) if _is_end(spot.entry)), len(moved))
        sketch.insert(index + done, [one._replace(at_ns=burst[0]) for one in extra], burst, round)
    return gone


def _cut(structure: Structure, before: Sequence[Message], how: How) -> _Cut:
    begun: dict[str, None] = {}
    texts: dict[str, str] = {}
    parts: set[str] = set()
    heard: set[str] = set()
    for message in before:
        item_id = message.item_id
        if item_id is None:
            continue
        begun[item_id] = None
        delta = structure.facts(message.seqs[0]).get("delta")
        if message.type.endswith("content_part.added") or message.type.endswith("delta"):
            parts.add(item_id)
        if any(structure.draft.entries[seq].type == "audio" for seq in message.seqs):
            parts.add(item_id)
            heard.add(item_id)
        if isinstance(delta, str):
            texts[item_id] = texts.get(item_id, "") + delta
    status = "incomplete" if how == "max_output_tokens" else "cancelled"
    return _Cut(
        tuple(begun), frozenset(parts), frozenset(heard), texts, status, {"type": status, "reason": how}
    )


def _closes(structure: Structure, message: Message, cut: _Cut) -> bool:
    """Whether a message is sent when the response is cut off, too."""
    types = {structure.draft.entries[seq].type for seq in message.seqs}
    if message.type == "response.done" or types & {"turn_ended", "usage"}:
        return True
    if message.type == "response.function_call_arguments.done" or message.item_id not in cut.begun:
        return False
    if message.type in ("conversation.item.done", "response.output_item.done"):
        return True
    if "audio_done" in types:
        return message.item_id in cut.heard
    return message.type.endswith(".done") and message.item_id in cut.parts


def _makes_call(structure: Structure, message: Message) -> bool:
    return any(structure.draft.entries[seq].type == "function_call" for seq in message.seqs)


def _is_end(entry: Entry) -> bool:
    return entry.type == RAW and facts_of(entry).get("type") == "response.done"


def _adapted(entry: Entry, cut: _Cut) -> Entry:
    if entry.kind != Kind.RECEIVED:
        return entry
    if entry.type == RAW:
        return with_message(entry, _fields(facts_of(entry), cut))
    if entry.type == "item_updated":
        tree = tree_of(entry)
        item = mapping(tree.get("item"))
        text = cut.texts.get(text_of(item.get("item_id")), "")
        return with_tree(entry, {**tree, "item": _cut_item(item, text)})
    return entry


def _fields(message: dict[str, Any], cut: _Cut) -> dict[str, Any]:
    """The fields of a closing message that are others now."""
    text = cut.texts.get(text_of(message.get("item_id")), "")
    fields: dict[str, Any] = {name: text for name in _TEXTS if isinstance(message.get(name), str)}
    if isinstance(message.get("part"), dict):
        fields["part"] = _cut_part(mapping(message["part"]), text)
    if isinstance(message.get("item"), dict):
        item = mapping(message["item"])
        fields["item"] = _cut_item(item, cut.texts.get(text_of(item.get("id")), ""))
    if isinstance(message.get("response"), dict):
        response = mapping(message["response"])
        output = [
            _cut_item(item, cut.texts.get(text_of(item.get("id")), ""))
            for item in map(mapping, sequence(response.get("output")))
            if item.get("id") in cut.begun
        ]
        fields["response"] = {
            **response,
            "status": cut.status,
            "status_details": cut.details,
            "output": output,
        }
    return fields


def _cut_item(item: dict[str, Any], text: str) -> dict[str, Any]:
    found = {**item, **{name: text for name in _TEXTS if isinstance(item.get(name), str)}}
    if "status" in item:
        found["status"] = "incomplete"
    if isinstance(item.get("content"), list):
        found["content"] = [_cut_part(mapping(one), text) for one in sequence(item["content"])]
    return found


def _cut_part(part: dict[str, Any], text: str) -> dict[str, Any]:
    return {**part, **{name: text for name in _TEXTS if isinstance(part.get(name), str)}}


@dataclass(frozen=True)
class EndEarly:
    """A response ends after one of its messages.

    Attributes:
        seq: of the first entry of the message that is its last but for those that close it.
        how: `max_output_tokens` leaves it incomplete, `client_cancelled` cancelled.
    """

    seq: int
    how: How = "max_output_tokens"

    def __call__(self, draft: Draft) -> Draft:
        """The session with it; not sealed.

        Raises:
            UsageError: no response goes on after this message.
        """
        structure = Structure(draft)
        place = structure.message_of.get(self.seq)
        message = None if place is None else structure.messages[place]
        if message is None or message not in cuttable(structure):
            raise UsageError(f"#{self.seq} is no message after which a response goes on")
        response = next(one for one in structure.responses if one.response_id == message.response_id)
        sketch = Sketch(draft)
        last = sketch.spots[message.seqs[-1]]
        cut_off(
            sketch,
            response,
            message.seqs[-1] + 1,
            self.how,
            behind=last.seq,
            burst=last.burst,
            round=last.round,
        )
        return sketch.draft()

    def __str__(self) -> str:
        return f"the response ends after #{self.seq} ({self.how})"


def cuttable(structure: Structure) -> list[Message]:
    """Messages of responses after which these may end early."""
    found: list[Message] = []
    for response in structure.responses:
        if response.began is None or response.ended is None:
            continue
        first, last = (structure.message_of[seq] for seq in (response.began, response.ended))
        own = [structure.messages[place] for place in response.messages if first <= place < last]
        found += [
            one for one in own if one.type.endswith((".created", ".added", "delta")) or one.type in _OWN
        ]
    return found


_OWN = ("turn_started", "audio", "function_call")
