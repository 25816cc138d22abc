"""The session that a script leads, without a socket, a clock or chance.

Times are milliseconds of audio time since the session began, given by the caller: the same messages at
the same times give the same answers to the last byte. Messages and settings that the real provider
knows and a conversation does not need (G.711, MCP, logprobs, idle timeouts) are refused or ignored.
"""

from __future__ import annotations

import heapq
import math
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import count, zip_longest
from typing import TypeAlias

from .conversation import Item
from .input_audio import InputAudioBuffer, SpeechStarted, SpeechStopped
from .requests import (
    AudioAppend,
    AudioClear,
    AudioCommit,
    Message,
    Request,
    RequestRefused,
    ResponseCreate,
    ResponseOptions,
    SessionUpdate,
    parse,
)
from .script import AFTERWARDS, Ending, FunctionCall, Output, Reply, Script, Speech
from .session import ServerSession
from .settings import Pcm16, Settings
from .speech import BYTES_PER_MS, chunks

THINKING_MS = 120
"""From the response's creation to its first word."""

TRANSCRIPTION_MS = 200
"""From an utterance's end to its transcript: the answer has begun by then, as with a real provider."""

CHUNK_MS = 100
"""Audio in one delta."""

BURST_CHUNKS = 4
"""Deltas that are sent together: a client reads them at once, as it does from a real provider."""

TEXT_BURST_WORDS = 4
TEXT_BURST_MS = 40

ARGUMENT_CHARACTERS = 8
"""Of a tool call's arguments in one delta."""


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


