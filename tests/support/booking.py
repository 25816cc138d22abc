"""A conversation in which a table is booked: the model's side as a script, the application with switches."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from realtape import schema
from realtape.schema import items

from .scripted import Scripted, ScriptedModel

CHUNK_MS = 20
RATE_HZ = 24_000
INSTRUCTIONS = (
    "You answer the telephone of the restaurant Luna. Be brief. Book tables, and tell where one can park. "
    "Never promise a table before the tool has said yes."
)


def spoken(number: int) -> bytes:
    """What the microphone gives: chunks that are told from one another."""
    return bytes([number % 251, 1]) * (RATE_HZ * CHUNK_MS // 1000)


def says(response: str, item: str, *words: str) -> list[Any]:
    """A turn of the assistant's, without its end."""
    said = [
        schema.RealtimeModelTranscriptDeltaEvent(item_id=item, delta=word, response_id=response)
        for word in words
    ]
    sound = schema.RealtimeModelAudioEvent(
        data=bytes(480), response_id=response, item_id=item, content_index=0
    )
    return [schema.RealtimeModelTurnStartedEvent(response_id=response), *said, sound]


def heard(item: str, words: str) -> Any:
    """What the user said, transcribed."""
    return schema.RealtimeModelInputAudioTranscriptionCompletedEvent(item_id=item, transcript=words)


def calls(name: str, call_id: str, **arguments: Any) -> Any:
    """The model calls a tool."""
    return schema.RealtimeModelToolCallEvent(
        name=name, call_id=call_id, arguments=json.dumps(arguments), id=f"item_of_{call_id}"
    )


async def script(model: Scripted) -> None:
    """The model's side."""
    ended = schema.RealtimeModelTurnEndedEvent
    await asyncio.sleep(0.3)
    await model.emit(*says("resp_1", "greeting", "Luna, ", "good evening!"), ended(response_id="resp_1"))
    await asyncio.sleep(2)
    await model.emit(
        heard("wish", "A table for two at seven, please. And where can I park?"),
        schema.RealtimeModelTurnStartedEvent(response_id="resp_2"),
        calls("book_table", "call_1", guests=2, time="19:00"),
        calls("find_parking", "call_2", near="Luna"),
        ended(response_id="resp_2"),
    )
    await model.until_sent(2, "ToolOutput")
    await asyncio.sleep(0.4)
    await model.emit(*says("resp_3", "answer", "Table four is yours. ", "There is a garage"))
    await asyncio.sleep(0.1)
    await model.emit(schema.RealtimeModelAudioDoneEvent(item_id="answer", content_index=0))
    await asyncio.sleep(0.5)
    await model.emit(schema.RealtimeModelRawServerEvent(data={"type": "input_audio_buffer.speech_started"}))
    await model.until_sent(1, "Interrupt")
    await asyncio.sleep(1)
    await model.emit(heard("thanks", "Sprechen Sie Deutsch?"))
    await model.until_sent(1, "SessionUpdate")
    await asyncio.sleep(0.2)
    try:
        await model.emit(schema.RealtimeModelErrorEvent(error={"code": "rate_limited"}))
    except RuntimeError:  # a listener raised: the read loop goes on, as the SDK's does
        pass
    await asyncio.sleep(0.5)
    await model.emit(*says("resp_4", "farewell", "Auf Wiederhören!"), ended(response_id="resp_4"))


def inside(event: Any) -> list[Any]:
    """What the model emits inside a send."""
    if isinstance(event, schema.RealtimeModelSendInterrupt):
        return [schema.RealtimeModelAudioInterruptedEvent(item_id="answer", content_index=0)]
    if isinstance(event, schema.RealtimeModelSendToolOutput):
        item = items.RealtimeToolCallItem(
            item_id=event.tool_call.id or "",
            call_id=event.tool_call.call_id,
            type="function_call",
            status="completed",
            arguments=event.tool_call.arguments,
            name=event.tool_call.name,
            output=event.output,
        )
        return [schema.RealtimeModelItemUpdatedEvent(item=item)]
    return []


def model() -> ScriptedModel:
    """The model that is recorded."""
    return ScriptedModel(script, inside)


@dataclass(frozen=True)
class Booking:
    """What the application does; without arguments, what was recorded.

    Attributes:
        table: that `book_table` gives.
        booking_ms, parking_ms: how long the tools take.
        swapped: it asks for patience after it has booked.
        nudges_after: so many seconds after the connect, if the call has not come to its end.
        interrupts_on: type of the event, or of the server's, on which it interrupts.
    """

    instructions: str = INSTRUCTIONS
    guests_type: str = "integer"
    table: int = 4
    called_as: str | None = None
    call_guests: int | None = None
    booking_ms: int = 300
    parking_ms: int = 200
    swapped: bool = False
    chunk: int = 1
    chunks: int = 6
    shift: int = 0
    voice: str = "ash"
    apologies: tuple[str, ...] = ("one moment",)
    raises_on: tuple[str, ...] = ("error",)
    interrupt_ms: int = 0
    interrupts_on: str = "input_audio_buffer.speech_started"
    hangs_on: str | None = None
    answers_parking: bool = True
    answers_as_text: bool = False
    extra_text: str | None = None
    repeats_output: bool = False
    heartbeat: bool = False
    nudges_after: float | None = None
    stops_listening: bool = False
    closes_on: str | None = "resp_4"
    connects_again: bool = False
    card: str = "4111 1111 1111 1111"

    async def run(self, model: schema.RealtimeModel) -> None:
        """Take a call."""
        await Taking(self, model).run()


