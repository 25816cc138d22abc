"""`SessionMachine`: hypothesis plays provider and user against an application, on virtual time."""

from __future__ import annotations

import functools
import json
import math
import shlex
import unittest
from collections import Counter
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias, cast

from hypothesis import event, note
from hypothesis import strategies as st
from hypothesis.control import current_build_context
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ...lab.invariants import ALL, Invariant
from ...lab.strategies import fitting
from ...provider import AudioFormatName, Item, RequestRefused, Response, ServerSession, Settings
from ...recorder import Recorder
from ...schema import UsageError
from ...session import Part, ToolCalls
from .kept_examples import keep
from .served import ServedModel
from .stage import Stage

_WORDS = st.text("ab é", max_size=3)

Ending: TypeAlias = Literal["ended", "lost", "holds"]
"""What may become of a connection."""

# Were connections to end as often as anything else, few conversations would come to anything.
_ENDINGS: Sequence[Ending] = ("ended", "lost", "holds", "holds", "holds", "holds", "holds", "holds")


REFUSED = "An error occurred while running the tool."
"""So begins what the SDK's session sends for a tool that raised, or whose arguments do not fit."""

_UNTOLD: st.SearchStrategy[Any] = st.sampled_from([{}, {"number": 1}])
"""For a tool of which the application has told no schema."""


class _Tested:
    """The test case of a machine: it fails where the bodies of its tools never ran."""

    def __get__(self, instance: object, machine: type[SessionMachine]) -> type[unittest.TestCase]:
        return _test_case(machine)


@functools.cache
def _test_case(machine: type[SessionMachine]) -> type[unittest.TestCase]:
    made: Any = vars(RuleBasedStateMachine)["TestCase"].__get__(None, machine)

    def run_test(self: Any) -> None:
        machine.called.clear()
        machine.ran.clear()
        made.runTest(self)
        told = ", ".join(f"{name} {machine.ran[name]} of {count}" for name, count in machine.called.items())
        print(f"tools whose bodies ran, of so many calls: {told or 'none'}")  # noqa: T201 - pytest shows it
        assert not machine.called or any(machine.ran.values()), (
            f"no body of a tool ran, in {machine.called.total()} calls: override `tool_arguments`, so that "
            "your tools accept what they are called with"
        )

    vars(run_test).update(
        cast("dict[str, Any]", vars(made.runTest))
    )  # by which hypothesis' own plugin knows it
    return type(made.__name__, (made,), {"runTest": run_test, "__qualname__": made.__qualname__})


