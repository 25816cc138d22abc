"""Which request a response answers, on one connection of OpenAI's realtime protocol.

By what it repeats of it, else the oldest that is open; unless the server heard something before that, which
it answers by itself. Whoever asks numbers the messages upwards by what he likes: by frames, or by entries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .fields import mapping, text_of
from .messages import SESSION_TOLD, SPEECH_STARTED

COMMITTED = "input_audio_buffer.committed"

REFUSED_BY_CODE = {
    "conversation_already_has_active_response": "response.create",
    "input_audio_buffer_commit_empty": "input_audio_buffer.commit",
    "response_cancel_not_active": "response.cancel",
}
"""Of which type the client's message is that an error refuses, where it names none."""


@dataclass(frozen=True, slots=True)
class ResponseRequest:
    """A `response.create`.

    Attributes:
        place: its number.
        options: its `response`.
        event_id: the client's; empty: it has none.
    """

    place: int
    options: Mapping[str, Any]
    event_id: str = ""


class ResponseRequests:
    """Is told the messages of both sides in order.

    Attributes:
        open: requests that nothing has answered or refused, in their order.
        heard: where something was committed that the server answers by itself, and has not answered yet.
    """

    def __init__(self) -> None:
        self.open: list[ResponseRequest] = []
        self._spoken: set[str] = set()  # items that the user's speech made
        self.heard: list[int] = []
        self._own: list[int] = []  # places of responses that are the server's own
        self._answers_voice = True

    def sent(self, place: int, message: Mapping[str, Any]) -> None:
        """The client's next message."""
        if message.get("type") == "response.create":
            options, event_id = mapping(message.get("response")), text_of(message.get("event_id"))
            self.open.append(ResponseRequest(place, options, event_id))
        elif message.get("type") == "session.update":
            self._detect(mapping(message.get("session")))

    def came(self, place: int, message: Mapping[str, Any]) -> None:
        """The server's next message."""
        type = message.get("type")
        if type == SPEECH_STARTED:
            self._spoken.add(text_of(message.get("item_id")))
        elif type == COMMITTED:
            if self.is_spoken(text_of(message.get("item_id"))) and self._answers_voice:
                self.heard.append(place)
        elif type in SESSION_TOLD:
            self._detect(mapping(message.get("session")))

    def is_spoken(self, item_id: str) -> bool:
        """Whether the server heard this item begin; else the client has committed it."""
        return item_id in self._spoken

    def refuse(self, error: Mapping[str, Any]) -> None:
        """The request that an error refuses is open no longer: the one that it names, else the last."""
        named = error.get("event_id")
        if isinstance(named, str) and named:
            self.open = [one for one in self.open if one.event_id != named]
        elif self.open and REFUSED_BY_CODE.get(text_of(error.get("code"))) == "response.create":
            self.open.pop()

    def answered(self, place: int, response: Mapping[str, Any]) -> ResponseRequest | int | None:
        """What a response that begins answers, which is open no longer: a request; what the user said, by the
        place where that was committed; or None: nothing that this connection tells of."""
        found = self._asked(response)
        if found is not None:
            self.open.remove(found)
            return found
        if not self.heard:
            return None
        first = self.heard[0]
        self.heard.clear()
        self._own.append(place)
        return first

    def settled(self) -> Iterator[tuple[int, ResponseRequest]]:
        """Once all was told: responses that were taken for the server's own, by their places, and the
        requests before them that nothing else answered: what was said before brought none."""
        own = list(self._own)
        for request in self.open:
            later = next((place for place in own if place > request.place), None)
            if later is not None:
                own.remove(later)
                yield later, request

    def _asked(self, response: Mapping[str, Any]) -> ResponseRequest | None:
        metadata = response.get("metadata")
        if metadata:
            for one in self.open:
                if one.options.get("metadata") == metadata:
                    return one
        if is_out_of_band(response):
            for one in self.open:
                if one.options.get("conversation") == "none":
                    return one
        within = next((one for one in self.open if one.options.get("conversation") != "none"), None)
        if within is not None and self.heard and self.heard[0] < within.place:
            return None  # the server answered first what it heard before
        return within

    def _detect(self, session: Mapping[str, Any]) -> None:
        """Whether the server answers by itself what it hears."""
        for side in (mapping(mapping(session.get("audio")).get("input")), session):
            if "turn_detection" in side:
                told = mapping(side["turn_detection"])
                self._answers_voice = bool(told) and told.get("create_response") is not False
                return


def is_out_of_band(response: Mapping[str, Any]) -> bool:
    """Whether a response is beside the conversation: its `conversation_id` is null."""
    return "conversation_id" in response and response["conversation_id"] is None
