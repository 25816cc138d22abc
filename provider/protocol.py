"""The provider's half of OpenAI's GA realtime protocol, without a socket, a clock or chance.

Times are milliseconds of audio time since the session began, given by the caller: the same messages at
the same times give the same answers to the last byte. Messages and settings that the real provider
knows and a conversation does not need (G.711, MCP, logprobs, idle timeouts) are refused or ignored.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from .client_messages import (
    AudioAppend,
    AudioClear,
    AudioCommit,
    ItemCreate,
    ItemDelete,
    ItemRetrieve,
    ItemTruncate,
    Request,
    ResponseCancel,
    ResponseCreate,
    ResponseOptions,
    SessionUpdate,
    parse,
)
from .conversation import Conversation
from .ids import Ids
from .input_audio import InputAudioBuffer, SpeechStarted, SpeechStopped
from .items import from_client, user_speech
from .refusal import Refused
from .response import CancelReason, Response
from .script import AFTERWARDS, Ending, Script
from .session import Session
from .timeline import Timeline
from .transcription import transcribe
from .wire import Message

TOKEN_LIMIT = 1_000_000
"""What `rate_limits.updated` counts down from; nothing happens when it is used up."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to send, at `due_ms` of audio time. What is due at one time is one burst."""

    due_ms: int
    message: Message


@dataclass(frozen=True, slots=True)
class Ended:
    """The connection ends now; nothing comes after it."""

    due_ms: int
    ending: Ending


Step: TypeAlias = Outgoing | Ended


