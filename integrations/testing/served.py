"""`ServedModel`: a realtime model whose provider does what it is told, step by step."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Literal, cast

from ...lab.strategies.interface import Interface
from ...lab.strategies.provider import Provider
from ...lab.strategies.understood import Barge, Understanding
from ...lab.strategies.wire import AudioFormatName, Message, bytes_per_ms
from ...schema.playback import RealtimePlaybackTracker
from ...schema.standard import event_name
from ...schema.vocabulary import Vocabulary

NOTHING_PLAYED: Any = {"current_item_id": None, "current_item_content_index": None, "elapsed_ms": None}


class ServedModel:
    """The model between an application and a `Provider`; it does what the SDK's model does.

    Args:
        vocabulary: of the events that it gives, and of those that it is sent.
        audio_format: of what is said.

    Attributes:
        provider: of the connection that is open, or None.
        understanding: of the same.
        tracker: the application's playback tracker, or None.
        owed: how many responses were asked for, or are due after what the user said.
        connections: how many there have been.
    """

    def __init__(self, vocabulary: Vocabulary, audio_format: AudioFormatName = "pcm16") -> None:
        self.provider: Provider | None = None
        self.understanding: Understanding | None = None
        self.tracker: RealtimePlaybackTracker | None = None
        self.owed = 0
        self.connections = 0
        self._interface = Interface(vocabulary)
        self._audio_format: AudioFormatName = audio_format
        self._listeners: list[Any] = []
        self._read_loop: asyncio.Task[None] | None = None
        self._incoming: asyncio.Queue[Message | Literal["ended", "lost"]]

    # --- the interface ------------------------------------------------------------------------------

    async def connect(self, options: Mapping[str, Any]) -> None:
        """Open a connection."""
        if self._read_loop is not None:
            raise AssertionError("Already connected")
        self.connections += 1
        self.owed = 0
        self.tracker = options.get("playback_tracker")
        self.provider = Provider(self.connections, self._audio_format)
        self.understanding = Understanding(self._interface)
        self._incoming = asyncio.Queue()
        self.push(self.provider.created())
        self._read_loop = asyncio.create_task(self._read(), name="read loop")

    def add_listener(self, listener: Any) -> None:
        """Add a listener; one that is there already is not added twice."""
        if listener not in self._listeners:
            self._listeners.append(listener)

    def remove_listener(self, listener: Any) -> None:
        """Remove a listener."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    async def send_event(self, event: Any) -> None:
        """Send something to the provider.

        Raises:
            AssertionError: not connected, as the SDK's model has it.
            ConnectionResetError: the connection was lost.
        """
        if self._read_loop is None:
            raise AssertionError("Not connected")
        if self.provider is None:
            raise ConnectionResetError(104, "Connection reset by peer")
        match event_name(self._interface.vocabulary, cast("type[Any]", type(event))):
            case "send_user_input":
                self.push(self.provider.hears_text(_text(event.user_input)))
                self.owed += 1
            case "send_audio":
                if event.commit:
                    ms = max(len(event.audio) // bytes_per_ms(self._audio_format), 1)
                    self.push(self.provider.committed(ms))
                    self.owed += 1
            case "send_tool_output":
                self._output(event.tool_call.call_id, event.output)
                await self._emit(self._understood.answered(event.tool_call, event.output))
                self.owed += event.start_response
            case "send_interrupt":
                await self._interrupt(event)
            case "send_session_update":
                self.push(self.provider.updated())
            case "send_raw_message":
                self._raw(event.message)
            case _:
                pass

    async def send_event_if(self, event: Any, send_if: Callable[[], bool]) -> bool:
        """Send something if it is still wanted."""
        if not send_if():
            return False
        await self.send_event(event)
        return True

    async def close(self) -> None:
        """Close the connection."""
        self.provider = None
        read_loop, self._read_loop = self._read_loop, None
        if read_loop is not None and read_loop is not asyncio.current_task():
            read_loop.cancel()
            await asyncio.gather(read_loop, return_exceptions=True)
        if self.tracker is not None:
            self.tracker.on_interrupted()

    def _retire_response_audio(self, response_id: str) -> None:
        """The SDK's session calls this when a response was interrupted; nothing is kept here."""

    # --- for who directs the provider ---------------------------------------------------------------

    def push(self, messages: list[Message]) -> None:
        """The provider says these, all at once."""
        for message in messages:
            self._incoming.put_nowait(message)

    def end(self, how: Literal["ended", "lost"]) -> None:
        """The connection ends: in order, or not."""
        self.provider = None
        self._incoming.put_nowait(how)

    # --- the client's half of the protocol ------------------------------------------------------------

    @property
    def _understood(self) -> Understanding:
        assert self.understanding is not None, "connected"
        return self.understanding

    async def _read(self) -> None:
        while True:
            message = await self._incoming.get()
            try:
                if isinstance(message, str):
                    await self._emit_end(message)
                    return
                await self._receive(message)
            except Exception as error:  # noqa: BLE001 - as the SDK's model does
                await self._emit_exception(error, "Error handling WebSocket event")

    async def _receive(self, message: Message) -> None:
        make, understood = self._interface.make, self._understood
        await self._emit(make("raw_server_event", data=message))
        match message["type"]:
            case "input_audio_buffer.speech_started":
                await self._silence(understood.barge(self._played()) if understood.heard_of else None)
            case "session.created" | "session.updated":
                understood.events(message)
                if self.tracker is not None:
                    self.tracker.set_audio_format(understood.audio_format)  # pyright: ignore[reportArgumentType]
            case "conversation.item.truncated":
                self._retrieve()
            case "conversation.item.input_audio_transcription.completed":
                self._retrieve()
                await self._emit(*understood.events(message))
            case _:
                await self._emit(*understood.events(message))

    async def _interrupt(self, event: Any) -> None:
        if not event.cancel_response_only:
            barge = self._understood.interrupt(self._played())
            await self._silence(barge)
        provider = self.provider
        cancels = event.force_response_cancel or event.cancel_response_only
        if cancels and provider is not None and provider.response is not None:
            self.push(provider.cancel("client_cancelled"))

    async def _silence(self, barge: Barge | None) -> None:
        if barge is None:
            return
        await self._emit(barge.event)
        provider = self.provider
        if barge.item_id is not None and provider is not None and barge.item_id in provider.items:
            self.push(provider.truncated(barge.item_id, barge.audio_end_ms))
        if self.tracker is not None:
            self.tracker.on_interrupted()

    def _retrieve(self) -> None:
        item_id = self._understood.current_item_id
        if self.provider is not None and item_id in self.provider.items:
            self.push(self.provider.retrieved(item_id))

    def _played(self) -> Any:
        return NOTHING_PLAYED if self.tracker is None else self.tracker.get_state()

    def _output(self, call_id: str, output: str) -> None:
        assert self.provider is not None
        if call_id in self.provider.calls:
            self.push(self.provider.hears_output(call_id, output))
        else:
            self.push(self.provider.error("invalid_tool_call_id", f"there is no open call {call_id}"))

    def _raw(self, message: Mapping[str, Any]) -> None:
        provider = self.provider
        assert provider is not None
        facts: Mapping[str, Any] = message.get("other_data") or {}
        item = cast("Mapping[str, Any]", facts.get("item") or {})
        match message["type"]:
            case "response.create":
                self.owed += 1
            case "response.cancel" if provider.response is not None:
                self.push(provider.cancel("client_cancelled"))
            case "conversation.item.delete" if facts.get("item_id") in provider.items:
                self.push(provider.deleted(facts["item_id"]))
            case "conversation.item.create" if item.get("type") == "function_call_output":
                self._output(str(item.get("call_id")), str(item.get("output")))
            case "conversation.item.create" if item.get("type") == "message":
                self.push(provider.hears_text(_text(item)))
            case "session.update":
                self.push(provider.updated())
            case "input_audio_buffer.append" | "input_audio_buffer.clear":
                pass
            case kind:
                self.push(provider.error("invalid_value", f"{kind} is refused", facts.get("event_id")))

    async def _emit(self, *events: Any) -> None:
        for event in events:
            for listener in list(self._listeners):
                await listener.on_event(event)

    async def _emit_end(self, how: str) -> None:
        if how == "lost":
            error = ConnectionResetError(104, "Connection reset by peer")
            await self._emit_exception(error, "WebSocket error in message listener")
            return
        await self._emit(self._interface.make("connection_status", status="disconnected"))
        if self._interface.find("end_of_stream") is not None:
            await self._emit(self._interface.make("end_of_stream"))

    async def _emit_exception(self, error: Exception, context: str) -> None:
        await self._emit(self._interface.make("exception", exception=error, context=context))


def _text(user_input: Any) -> str:
    """What the user wrote: a text, or a message with parts."""
    if isinstance(user_input, str):
        return user_input
    parts = cast("list[Mapping[str, Any]]", user_input.get("content") or [])
    return " ".join(str(part["text"]) for part in parts if "text" in part)
