"""The conversation: items in order."""

from __future__ import annotations

from .items import Item
from .refusal import Refused

MAX_ITEMS = 1_000
"""Beyond that nothing more is taken in; nobody holds so long a talk with a fake."""

ROOT = "root"
"""As `previous_item_id`: before everything else."""


class Conversation:
    """All items of one session, the oldest first."""

    def __init__(self) -> None:
        self._items: list[Item] = []

    @property
    def last_id(self) -> str | None:
        """The id of the latest item, or None."""
        return self._items[-1].id if self._items else None

    def ensure_room(self) -> None:
        """Ask before adding.

        Raises:
            Refused: the conversation holds MAX_ITEMS.
        """
        if len(self._items) >= MAX_ITEMS:
            raise Refused(f"The conversation is full: it holds {MAX_ITEMS} items.", code="too_many_items")

    def place_for(self, item_id: str | None, after: str | None) -> int:
        """Where a new item will stand.

        Raises:
            Refused: there is an item of that id already, or none to stand after.
        """
        if item_id is not None and self.has(item_id):
            raise Refused(f"There is an item {item_id!r} already.", param="item.id")
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
            Refused: there is none.
        """
        return self._items[self._position(item_id, "item_id")]

    def delete(self, item_id: str) -> None:
        """Take the item out.

        Raises:
            Refused: there is none.
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
        raise Refused(f"There is no item {item_id!r}.", code="item_not_found", param=param)
