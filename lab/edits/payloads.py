"""Payloads with other fields: a copy of an entry that says something else."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ...schema.codec import from_json
from ...schema.entries import Entry
from ...session.drafts import mapped, tree_of, with_tree
from ...session.fields import RAW, facts_in, facts_of, mapping, sequence, text_of

SHORTEST_REFERENCE = 18
"""Bytes: fewer are too short, as base64, to be written as a reference."""


def with_message(entry: Entry, fields: dict[str, Any]) -> Entry:
    """A raw event with other fields in the server's message; the very same where nothing changes."""
    tree = tree_of(entry)
    message = facts_in(entry, tree)
    if all(message.get(key) == value for key, value in fields.items()):
        return entry
    message.update(fields)
    return with_tree(entry, tree)


def rewritten(entry: Entry, names: Collection[str], old: str, new: str) -> Entry:
    """An entry with another id wherever one of these fields holds the old one."""
    if old not in entry.payload:
        return entry

    def changed(tree: Any) -> Any:
        if isinstance(tree, dict):
            return {
                key: new if key in names and value == old else changed(value)
                for key, value in mapping(tree).items()
            }
        return [changed(one) for one in sequence(tree)] if isinstance(tree, list) else tree

    tree = from_json(entry.payload)
    return with_tree(entry, mapped(changed(tree), lambda reference: reference))


def sent_again(entry: Entry) -> Entry:
    """The same once more: a message of the server has an id of its own."""
    event_id = text_of(facts_of(entry).get("event_id")) if entry.type == RAW else ""
    return with_message(entry, {"event_id": f"{event_id}_2"}) if event_id else entry
