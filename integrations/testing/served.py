"""`ServedModel`: a realtime model whose provider does what it is told, step by step."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from ...lab.client import Client, Given, Step
from ...provider import (
    AudioFormatName,
    ConversationRequest,
    Message,
    RequestRefused,
    ServerSession,
    Settings,
    parse,
)
from ...schema import RealtimePlaybackTracker
from ...schema.codec import Vocabulary
from ...session import schemas_in


class ServedModel:
    """The model between an application and a `ServerSession`; it does what the SDK's model does.

    Args:
        vocabulary: of the events that it gives, and of those that it is sent.
        audio_format: of what is said.

    Attributes:
        server: of the connection that is open, or None.
        client: of the same.
        tracker: the application's playback tracker, or None.
        owed: how many responses were asked for, or are due after what the user said.
        connections: how many there have been.
    """

    def __init__(self, vocabulary: Vocabulary, audio_format: AudioFormatName = "pcm16") -> None:
        self.server: ServerSession | None = None
        self.client: Client | None = None
        self.tracker: RealtimePlaybackTracker | None = None
        self.owed = 0
        self.connections = 0
        self.schemas: dict[str, Any] = {}
        self._vocabulary = vocabulary
        self._settings = Settings.speaking(audio_format, model="served")
        self._listeners: list[Any] = []
        self._read_loop: asyncio.Task[None] | None = None
        self._incoming: asyncio.Queue[Message | Literal["ended", "lost"]]
        self._appended = b""  # by the client, and not committed

    # --- the interface ------------------------------------------------------------------------------

    async def connect(self, options: Mapping[str, Any]) -> None:
        """Open a connection."""
        if self._read_loop is not None:
            raise AssertionError("Already connected")
        self.connections += 1
        self.owed, self._appended = 0, b""
        self.tracker = options.get("playback_tracker")
        self.schemas |= schemas_in(options.get("initial_model_settings"))
        self.server = ServerSession(self._settings, connection=self.connections)
        clock = asyncio.get_running_loop().time
        self.client = Client(self._vocabulary, self.tracker, lambda: round(clock() * 1e9))
        self._incoming = asyncio.Queue()
        self.push(self.server.created())
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
        if self.server is None:
            raise ConnectionResetError(104, "Connection reset by peer")
        self.schemas |= schemas_in(getattr(event, "session_settings", None))
        await self._do(self._connected.send(event))

    async def send_event_if(self, event: Any, send_if: Callable[[], bool]) -> bool:
        """Send something if it is still wanted."""
        if not send_if():
            return False
        await self.send_event(event)
        return True

    async def close(self) -> None:
        """Close the connection."""
        self.server = None
        read_loop, self._read_loop = self._read_loop, None
        if read_loop is not None and read_loop is not asyncio.current_task():
            read_loop.cancel()
            await asyncio.gather(read_loop, return_exceptions=True)
        if self.client is not None:
            self.client.close()

    def _retire_response_audio(self, response_id: str) -> None:
        """The SDK's session calls this when it has done with a response."""
        if self.client is not None:
            self.client.retire(response_id)

    # --- for who directs the provider ---------------------------------------------------------------

    def push(self, messages: list[Message]) -> None:
        """The provider says these, all at once."""
        for message in messages:
            self._incoming.put_nowait(message)

    def end(self, how: Literal["ended", "lost"]) -> None:
        """The connection ends: in order, or not."""
        self.server = None
        self._incoming.put_nowait(how)

    # --- between the two halves -----------------------------------------------------------------------

    @property
    def _connected(self) -> Client:
        assert self.client is not None, "connected"
        return self.client

    async def _read(self) -> None:
        while True:
            message = await self._incoming.get()
            try:
                if isinstance(message, str):
                    await self._emit_end(message)
                    return
                await self._do(self._connected.receive(message))
            except Exception as error:  # noqa: BLE001 - as the SDK's model does
                await self._emit_exception(error, "Error handling WebSocket event")

    async def _do(self, steps: Iterable[Step]) -> None:
        for step in steps:
            if isinstance(step, Given):
                await self._emit(step.event)
            elif self.server is not None:
                self._answer(self.server, step.message)

    def _answer(self, server: ServerSession, message: Message) -> None:
        """What the provider says to a message of the client; when it responds is not for it to decide."""
        match message["type"]:
            case "response.create":
                self.owed += 1
            case "input_audio_buffer.append":
                self._appended += base64.b64decode(str(message["audio"]))
            case "input_audio_buffer.clear":
                self._appended = b""
            case "input_audio_buffer.commit":
                server.input_ms += len(self._appended) // server.settings.audio.input.format.bytes_per_ms
                self.push(server.commit(self._appended))
                self._appended = b""
                self.owed += 1
            case _:
                try:
                    request = parse(message)
                    assert isinstance(request, ConversationRequest)
                    self.push(server.answer(request))
                except RequestRefused as refused:
                    self.push(server.error(refused, message.get("event_id")))

    async def _emit(self, event: Any) -> None:
        for listener in list(self._listeners):
            await listener.on_event(event)

    async def _emit_end(self, how: str) -> None:
        make = self._vocabulary.make
        if how == "lost":
            error = ConnectionResetError(104, "Connection reset by peer")
            await self._emit_exception(error, "WebSocket error in message listener")
            return
        await self._emit(make("connection_status", status="disconnected"))
        if self._vocabulary.word_named("end_of_stream") is not None:
            await self._emit(make("end_of_stream"))

    async def _emit_exception(self, error: Exception, context: str) -> None:
        await self._emit(self._vocabulary.make("exception", exception=error, context=context))