class _Timeline:
    """Runs processes, as in discrete simulation: iterators that do what is due whenever they are resumed, and
    yield the milliseconds after which to resume them. They run in the order of their times; those of one time
    in the order of their starts.

    Attributes:
        now_ms: the time up to which everything has been run; never goes back.
    """

    def __init__(self) -> None:
        self.now_ms = 0
        self._waiting: list[tuple[int, int, Iterator[int]]] = []
        self._order = count()
        self._stopped = False

    @property
    def next_due_ms(self) -> int | None:
        """When the next process is to be resumed, or None."""
        return self._waiting[0][0] if self._waiting else None

    def start(self, process: Iterator[int]) -> None:
        """Run the process up to its first pause, now; the rest follows in its time."""
        wait_ms = next(process, None)
        if wait_ms is not None and not self._stopped:
            heapq.heappush(self._waiting, (self.now_ms + wait_ms, next(self._order), process))

    def run_until(self, now_ms: int) -> None:
        """Resume everything that is due by then."""
        while self._waiting and self._waiting[0][0] <= now_ms:
            due_ms, _, process = heapq.heappop(self._waiting)
            self.now_ms = due_ms
            self.start(process)
        self.now_ms = max(now_ms, self.now_ms)

    def stop(self) -> None:
        """Resume nothing any more."""
        self._stopped = True
        self._waiting.clear()


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
        self._session = ServerSession(Settings(model=model), connection=connection)
        self._input = InputAudioBuffer()
        self._reply: Reply | None = None  # that the active response says
        self._saying: Generator[int, None, None] | None = None
        self._timeline = _Timeline()
        self._out: list[Step] = []
        self._ended = False
        self._emit(self._session.created())

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
            except RequestRefused as refused:
                self._emit(self._session.error(refused, message.get("event_id")))
        return before + self.advance(now_ms)

    def refuse(self, refused: RequestRefused, now_ms: int) -> list[Step]:
        """As `receive`, for a frame that holds no message: it is answered too."""
        before = self.advance(now_ms)
        self._emit(self._session.error(refused))
        return before + self.advance(now_ms)

    def _emit(self, messages: list[Message]) -> None:
        if not self._ended:
            self._out += [Outgoing(self._timeline.now_ms, message) for message in messages]

    def _answer(self, request: Request) -> None:
        match request:
            case AudioAppend():
                self._hear(request.audio)
            case AudioCommit():
                self._session.conversation.ensure_room()
                self._commit(self._input.take())
            case AudioClear():
                self._input.clear()
                self._emit(self._session.clear())
            case ResponseCreate():
                self._respond(request.response or ResponseOptions())
            case _:
                if isinstance(request, SessionUpdate):
                    _ensure_pcm16(self._session.settings.updated(request.session))
                self._emit(self._session.answer(request))
                self._settle()

    # --- the user's turn ----------------------------------------------------------------------------

    def _hear(self, pcm: bytes) -> None:
        self._input.append(pcm)
        session = self._session
        detection = session.settings.audio.input.turn_detection
        if detection is None:
            return
        for event in self._input.listen(detection):
            match event:
                case SpeechStarted():
                    self._emit(session.speech_started(event.audio_start_ms))
                    if detection.interrupt_response and session.response is not None:
                        self._emit(session.cancel("turn_detected"))
                        self._settle()
                case SpeechStopped():
                    self._emit(session.speech_stopped(event.audio_end_ms))
                    self._end_turn(event.audio, detection.create_response)

    def _end_turn(self, audio: bytes, create_response: bool) -> None:
        # Nothing may stop the listening halfway, so a refusal is answered here.
        try:
            self._commit(audio)
            if create_response:
                self._respond(ResponseOptions())
        except RequestRefused as refused:
            self._emit(self._session.error(refused))

    def _commit(self, audio: bytes) -> None:
        self._emit(self._session.commit(audio))
        transcript = next(self._transcripts, "")
        if self._session.settings.audio.input.transcription is not None:
            self._timeline.start(self._transcribe(self._session.conversation.last, transcript))

    def _transcribe(self, item: Item, transcript: str) -> Iterator[int]:
        yield TRANSCRIPTION_MS // 2
        for word in _words(transcript):
            self._emit(self._session.transcribing(item, word))
        yield TRANSCRIPTION_MS // 2
        self._emit(self._session.transcribed(item, transcript))

    # --- the assistant's turn -------------------------------------------------------------------------

    def _respond(self, options: ResponseOptions) -> None:
        self._session.ensure_free()
        reply = next(self._replies, AFTERWARDS)
        if reply.outputs:
            self._emit(self._session.respond(options))
            self._reply, self._saying = reply, self._play(reply)
            self._timeline.start(self._saying)
        if reply.ending is not None and (reply.ending.after_ms is not None or not reply.outputs):
            self._timeline.start(self._end(reply.ending))

    def _play(self, reply: Reply) -> Generator[int, None, None]:
        """The response as a process; what is sent between two pauses is one burst."""
        yield THINKING_MS
        for output in reply.outputs:
            yield from self._say(output)
            self._emit(self._session.end_item())
        self._emit(self._session.end_response())
        self._saying = None
        self._settle()

    def _say(self, output: Output) -> Iterator[int]:
        session, response = self._session, self._session.response
        match output:
            case FunctionCall():
                self._emit(session.begin_item("call", output.name))
                text = output.arguments_text
                for start in range(0, len(text), ARGUMENT_CHARACTERS):
                    self._emit(session.say(text[start : start + ARGUMENT_CHARACTERS]))
                yield TEXT_BURST_MS
            case Speech() if response is not None and "audio" in response.modalities:
                self._emit(session.begin_item("speech"))
                yield from self._speak(_words(output.text), output.pcm)
            case _:
                self._emit(session.begin_item("text"))
                words = _words(output.text)
                for start in range(0, len(words), TEXT_BURST_WORDS):
                    for word in words[start : start + TEXT_BURST_WORDS]:
                        self._emit(session.say(word))
                    yield TEXT_BURST_MS

    def _speak(self, words: list[str], pcm: bytes) -> Iterator[int]:
        bursts = list(chunks(pcm, CHUNK_MS * BURST_CHUNKS)) or [b""]
        spoken = 0
        for number, burst in enumerate(bursts, start=1):
            # Rounded up: the words run ahead of the sound, as the real provider's do.
            upto = math.ceil(len(words) * number / len(bursts))
            for word, chunk in zip_longest(words[spoken:upto], chunks(burst, CHUNK_MS), fillvalue=None):
                self._emit(self._session.say(word or "", chunk or b""))
            spoken = upto
            # Waiting for the last burst too keeps the response active while it can still be heard.
            yield len(burst) // BYTES_PER_MS

    def _settle(self) -> None:
        """After `response.done`: the next response may begin."""
        reply = self._reply
        if reply is None or self._session.response is not None:
            return
        if self._saying is not None:  # it was cancelled
            self._saying.close()
        self._reply = self._saying = None
        self._emit(self._session.rate_limits())
        if reply.ending is not None and reply.ending.after_ms is None:
            self._timeline.start(self._end(reply.ending))

    def _end(self, ending: Ending) -> Iterator[int]:
        if ending.after_ms:
            yield ending.after_ms
        self._out.append(Ended(self._timeline.now_ms, ending))
        self._ended = True
        self._timeline.stop()


def _ensure_pcm16(settings: Settings) -> None:
    """Whoever speaks anything else is not understood here."""
    for side, format in (("input", settings.audio.input.format), ("output", settings.audio.output.format)):
        if not isinstance(format, Pcm16):
            param = f"session.audio.{side}.format.type"
            raise RequestRefused(f"'{param}' does not fit: Input should be 'audio/pcm'.", param=param)


def _words(text: str) -> list[str]:
    """The text in pieces that join to the same text: each word with the space before it."""
    return re.findall(r"\s*\S+|\s+$", text)
