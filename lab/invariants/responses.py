"""No response is created while another one is active."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...schema.entries import Entry, Kind
from ...session.fields import event_fields, frame_message, mapping, server_message, text_of
from ...session.messages import responded
from .rule import Found, Invariant, Watching

REFUSED = "conversation_already_has_active_response"
"""The provider's error code for a `response.create` that came while a response was active."""


@dataclass(frozen=True)
class OneResponseAtATime(Invariant):
    """A conversation has one response at a time: none is created, or asked for, while one is active.

    The provider's messages tell when a response begins and ends, and the model's events where there are
    none. Responses out of band (`conversation: none`) are beside the conversation, and do not count; raw
    messages tell which they are.
    """

    name = "no response is created while one is active"

    def watch(self) -> Watching:
        """A fresh check."""
        return _Responses()

    def by_omission(self) -> bool:
        """Somebody has said it."""
        return False


class _Responses(Watching):
    kinds = frozenset({Kind.RECEIVED, Kind.FRAME_IN, Kind.FRAME_OUT})

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._active: dict[str, int] = {}  # response id → the entry that began it
        self._out_of_band: set[str] = set()
        self._framed: dict[str, int] = {}  # the same, on the socket

    def begin(self, *, known_before: bool) -> None:
        self._reset()

    def add(self, entry: Entry) -> Iterator[Found]:
        if entry.kind == Kind.RECEIVED:
            message = server_message(entry)
            if message is not None:
                self._note_out_of_band(message)
            yield from self._receive(entry)
        elif entry.kind == Kind.FRAME_IN:
            self._frame_in(entry)
        elif entry.kind == Kind.FRAME_OUT and self._framed:
            message = frame_message(entry)
            asked = mapping(message.get("response")).get("conversation") != "none"
            if message.get("type") == "response.create" and asked:
                response_id, begun = next(iter(self._framed.items()))
                summary = f"a response was asked for while {response_id} was active"
                yield Found(summary, (begun, entry.seq))

    def _note_out_of_band(self, message: Mapping[str, Any]) -> None:
        response = mapping(message.get("response"))
        if message.get("type") == "response.created" and response.get("conversation_id", "") is None:
            self._out_of_band.add(text_of(response.get("id")))

    def _receive(self, entry: Entry) -> Iterator[Found]:
        told = responded(entry)
        if told is not None and told[0] not in self._out_of_band:
            response_id, begins = told
            if not begins:
                self._active.pop(response_id, None)
            elif not response_id and self._active:
                pass  # a release of the SDK that does not say which: the server's message has said it
            elif response_id not in self._active:
                if self._active:
                    before, begun = next(iter(self._active.items()))
                    summary = f"the response {response_id} was created while {before} was active"
                    yield Found(summary, (begun, entry.seq))
                self._active = {response_id: entry.seq}
        elif entry.type == "error":
            error = mapping(event_fields(entry).get("error"))
            if error.get("code") == REFUSED:
                begun = tuple(self._active.values())
                yield Found("a response was asked for while another one was active", (*begun, entry.seq))

    def _frame_in(self, entry: Entry) -> None:
        message = frame_message(entry)
        response = mapping(message.get("response"))
        if message.get("type") == "response.created" and response.get("conversation_id", "") is not None:
            self._framed[text_of(response.get("id"))] = entry.seq
        elif message.get("type") == "response.done":
            self._framed.pop(text_of(response.get("id")), None)
