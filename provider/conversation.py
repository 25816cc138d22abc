"""The conversation: items in order, and the ids that they get.

Items are messages, tool calls, and what the tools returned.
"""

from __future__ import annotations

import base64
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, cast

from pydantic import JsonValue

from .requests import (
    InputAudio,
    InputImage,
    InputText,
    Message,
    NewFunctionCall,
    NewFunctionCallOutput,
    NewItem,
    OutputAudio,
    OutputText,
    RequestRefused,
)
from .speech import BYTES_PER_MS

MAX_ITEMS = 1_000
"""Beyond that nothing more is taken in; nobody holds so long a talk with a fake."""

ROOT = "root"
"""As `previous_item_id`: before everything else."""

IdKind: TypeAlias = Literal["sess", "conv", "event", "item", "resp", "call"]
Status: TypeAlias = Literal["in_progress", "completed", "incomplete"]

_MS_PER_TOKEN = {"user": 100, "assistant": 50}
"""What audio counts for; a word counts as one token. Real providers count about like that."""


class Ids:
    """The ids of one connection: `item_0001`, and on the provider's second connection `item_c2_0001`."""

    def __init__(self, connection: int, taken: Callable[[str], bool]) -> None:
        """Count from 1, leaving out what is `taken`: clients may name items themselves."""
        self._infix = "" if connection == 1 else f"c{connection}_"
        self._taken = taken
        self._counts: Counter[IdKind] = Counter()

    def mint(self, kind: IdKind) -> str:
        """The next id of that kind."""
        while True:
            self._counts[kind] += 1
            minted = f"{kind}_{self._infix}{self._counts[kind]:04d}"
            if kind != "item" or not self._taken(minted):
                return minted


@dataclass(slots=True)
class Part:
    """One piece of a message's content.

    Attributes:
        fields: the piece as it is shown, without its audio.
        audio: what was said, in the session's format.
        bytes_per_ms: of that format.
        truncated: the user heard less than was sent, and `audio` holds what was heard.
    """

    fields: dict[str, JsonValue]
    audio: bytearray = field(default_factory=bytearray)
    bytes_per_ms: int = BYTES_PER_MS
    truncated: bool = False

    @property
    def audio_ms(self) -> int:
        """The audio's length, a fraction counted as a whole millisecond, as clients count it."""
        return math.ceil(len(self.audio) / self.bytes_per_ms)

    def truncate(self, audio_end_ms: int) -> None:
        """Forget what the user did not hear, and the transcript, which does not say how far it goes."""
        del self.audio[audio_end_ms * self.bytes_per_ms :]
        self.fields["transcript"] = None
        self.truncated = True

    def describe(self, *, with_audio: bool) -> Message:
        """The piece as the protocol shows it."""
        if not with_audio or not self.audio:
            return dict(self.fields)
        return {**self.fields, "audio": base64.b64encode(self.audio).decode("ascii")}


@dataclass(slots=True)
class Item:
    """One item.

    Attributes:
        fields: the item as it is shown, without id, status and content.
        content: of a message; None for other items.
    """

    id: str
    fields: dict[str, JsonValue]
    status: Status | None = "completed"
    content: list[Part] | None = None

    def describe(self, *, with_audio: bool = False) -> Message:
        """The item as the protocol shows it: with its audio only when it is retrieved."""
        shown: Message = {"id": self.id, **self.fields}
        if self.status is not None:
            shown["status"] = self.status
        if self.content is not None:
            shown["content"] = [part.describe(with_audio=with_audio) for part in self.content]
        return shown

    def spoken_part(self, content_index: int) -> Part:
        """The assistant's speech at that place.

        Raises:
            RequestRefused: there is none.
        """
        parts = self.content or []
        if self.fields.get("role") != "assistant" or content_index >= len(parts):
            raise RequestRefused("Only the assistant's audio can be truncated.", param="content_index")
        part = parts[content_index]
        if part.fields["type"] != "output_audio":
            raise RequestRefused("Only the assistant's audio can be truncated.", param="content_index")
        return part

    def tokens(self) -> tuple[int, int]:
        """How many tokens of text and of audio the item counts for."""
        ms_per_token = _MS_PER_TOKEN.get(str(self.fields.get("role")), 100)
        words, audio_tokens = 0, 0
        for part in self.content or []:
            if part.fields["type"] != "input_audio":
                text = part.fields.get("text") or part.fields.get("transcript") or ""
                words += len(str(text).split())
            audio_tokens += math.ceil(part.audio_ms / ms_per_token)
        for name in ("arguments", "output"):
            words += len(str(self.fields.get(name, "")).split())
        return words, audio_tokens


