"""One response: its life from `response.created` to `response.done`."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Literal, TypeAlias

from .client_messages import ResponseOptions
from .conversation import Conversation
from .ids import Ids
from .items import Item
from .outputs import CallOutput, MessageOutput
from .script import FunctionCall, Output, Reply, Speech
from .session import Modality, Session
from .wire import Message

THINKING_MS = 120
"""From the response's creation to its first word."""

CancelReason: TypeAlias = Literal["turn_detected", "client_cancelled"]


class Response:
    """A reply of the script on its way to the client; one at a time is active in a session.

    Attributes:
        id: the response's id.
        reply: what it says.
        done: whether `response.done` was sent; nothing of the response comes after that.
        total_tokens: what it costs, once it is done.
    """

    def __init__(
        self,
        reply: Reply,
        *,
        options: ResponseOptions,
        session: Session,
        conversation: Conversation,
        conversation_id: str,
        ids: Ids,
        emit: Callable[[str, Message], None],
    ) -> None:
        self.id = ids.mint("resp")
        self.reply = reply
        self.done = False
        self.total_tokens = 0
        self._options = options
        self._session = session
        self._conversation = conversation if options.conversation == "auto" else None
        self._conversation_id = conversation_id if options.conversation == "auto" else None
        self._input_tokens = conversation.tokens()
        self._ids = ids
        self._emit = emit
        self._previous_item_id: str | None = None  # of the output that is being sent
        self._outputs: list[MessageOutput | CallOutput] = []
        self._status = "in_progress"
        self._status_details: Message | None = None
        self._steps = self._play()

    @property
    def _modalities(self) -> list[Modality]:
        return self._options.output_modalities or self._session.output_modalities

    def play(self) -> Iterator[int]:
        """The response as a process: sends what is due, and yields the milliseconds to wait."""
        return self._steps

    def cancel(self, reason: CancelReason) -> None:
        """Stop the process, close what is open and send `response.done`; only while it is not done."""
        self._steps.close()
        self._status_details = {"type": "cancelled", "reason": reason}
        if self._outputs and self._outputs[-1].item.status == "in_progress":
            self._outputs[-1].finish("incomplete")
        self._finish("cancelled")

    def _play(self) -> Generator[int, None, None]:
        self._emit("response.created", {"response": self._describe()})
        yield THINKING_MS
        for index, output in enumerate(self.reply.outputs):
            playing = self._output(index, output)
            self._outputs.append(playing)
            yield from playing.play()
            playing.finish("completed")
        self._finish("completed")

    def _output(self, index: int, output: Output) -> MessageOutput | CallOutput:
        item_id = self._ids.mint("item")
        match output:
            case FunctionCall():
                return CallOutput(self, index, item_id, self._ids.mint("call"), output)
            case Speech() if "audio" in self._modalities:
                return MessageOutput(self, index, item_id, output.text, output.pcm)
            case _:
                return MessageOutput(self, index, item_id, output.text, None)

    def _finish(self, status: Literal["completed", "cancelled"]) -> None:
        self._status = status
        self.done = True
        usage = self._usage()
        self._emit("response.done", {"response": {**self._describe(), "usage": usage}})

    def say(self, type: str, fields: Message) -> None:
        """Send an event of this response (see `Stage`)."""
        self._emit(type, {"response_id": self.id, **fields})

    def enter(self, item: Item) -> None:
        """Put the item into the conversation, unless the response stays out of it (see `Stage`)."""
        if self._conversation is not None:
            self._previous_item_id = self._conversation.append(item)
            self._emit(
                "conversation.item.added",
                {"previous_item_id": self._previous_item_id, "item": item.describe()},
            )

    def leave(self, item: Item) -> None:
        """Say that the item is done, unless the response stays out of the conversation (see `Stage`)."""
        if self._conversation is not None:
            self._emit(
                "conversation.item.done",
                {"previous_item_id": self._previous_item_id, "item": item.describe()},
            )

    def _describe(self) -> Message:
        output = self._session.audio.output
        return {
            "object": "realtime.response",
            "id": self.id,
            "status": self._status,
            "status_details": self._status_details,
            "output": [playing.item.describe() for playing in self._outputs],
            "conversation_id": self._conversation_id,
            "output_modalities": list(self._modalities),
            "max_output_tokens": self._session.max_output_tokens,
            "audio": {"output": {"format": output.format.model_dump(), "voice": output.voice}},
            "usage": None,
            "metadata": dict(self._options.metadata) if self._options.metadata is not None else None,
        }

    def _usage(self) -> Message:
        text_in, audio_in = self._input_tokens
        counts = [playing.item.tokens() for playing in self._outputs]
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
