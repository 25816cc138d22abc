"""`ServerSession`: the server's half of OpenAI's GA realtime protocol: what a provider may do, and what it
says when it does it.

It has no clock, no socket, no chance and no will: each method is something that the provider does, or
answers, and gives the messages of that, in their order. Who directs it decides what is done, and when: a
script (`RealtimeProtocol`), a plan that hypothesis drew, a state machine. What is out of place at a moment
is refused, so whatever is drawn keeps to the protocol.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from ..schema.errors import UsageError
from .conversation import Conversation, Ids, Item, Part, Status, from_client, user_speech
from .requests import (
    ItemCreate,
    ItemDelete,
    ItemRetrieve,
    ItemTruncate,
    Message,
    Modality,
    RequestRefused,
    ResponseCancel,
    ResponseOptions,
    SessionUpdate,
)
from .settings import Settings

OutputKind: TypeAlias = Literal["speech", "text", "call"]

CancelReason: TypeAlias = Literal["turn_detected", "client_cancelled"]

ConversationRequest: TypeAlias = (
    SessionUpdate | ItemCreate | ItemRetrieve | ItemTruncate | ItemDelete | ResponseCancel
)
"""What is answered as soon as it comes, whoever directs."""

TOKEN_LIMIT = 1_000_000
"""What `rate_limits.updated` counts down from; nothing happens when it is used up."""


@dataclass
class Output:
    """The item that a response is at.

    Attributes:
        place: the fields that say where a message about it belongs.
        previous_item_id: as the conversation has it; None, too, if the response stays out of it.
        said: what was said, written, or given as a call's arguments so far.
    """

    item: Item
    kind: OutputKind
    place: Message
    previous_item_id: str | None = None
    said: str = ""

    @property
    def text_key(self) -> Literal["text", "transcript"]:
        """How the protocol calls what is said."""
        return "text" if self.kind == "text" else "transcript"

    def part(self) -> Message:
        """The part of the content as it is announced and finished."""
        return {"type": "text" if self.kind == "text" else "audio", self.text_key: self.said}


@dataclass
class Response:
    """A response that is active.

    Attributes:
        settings: of the session when it began.
        input_tokens: of text and of audio.
        outputs: its items, in order.
        open: the last of them, while it is not done.
        total_tokens: what it costs, once it is done.
    """

    id: str
    options: ResponseOptions
    settings: Settings
    input_tokens: tuple[int, int]
    outputs: list[Item] = field(default_factory=list[Item])
    open: Output | None = None
    total_tokens: int = 0

    @property
    def modalities(self) -> list[Modality]:
        """Whether it speaks or writes."""
        return self.options.output_modalities or self.settings.output_modalities

    def describe(
        self, conversation_id: str, status: str, details: Message | None = None, usage: Message | None = None
    ) -> Message:
        """The response object of `response.created` and `response.done`."""
        voice = self.settings.audio.output
        metadata = self.options.metadata
        return {
            "object": "realtime.response",
            "id": self.id,
            "status": status,
            "status_details": details,
            "output": [item.describe() for item in self.outputs],
            "conversation_id": conversation_id if self.options.conversation == "auto" else None,
            "output_modalities": list(self.modalities),
            "max_output_tokens": self.settings.max_output_tokens,
            "audio": {"output": {"format": voice.format.model_dump(), "voice": voice.voice}},
            "usage": usage,
            "metadata": dict(metadata) if metadata is not None else None,
        }

    def usage(self) -> Message:
        """What it costs."""
        text_in, audio_in = self.input_tokens
        counts = [item.tokens() for item in self.outputs]
        text_out, audio_out = sum(text for text, _ in counts), sum(audio for _, audio in counts)
        self.total_tokens = text_in + audio_in + text_out + audio_out
        return {
            "total_tokens": self.total_tokens,
            "input_tokens": text_in + audio_in,
            "output_tokens": text_out + audio_out,
            "input_token_details": {
                "text_tokens": text_in,
                "audio_tokens": audio_in,
                "image_tokens": 0,
                "cached_tokens": 0,
                "cached_tokens_details": {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0},
            },
            "output_token_details": {"text_tokens": text_out, "audio_tokens": audio_out},
        }


class ServerSession:
    """One session: of one connection.

    Attributes:
        settings: as they are now.
        conversation: its items.
        response: the one that is active, or None.
        speaking: the item that the user is speaking, or None.
        input_ms: how far into what the microphone gave the user's last turn reached.
        used_tokens: by all responses so far.
    """

    def __init__(self, settings: Settings | None = None, *, connection: int = 1) -> None:
        """Begin a session; `created` says so.

        Args:
            settings: what holds where the client asks for nothing.
            connection: the connection's number, from 1; ids of different connections differ.
        """
        self.settings = settings or Settings()
        self.conversation = Conversation()
        self.response: Response | None = None
        self.speaking: str | None = None
        self.input_ms = 0
        self.used_tokens = 0
        self._ids = Ids(connection, taken=self.conversation.has)
        self._id = self._ids.mint("sess")
        self._conversation_id = self._ids.mint("conv")

    def created(self) -> list[Message]:
        """The connection was made."""
        return [self._message("session.created", {"session": self.settings.describe(self._id)})]

    def error(self, refused: RequestRefused, event_id: object = None) -> list[Message]:
        """Something was refused, or went wrong.

        Args:
            event_id: of the client's message that it answers.
        """
        error: Message = {
            "type": "invalid_request_error",
            "code": refused.code,
            "message": refused.message,
            "param": refused.param,
            "event_id": event_id if isinstance(event_id, str) else None,
        }
        return [self._message("error", {"error": error})]

    def answer(self, request: ConversationRequest) -> list[Message]:
        """What a client's request comes to.

        Raises:
            RequestRefused: it makes no sense at this moment; nothing has changed.
        """
        match request:
            case SessionUpdate():
                self.settings = self.settings.updated(request.session)
                return [self._message("session.updated", {"session": self.settings.describe(self._id)})]
            case ItemCreate():
                return self._create(request)
            case ItemRetrieve():
                item = self.conversation.find(request.item_id)
                return [
                    self._message("conversation.item.retrieved", {"item": item.describe(with_audio=True)})
                ]
            case ItemTruncate():
                return self._truncate(request)
            case ItemDelete():
                self.conversation.delete(request.item_id)
                return [self._message("conversation.item.deleted", {"item_id": request.item_id})]
            case ResponseCancel():
                if self.response is None or request.response_id not in {None, self.response.id}:
                    raise RequestRefused(
                        "There is no such active response.", code="response_cancel_not_active"
                    )
                return self.cancel("client_cancelled")

    # --- the user's turn ----------------------------------------------------------------------------

    def speech_started(self, audio_start_ms: int) -> list[Message]:
        """The user is heard, so far into what the microphone gave.

        Raises:
            UsageError: he is speaking already.
        """
        if self.speaking is not None:
            raise UsageError("the user is speaking already")
        self.speaking = self._ids.mint("item")
        where: Message = {"audio_start_ms": audio_start_ms, "item_id": self.speaking}
        return [self._message("input_audio_buffer.speech_started", where)]

    def speech_stopped(self, audio_end_ms: int) -> list[Message]:
        """The user is quiet; `commit` ends his turn.

        Raises:
            UsageError: he was not speaking.
        """
        if self.speaking is None:
            raise UsageError("the user is not speaking")
        self.input_ms = audio_end_ms
        where: Message = {"audio_end_ms": audio_end_ms, "item_id": self.speaking}
        return [self._message("input_audio_buffer.speech_stopped", where)]

    def commit(self, audio: bytes) -> list[Message]:
        """What the user said becomes an item: after `speech_stopped`, or because the client says so.

        Raises:
            RequestRefused: the conversation is full.
        """
        self.conversation.ensure_room()
        bytes_per_ms = self.settings.audio.input.format.bytes_per_ms
        item = user_speech(self.speaking or self._ids.mint("item"), audio, bytes_per_ms)
        self.speaking = None
        committed: Message = {"previous_item_id": self.conversation.last_id, "item_id": item.id}
        return [self._message("input_audio_buffer.committed", committed), *self._entered(item)]

    def clear(self) -> list[Message]:
        """What the microphone gave is forgotten."""
        self.speaking = None
        return [self._message("input_audio_buffer.cleared", {})]

    def transcribing(self, item: Item, words: str) -> list[Message]:
        """More of what the user said in an item is understood."""
        return [
            self._message(f"{_TRANSCRIPTION}.delta", {"item_id": item.id, "content_index": 0, "delta": words})
        ]

    def transcribed(self, item: Item, transcript: str) -> list[Message]:
        """All of what the user said in an item is understood."""
        seconds = 0.0
        for part in item.content or []:
            part.fields["transcript"] = transcript
            seconds = round(len(part.audio) / part.bytes_per_ms / 1_000, 1)
        told: Message = {"item_id": item.id, "content_index": 0, "transcript": transcript}
        usage: Message = {"type": "duration", "seconds": seconds}
        return [self._message(f"{_TRANSCRIPTION}.completed", {**told, "usage": usage})]

    # --- the assistant's turn -------------------------------------------------------------------------

    def ensure_free(self) -> None:
        """Ask before a response begins.

        Raises:
            RequestRefused: one is active, or the conversation is full.
        """
        if self.response is not None:
            raise RequestRefused(
                f"The conversation has an active response: {self.response.id}.",
                code="conversation_already_has_active_response",
            )
        self.conversation.ensure_room()

    def respond(self, options: ResponseOptions | None = None) -> list[Message]:
        """Begin a response.

        Raises:
            RequestRefused: as `ensure_free`.
        """
        self.ensure_free()
        tokens = self.conversation.tokens()
        response = Response(self._ids.mint("resp"), options or ResponseOptions(), self.settings, tokens)
        self.response = response
        described = response.describe(self._conversation_id, "in_progress")
        return [self._message("response.created", {"response": described})]

    def begin_item(self, kind: OutputKind, name: str = "") -> list[Message]:
        """Begin to speak, to write, or to call the tool `name`.

        Raises:
            UsageError: no response is active, or an item of it is open.
        """
        response = self._active()
        if response.open is not None:
            raise UsageError(f"{response.open.item.id} is open")
        item_id, index = self._ids.mint("item"), len(response.outputs)
        place: Message = {"response_id": response.id, "item_id": item_id, "output_index": index}
        if kind == "call":
            place["call_id"] = self._ids.mint("call")
            call: Message = {"name": name, "call_id": place["call_id"], "arguments": ""}
            item = Item(item_id, {"type": "function_call", **call}, "in_progress")
        else:
            place["content_index"] = 0
            item = Item(item_id, {"type": "message", "role": "assistant"}, "in_progress", content=[])
        output = response.open = Output(item, kind, place)
        response.outputs.append(item)
        messages = [self._message("response.output_item.added", self._shown(output))]
        if response.options.conversation == "auto":
            output.previous_item_id = self.conversation.append(item)
            messages.append(self._message("conversation.item.added", _placed(output.previous_item_id, item)))
        if kind != "call":
            fields: Message = {"type": f"output_{output.part()['type']}", output.text_key: ""}
            item.content = [Part(fields, bytes_per_ms=response.settings.audio.output.format.bytes_per_ms)]
            messages.append(self._message("response.content_part.added", {**place, "part": output.part()}))
        return messages

    def say(self, words: str = "", audio: bytes = b"") -> list[Message]:
        """Go on speaking, writing, or giving a call's arguments.

        Raises:
            UsageError: no item is open.
        """
        output = self._open()
        part = output.item.content[0] if output.item.content else None
        messages: list[Message] = []
        if words:
            output.said += words
            # What a client has truncated while it was being sent stays truncated.
            if part is not None and not part.truncated:
                part.fields[output.text_key] = output.said
            messages.append(self._message(f"{_SAID[output.kind]}.delta", {**output.place, "delta": words}))
        if audio:
            if part is not None and not part.truncated:
                part.audio += audio
            delta = base64.b64encode(audio).decode("ascii")
            messages.append(self._message("response.output_audio.delta", {**output.place, "delta": delta}))
        return messages

    def end_item(self, status: Status = "completed") -> list[Message]:
        """The item that is open is done: with what was said so far; an incomplete call has no arguments.

        Raises:
            UsageError: none is open.
        """
        response, output = self._active(), self._open()
        item, place = output.item, output.place
        messages: list[Message] = []
        if output.kind != "call":
            if output.kind == "speech":
                messages.append(self._message("response.output_audio.done", dict(place)))
            said: Message = {**place, output.text_key: output.said}
            messages.append(self._message(f"{_SAID[output.kind]}.done", said))
            messages.append(self._message("response.content_part.done", {**place, "part": output.part()}))
        elif status == "completed":
            item.fields["arguments"] = output.said
            call: Message = {**place, "name": item.fields["name"], "arguments": output.said}
            messages.append(self._message("response.function_call_arguments.done", call))
        item.status = status
        response.open = None
        if response.options.conversation == "auto":
            messages.append(self._message("conversation.item.done", _placed(output.previous_item_id, item)))
        return [*messages, self._message("response.output_item.done", self._shown(output))]

    def end_response(self) -> list[Message]:
        """The response is done.

        Raises:
            UsageError: none is active, or an item of it is open.
        """
        response = self._active()
        if response.open is not None:
            raise UsageError(f"{response.open.item.id} is open")
        return self._done("completed", None)

    def cancel(self, reason: CancelReason) -> list[Message]:
        """The response is cancelled, and what is open of it ends incomplete.

        Raises:
            UsageError: none is active.
        """
        messages = self.end_item("incomplete") if self._active().open is not None else []
        return [*messages, *self._done("cancelled", {"type": "cancelled", "reason": reason})]

    def rate_limits(self) -> list[Message]:
        """What the client may still use."""
        remaining = max(TOKEN_LIMIT - self.used_tokens, 0)
        limit: Message = {
            "name": "tokens",
            "limit": TOKEN_LIMIT,
            "remaining": remaining,
            "reset_seconds": 0.0,
        }
        return [self._message("rate_limits.updated", {"rate_limits": [limit]})]

    # --- helpers ------------------------------------------------------------------------------------

    def _create(self, request: ItemCreate) -> list[Message]:
        self.conversation.ensure_room()
        new = request.item
        place = self.conversation.place_for(new.id, request.previous_item_id)
        if new.type == "function_call_output" and not self.conversation.has_call(new.call_id):
            raise RequestRefused(f"There is no tool call {new.call_id!r}.", param="item.call_id")
        return self._entered(from_client(new, self._ids), place)

    def _truncate(self, request: ItemTruncate) -> list[Message]:
        part = self.conversation.find(request.item_id).spoken_part(request.content_index)
        if request.audio_end_ms > part.audio_ms:
            raise RequestRefused(
                f"{request.audio_end_ms} ms lie beyond the {part.audio_ms} ms of audio in the item.",
                param="audio_end_ms",
            )
        part.truncate(request.audio_end_ms)
        cut = request.model_dump(include={"item_id", "content_index", "audio_end_ms"})
        return [self._message("conversation.item.truncated", cut)]

    def _entered(self, item: Item, place: int | None = None) -> list[Message]:
        previous_item_id = (
            self.conversation.append(item) if place is None else self.conversation.insert(place, item)
        )
        return [
            self._message("conversation.item.added", _placed(previous_item_id, item)),
            self._message("conversation.item.done", _placed(previous_item_id, item)),
        ]

    def _done(self, status: Literal["completed", "cancelled"], details: Message | None) -> list[Message]:
        response, self.response = self._active(), None
        usage = response.usage()
        self.used_tokens += response.total_tokens
        described = response.describe(self._conversation_id, status, details, usage)
        return [self._message("response.done", {"response": described})]

    def _shown(self, output: Output) -> Message:
        place = output.place
        return {
            "response_id": place["response_id"],
            "output_index": place["output_index"],
            "item": output.item.describe(),
        }

    def _active(self) -> Response:
        if self.response is None:
            raise UsageError("no response is active")
        return self.response

    def _open(self) -> Output:
        output = self._active().open
        if output is None:
            raise UsageError("no item of the response is open")
        return output

    def _message(self, type: str, fields: Message) -> Message:
        return {"type": type, "event_id": self._ids.mint("event"), **fields}


_SAID: dict[OutputKind, str] = {
    "speech": "response.output_audio_transcript",
    "text": "response.output_text",
    "call": "response.function_call_arguments",
}
_TRANSCRIPTION = "conversation.item.input_audio_transcription"


def _placed(previous_item_id: str | None, item: Item) -> Message:
    return {"previous_item_id": previous_item_id, "item": item.describe()}
