"""Failures: whether something went wrong with an entry, on whichever side."""

from __future__ import annotations

from ..schema.entries import Entry, Kind
from .fields import mapping, server_message, text_of

_KINDS = frozenset({Kind.GAP, Kind.CONNECT_FAILED, Kind.SOCKET_FAILED, Kind.FAULT})
_EVENTS = frozenset({"error", "exception"})
_UNFINISHED = frozenset({"failed", "incomplete"})


def is_failure(entry: Entry) -> bool:
    """Whether something failed here, or was lost: a call or a listener that raised, a complaint of the
    provider's, a response or a transcription that failed, a gap."""
    if entry.kind in _KINDS:
        return True
    if entry.kind == Kind.RECEIVED:
        return entry.type in _EVENTS or _is_failed_message(entry)
    return entry.of is not None and '"raised"' in entry.payload


def _is_failed_message(entry: Entry) -> bool:
    if not any(word in entry.payload for word in ("failed", "incomplete", '"error"')):
        return False  # of nearly all of them: without reading their JSON
    message = server_message(entry)
    if message is None:
        return False
    type = text_of(message.get("type"))
    if type == "response.done":
        return text_of(mapping(message.get("response")).get("status")) in _UNFINISHED
    return type == "error" or type.endswith(".failed")
