"""`Provider`: the provider's half of the realtime protocol: it says what a server says, in its order.

It has no clock, no socket and no chance: each method is something that the provider does, and answers with
the messages. What it may do at a given moment is told by its attributes; whoever asks for anything else gets
a `UsageError`.
"""

from __future__ import annotations

import base64
from typing import Any, Literal

from ...schema.errors import UsageError
from ...schema.playback import audio_length_ms
from .wire import AudioFormatName, Message, Response, Spoken, session_described, usage_described


class Provider:
    """One connection.

    Args:
        connection: its number, from 1: ids of different connections differ.
        audio_format: of what is said.

    Attributes:
        response: the response that is active, or None.
        items: ids of the conversation's items, in order.
        calls: call ids of tools that were called and not answered, with their items.
        speaking: the item that the user is speaking, or None.
    """

    def __init__(self, connection: int = 1, audio_format: AudioFormatName = "pcm16") -> None:
        self.response: Response | None = None
        self.items: dict[str, Message] = {}
        self.calls: dict[str, str] = {}
        self.speaking: str | None = None
        self.audio_format: AudioFormatName = audio_format
        self.input_ms = 0
        self._prefix = "" if connection == 1 else f"c{connection}_"
        self._numbers: dict[str, int] = {}
        self._audio_ms: dict[str, float] = {}

    # --- the session --------------------------------------------------------------------------------

    def created(self) -> list[Message]:
        """The connection was made."""
        return [self._message("session.created", session=self._session())]

    def updated(self) -> list[Message]:
        """The settings were changed."""
        return [self._message("session.updated", session=self._session())]

    def error(self, code: str, text: str, event_id: str | None = None) -> list[Message]:
        """Something was refused, or went wrong."""
        error = {"type": "invalid_request_error", "code": code, "message": text}
        return [self._message("error", error={**error, "param": None, "event_id": event_id})]

    # --- the user's side ------------------------------------------------------------------------------

    def hears_text(self, text: str) -> list[Message]:
        """The client has put what the user wrote into the conversation."""
        content = [{"type": "input_text", "text": text}]
        return self._enter(self._id("item"), type="message", role="user", content=content)

    def hears_output(self, call_id: str, output: str) -> list[Message]:
        """The client has answered a tool call.

        Raises:
            UsageError: nobody called it, or it was answered.
        """
        if call_id not in self.calls:
            raise UsageError(f"there is no open call {call_id}")
        del self.calls[call_id]
        return self._enter(
            self._id("item"), type="function_call_output", call_id=call_id, output=output, status=None
        )

    def speech_started(self) -> list[Message]:
        """The user is heard; if a response is active it is cancelled.

        Raises:
            UsageError: he is speaking.
        """
        if self.speaking is not None:
            raise UsageError("the user is speaking already")
        self.speaking = self._id("item")
        started = self._message(
            "input_audio_buffer.speech_started", audio_start_ms=self.input_ms, item_id=self.speaking
        )
        return [started, *(self.cancel("turn_detected") if self.response is not None else [])]

    def speech_stopped(self, ms: int) -> list[Message]:
        """The user has spoken for so long, and is quiet.

        Raises:
            UsageError: he was not speaking.
        """
        item_id, self.speaking = self.speaking, None
        if item_id is None:
            raise UsageError("the user is not speaking")
        self.input_ms += ms
        stopped = self._message(
            "input_audio_buffer.speech_stopped", audio_end_ms=self.input_ms, item_id=item_id
        )
        return [stopped, *self._committed(item_id)]

    def committed(self, ms: int) -> list[Message]:
        """The client has ended the user's turn by itself."""
        self.input_ms += ms
        return self._committed(self._id("item"))

    def transcribed(self, item_id: str, text: str) -> list[Message]:
        """What the user said in an item, as text.

        Raises:
            UsageError: there is no such item.
        """
        self._find(item_id)
        place: Message = {"item_id": item_id, "content_index": 0}
        usage = {"type": "duration", "seconds": 1.0}
        name = "conversation.item.input_audio_transcription"
        return [
            self._message(f"{name}.delta", **place, delta=text),
            self._message(f"{name}.completed", **place, transcript=text, usage=usage),
        ]

    def truncated(self, item_id: str, audio_end_ms: int) -> list[Message]:
        """The client has cut what the user did not hear of an item.

        Raises:
            UsageError: there is no such item, or not so much of it.
        """
        self._find(item_id)
        if audio_end_ms > self._audio_ms.get(item_id, 0.0) + 1:
            raise UsageError(f"{item_id} has {self._audio_ms.get(item_id, 0.0)} ms, not {audio_end_ms}")
        place: Message = {"item_id": item_id, "content_index": 0, "audio_end_ms": audio_end_ms}
        self.items[item_id]["content"] = [{"type": "output_audio", "transcript": None}]
        return [self._message("conversation.item.truncated", **place)]

    def retrieved(self, item_id: str) -> list[Message]:
        """The client has asked for an item.

        Raises:
            UsageError: there is no such item.
        """
        return [self._message("conversation.item.retrieved", item=dict(self._find(item_id)))]

    def deleted(self, item_id: str) -> list[Message]:
        """The client has taken an item out of the conversation.

        Raises:
            UsageError: there is no such item.
        """
        self._find(item_id)
        del self.items[item_id]
        return [self._message("conversation.item.deleted", item_id=item_id)]

    # --- the response -----------------------------------------------------------------------------------

    def respond(self) -> list[Message]:
        """Begin a response.

        Raises:
            UsageError: one is active.
        """
        if self.response is not None:
            raise UsageError(f"{self.response.id} is active")
        self.response = Response(self._id("resp"))
        return [self._message("response.created", response=self._response("in_progress"))]

    def begin_item(
        self, kind: Literal["speech", "text", "call"], name: str = "", arguments: str = ""
    ) -> list[Message]:
        """Begin to speak, to write, or to call a tool.

        Raises:
            UsageError: no response is active, or an item of it is open.
        """
        response = self._active()
        if response.item is not None:
            raise UsageError(f"{response.item.item_id} is open")
        item = Spoken(self._id("item"), kind, next(reversed(self.items), None), name=name)
        response.item = item
        if kind == "call":
            item.call_id = self._id("call")
        added = self._message("response.output_item.added", **self._place(), item=item.described())
        messages = [added, *self._enter(item.item_id, **item.described())[:1]]
        if kind == "call":
            item.text = arguments
            name = "response.function_call_arguments"
            messages.append(
                self._message(f"{name}.delta", **self._at(item), call_id=item.call_id, delta=arguments)
            )
        else:
            part = {"type": "audio", "transcript": ""} if kind == "speech" else {"type": "text", "text": ""}
            messages.append(
                self._message("response.content_part.added", **self._at(item, content=True), part=part)
            )
        return messages

    def say(self, word: str = "", audio: bytes = b"") -> list[Message]:
        """Go on speaking or writing.

        Raises:
            UsageError: nothing is being said.
        """
        item = self._said()
        messages: list[Message] = []
        if word:
            item.text += word
            name = "output_audio_transcript" if item.kind == "speech" else "output_text"
            messages.append(
                self._message(f"response.{name}.delta", **self._at(item, content=True), delta=word)
            )
        if audio:
            item.audio_bytes += len(audio)
            self._audio_ms[item.item_id] = audio_length_ms(self.audio_format, item.audio_bytes)
            delta = base64.b64encode(audio).decode()
            messages.append(
                self._message("response.output_audio.delta", **self._at(item, content=True), delta=delta)
            )
        return messages

    def end_item(self, status: Literal["completed", "incomplete"] = "completed") -> list[Message]:
        """The item that is open is done.

        Raises:
            UsageError: none is open.
        """
        response = self._active()
        item, response.item = response.item, None
        if item is None:
            raise UsageError(f"no item of {response.id} is open")
        described = {**item.described(), "status": status}
        messages: list[Message] = []
        if item.kind == "call":
            name = "response.function_call_arguments.done"
            if status == "completed":
                messages.append(
                    self._message(
                        name, **self._at(item), call_id=item.call_id, name=item.name, arguments=item.text
                    )
                )
                self.calls[item.call_id] = item.item_id
        else:
            at = self._at(item, content=True)
            if item.kind == "speech":
                messages.append(self._message("response.output_audio.done", **at))
                messages.append(
                    self._message("response.output_audio_transcript.done", **at, transcript=item.text)
                )
                part = {"type": "audio", "transcript": item.text}
            else:
                messages.append(self._message("response.output_text.done", **at, text=item.text))
                part = {"type": "text", "text": item.text}
            messages.append(self._message("response.content_part.done", **at, part=part))
        self.items[item.item_id] = described
        response.output.append(described)
        done = self._message(
            "conversation.item.done", previous_item_id=item.previous_item_id, item=dict(described)
        )
        place = {**self._place(), "output_index": len(response.output) - 1}
        return [
            *messages,
            done,
            self._message("response.output_item.done", **place, item=dict(described)),
        ]

    def end_response(self) -> list[Message]:
        """The response is done.

        Raises:
            UsageError: none is active, or an item of it is open.
        """
        response = self._active()
        if response.item is not None:
            raise UsageError(f"{response.item.item_id} is open")
        return self._done("completed", None)

    def cancel(self, reason: Literal["turn_detected", "client_cancelled"]) -> list[Message]:
        """The response is cancelled.

        Raises:
            UsageError: none is active.
        """
        response = self._active()
        messages = self.end_item("incomplete") if response.item is not None else []
        return [*messages, *self._done("cancelled", {"type": "cancelled", "reason": reason})]

    # --- helpers ----------------------------------------------------------------------------------------

    def _done(self, status: str, details: Message | None) -> list[Message]:
        described = self._response(status)
        usage = usage_described()
        self.response = None
        return [
            self._message("response.done", response={**described, "status_details": details, "usage": usage})
        ]

    def _committed(self, item_id: str) -> list[Message]:
        before = next(reversed(self.items), None)
        committed = self._message("input_audio_buffer.committed", previous_item_id=before, item_id=item_id)
        content = [{"type": "input_audio", "transcript": None}]
        return [committed, *self._enter(item_id, type="message", role="user", content=content)]

    def _enter(self, item_id: str, **fields: Any) -> list[Message]:
        before = next(reversed(self.items), None)
        item: Message = {"id": item_id, "object": "realtime.item", "status": "completed", **fields}
        if item["status"] is None:
            del item["status"]
        self.items[item_id] = item
        place: Message = {"previous_item_id": before}
        return [
            self._message("conversation.item.added", **place, item=dict(item)),
            self._message("conversation.item.done", **place, item=dict(item)),
        ]

    def _response(self, status: str) -> Message:
        return self._active().described(status, f"conv_{self._prefix}0001")

    def _session(self) -> Message:
        return session_described(f"sess_{self._prefix}0001", self.audio_format)

    def _place(self) -> Message:
        response = self._active()
        return {"response_id": response.id, "output_index": len(response.output)}

    def _at(self, item: Spoken, *, content: bool = False) -> Message:
        return {**self._place(), "item_id": item.item_id, **({"content_index": 0} if content else {})}

    def _active(self) -> Response:
        if self.response is None:
            raise UsageError("no response is active")
        return self.response

    def _said(self) -> Spoken:
        item = self._active().item
        if item is None or item.kind == "call":
            raise UsageError("nothing is being said")
        return item

    def _find(self, item_id: str) -> Message:
        if item_id not in self.items:
            raise UsageError(f"there is no item {item_id}")
        return self.items[item_id]

    def _id(self, kind: str) -> str:
        number = self._numbers[kind] = self._numbers.get(kind, 0) + 1
        return f"{kind}_{self._prefix}{number}"

    def _message(self, type: str, /, **fields: Any) -> Message:
        return {"type": type, "event_id": self._id("event"), **fields}
