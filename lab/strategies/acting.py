"""A plan, acted out: the recording of an application with the SDK's model, against a provider."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable
from typing import Any

from ...schema.entries import Header, Kind
from ...schema.playback import RealtimePlaybackTracker
from ...schema.standard import STANDARD
from ...schema.vocabulary import Vocabulary
from ...session.drafts import Draft
from ...session.recording import Recording
from .interface import Interface
from .plans import Call, Calls, Connection, Handoff, Plan, Reply, Speech, Talked, Turn, Typed, Writing
from .provider import Provider
from .tape import Tape
from .understood import Understanding
from .wire import Message, bytes_per_ms

STARTED_NS = 1_767_225_600_000_000_000
"""When generated conversations begin: with the year 2026."""


def acted(plan: Plan, vocabulary: Vocabulary = STANDARD) -> list[Draft]:
    """The sessions of a plan, in order. The same plan gives the same drafts in every run.

    Args:
        vocabulary: whose classes the events are made in.
    """
    tracker = RealtimePlaybackTracker()
    drafts: list[Draft] = []
    for number, connection in enumerate(plan.connections):
        content = hashlib.sha256(f"{number} {plan!r}".encode()).digest()
        milliseconds = STARTED_NS // 1_000_000 + number * 60_000
        bits = int.from_bytes(content[:10]) & ~(0xF << 76) & ~(0x3 << 62) | 0x7 << 76 | 0x2 << 62
        header = Header(
            id=str(uuid.UUID(int=milliseconds << 80 | bits)),
            previous_session=drafts[-1].header.id if drafts else None,
            started_ns=milliseconds * 1_000_000,
            host="generated",
            pid=0,
            source="generated",
            versions={},
            labels={},
        )
        tape = Tape(header, vocabulary, tracker)
        _Actors(plan, number + 1, tape, Interface(vocabulary)).act(connection)
        drafts.append(tape.draft())
    return drafts


def recording_of(plan: Plan, vocabulary: Vocabulary = STANDARD) -> Recording:
    """The recording of a plan, in memory; sessions after the first are its `following()`."""
    return Recording.of(*acted(plan, vocabulary), name="generated", vocabulary=vocabulary)


class _Actors:
    """User, application, model and provider of one connection."""

    def __init__(self, plan: Plan, number: int, tape: Tape, interface: Interface) -> None:
        self._plan = plan
        self._tape = tape
        self._make = interface.make
        self._provider = Provider(number, plan.audio_format)
        self._model = Understanding(interface)
        self._pieces = 0
        self._tools = 0
        self._over: int | None = None  # the event with which the connection ended

    def act(self, connection: Connection) -> None:
        """The whole session."""
        tape = self._tape
        options: dict[str, Any] = {
            "playback_tracker": "RealtimePlaybackTracker",
            "initial_model_settings": {},
        }
        value: dict[str, Any] = {"options": options, "listeners": ["Application"]}
        connect = tape.add(Kind.CONNECT, value, task="main", method="connect")
        tape.add(Kind.CONNECTED, {"outcome": "returned"}, task="main", of=connect)
        self._burst(self._provider.created())
        for turn in connection.turns:
            self._turn(turn)
        self._end(connection)

    def _end(self, connection: Connection) -> None:
        tape, cause, task = self._tape, None, "main"
        if connection.ending != "closed":
            tape.wait(10)
            task = "hanging up"
        if connection.ending == "ended":
            tape.received(self._make("connection_status", status="disconnected"))
            cause = tape.received(self._make("end_of_stream"))
        elif connection.ending == "lost":
            error = ConnectionResetError(104, "Connection reset by peer")
            cause = tape.received(self._make("exception", exception=error, context="the connection was lost"))
        tape.wait(10)
        close = tape.add(Kind.CLOSE, {}, task=task, method="close", cause=cause)
        tape.playback("model", "on_interrupted", task=task, cause=close)
        tape.add(Kind.CLOSED, {"outcome": "returned"}, task=task, of=close, cause=cause)

    # --- a turn -----------------------------------------------------------------------------------------

    def _turn(self, turn: Turn) -> None:
        spoken = self._open(turn.opening)
        for number, reply in enumerate(turn.replies):
            self._burst(self._provider.respond(), after_ms=1)
            if spoken is not None:
                self._transcribe(*spoken)
                spoken = None
            self._reply(reply, more=number + 1 < len(turn.replies))
        if spoken is not None:
            self._transcribe(*spoken)
        if turn.error is not None:
            self._burst(self._provider.error(turn.error, "something went wrong"))
        if turn.forgets and self._provider.items:
            self._forget(next(iter(self._provider.items)))

    def _open(self, opening: Typed | Talked) -> tuple[str, str] | None:
        """The user's part; returns the item and the text of a transcript that is still to come."""
        tape, provider = self._tape, self._provider
        if isinstance(opening, Typed):
            self._send(self._make("send_user_input", user_input=opening.text))
            self._burst(provider.hears_text(opening.text))
            return None
        for number in range(opening.pieces):
            if number:
                tape.wait(self._plan.piece_ms)
            self._send(self._make("send_audio", audio=self._audio(), commit=False))
            if provider.speaking is None:
                self._barge_in()
        item_id = provider.speaking
        assert item_id is not None, "who talks is heard"
        self._burst(provider.speech_stopped(opening.pieces * self._plan.piece_ms))
        return None if opening.transcript is None else (item_id, opening.transcript)

    def _transcribe(self, item_id: str, text: str) -> None:
        self._burst(self._provider.transcribed(item_id, text))
        self._retrieve()

    def _forget(self, item_id: str) -> None:
        message = {"type": "conversation.item.delete", "other_data": {"item_id": item_id}}
        self._send(self._make("send_raw_message", message=message))
        self._burst(self._provider.deleted(item_id))

    # --- replies ----------------------------------------------------------------------------------------

    def _reply(self, reply: Reply, *, more: bool) -> None:
        match reply:
            case Speech():
                self._speak(reply)
            case Writing():
                self._burst(self._provider.begin_item("text"))
                for piece in reply.pieces:
                    self._burst(self._provider.say(piece))
                self._burst([*self._provider.end_item(), *self._provider.end_response()])
            case Calls():
                self._call(reply.calls, inside=reply.inside, more=more)
            case Handoff():
                name, output = f"transfer_to_{reply.agent}", f'{{"assistant": "{reply.agent}"}}'
                self._call((Call(name, "{}", output),), handoff=reply.agent, more=more)

    def _speak(self, speech: Speech) -> None:
        provider, tape = self._provider, self._tape
        self._burst(provider.begin_item("speech"))
        item = provider.response.item if provider.response is not None else None
        assert item is not None, "it has just begun"
        for number, word in enumerate(speech.pieces):
            audio = self._audio()
            self._burst(provider.say(word, audio))
            if number < speech.heard:
                tape.wait(self._plan.piece_ms)
                tape.playback("application", "on_play_bytes", item.item_id, 0, audio, task="player")
        if speech.stopped is None or speech.late:
            self._burst([*provider.end_item(), *provider.end_response()])
        if speech.stopped == "voice":
            tape.wait(1)
            self._send(self._make("send_audio", audio=self._audio(), commit=False))
            self._barge_in()
        elif speech.stopped == "application":
            self._interrupt()

    def _barge_in(self) -> None:
        """The provider hears the user: the model silences itself, and tells the provider from where on."""
        tape, model, provider = self._tape, self._model, self._provider
        started, *cancelled = provider.speech_started()
        tape.wait(5)
        tape.received(self._raw(started))
        silenced = model.heard_of is not None
        if silenced:
            tape.playback("model", "get_state", task="read loop")
        barge = model.barge(tape.tracker.get_state())
        if barge is not None:
            tape.received(barge.event)
            tape.playback("model", "on_interrupted", task="read loop")
        self._hear(cancelled)
        if barge is not None and barge.item_id is not None:
            self._truncate(barge.item_id, barge.audio_end_ms)

    def _interrupt(self) -> None:
        tape, provider = self._tape, self._provider
        tape.wait(5)
        active = provider.response is not None
        sent = tape.sent(self._make("send_interrupt", force_response_cancel=active), task="main")
        tape.playback("model", "get_state", task="main", cause=sent)
        barge = self._model.interrupt(tape.tracker.get_state())
        if barge is not None:
            tape.received(barge.event, task="main", cause=sent)
            tape.playback("model", "get_state", task="main", cause=sent)
            tape.playback("model", "on_interrupted", task="main", cause=sent)
        tape.done(sent, task="main")
        if barge is not None and barge.item_id is not None:
            self._truncate(barge.item_id, barge.audio_end_ms)
        if active:
            self._burst(provider.cancel("client_cancelled"))

    def _truncate(self, item_id: str, audio_end_ms: int) -> None:
        self._burst(self._provider.truncated(item_id, audio_end_ms))
        self._retrieve()

    def _retrieve(self) -> None:
        """The SDK's model asks for the item that was spoken last, whenever one was cut or transcribed."""
        item_id = self._model.current_item_id
        if item_id in self._provider.items:
            self._burst(self._provider.retrieved(item_id))

    # --- tools ------------------------------------------------------------------------------------------

    def _call(
        self, calls: Iterable[Call], *, inside: bool = False, handoff: str | None = None, more: bool
    ) -> None:
        provider, tape = self._provider, self._tape
        made: list[tuple[Call, Any, int]] = []
        answered: list[tuple[str, str]] = []
        planned = list(calls)
        for number, call in enumerate(planned):
            self._burst(provider.begin_item("call", call.name, call.arguments))
            tape.wait(5)
            for message in provider.end_item():
                tape.received(self._raw(message))
                for event in self._model.events(message):
                    seq = tape.received(event)
                    if event.type != "function_call":
                        continue
                    if inside:
                        last = number + 1 == len(planned)
                        self._answer(call, event, seq, "read loop", start_response=more and last)
                        tape.handled(seq)
                        answered.append((event.call_id, call.output))
                    else:
                        made.append((call, event, seq))
        self._burst(provider.end_response())
        for call_id, output in answered:
            self._burst(provider.hears_output(call_id, output))
        made.sort(key=lambda one: one[0].takes_ms)  # of those that take as long, in order
        for left, (call, event, seq) in zip(reversed(range(len(made))), made, strict=True):
            tape.wait(5)
            self._tools += 1
            task = f"tool {self._tools}"
            if handoff is not None:
                settings: dict[str, Any] = {"instructions": f"You are the {handoff}.", "tools": []}
                update = self._make("send_session_update", session_settings=settings)
                tape.done(tape.sent(update, task=task, cause=seq), task=task, cause=seq)
            self._answer(call, event, seq, task, start_response=more and not left)
            if handoff is not None:
                self._burst(provider.updated())
            self._burst(provider.hears_output(event.call_id, call.output))

    def _answer(self, call: Call, event: Any, cause: int, task: str, *, start_response: bool) -> None:
        tape, output = self._tape, call.output
        fields = {"tool_call": event, "output": output, "start_response": start_response}
        sent = tape.sent(self._make("send_tool_output", **fields), task=task, cause=cause)
        tape.received(self._model.answered(event, output), task=task, cause=sent)
        tape.done(sent, task=task, cause=cause)

    # --- helpers ----------------------------------------------------------------------------------------

    def _send(self, event: Any) -> None:
        """The application does what the user did."""
        self._tape.wait(5)
        self._tape.done(self._tape.sent(event, task="main"), task="main")

    def _burst(self, messages: list[Message], after_ms: float = 5) -> None:
        """Messages come from the provider, all at once."""
        self._tape.wait(after_ms)
        self._hear(messages)

    def _hear(self, messages: list[Message]) -> None:
        for message in messages:
            self._tape.received(self._raw(message))
            for event in self._model.events(message):
                self._tape.received(event)
            if message["type"] in ("session.created", "session.updated"):
                format = self._model.audio_format
                self._tape.playback("model", "set_audio_format", format, task="read loop")

    def _raw(self, message: Message) -> Any:
        return self._make("raw_server_event", data=message)

    def _audio(self) -> bytes:
        """The next piece of audio: no two are the same."""
        self._pieces += 1
        length = self._plan.piece_ms * bytes_per_ms(self._plan.audio_format)
        return (self._pieces.to_bytes(4) * (length // 4 + 1))[:length]
