"""What Gemini's Live messages say, in the words of OpenAI's realtime protocol.

Gemini names no items and no responses; here they are counted, the server's by its messages alone.
A turn of the model's is a response of one
spoken item: it begins with the first that comes of it, and ends with `turnComplete`. Who broke into it is
told by `interrupted`. What the user said is transcribed in pieces, of which the last may say so; else they
are whole when the model answers.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from ..schema.codec import to_json
from .appended_sound import GEMINI_SOUND, appended_sound, is_sound, mime_of
from .fields import mapping, sequence, text_of

GEMINI_KEYS = (
    *("setupComplete", "serverContent", "toolCallCancellation", "toolCall", "goAway"),
    *("sessionResumptionUpdate", "usageMetadata"),
    *("setup", "clientContent", "client_content", *GEMINI_SOUND),
    *("toolResponse", "tool_response"),
)
"""Keys that stand for a type, in the client's two spellings."""

Told = list[tuple[bool, dict[str, Any]]]
"""Messages: whether the server's, and what."""

Messages = list[dict[str, Any]]

_COMMIT, _CREATE = {"type": "input_audio_buffer.commit"}, {"type": "response.create"}
"""The client's: what Gemini does by itself when the user has said something."""

_ROLES = {"user": "user", "model": "assistant"}


def gemini_key(message: dict[str, Any]) -> str | None:
    """The key that stands for a message's type, where it is one of Gemini's; else None."""
    if "type" in message:
        return None
    return next((key for key in GEMINI_KEYS if key in message), None)


def type_told(message: dict[str, Any]) -> str:
    """A message's type, or the key that Gemini has in its place; empty where it has neither."""
    return text_of(message.get("type")) or gemini_key(message) or ""


def gemini_blobs(message: dict[str, Any]) -> Messages:
    """The model's voice in a message of the server's: what Gemini calls inline data."""
    turn = mapping(mapping(message.get("serverContent")).get("modelTurn"))
    blobs = [mapping(mapping(part).get("inlineData")) for part in sequence(turn.get("parts"))]
    return [blob for blob in blobs if "data" in blob and is_sound(mime_of(blob))]