def user_speech(item_id: str, audio: bytes, bytes_per_ms: int) -> Item:
    """The message that an utterance of the user becomes, not yet transcribed."""
    part = Part({"type": "input_audio", "transcript": None}, bytearray(audio), bytes_per_ms)
    return Item(item_id, {"type": "message", "role": "user"}, content=[part])


def from_client(new: NewItem, ids: Ids) -> Item:
    """The item that a client creates, under the ids that the client gave it, or else new ones."""
    item_id = new.id or ids.mint("item")
    match new:
        case NewFunctionCall():
            fields: Message = {
                "type": "function_call",
                "name": new.name,
                "call_id": new.call_id or ids.mint("call"),
                "arguments": new.arguments,
            }
            return Item(item_id, fields)
        case NewFunctionCallOutput():
            # The real provider shows no status for these.
            return Item(
                item_id,
                {"type": "function_call_output", "call_id": new.call_id, "output": new.output},
                status=None,
            )
        case _:
            content = [_part(part) for part in new.content]
            return Item(item_id, {"type": "message", "role": new.role}, content=content)


def _part(part: InputText | InputAudio | InputImage | OutputText | OutputAudio) -> Part:
    fields = cast(Message, part.model_dump(exclude={"audio"}))
    match part:
        case InputAudio() | OutputAudio():
            return Part(fields, bytearray(part.audio))
        case _:
            return Part(fields)


class Conversation:
    """All items of one session, the oldest first."""

    def __init__(self) -> None:
        self._items: list[Item] = []

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all items."""
        return tuple(item.id for item in self._items)

    @property
    def last(self) -> Item:
        """The latest item; there must be one."""
        return self._items[-1]

    @property
    def last_id(self) -> str | None:
        """The id of the latest item, or None."""
        return self._items[-1].id if self._items else None

    def ensure_room(self) -> None:
        """Ask before adding.

        Raises:
            RequestRefused: the conversation holds MAX_ITEMS.
        """
        if len(self._items) >= MAX_ITEMS:
            raise RequestRefused(
                f"The conversation is full: it holds {MAX_ITEMS} items.", code="too_many_items"
            )

    def place_for(self, item_id: str | None, after: str | None) -> int:
        """Where a new item will stand.

        Raises:
            RequestRefused: there is an item of that id already, or none to stand after.
        """
        if item_id is not None and self.has(item_id):
            raise RequestRefused(f"There is an item {item_id!r} already.", param="item.id")
        if after is None:
            return len(self._items)
        return 0 if after == ROOT else self._position(after, "previous_item_id") + 1

    def insert(self, place: int, item: Item) -> str | None:
        """Put the item at that place, and return the id of the one before it."""
        self._items.insert(place, item)
        return self._items[place - 1].id if place else None

    def append(self, item: Item) -> str | None:
        """Put the item at the end, and return the id of the one before it."""
        return self.insert(len(self._items), item)

    def has(self, item_id: str) -> bool:
        """Whether there is an item of that id."""
        return any(item.id == item_id for item in self._items)

    def find(self, item_id: str) -> Item:
        """The item of that id.

        Raises:
            RequestRefused: there is none.
        """
        return self._items[self._position(item_id, "item_id")]

    def delete(self, item_id: str) -> None:
        """Take the item out.

        Raises:
            RequestRefused: there is none.
        """
        del self._items[self._position(item_id, "item_id")]

    def has_call(self, call_id: str) -> bool:
        """Whether a tool call of that id was made, and its item is still there."""
        calls = (item.fields for item in self._items if item.fields["type"] == "function_call")
        return any(fields["call_id"] == call_id for fields in calls)

    def tokens(self) -> tuple[int, int]:
        """How many tokens of text and of audio all items count for."""
        counts = [item.tokens() for item in self._items]
        return sum(text for text, _ in counts), sum(audio for _, audio in counts)

    def _position(self, item_id: str, param: str) -> int:
        for position, item in enumerate(self._items):
            if item.id == item_id:
                return position
        raise RequestRefused(f"There is no item {item_id!r}.", code="item_not_found", param=param)
