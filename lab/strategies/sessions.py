"""`sessions()`: whole conversations that keep to the protocol, as recordings.

A plan is acted out: user, application, the SDK's model (`Client`) and the provider (`ServerSession`) do what
it says, and what a recorder would have recorded is written down.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

from ...provider import (
    AudioFormatName,
    ConversationRequest,
    Item,
    Message,
    RequestRefused,
    ServerSession,
    Settings,
    parse,
)
from ...schema.codec import STANDARD, Vocabulary
from ...schema.entries import Header, Kind
from ...schema.playback import RealtimePlaybackState, RealtimePlaybackTracker
from ...session.drafts import Draft
from ...session.recording import Recording
from ..client import Client, Given, Step
from .plans import Call, Calls, Connection, Handoff, Plan, Reply, Speech, Talked, Turn, Typed, Writing, plans
from .tape import Tape

STARTED_NS = 1_767_225_600_000_000_000
"""When generated conversations begin: with the year 2026."""


def sessions(
    *,
    max_turns: int = 4,
    max_connections: int = 2,
    tools: Sequence[str] = ("look_up", "book"),
    handoffs: Sequence[str] = ("clerk",),
    barge_ins: bool = True,
    errors: bool = True,
    audio_format: AudioFormatName | None = None,
    piece_ms: int | None = None,
    vocabulary: Vocabulary = STANDARD,
) -> st.SearchStrategy[Recording]:
    """Recordings of whole conversations, from connect to close, as the SDK's model gives its events.

    They replay; hold all of `realtape.lab.invariants`; and shrink to a connect and a close. A
    recording's `following()` is the session after a reconnect.

    Args:
        max_turns: of one connection, at most.
        max_connections: 1: nobody reconnects.
        tools: names of tools that may be called; empty: none.
        handoffs: names of agents that may be handed off to; empty: none.
        barge_ins: the user, or the application, may interrupt. If not, all that the model says is heard.
            (The SDK's model gives `audio_interrupted` whenever the user speaks after it did, all the same.)
        errors: the provider may report errors, and connections may be lost or ended by it.
        audio_format: of what is said; None: any.
        piece_ms: how long a piece of audio plays, in milliseconds; None: from 1 to 20.
        vocabulary: whose classes the recording is read with; for applications of the SDK,
            `realtape.integrations.openai_agents.VOCABULARY`.

    Raises:
        UsageError: a number that leaves nothing to generate.
    """
    planned = plans(
        max_turns=max_turns,
        max_connections=max_connections,
        tools=tools,
        handoffs=handoffs,
        barge_ins=barge_ins,
        errors=errors,
        audio_format=audio_format,
        piece_ms=piece_ms,
    )
    return st.builds(recording_of, planned, st.just(vocabulary))


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
        _Actors(plan, number + 1, tape, vocabulary).act(connection)
        drafts.append(tape.draft())
    return drafts


def recording_of(plan: Plan, vocabulary: Vocabulary = STANDARD) -> Recording:
    """The recording of a plan, in memory; sessions after the first are its `following()`."""
    return Recording.of(*acted(plan, vocabulary), name="generated", vocabulary=vocabulary)


class _ModelsTracker:
    """The application's tracker, as the model calls it: that is written down.

    Attributes:
        task, cause: of the model's calls, at this moment.
    """

    def __init__(self, tape: Tape) -> None:
        self.task = "read loop"
        self.cause: int | None = None
        self._tape = tape

    def get_state(self) -> RealtimePlaybackState:
        self._call("get_state")
        return self._tape.tracker.get_state()

    def on_interrupted(self) -> None:
        self._call("on_interrupted")

    def set_audio_format(self, format: str) -> None:
        self._call("set_audio_format", format)

    def _call(self, method: str, *args: Any) -> None:
        self._tape.playback("model", method, *args, task=self.task, cause=self.cause)


class _Actors:
    """User, application, model and provider of one connection."""

    def __init__(self, plan: Plan, number: int, tape: Tape, vocabulary: Vocabulary) -> None:
        self._plan = plan
        self._tape = tape
        self._make = vocabulary.make
        settings = Settings.speaking(plan.audio_format, model="generated")
        self._bytes_per_ms = settings.audio.output.format.bytes_per_ms
        self._server = ServerSession(settings, connection=number)
        self._tracker = _ModelsTracker(tape)
        self._client = Client(vocabulary, self._tracker)
        self._asked: list[Message] = []  # by the client, and not answered yet
        self._pieces = 0
        self._tools = 0

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
        self._burst(self._server.created())
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
        self._tracker.task, self._tracker.cause = task, close
        self._client.close()
        tape.add(Kind.CLOSED, {"outcome": "returned"}, task=task, of=close, cause=cause)

    # --- a turn -----------------------------------------------------------------------------------------

    def _turn(self, turn: Turn) -> None:
        spoken = self._open(turn.opening)
        for number, reply in enumerate(turn.replies):
            self._burst(self._server.respond(), after_ms=1)
            if spoken is not None:
                self._transcribe(*spoken)
                spoken = None
            self._reply(reply, more=number + 1 < len(turn.replies))
        if spoken is not None:
            self._transcribe(*spoken)
        if turn.error is not None:
            self._burst(self._server.error(RequestRefused("something went wrong", code=turn.error)))
        if turn.forgets:
            self._forget()

    def _open(self, opening: Typed | Talked) -> tuple[Item, str] | None:
        """The user's part; returns the item and the text of a transcript that is still to come."""
        tape, server = self._tape, self._server
        if isinstance(opening, Typed):
            self._send(self._make("send_user_input", user_input=opening.text))
            return None
        said = b""
        for number in range(opening.pieces):
            if number:
                tape.wait(self._plan.piece_ms)
            audio = self._audio()
            said += audio
            self._send(self._make("send_audio", audio=audio, commit=False))
            if server.speaking is None:
                self._barge_in()
        stopped = server.speech_stopped(server.input_ms + opening.pieces * self._plan.piece_ms)
        self._burst([*stopped, *server.commit(said)])
        return None if opening.transcript is None else (server.conversation.last, opening.transcript)

    def _transcribe(self, item: Item, text: str) -> None:
        self._burst([*self._server.transcribing(item, text), *self._server.transcribed(item, text)])

    def _forget(self) -> None:
        """The first item goes; not one that is being heard, for the model may still ask for it."""
        heard = (self._client.audio.current_item_id, self._tape.tracker.get_state()["current_item_id"])
        item_id = next((one for one in self._server.conversation.ids if one not in heard), None)
        if item_id is not None:
            message = {"type": "conversation.item.delete", "other_data": {"item_id": item_id}}
            self._send(self._make("send_raw_message", message=message))

    # --- replies ----------------------------------------------------------------------------------------

    def _reply(self, reply: Reply, *, more: bool) -> None:
        server = self._server
        match reply:
            case Speech():
                self._speak(reply)
            case Writing():
                self._burst(server.begin_item("text"))
                for piece in reply.pieces:
                    self._burst(server.say(piece))
                self._burst([*server.end_item(), *server.end_response()])
            case Calls():
                self._call(reply.calls, inside=reply.inside, more=more)
            case Handoff():
                name, output = f"transfer_to_{reply.agent}", f'{{"assistant": "{reply.agent}"}}'
                self._call((Call(name, "{}", output),), handoff=reply.agent, more=more)

    def _speak(self, speech: Speech) -> None:
        server, tape = self._server, self._tape
        self._burst(server.begin_item("speech"))
        assert server.response is not None, "it has just begun"
        item_id = server.response.outputs[-1].id
        for number, word in enumerate(speech.pieces):
            audio = self._audio()
            self._burst(server.say(word, audio))
            if number < speech.heard:
                tape.wait(self._plan.piece_ms)
                tape.playback("application", "on_play_bytes", item_id, 0, audio, task="player")
        if speech.stopped is None or speech.late:
            self._burst([*server.end_item(), *server.end_response()])
        if speech.stopped == "voice":
            tape.wait(1)
            self._send(self._make("send_audio", audio=self._audio(), commit=False))
            self._barge_in()
        elif speech.stopped == "application":
            self._interrupt()

    def _barge_in(self) -> None:
        """The provider hears the user; what it says goes no further."""
        server = self._server
        started = server.speech_started(server.input_ms)
        cancelled = server.cancel("turn_detected") if server.response is not None else []
        self._burst([*started, *cancelled])

    def _interrupt(self) -> None:
        self._tape.wait(5)
        active = self._server.response is not None
        self._asking(self._make("send_interrupt", force_response_cancel=active), "main")
        self._answer()

    # --- tools ------------------------------------------------------------------------------------------

    def _call(
        self, calls: Iterable[Call], *, inside: bool = False, handoff: str | None = None, more: bool
    ) -> None:
        server, tape = self._server, self._tape
        made: list[tuple[Call, Any, int]] = []
        planned = list(calls)
        for number, call in enumerate(planned):
            self._burst([*server.begin_item("call", call.name), *server.say(call.arguments)])
            tape.wait(5)
            for event, seq in self._hear(server.end_item()):
                if event.type != "function_call":
                    continue
                if inside:
                    last = number + 1 == len(planned)
                    self._give(call, event, seq, "read loop", start_response=more and last)
                    tape.handled(seq)
                else:
                    made.append((call, event, seq))
        self._burst(server.end_response())
        made.sort(key=lambda one: one[0].takes_ms)  # of those that take as long, in order
        for left, (call, event, seq) in zip(reversed(range(len(made))), made, strict=True):
            tape.wait(5)
            self._tools += 1
            task = f"tool {self._tools}"
            if handoff is not None:
                settings: dict[str, Any] = {"instructions": f"You are the {handoff}.", "tools": []}
                update = self._make("send_session_update", session_settings=settings)
                self._asking(update, task, cause=seq)
            self._give(call, event, seq, task, start_response=more and not left)
            self._answer()

    def _give(self, call: Call, event: Any, cause: int, task: str, *, start_response: bool) -> None:
        """The application answers a call."""
        fields = {"tool_call": event, "output": call.output, "start_response": start_response}
        self._asking(self._make("send_tool_output", **fields), task, cause=cause)

    # --- helpers ----------------------------------------------------------------------------------------

    def _send(self, event: Any) -> None:
        """The application does what the user did, and the provider answers."""
        self._tape.wait(5)
        self._asking(event, "main")
        self._answer()

    def _asking(self, event: Any, task: str, cause: int | None = None) -> None:
        """The application sends something, from which the client asks the provider something."""
        sent = self._tape.sent(event, task=task, cause=cause)
        self._tracker.task, self._tracker.cause = task, sent
        for _ in self._do(self._client.send(event), task, sent):
            pass
        self._tracker.task, self._tracker.cause = "read loop", None
        self._tape.done(sent, task=task, cause=cause)

    def _answer(self) -> None:
        """The provider answers what the client asked; when a response begins, and when it has heard the user,
        the plan says."""
        while self._asked:
            message = self._asked.pop(0)
            if message["type"] not in ("response.create", "input_audio_buffer.append"):
                request = parse(message)
                assert isinstance(request, ConversationRequest)
                self._burst(self._server.answer(request))

    def _burst(self, messages: list[Message], after_ms: float = 5) -> None:
        """Messages come from the provider, all at once; then it answers what they made the client ask."""
        self._tape.wait(after_ms)
        for _ in self._hear(messages):
            pass
        self._answer()

    def _hear(self, messages: list[Message]) -> Iterator[tuple[Any, int]]:
        """The model is told messages; the events that it gives, one by one, with their seqs."""
        for message in messages:
            yield from self._do(self._client.receive(message), "read loop")

    def _do(self, steps: Iterable[Step], task: str, cause: int | None = None) -> Iterator[tuple[Any, int]]:
        for step in steps:
            if isinstance(step, Given):
                yield step.event, self._tape.received(step.event, task=task, cause=cause)
            else:
                self._asked.append(step.message)

    def _audio(self) -> bytes:
        """The next piece of audio: no two are the same."""
        self._pieces += 1
        length = self._plan.piece_ms * self._bytes_per_ms
        return (self._pieces.to_bytes(4) * (length // 4 + 1))[:length]