class GeminiMessages:
    """Reads the messages of one connection, of both sides.

    Args:
        named: how many of each kind were named so far; the same one for all connections of a session.
    """

    def __init__(self, named: Counter[str]) -> None:
        self._named = named
        self._response = self._item = ""  # of the turn that goes on
        self._said: list[str] = []
        self._spoken = self._interrupted = False
        self._heard: list[str] = []  # of the user, that is not told yet
        self._appended = self._asked = False
        self._usage: dict[str, Any] | None = None

    def server(self, message: dict[str, Any]) -> Told:
        """What a message of the server's says."""
        content = mapping(message.get("serverContent"))
        said: Messages = []
        heard = mapping(content.get("inputTranscription"))
        if text := text_of(heard.get("text")):
            self._heard.append(text)
        if heard.get("finished") is True:
            said += self._transcribed()
        if content.get("interrupted") is True:
            said += self._broken_into()
        spoken = mapping(content.get("outputTranscription"))
        parts = [mapping(part) for part in sequence(mapping(content.get("modelTurn")).get("parts"))]
        for part in parts:
            said += self._part(part)
        if text := text_of(spoken.get("text")):
            said += [*self._begun(), self._of_item("response.output_audio_transcript.delta", delta=text)]
            self._said.append(text)
        for call in sequence(mapping(message.get("toolCall")).get("functionCalls")):
            said += [*self._begun(), self._called(mapping(call))]
        if "usageMetadata" in message:
            self._usage = _usage(mapping(message["usageMetadata"]))
        if content.get("generationComplete") is True and self._spoken:
            said.append(self._of_item("response.output_audio.done"))
        if content.get("turnComplete") is True:
            said += self._ended()
        return [(one is not _COMMIT and one is not _CREATE, one) for one in said]

    def client(self, message: dict[str, Any]) -> Told:
        """What a message of the client's says; the server's, that what it adds is there, with it."""
        said: Told = []
        content = mapping(message.get("clientContent")) or mapping(message.get("client_content"))
        for turn in sequence(content.get("turns")):
            said += self._added(mapping(turn))
        if content.get("turnComplete") is True or content.get("turn_complete") is True:
            said.append(self._asks())
        told = mapping(message.get("realtimeInput")) or mapping(message.get("realtime_input"))
        if text := text_of(told.get("text")):
            said += [*self._added({"role": "user", "parts": [{"text": text}]}), self._asks()]
        for piece, _ in appended_sound(message):
            self._appended = True
            said.append((False, {"type": "input_audio_buffer.append", "audio": piece}))
        answers = mapping(message.get("toolResponse")) or mapping(message.get("tool_response"))
        results = answers.get("functionResponses") or answers.get("function_responses")
        for one in map(mapping, sequence(results)):
            output = {"type": "function_call_output", "call_id": _call_id(one)}
            item = {**output, "output": to_json(one.get("response"))}
            said.append((False, {"type": "conversation.item.create", "item": item}))
        return [*said, self._asks()] if results and not self._response else said

    def _asks(self) -> tuple[bool, dict[str, Any]]:
        self._asked = True
        return False, _CREATE

    def _added(self, turn: dict[str, Any]) -> Told:
        role = _ROLES.get(text_of(turn.get("role")) or "user", "user")
        texts = [text for part in sequence(turn.get("parts")) if (text := text_of(mapping(part).get("text")))]
        if not texts:
            return []
        type = "input_text" if role == "user" else "output_text"
        content = [{"type": type, "text": text} for text in texts]
        item = {"type": "message", "role": role, "content": content}
        there = {**item, "id": self._name("user" if role == "user" else "given"), "status": "completed"}
        return [
            (False, {"type": "conversation.item.create", "item": item}),
            (True, {"type": "conversation.item.added", "item": there}),
        ]

    def _part(self, part: dict[str, Any]) -> Messages:
        blob, text = mapping(part.get("inlineData")), text_of(part.get("text"))
        if "data" in blob and is_sound(mime_of(blob)):
            begun = self._begun()
            self._spoken = True
            return [*begun, self._of_item("response.output_audio.delta", delta=blob["data"])]
        if not text or part.get("thought") is True:
            return []
        begun = self._begun()
        self._said.append(text)
        return [*begun, self._of_item("response.output_text.delta", delta=text)]

    def _begun(self) -> Messages:
        if self._response:
            return []
        before = self._transcribed()
        if self._appended and not self._asked:  # it answers what the user said aloud
            before += [_COMMIT, {"type": "input_audio_buffer.committed", "item_id": self._user()}, _CREATE]
            self._named["spoken"] += 1
        self._appended = self._asked = False
        self._response, self._item = self._name("turn"), self._name("model")
        item = {"type": "message", "role": "assistant", "id": self._item, "content": list[Any]()}
        begun = {"type": "response.created", "response": {"id": self._response, "status": "in_progress"}}
        added = {"type": "response.output_item.added", "response_id": self._response, "item": item}
        return [*before, begun, added]

    def _ended(self) -> Messages:
        if not self._response:
            return []
        kind = "output_audio" if self._spoken else "output_text"
        name = "transcript" if self._spoken else "text"
        content = [{"type": kind, name: "".join(self._said)}] if self._said else []
        status = "incomplete" if self._interrupted else "completed"
        item = {"type": "message", "role": "assistant", "id": self._item, "content": content}
        response: dict[str, Any] = {"id": self._response, "status": "completed"}
        if self._interrupted:
            response |= {"status": "cancelled", "status_details": {"reason": "turn_detected"}}
        if self._usage is not None:
            response["usage"] = self._usage
        done = {"response_id": self._response, "item": {**item, "status": status}}
        said: Messages = [{"type": "response.output_item.done", **done}]
        said.append({"type": "response.done", "response": response})
        self._response = self._item = ""
        self._said, self._spoken, self._interrupted, self._usage = [], False, False, None
        return said

    def _broken_into(self) -> Messages:
        self._interrupted = bool(self._response)
        return [{"type": "input_audio_buffer.speech_started", "item_id": self._user()}]

    def _transcribed(self) -> Messages:
        if not self._heard:
            return []
        text, self._heard = "".join(self._heard), []
        type = "conversation.item.input_audio_transcription.completed"
        return [{"type": type, "item_id": self._user(), "content_index": 0, "transcript": text}]

    def _called(self, call: dict[str, Any]) -> dict[str, Any]:
        told = {"call_id": _call_id(call), "name": text_of(call.get("name"))}
        item = {"type": "function_call", "status": "completed", "id": self._name("call"), **told}
        arguments = to_json(mapping(call.get("args")))
        type = "response.output_item.done"
        return {"type": type, "response_id": self._response, "item": {**item, "arguments": arguments}}

    def _of_item(self, type: str, **fields: Any) -> dict[str, Any]:
        return {
            "type": type,
            "response_id": self._response,
            "item_id": self._item,
            "content_index": 0,
            **fields,
        }

    def _user(self) -> str:
        """What the user is saying aloud."""
        return f"spoken-{self._named['spoken'] + 1}"

    def _name(self, kind: str) -> str:
        self._named[kind] += 1
        return f"{kind}-{self._named[kind]}"


def _call_id(call: dict[str, Any]) -> str:
    """Some of Google's services give calls no id."""
    return text_of(call.get("id")) or text_of(call.get("name"))


def _usage(told: dict[str, Any]) -> dict[str, Any]:
    given = "response" if "responseTokenCount" in told else "candidates"
    cached = {"cached_tokens": told["cachedContentTokenCount"]} if "cachedContentTokenCount" in told else {}
    return {
        "input_tokens": told.get("promptTokenCount"),
        "output_tokens": told.get(f"{given}TokenCount"),
        "total_tokens": told.get("totalTokenCount"),
        "input_token_details": {**_by_modality(told.get("promptTokensDetails")), **cached},
        "output_token_details": _by_modality(told.get(f"{given}TokensDetails")),
    }


def _by_modality(told: Any) -> dict[str, Any]:
    return {
        f"{text_of(one.get('modality')).lower()}_tokens": one.get("tokenCount")
        for one in map(mapping, sequence(told))
    }