@dataclass
class Taking(schema.RealtimeModelListener):
    """A call that is being taken."""

    booking: Booking
    model: schema.RealtimeModel
    over: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    async def run(self) -> None:
        """From the connect on, until all is over."""
        booking, model = self.booking, self.model
        model.add_listener(self)
        options: Any = {"initial_model_settings": self.settings(booking.instructions)}
        await model.connect(options)
        if booking.heartbeat:
            self.spawn(self.beat())
        if booking.nudges_after is not None:
            self.spawn(self.nudge(booking.nudges_after))
        await asyncio.sleep(1)
        await self.speak()
        await self.over.wait()
        if booking.connects_again:
            await model.close()
            await model.connect(options)
        for task in self.tasks:
            task.cancel()

    def settings(self, instructions: str) -> dict[str, Any]:
        """Of the connection."""
        guests = {"type": self.booking.guests_type}
        schema = {"type": "object", "properties": {"guests": guests, "time": {"type": "string"}}}
        return {
            "instructions": instructions,
            "voice": "ash",
            "tools": [{"name": "book_table", "parameters": schema}, {"name": "find_parking"}],
        }

    async def speak(self) -> None:
        """The user speaks into the microphone."""
        booking = self.booking
        sound = b"".join(spoken(number + booking.shift) for number in range(booking.chunks))
        length = len(spoken(0)) * booking.chunk
        for start in range(0, len(sound), length):
            await self.model.send_event(schema.RealtimeModelSendAudio(audio=sound[start : start + length]))
            await asyncio.sleep(CHUNK_MS * booking.chunk / 1000)

    async def beat(self) -> None:
        """A timer that never ends."""
        while True:
            await asyncio.sleep(5)

    async def nudge(self, after: float) -> None:
        """Nobody has said anything for too long."""
        await asyncio.sleep(after)
        await self.model.send_event(schema.RealtimeModelSendUserInput(user_input="Are you still there?"))

    def spawn(self, work: Any) -> None:
        """In a task of its own."""
        self.tasks.add(asyncio.create_task(work))

    async def on_event(self, event: Any) -> None:
        """React."""
        booking, type = self.booking, event.type
        if type == booking.hangs_on:
            await asyncio.Event().wait()
        if type in ("exception", "end_of_stream"):
            self.over.set()
        elif type in booking.raises_on or (type == "audio" and event.item_id in booking.raises_on):
            raise RuntimeError("no handler for this event")
        elif type == "function_call":
            self.spawn({"book_table": self.book, "find_parking": self.park}[event.name](event))
        elif booking.interrupts_on == (event.data["type"] if type == "raw_server_event" else type):
            await asyncio.sleep(booking.interrupt_ms / 1000)
            await self.model.send_event(schema.RealtimeModelSendInterrupt())
        elif type == "input_audio_transcription_completed":
            await self.on_words(event)
        elif type == "turn_started" and event.response_id == "resp_3" and booking.stops_listening:
            self.model.remove_listener(self)
        elif type == "turn_ended" and event.response_id == booking.closes_on:
            self.spawn(self.hang_up())

    async def on_words(self, event: Any) -> None:
        """The user has said something."""
        booking = self.booking
        if "Deutsch" in event.transcript:
            update: Any = {"voice": booking.voice, "instructions": "Sprich Deutsch."}
            await self.model.send_event(schema.RealtimeModelSendSessionUpdate(session_settings=update))
            card: Any = {"type": "conversation.item.create", "other_data": {"card": booking.card}}
            await self.model.send_event(schema.RealtimeModelSendRawMessage(message=card))
        elif booking.extra_text is not None:
            await self.model.send_event(schema.RealtimeModelSendUserInput(user_input=booking.extra_text))

    async def book(self, call: Any) -> None:
        """The tool that books."""
        booking = self.booking
        doing = [self.apologise, lambda: self.answer(call, json.dumps({"table": booking.table, "ok": True}))]
        for do in reversed(doing) if booking.swapped else doing:
            await do()
            await asyncio.sleep(booking.booking_ms / 2000)

    async def apologise(self) -> None:
        """It takes a moment."""
        for words in self.booking.apologies:
            note: Any = {"type": "response.create", "other_data": {"instructions": f"Say: {words}"}}
            await self.model.send_event(schema.RealtimeModelSendRawMessage(message=note))

    async def park(self, call: Any) -> None:
        """The tool that finds a place to park."""
        await asyncio.sleep(self.booking.parking_ms / 1000)
        if self.booking.answers_as_text:
            text = "Tell the user: a garage, two streets on"
            await self.model.send_event(schema.RealtimeModelSendUserInput(user_input=text))
        elif self.booking.answers_parking:
            await self.answer(call, "a garage, two streets on")

    async def answer(self, call: Any, output: str) -> None:
        """A tool's output."""
        if self.booking.call_guests is not None and call.name == "book_table":
            call = calls(call.name, call.call_id, guests=self.booking.call_guests, time="19:00")
        for _ in range(2 if self.booking.repeats_output and call.name == "book_table" else 1):
            await self.model.send_event(
                schema.RealtimeModelSendToolOutput(tool_call=call, output=output, start_response=True)
            )

    async def hang_up(self) -> None:
        """The call is over."""
        await asyncio.sleep(0.1)
        await self.model.close()
        self.over.set()


def with_card_hidden(text: str) -> str:
    """A redactor: no card's number leaves the process."""
    return text.replace("4111 1111 1111 1111", "[redacted]")