class RealtimeProtocol:
    """One session, from `session.created`, which the first call of any method returns, to its end."""

    def __init__(self, script: Script, *, connection: int = 1, model: str = "local") -> None:
        """Begin a session.

        Args:
            script: what to say, and what to understand.
            connection: the connection's number, from 1; ids of different connections differ.
            model: the model's name, as the client chose it in the URL.
        """
        self._replies = iter(script.replies)
        self._transcripts = iter(script.transcripts)
        self._conversation = Conversation()
        self._ids = Ids(connection, taken=self._conversation.has)
        self._session = Session(model=model)
        self._session_id = self._ids.mint("sess")
        self._conversation_id = self._ids.mint("conv")
        self._input = InputAudioBuffer()
        self._turn_item_id: str | None = None  # of the turn that the user is speaking
        self._response: Response | None = None
        self._used_tokens = 0
        self._timeline = Timeline()
        self._out: list[Step] = []
        self._ended = False
        self._emit("session.created", {"session": self._session.describe(self._session_id)})

    @property
    def next_due_ms(self) -> int | None:
        """When `advance` has something to send, or None while only the client can bring something about."""
        return self._timeline.now_ms if self._out else self._timeline.next_due_ms

    def advance(self, now_ms: int) -> list[Step]:
        """What is due by now. A time that lies before an earlier one counts as that."""
        self._timeline.run_until(now_ms)
        out, self._out = self._out, []
        return out

    def receive(self, message: Message, now_ms: int) -> list[Step]:
        """Take a client's message, and return what is due by now. Whatever it holds, nothing is raised."""
        before = self.advance(now_ms)
        if not self._ended:
            try:
                self._answer(parse(message))
            except Refused as refused:
                self._refuse(refused, message.get("event_id"))
        return before + self.advance(now_ms)

    def refuse(self, refused: Refused, now_ms: int) -> list[Step]:
        """As `receive`, for a frame that holds no message: it is answered too."""
        before = self.advance(now_ms)
        self._refuse(refused, None)
        return before + self.advance(now_ms)

    def _emit(self, type: str, fields: Message) -> None:
        if not self._ended:
            message: Message = {"type": type, "event_id": self._ids.mint("event"), **fields}
            self._out.append(Outgoing(self._timeline.now_ms, message))

    def _refuse(self, refused: Refused, event_id: object) -> None:
        error: Message = {
            "type": "invalid_request_error",
            "code": refused.code,
            "message": refused.message,
            "param": refused.param,
            "event_id": event_id if isinstance(event_id, str) else None,
        }
        self._emit("error", {"error": error})

    def _answer(self, request: Request) -> None:
        match request:
            case SessionUpdate():
                self._session = self._session.updated(request.session)
                self._emit("session.updated", {"session": self._session.describe(self._session_id)})
            case AudioAppend():
                self._hear(request.audio)
            case AudioCommit():
                self._conversation.ensure_room()
                self._commit(self._input.take())
            case AudioClear():
                self._input.clear()
                self._turn_item_id = None
                self._emit("input_audio_buffer.cleared", {})
            case ItemCreate():
                self._create_item(request)
            case ItemRetrieve():
                item = self._conversation.find(request.item_id)
                self._emit("conversation.item.retrieved", {"item": item.describe(with_audio=True)})
            case ItemTruncate():
                self._truncate(request)
            case ItemDelete():
                self._conversation.delete(request.item_id)
                self._emit("conversation.item.deleted", {"item_id": request.item_id})
            case ResponseCreate():
                self._respond(request.response or ResponseOptions())
            case ResponseCancel():
                self._cancel(request.response_id)

    # The user's turn

    def _hear(self, pcm: bytes) -> None:
        self._input.append(pcm)
        detection = self._session.audio.input.turn_detection
        if detection is None:
            return
        for event in self._input.listen(detection):
            match event:
                case SpeechStarted():
                    self._turn_item_id = self._ids.mint("item")
                    where: Message = {"audio_start_ms": event.audio_start_ms, "item_id": self._turn_item_id}
                    self._emit("input_audio_buffer.speech_started", where)
                    if detection.interrupt_response:
                        self._interrupt("turn_detected")
                case SpeechStopped():
                    where = {"audio_end_ms": event.audio_end_ms, "item_id": self._turn_item_id}
                    self._emit("input_audio_buffer.speech_stopped", where)
                    self._end_turn(event.audio, detection.create_response)

    def _end_turn(self, audio: bytes, create_response: bool) -> None:
        # Nothing may stop the listening halfway, so a refusal is answered here.
        try:
            self._conversation.ensure_room()
            self._commit(audio)
            if create_response:
                self._respond(ResponseOptions())
        except Refused as refused:
            self._refuse(refused, None)

    def _commit(self, audio: bytes) -> None:
        item = user_speech(self._turn_item_id or self._ids.mint("item"), audio)
        self._turn_item_id = None
        place: Message = {"previous_item_id": self._conversation.last_id}
        self._emit("input_audio_buffer.committed", {**place, "item_id": item.id})
        self._conversation.append(item)
        self._emit("conversation.item.added", {**place, "item": item.describe()})
        self._emit("conversation.item.done", {**place, "item": item.describe()})
        transcript = next(self._transcripts, "")
        if self._session.audio.input.transcription is not None:
            self._timeline.start(transcribe(item, transcript, self._emit))

    # Items

    def _create_item(self, request: ItemCreate) -> None:
        self._conversation.ensure_room()
        new = request.item
        place = self._conversation.place_for(new.id, request.previous_item_id)
        if new.type == "function_call_output" and not self._conversation.has_call(new.call_id):
            raise Refused(f"There is no tool call {new.call_id!r}.", param="item.call_id")
        item = from_client(new, self._ids)
        previous_item_id = self._conversation.insert(place, item)
        for type in ("conversation.item.added", "conversation.item.done"):
            self._emit(type, {"previous_item_id": previous_item_id, "item": item.describe()})

    def _truncate(self, request: ItemTruncate) -> None:
        part = self._conversation.find(request.item_id).spoken_part(request.content_index)
        if request.audio_end_ms > part.audio_ms:
            raise Refused(
                f"{request.audio_end_ms} ms lie beyond the {part.audio_ms} ms of audio in the item.",
                param="audio_end_ms",
            )
        part.truncate(request.audio_end_ms)
        cut: Message = {
            "item_id": request.item_id,
            "content_index": request.content_index,
            "audio_end_ms": request.audio_end_ms,
        }
        self._emit("conversation.item.truncated", cut)

    # The assistant's turn

    def _respond(self, options: ResponseOptions) -> None:
        if self._response is not None:
            raise Refused(
                f"The conversation has an active response: {self._response.id}.",
                code="conversation_already_has_active_response",
            )
        self._conversation.ensure_room()
        reply = next(self._replies, AFTERWARDS)
        if reply.outputs:
            response = Response(
                reply,
                options=options,
                session=self._session,
                conversation=self._conversation,
                conversation_id=self._conversation_id,
                ids=self._ids,
                emit=self._emit,
            )
            self._response = response
            self._timeline.start(self._run(response))
        if reply.ending is not None and (reply.ending.after_ms is not None or not reply.outputs):
            self._timeline.start(self._end(reply.ending))

    def _run(self, response: Response) -> Iterator[int]:
        yield from response.play()
        if self._response is response:  # a cancelled one ends here too, and is settled already
            self._settle(response)

    def _settle(self, response: Response) -> None:
        """After `response.done`: the next response may begin."""
        self._response = None
        self._used_tokens += response.total_tokens
        remaining = max(TOKEN_LIMIT - self._used_tokens, 0)
        limit: Message = {"name": "tokens", "limit": TOKEN_LIMIT, "remaining": remaining}
        self._emit("rate_limits.updated", {"rate_limits": [{**limit, "reset_seconds": 0.0}]})
        ending = response.reply.ending
        if ending is not None and ending.after_ms is None:
            self._timeline.start(self._end(ending))

    def _cancel(self, response_id: str | None) -> None:
        if self._response is None or response_id not in {None, self._response.id}:
            raise Refused("There is no such active response.", code="response_cancel_not_active")
        self._interrupt("client_cancelled")

    def _interrupt(self, reason: CancelReason) -> None:
        response = self._response
        if response is not None:
            response.cancel(reason)
            self._settle(response)

    def _end(self, ending: Ending) -> Iterator[int]:
        if ending.after_ms:
            yield ending.after_ms
        self._out.append(Ended(self._timeline.now_ms, ending))
        self._ended = True
        self._timeline.stop()
