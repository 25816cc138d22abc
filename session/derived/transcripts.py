"""`Transcripts`: what was said in each item, and what of it stands in the history in the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...schema.entries import Entry, Kind
from ..fields import event_fields, index_of, mapping, text_of
from ..messages import RETRIEVED, TRUNCATED
from ..words import item_text
from .exchange import Exchanged

_PIECES = frozenset({"response.output_audio_transcript.delta", "response.output_text.delta"})
_WHOLES = {"response.output_audio_transcript.done": "transcript", "response.output_text.done": "text"}
_ITEMS = frozenset(
    {
        *("conversation.item.added", "conversation.item.done", RETRIEVED),
        *("response.output_item.added", "response.output_item.done"),
    }
)
TRANSCRIBED = "conversation.item.input_audio_transcription.completed"


@dataclass(slots=True)
class _Item:
    parts: dict[int, str] = field(default_factory=dict[int, str])
    kept: str = ""
    truncated: bool = False


class Transcripts:
    """Reads every message, and every entry, in order."""

    def __init__(self) -> None:
        self._items: dict[str, _Item] = {}
        self._told = False  # the model's events say what the history holds

    def read_entry(self, entry: Entry) -> None:
        """The next entry, before its messages."""
        if entry.kind != Kind.RECEIVED:
            return
        if entry.type == "item_updated":
            self._told = True
            item = mapping(event_fields(entry).get("item"))
            self._keep(text_of(item.get("item_id")), item)
        elif entry.type == "item_deleted":
            self._item(text_of(event_fields(entry).get("item_id"))).kept = ""

    def read(self, one: Exchanged) -> None:
        """The next message."""
        message, item = one.message, mapping(one.message.get("item"))
        item_id = text_of(message.get("item_id")) or text_of(item.get("id"))
        if not one.by_server or not item_id:
            return
        if one.type in _PIECES:
            parts, index = self._item(item_id).parts, index_of(message.get("content_index"))
            parts[index] = parts.get(index, "") + text_of(message.get("delta"))
        elif one.type in _WHOLES:
            whole = text_of(message.get(_WHOLES[one.type]))
            if whole:
                self._item(item_id).parts[index_of(message.get("content_index"))] = whole
        elif one.type == TRANSCRIBED:
            known = self._item(item_id)
            known.parts[0] = known.kept = text_of(message.get("transcript"))
        elif one.type == TRUNCATED and not self._told:
            # The provider's history is the one that is known, and it drops the words with the sound.
            known = self._item(item_id)
            known.kept, known.truncated = "", True
        elif one.type in _ITEMS and not self._told:
            if one.type == RETRIEVED or not self._item(item_id).truncated:  # else it was on its way by then
                self._keep(item_id, item)
        elif one.type == "conversation.item.deleted":
            self._item(item_id).kept = ""

    def said(self, item_id: str) -> str:
        """All that was said, or written, in an item."""
        known = self._items.get(item_id)
        if known is None:
            return ""
        return " ".join(text for _, text in sorted(known.parts.items()) if text) or known.kept

    def part(self, item_id: str, content_index: int) -> str:
        """The same of one part of it."""
        known = self._items.get(item_id)
        return "" if known is None else known.parts.get(content_index, "")

    def kept(self, item_id: str) -> str:
        """What the history says of it in the end: as it was told last, with a text."""
        known = self._items.get(item_id)
        return "" if known is None else known.kept

    def _keep(self, item_id: str, item: Mapping[str, Any]) -> None:
        known = self._item(item_id)
        known.kept = item_text(dict(item)) or known.kept

    def _item(self, item_id: str) -> _Item:
        return self._items.setdefault(item_id, _Item())