class SessionMachine(RuleBasedStateMachine):
    """A state machine whose rules are what a provider and a user may do, at every step within the protocol.

    ```python
    class BookingMachine(SessionMachine):
        tools = ("book_table",)

        async def application(self, model):
            await booking(model)


    TestBooking = BookingMachine.TestCase
    ```

    The application runs on a `VirtualLoop`; between two steps everything runs that can. It is recorded in
    memory, and the rules of `checks` are held against the recording after each step and at the end. What
    it raises fails the example, too. A failing example is kept as a fixture below `failures`.

    Attributes:
        tools: names of the tools that the provider may call; empty: none.
        audio_format: of what is said.
        piece_ms: how long a piece of audio plays, in milliseconds.
        checks: the rules that must hold.
        end_wait_s: how long the application has at the end, in virtual seconds: longer than a tool may
            take.
        recorder_class: for an application of the SDK, `realtape.integrations.openai_agents.Recorder`.
        failures: the folder for failing examples; None: none is kept.
        model: what the application is given.
        called, ran: how often each tool was called in all examples that have passed, and how often it
            answered as one that ran: not as the SDK does for arguments it refuses, or a body that raises.
    """

    tools: ClassVar[Sequence[str]] = ("look_up",)
    audio_format: ClassVar[AudioFormatName] = "pcm16"
    piece_ms: ClassVar[int] = 20
    checks: ClassVar[Sequence[Invariant]] = ALL
    end_wait_s: ClassVar[float] = 31.0
    recorder_class: ClassVar[type[Recorder]] = Recorder
    failures: ClassVar[Path | None] = Path(".realtape/failures")

    called: ClassVar[Counter[str]] = Counter()
    ran: ClassVar[Counter[str]] = Counter()
    TestCase = _Tested()

    def __init_subclass__(cls, **facts: Any) -> None:
        super().__init_subclass__(**facts)
        cls.called, cls.ran = Counter(), Counter()

    def __init__(self) -> None:
        super().__init__()
        self._stage = Stage(self.recorder_class, self.checks)
        recorder = self._stage.recorder
        vocabulary = recorder.codec.vocabulary
        self._make = vocabulary.make
        self._served = ServedModel(vocabulary, self.audio_format)
        self.model: Any = recorder.wrap(cast("Any", self._served))
        self._pieces = 0
        self._played: tuple[str, float] = ("", 0.0)
        self._unheard: list[Item] = []  # those whose transcript is still to come

    # --- for subclasses -----------------------------------------------------------------------------

    async def application(self, model: Any) -> None:
        """The application under test: connects the model, and works with it until it closes it."""
        name = type(self).__name__
        raise UsageError(f"{name} has no application: define `async def application(self, model)` in it")

    def tool_arguments(self, name: str) -> st.SearchStrategy[Any]:
        """What a tool is called with: by default whatever fits the schema that the application has told.
        Where your tool wants more than a schema says, give values that it has a use for."""
        schema = self._served.schemas.get(name)
        return _UNTOLD if schema is None else fitting(schema)

    async def user_types(self, text: str) -> None:
        """The user writes; by default straight into the model, as an application does it for him."""
        await self.model.send_event(self._make("send_user_input", user_input=text))

    async def user_speaks(self, audio: bytes) -> None:
        """The user is heard by the microphone."""
        await self.model.send_event(self._make("send_audio", audio=audio, commit=False))

    async def user_interrupts(self) -> None:
        """The user silences the model by hand."""
        await self.model.send_event(self._make("send_interrupt", force_response_cancel=True))

    async def user_hears(self, item_id: str, ms: float) -> None:
        """So much more of an item was played; by default told to the tracker that the application gave."""
        if self._served.tracker is not None:
            self._served.tracker.on_play_ms(item_id, 0, ms)

    # --- what may be done when ------------------------------------------------------------------------

    @property
    def _server(self) -> ServerSession:
        server = self._served.server
        assert server is not None, "a precondition of every rule of the provider"
        return server

    def _connected(self) -> bool:
        return self._served.server is not None

    def _response(self) -> Response | None:
        return self._server.response if self._connected() else None

    def _may_respond(self) -> bool:
        return self._connected() and self._response() is None and self._served.owed > 0

    def _responds(self) -> bool:
        return self._response() is not None

    def _has_begun(self) -> bool:
        """The response has said or called something: an empty one tells little."""
        response = self._response()
        return response is not None and bool(response.outputs)

    def _may_interrupt(self) -> bool:
        return self._has_begun() or (self._connected() and self._sounding() is not None)

    def _may_say(self, kind: str) -> bool:
        response = self._response()
        return response is not None and (response.open is None or response.open.kind == kind)

    def _sounding(self) -> Part | None:
        """What an interruption would silence."""
        client = self._served.client
        return None if client is None else client.audio.latest

    def _audible_ms(self) -> float:
        """How much of the item that is heard has come, and was not played."""
        client, part = self._served.client, self._sounding()
        if self._served.tracker is None or client is None or part is None:
            return 0.0
        played_ms = self._played[1] if self._played[0] == part[0] else 0.0
        return math.ceil(client.audio.parts[part].ms) - played_ms

    # --- the provider's rules -------------------------------------------------------------------------

    @initialize()
    def application_begins(self) -> None:
        """The application starts."""
        self._stage.start(self.application(self.model), "application")
        self._stage.settle()

    @precondition(_may_respond)
    @rule()
    def provider_responds(self) -> None:
        """A response that is due begins."""
        self._respond()

    @precondition(lambda self: self._may_say("speech"))
    @rule(word=_WORDS, pieces=st.integers(1, 3))
    def provider_speaks(self, word: str, pieces: int) -> None:
        """The model says something more."""
        self._begin("speech")
        for _ in range(pieces):
            self._served.push(self._server.say(word, self._audio()))
        self._stage.settle()

    @precondition(lambda self: self._may_say("text"))
    @rule(word=_WORDS)
    def provider_writes(self, word: str) -> None:
        """The model writes something more."""
        self._begin("text")
        self._served.push(self._server.say(word))
        self._stage.settle()

    @precondition(lambda self: bool(self.tools) and self._responds())
    @rule(number=st.integers(0, 7), data=st.data(), times=st.integers(1, 2))
    def provider_calls_a_tool(self, number: int, data: st.DataObject, times: int) -> None:
        """The model calls a tool."""
        name = self.tools[number % len(self.tools)]
        arguments = json.dumps(data.draw(self.tool_arguments(name), label=name))
        for _ in range(times):
            self._end_item()
            server = self._server
            self._served.push([*server.begin_item("call", name), *server.say(arguments)])
        self._end_item()
        self._stage.settle()

    @precondition(_has_begun)
    @rule()
    def provider_ends_the_response(self) -> None:
        """The response is done."""
        self._end_item()
        self._served.push(self._server.end_response())
        self._stage.settle()

    @precondition(lambda self: self._connected() and bool(self._unheard))
    @rule(text=_WORDS)
    def provider_transcribes(self, text: str) -> None:
        """What the user said comes as text."""
        item, server = self._unheard.pop(0), self._server
        if server.conversation.has(item.id):
            self._served.push([*server.transcribing(item, text), *server.transcribed(item, text)])
        self._stage.settle()

    @precondition(_connected)
    @rule()
    def provider_reports_an_error(self) -> None:
        """Something went wrong, and the connection goes on."""
        self._served.push(self._server.error(RequestRefused("something went wrong", code="server_error")))
        self._stage.settle()

    @precondition(_connected)
    @rule(how=st.sampled_from(_ENDINGS))
    def connection_ends(self, how: Ending) -> None:
        """The provider ends the connection in order, or it is lost; mostly it holds."""
        if how != "holds":
            self._unheard.clear()
            self._served.end(how)
            self._stage.settle()

    # --- the user's rules -----------------------------------------------------------------------------

    @precondition(_connected)
    @rule(text=_WORDS, answered=st.booleans())
    def user_typed(self, text: str, answered: bool) -> None:
        """The user writes something; the answer may begin at once."""
        self._do(self.user_types(text))
        if answered:
            self._respond()

    @precondition(lambda self: self._connected() and self._server.speaking is None)
    @rule()
    def user_begins_to_speak(self) -> None:
        """The user speaks, and breaks in on whatever the model is saying."""
        self._do(self.user_speaks(self._audio()))
        if self._connected() and self._server.speaking is None:
            server = self._server
            started = server.speech_started(server.input_ms)
            cancelled = [] if server.response is None else server.cancel("turn_detected")
            self._served.push([*started, *cancelled])
        self._stage.settle()

    @precondition(lambda self: self._connected() and self._server.speaking is not None)
    @rule(answered=st.booleans())
    def user_stops_speaking(self, answered: bool) -> None:
        """The user is quiet: his turn is over; the answer may begin at once."""
        server = self._server
        stopped = server.speech_stopped(server.input_ms + self.piece_ms)
        self._served.push([*stopped, *server.commit(self._audio())])
        self._unheard.append(server.conversation.last)
        self._served.owed += 1
        self._stage.settle()
        if answered:
            self._respond()

    @precondition(_may_interrupt)
    @rule()
    def user_interrupted(self) -> None:
        """The user silences the model by hand."""
        self._do(self.user_interrupts())

    @precondition(lambda self: self._audible_ms() > 0)
    @rule(share=st.floats(0, 1, exclude_min=True))
    def user_heard(self, share: float) -> None:
        """Some of what came is played: all of it, or up to any millisecond."""
        part = self._sounding()
        assert part is not None, "something is audible"
        item_id = part[0]
        ms = float(max(int(self._audible_ms() * share), 1))
        before_ms = self._played[1] if self._played[0] == item_id else 0.0
        self._played = (item_id, before_ms + ms)
        self._do(self.user_hears(item_id, ms))

    @rule(ms=st.sampled_from([1, 20, 500, 5000, 40_000]))
    def time_passes(self, ms: int) -> None:
        """Nothing happens for a while, but what the application does by itself."""
        self._stage.settle(ms / 1000)

    # --- after each step, and at the end ----------------------------------------------------------------

    @invariant()
    def rules_hold(self) -> None:
        """What was recorded is sound, and nothing was raised."""
        self._stage.look()

    def teardown(self) -> None:
        """The conversation is left alone for a while; then it is over, and everything is let go."""
        try:
            if not self._stage.failed:
                self._stage.end(self.end_wait_s)
                self._count()
        finally:
            try:
                if self._stage.failed:
                    self._keep()
            finally:
                self._stage.close()

    # --- helpers ------------------------------------------------------------------------------------

    def fail(self) -> None:
        """Note that this example fails: it is kept when it is over."""
        self._stage.failed = True

    def _count(self) -> None:
        """How often each tool was called, and how often its body ran."""
        for draft in self._stage.recorder.drafts():
            calls = ToolCalls()
            for entry in draft.entries:
                calls.read(entry)
            for call in calls.calls():
                type(self).called[call.name] += 1
                ran = call.output is not None and not call.output.startswith(REFUSED)
                type(self).ran[call.name] += ran
                event(f"the body of {call.name} {'ran' if ran else 'did not run'}")

    def _begin(self, kind: Any) -> None:
        response = self._server.response
        if response is not None and response.open is None:
            self._served.push(self._server.begin_item(kind))

    def _respond(self) -> None:
        if self._may_respond():
            self._served.owed -= 1
            self._served.push(self._server.respond())
        self._stage.settle()

    def _end_item(self) -> None:
        response = self._server.response
        if response is not None and response.open is not None:
            self._served.push(self._server.end_item())

    def _audio(self) -> bytes:
        self._pieces += 1
        length = self.piece_ms * Settings.speaking(self.audio_format).audio.output.format.bytes_per_ms
        return (self._pieces.to_bytes(4) * (length // 4 + 1))[:length]

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        self._stage.start(work, "user")
        self._stage.settle()

    def _keep(self) -> None:
        if self.failures is None or not current_build_context().is_final:
            return  # a smaller example is still being sought
        drafts = self._stage.drafts()
        if drafts:
            path = keep(drafts, self.failures, type(self).__name__)
            note(f"This example is kept as {path}")
            replays = f"realtape replay {shlex.quote(str(path))} --app module:callable"
            note(f"It replays, with the module and the callable of the application:\n  {replays}")
