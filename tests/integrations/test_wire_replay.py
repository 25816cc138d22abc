"""Replays below the interface: the SDK's own model runs on recorded frames, without a socket."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from agents import function_tool
from agents.realtime import (
    OpenAIRealtimeSIPModel,
    OpenAIRealtimeWebSocketModel,
    RealtimeAgent,
    RealtimeModelSendRawMessage,
    RealtimeModelSendUserInput,
    RealtimePlaybackTracker,
    RealtimeRunner,
)
from realtape.integrations.openai_agents import Recorder, replay
from realtape.provider import USER_INTERRUPTION, LocalProvider, Reply, Script, chunks, silence
from realtape.replay import IGNORE, JSON_TEXT, Matcher, MatcherError, Played, Tolerance, related, run
from realtape.schema import UsageError
from support.any_calls import PACE, AnyCall
from support.barge_ins import NOWHERE, SETTINGS, Caller, record
from support.below import Sent, played_below, recorded_frames
from support.memory_socket import in_memory
from support.sdk_model import Listener

PROGRAM = Path(__file__).parent / "programs" / "replay_below.py"
TIMES = 12
CALLER = Caller(TIMES)


@pytest.fixture(scope="module")
def barge_ins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("below") / "calls.db"
    run(record(store, CALLER))
    return store


def in_a_process(store: Path, seed: int) -> list[str]:
    environment = {
        **os.environ,
        "PYTHONHASHSEED": str(seed),
        "PYTHONPATH": str(PROGRAM.parents[2]),
        "OPENAI_AGENTS_DISABLE_TRACING": "1",
    }
    command = [sys.executable, str(PROGRAM), str(store), str(TIMES)]
    done = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def alike(store: Path, processes: int) -> None:
    [recorded] = run(recorded_frames(store))
    assert sum('"conversation.item.truncate"' in str(frame) for frame in recorded) > TIMES / 2
    with ThreadPoolExecutor(2) as pool:
        for printed in pool.map(partial(in_a_process, store), range(1, processes + 1)):
            assert printed == [*recorded, "same"]


@pytest.mark.timeout(300)
def test_barge_ins_are_byte_equal_in_another_process(barge_ins: Path) -> None:
    alike(barge_ins, 1)


@pytest.mark.deep
@pytest.mark.timeout(7200)
def test_barge_ins_are_byte_equal_in_a_hundred_processes(barge_ins: Path) -> None:
    alike(barge_ins, 100)


@pytest.mark.parametrize("seed", [2, 3])
def test_barge_ins_with_other_listeners(seed: int, tmp_path: Path) -> None:
    caller = Caller(3, seed)
    run(record(tmp_path / "calls.db", caller))
    played, sent = run(played_below(tmp_path / "calls.db", caller))
    assert played.verdict == "same", played
    assert sent == run(recorded_frames(tmp_path / "calls.db"))
    assert played.report.weaker == ()
    assert played.report.divergences == ()


async def listens(model: Any) -> None:
    """An application whose user is somewhere else."""
    runner = RealtimeRunner(RealtimeAgent(name="desk"), model=model, config={"tracing_disabled": True})
    async with await runner.run(model_config={"url": NOWHERE, "initial_model_settings": SETTINGS}) as session:
        async for _ in session:
            pass


def test_what_the_user_says_is_held_against_the_recording(tmp_path: Path) -> None:
    caller = Caller(1)
    run(record(tmp_path / "calls.db", caller))

    hums = Caller(1, says=bytes([1, 2]) * 4_800)
    for audio, unmatched in (("bytes", True), ("exact", True), ("ignore", False)):
        assert run(played_below(tmp_path / "calls.db", caller, audio=audio))[0].report.unmatched_audio == 0
        played, _ = run(played_below(tmp_path / "calls.db", hums, audio=audio))
        assert played.verdict == "same", played
        assert (played.report.unmatched_audio > 0) is unmatched, played
        assert ("sent that the recording does not hold" in str(played)) is unmatched


def test_what_the_user_did_is_done_for_an_application_without_one(barge_ins: Path) -> None:
    played, sent = run(played_below(barge_ins, listens))
    assert played.verdict == "same", played
    assert [len(one) for one in sent] == [len(one) for one in run(recorded_frames(barge_ins))]
    assert [one.type for one in played.report.unchecked] == ["send_user_input"]
    assert played.report.unsent == 10 * TIMES
    assert "the model's own code" in str(played)


def test_on_an_ordinary_loop_the_model_does_the_same(tmp_path: Path) -> None:
    """Only where the microphone's chunks lie between its other frames is the loop's affair."""
    caller = Caller(2)
    run(record(tmp_path / "calls.db", caller))
    played, sent = asyncio.run(played_below(tmp_path / "calls.db", caller))
    assert played.verdict == "same", played
    assert _without_audio(sent) == _without_audio(run(recorded_frames(tmp_path / "calls.db")))
    assert "on an ordinary event loop rounds are not kept" in played.report.weaker


def _without_audio(sent: Sent) -> Sent:
    return [[frame for frame in one if "input_audio_buffer.append" not in str(frame)] for one in sent]


# --- a conversation in text, and applications that were changed since ---------------------------------------


class Talk:
    """`async def app(model)` on the bare model: asks, and hangs up when it is answered."""

    def __init__(self, *questions: str, raw: bool = False, hasty: bool = False, again: bool = False) -> None:
        self.questions = questions or ("When does my train leave?", "And from where?")
        self.raw, self.hasty, self.again = raw, hasty, again
        self.url = NOWHERE

    async def __call__(self, model: Any) -> None:
        await self.connected(model)
        if self.again:
            await self.connected(model)

    async def connected(self, model: Any) -> None:
        listener = Listener()
        model.add_listener(listener)
        await model.connect({"url": self.url, "api_key": "sk-any"})
        for number, question in enumerate(self.questions, 1):
            await model.send_event(RealtimeModelSendUserInput(question))
            while sum(event.type == "turn_ended" for event in listener.events) < number:
                await asyncio.sleep(0.001)
        if self.raw:
            await model.send_event(RealtimeModelSendRawMessage({"type": "input_audio_buffer.clear"}))
        await model.close()
        model.remove_listener(listener)


SCRIPT = Script(replies=[Reply.text("At nine."), Reply.text("From platform four.")])


async def recorded(store: Path, app: Talk, script: Script = SCRIPT, depth: Any = "wire") -> None:
    async with Recorder(store) as recorder:
        await app(recorder.wrap(in_memory(OpenAIRealtimeWebSocketModel(), script, script), depth=depth))


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("talk") / "calls.db"
    run(recorded(store, Talk(raw=True)))
    return store


def played_with(store: Path, app: Any, **options: Any) -> Played:
    return run(replay(store, app, **options))


def test_a_connection_that_nobody_recorded_is_told(talk: Path) -> None:
    async def again(model: Any) -> None:
        app = Talk(raw=True)
        await app.connected(model)
        with contextlib.suppress(ConnectionError):
            await app.connected(model)

    [divergence] = played_with(talk, again).report.divergences
    assert divergence.kind == "exhausted"


def test_an_application_that_closes_long_before_it_did_has_diverged(tmp_path: Path) -> None:
    class Patient(Talk):
        seconds = 1.0

        async def connected(self, model: Any) -> None:
            await model.connect({"url": self.url, "api_key": "sk-any"})
            await model.send_event(RealtimeModelSendUserInput("Tell me a story."))
            await asyncio.sleep(self.seconds)
            await model.close()

    story = Script(replies=[Reply.speech("Once upon a time there was a train that left at nine.")])
    run(recorded(tmp_path / "calls.db", Patient(), story))
    hasty = Patient()
    hasty.seconds = 0.1
    assert played_with(tmp_path / "calls.db", Patient()).verdict == "same"
    played = played_with(tmp_path / "calls.db", hasty)
    assert played.verdict == "diverged", played
    assert "the application closed 0.9 s sooner than recorded" in str(played)


def test_who_hangs_up_since_nothing_comes_is_told_what_did_not_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a model that keeps a request to itself, and a user who has enough after five seconds."""

    async def app(model: Any) -> None:
        listener = Listener()
        model.add_listener(listener)
        await model.connect({"url": NOWHERE, "api_key": "sk-any"})
        await model.send_event(RealtimeModelSendUserInput("When does my train leave?"))
        for _ in range(500):
            if any(event.type == "turn_ended" for event in listener.events):
                await asyncio.sleep(30)
                break
            await asyncio.sleep(0.01)
        await model.close()

    send = OpenAIRealtimeWebSocketModel._send_raw_message

    async def keep(model: OpenAIRealtimeWebSocketModel, event: Any) -> None:
        if event.type != "response.create":
            await send(model, event)

    run(recorded(tmp_path / "calls.db", app))  # type: ignore[arg-type]
    monkeypatch.setattr(OpenAIRealtimeWebSocketModel, "_send_raw_message", keep)
    played = played_with(tmp_path / "calls.db", app)
    assert [one.kind for one in played.report.divergences] == ["missing"], played
    assert "sooner than recorded: 13 frames not played, for what comes next answers" in str(played)


def test_the_deepest_depth_that_was_recorded_is_taken(talk: Path) -> None:
    assert played_with(talk, Talk(raw=True)).depth == "wire"
    above = played_with(talk, Talk(raw=True), depth="interface")
    assert (above.depth, above.verdict) == ("interface", "same")
    assert "not run: what is below the model's interface, its own code; recorded" in str(above)
    assert played_with(talk, None).depth == "interface"


def test_a_frame_with_other_fields_is_told(talk: Path) -> None:
    played = played_with(talk, Talk("When does my train leave?", "From which platform?", raw=True))
    assert played.verdict == "diverged"
    [divergence] = played.report.divergences
    assert (divergence.kind, divergence.turn) == ("changed", 1)
    assert "conversation.item.create came with other fields" in divergence.summary
    [difference] = divergence.differences
    assert (difference.recorded, difference.live) == ("'And from where?'", "'From which platform?'")


def test_a_frame_that_does_not_come_is_missing(talk: Path) -> None:
    played = played_with(talk, Talk())
    [divergence] = played.report.divergences
    assert divergence.kind == "missing"
    assert "input_audio_buffer.clear was recorded, and did not come" in divergence.summary


def test_a_frame_that_nobody_recorded_is_unexpected(tmp_path: Path) -> None:
    run(recorded(tmp_path / "calls.db", Talk()))
    played = played_with(tmp_path / "calls.db", Talk(raw=True))
    [divergence] = played.report.divergences
    assert divergence.kind == "unexpected"
    assert "input_audio_buffer.clear came, and the recording holds no such frame" in divergence.summary


def test_a_model_that_connects_again_plays_the_next_session(tmp_path: Path) -> None:
    run(recorded(tmp_path / "calls.db", Talk("Hello?", again=True)))
    played, sent = run(played_below(tmp_path / "calls.db", Talk("Hello?", again=True)))
    assert played.verdict == "same", played
    assert sent == run(recorded_frames(tmp_path / "calls.db"))
    assert len(played.report.recordings) == len(set(played.report.recordings)) == 2


@pytest.mark.parametrize("reply", [Reply.close(1000), Reply.close(1011, "oops"), Reply.cut()])
def test_the_end_is_that_of_the_recording(reply: Reply, tmp_path: Path) -> None:
    told: list[list[str]] = []

    async def app(model: Any) -> None:
        listener = Listener()
        model.add_listener(listener)
        await model.connect({"url": NOWHERE, "api_key": "sk-any"})
        await model.send_event(RealtimeModelSendUserInput("Hello?"))
        for _ in range(200):  # before 0.21.1 nothing is told of a clean end
            if any(event.type in ("end_of_stream", "exception") for event in listener.events):
                break
            await asyncio.sleep(0.001)
        told.append([f"{event.type} {getattr(event, 'exception', '')}" for event in listener.events])

    run(recorded(tmp_path / "calls.db", app, Script(replies=[reply])))  # type: ignore[arg-type]
    played = played_with(tmp_path / "calls.db", app)
    assert played.verdict == "same", played
    assert told[0] == told[1]
    assert played.report.events == ()  # type: ignore[attr-defined]


def test_a_recording_of_the_interface_is_played_on_its_messages(tmp_path: Path) -> None:
    run(recorded(tmp_path / "calls.db", Talk(), depth="interface"))
    assert played_with(tmp_path / "calls.db", Talk()).depth == "interface"
    played = played_with(tmp_path / "calls.db", Talk(), depth="wire")
    assert (played.depth, played.verdict) == ("wire", "same"), played
    assert "it was recorded above the socket" in str(played)


def test_without_an_application_there_is_nothing_below_the_interface(talk: Path) -> None:
    with pytest.raises(UsageError, match="needs an application"):
        played_with(talk, None, depth="wire")


def test_a_tracker_is_told_what_the_application_told_it(tmp_path: Path) -> None:
    class Player(Talk):
        plays = True
        heard: list[Any] = []  # noqa: RUF012

        async def connected(self, model: Any) -> None:
            tracker = RealtimePlaybackTracker()
            await model.connect({"url": self.url, "api_key": "sk-any", "playback_tracker": tracker})
            await asyncio.sleep(0.01)
            if self.plays:
                tracker.on_play_ms("item_1", 0, 120)
                await asyncio.sleep(0.01)
                tracker.on_play_ms("item_1", 0, 30)
            await asyncio.sleep(0.05)
            self.heard.append(dict(tracker.get_state()))
            await model.close()

    run(recorded(tmp_path / "calls.db", Player()))
    still = Player()
    still.plays = False
    played_with(tmp_path / "calls.db", Player())
    played_with(tmp_path / "calls.db", still)
    assert [state["elapsed_ms"] for state in Player.heard] == [150, 150, 150]


# --- what the user says of sends, said of frames -----------------------------------------------------------


@dataclass(frozen=True)
class Desk:
    """`async def app(model)`: has a tool, and sends a message of its own."""

    answer: str = '{"at": "9:15", "from": 4}'
    number: int = 1
    minted: str = "mine_1"

    async def __call__(self, model: Any) -> None:
        @function_tool
        async def departure() -> str:
            return self.answer

        runner = RealtimeRunner(
            RealtimeAgent(name="desk", tools=[departure]), model=model, config={"tracing_disabled": True}
        )
        config: Any = {"url": NOWHERE, "api_key": "sk-any"}
        async with await runner.run(model_config=config) as session:
            other = {"item_id": "item_0001", "number": self.number, "note_id": self.minted}
            await session.send_message("When does my train leave?")
            await session.model.send_event(
                RealtimeModelSendRawMessage({"type": "conversation.item.retrieve", "other_data": other})
            )
            turns = 0
            async for event in session:
                turns += event.type == "agent_end"
                if turns == 2:
                    break


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("desk") / "calls.db"
    script = Script(replies=[Reply.function_call("departure"), Reply.text("At nine fifteen.")])
    run(recorded(store, Desk(), script))  # type: ignore[arg-type]
    return store


def verdict(store: Path, app: Any, **options: Any) -> str:
    return played_with(store, app, depth="wire", **options).verdict


def test_matchers_are_of_frames_too(desk: Path) -> None:
    assert verdict(desk, Desk()) == "same"
    other = Desk(answer='{"from":4,   "at":"9:15"}')
    assert verdict(desk, other) == "diverged"
    assert verdict(desk, other, matchers=[Matcher("send_tool_output", "output", JSON_TEXT)]) == "same"
    assert verdict(desk, other, matchers={"conversation.item.create": {"item.output": JSON_TEXT}}) == "same"
    later = Desk(answer='{"at": "9:16", "from": 4}')
    within = {"send_tool_output": {"output": JSON_TEXT, "output.at": IGNORE}}
    assert verdict(desk, later, matchers=within) == "same"
    close = [Matcher("send_raw_message", "message.other_data.number", Tolerance(absolute=2))]
    assert verdict(desk, Desk(number=3), matchers=close) == "same"
    far = played_with(desk, Desk(number=4), depth="wire", matchers=close)
    assert "number: 1 → 4" in str(far)
    nowhere = played_with(desk, Desk(), depth="wire", matchers={"send_audio": {"commit": IGNORE}})
    assert "note: the matcher of send_audio commit: such a field is in no frame" in str(nowhere)


def test_a_matcher_that_raises_is_told(desk: Path) -> None:
    def broken(recorded: Any, live: Any) -> bool:
        raise RuntimeError("no")

    played = played_with(
        desk, Desk(), depth="wire", matchers={"send_raw_message": {"message.other_data.number": broken}}
    )
    assert played.verdict in ("failed", "diverged")
    assert any(isinstance(one, MatcherError) for one in related(played.error)), played


def test_fields_in_which_the_client_mints_ids(desk: Path) -> None:
    other = Desk(minted="mine_2")
    assert verdict(desk, other) == "diverged"
    ids = {"send_raw_message": ["message.other_data.note_id"]}
    assert verdict(desk, other, client_ids=ids) == "same"
    with pytest.raises(UsageError, match="below the interface they are of frames"):
        verdict(desk, other, client_ids={"send_tool_output": ["output"]})


def test_redactors_are_given_what_is_sent(tmp_path: Path) -> None:
    def names(text: str) -> str:
        return text.replace("train", "*****")

    async def record_it() -> None:
        async with Recorder(tmp_path / "calls.db", redactors=[names]) as recorder:
            inner = in_memory(OpenAIRealtimeWebSocketModel(), SCRIPT, SCRIPT)
            await Talk()(recorder.wrap(inner, depth="wire"))

    run(record_it())
    assert verdict(tmp_path / "calls.db", Talk()) == "diverged"
    assert verdict(tmp_path / "calls.db", Talk(), redactors=[names]) == "same"


def test_who_must_do_what_again(talk: Path) -> None:
    async def silent(model: Any) -> None:
        await model.connect({"url": NOWHERE, "api_key": "sk-any"})
        await asyncio.sleep(0.1)
        await model.close()

    assert verdict(talk, silent) == "same"
    played = played_with(talk, silent, depth="wire", expect="all")
    assert {one.kind for one in played.report.divergences} <= {"missing", "given up"}
    assert played.verdict == "diverged"
    assert verdict(talk, silent, expect={"send_raw_message": "reaction"}) == "diverged"


# --- faults ------------------------------------------------------------------------------------------------


class Heard(Talk):
    """Asks once, and keeps what its model told, until that ends or nothing more comes."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []
        self.ns = 0

    async def connected(self, model: Any) -> None:
        listener = Listener()
        model.add_listener(listener)
        await model.connect({"url": self.url, "api_key": "sk-any"})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(20):
                await model.send_event(RealtimeModelSendUserInput(self.questions[0]))
                while not any(event.type in ("turn_ended", "exception") for event in listener.events):
                    await asyncio.sleep(0.001)
                await asyncio.sleep(0.5)
        self.ns = int(asyncio.get_running_loop().time() * 1e9)
        self.told = [f"{event.type} {getattr(event, 'exception', '')}" for event in listener.events]
        await model.close()


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("asked") / "calls.db"
    run(recorded(store, Heard()))
    return store


def faulty(store: Path, *faults: str, seed: int = 0) -> tuple[Played, Heard]:
    app = Heard()
    return run(replay(store, app, depth="wire", faults=faults, fault_seed=seed)), app


def test_no_fault_is_injected_where_none_is_met(asked: Path) -> None:
    played, app = faulty(asked, "close,message=no.such")
    assert (played.verdict, app.told) == ("same", faulty(asked)[1].told), played
    assert played.report.injected == ()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("close,code=1011,message=response.output_item.added", "exception"),
        ("eof,message=response.output_item.added", "exception"),
        ("timeout,timeout=100,message=response.created", "exception"),
        ("eof,stream=upstream,message=response.create", "exception"),
    ],
)
def test_a_fault_ends_the_connection(fault: str, told: str, asked: Path) -> None:
    played, app = faulty(asked, fault)
    assert any(told in one for one in app.told), (app.told, str(played))
    assert not any("turn_ended" in one for one in app.told)
    assert f"injected: {fault.partition(',')[0]}" in str(played)


@pytest.mark.parametrize("stream", ["downstream", "upstream"])
@pytest.mark.parametrize("toxic", ["eof", "close,code=1011", "reset_peer", "timeout,timeout=50", "timeout"])
def test_a_fault_on_a_schedule_happens_in_silence(toxic: str, stream: str, asked: Path) -> None:
    """The call is over after 0.2 s, and the user hangs up half a second later."""
    played, app = faulty(asked, f"{toxic},stream={stream},after=400")
    (told,) = played.report.injected  # type: ignore[attr-defined]
    assert {**told, "after": 400, "number": 0, "stream": stream} == told
    assert told["toxic"] == toxic.partition(",")[0]
    assert any("turn_ended" in one for one in app.told), "nothing was lost before"
    assert any("exception" in one for one in app.told) == (toxic != "timeout")
    assert faulty(asked, f"{toxic},stream={stream},after=400")[1].told == app.told


def test_late_messages_come_late_and_in_order(asked: Path) -> None:
    _, plain = faulty(asked)
    played, app = faulty(asked, "latency,latency=250")
    assert (played.verdict, app.told) == ("same", plain.told), played
    assert app.ns - plain.ns >= 250_000_000
    assert len(played.report.injected) == played.report.delivered  # type: ignore[attr-defined]


def test_what_the_server_did_not_get_is_not_answered(asked: Path) -> None:
    played, app = faulty(asked, "lose,stream=upstream,message=conversation.item.create")
    assert played.verdict == "diverged"
    assert not any("item_updated" in one for one in app.told)


def test_a_seed_does_the_same_in_every_run(asked: Path) -> None:
    def lost(seed: int) -> Any:
        played, _ = faulty(
            asked, "lose,chance=0.3,message=response.output_text.delta", "duplicate", seed=seed
        )
        return played.report.as_json()["injected"]

    assert lost(1) == lost(1)
    assert lost(1) != lost(2)


def test_faults_are_injected_below_the_interface_alone(asked: Path) -> None:
    with pytest.raises(UsageError, match="below the interface"):
        run(replay(asked, Heard(), depth="interface", faults=["eof"]))
    with pytest.raises(UsageError, match="known are latency"):
        faulty(asked, "hiccup")


# --- any call at all ---------------------------------------------------------------------------------------


def same_again(seed: int, store: Path) -> None:
    call = AnyCall(seed)
    run(recorded_any(store, call))
    played, sent = run(played_below(store, call))
    assert played.verdict == "same", played
    assert sent == run(recorded_frames(store))


async def recorded_any(store: Path, call: AnyCall) -> None:
    async with Recorder(store) as recorder:
        inner = in_memory(OpenAIRealtimeWebSocketModel(), call.script, pace=PACE, seed=call.seed)
        await call(recorder.wrap(inner, depth="wire"))


@pytest.mark.parametrize("seed", [0, 25, 135, 10, 1017])
def test_any_call_is_the_same_again(seed: int, tmp_path: Path) -> None:
    same_again(seed, tmp_path / "calls.db")


@pytest.mark.deep
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("block", range(20))
def test_all_calls_are_the_same_again(block: int, tmp_path: Path) -> None:
    for seed in range(1000 + block * 25, 1025 + block * 25):
        same_again(seed, tmp_path / f"{seed}.db")


@pytest.mark.real_time
async def test_any_call_is_the_same_again_on_an_ordinary_loop(tmp_path: Path) -> None:
    call = AnyCall(4, waits_s=0.3)
    await recorded_any(tmp_path / "calls.db", call)
    for _ in range(2):
        played, sent = await played_below(tmp_path / "calls.db", call)
        assert played.verdict == "same", played
        assert _without_audio(sent) == _without_audio(await recorded_frames(tmp_path / "calls.db"))


@dataclass(frozen=True)
class Busy:
    """`async def app(model)`: has a tool and a player, which take so long, and a user who breaks in.

    Attributes:
        tool_s: that the tool takes.
        piece_s: that the player takes for 20 ms of sound.
    """

    tool_s: float = 0.02
    piece_s: float = 0.002

    async def __call__(self, model: Any) -> None:
        tracker = RealtimePlaybackTracker()

        @function_tool
        async def departure() -> str:
            await asyncio.sleep(self.tool_s)
            return "9:15"

        async def play(event: Any) -> None:
            for piece in chunks(event.audio.data, 20):
                tracker.on_play_bytes(event.item_id, event.content_index, piece)
                await asyncio.sleep(self.piece_s)

        async def listen() -> None:
            async for event in session:
                if event.type == "audio":
                    await play(event)

        runner = RealtimeRunner(
            RealtimeAgent(name="desk", tools=[departure]), model=model, config={"tracing_disabled": True}
        )
        config: Any = {"url": NOWHERE, "api_key": "sk-any", "playback_tracker": tracker}
        config["initial_model_settings"] = SETTINGS
        async with await runner.run(model_config=config) as session, asyncio.TaskGroup() as group:
            listening = group.create_task(listen())
            await session.send_message("When does my train leave?")
            await asyncio.sleep(0.15)
            for piece in chunks(USER_INTERRUPTION.pcm[:9_600] + silence(200), 40):
                await session.send_audio(piece)
                await asyncio.sleep(0.004)
            await asyncio.sleep(0.1)
            listening.cancel()


STORY = Script(
    replies=[Reply.function_call("departure"), Reply.speech(" ".join(["train"] * 40)), Reply.text("Yes?")]
)


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("busy") / "calls.db"

    async def record_it() -> None:
        async with Recorder(store) as recorder:
            inner = in_memory(OpenAIRealtimeWebSocketModel(), STORY, pace=0.1)
            await Busy()(recorder.wrap(inner, depth="wire"))

    run(record_it())
    [recorded] = run(recorded_frames(store))
    assert sum('"conversation.item.truncate"' in str(frame) for frame in recorded) == 1
    return store


def test_a_tool_that_is_quicker_waits_for_its_place(busy: Path) -> None:
    played, sent = run(played_below(busy, Busy(tool_s=0.0)))
    assert played.verdict == "same", played
    assert sent == run(recorded_frames(busy))


@pytest.mark.parametrize("piece_s", [0.001, 0.005])
def test_the_user_heard_what_he_heard_however_the_player_plays_now(busy: Path, piece_s: float) -> None:
    other = Busy(piece_s=piece_s)
    played, sent = run(played_below(busy, other))
    assert played.verdict == "same", played
    assert sent == run(recorded_frames(busy)), "the model cuts where it cut"
    assert "what was heard differs" in played.report.remark
    assert run(played_below(busy, other, playback="ignore"))[0].report.remark == ""
    exactly = run(played_below(busy, other, playback="exact"))[0]
    assert [one.kind for one in exactly.report.divergences] == ["playback"]


def test_a_call_of_the_phones_is_the_same_again(tmp_path: Path) -> None:
    async def answers(model: Any) -> None:
        listener = Listener()
        model.add_listener(listener)
        await model.connect({"call_id": "call_of_the_phone", "api_key": "sk-any"})
        await model.send_event(RealtimeModelSendUserInput("Hello?"))
        while not any(event.type == "turn_ended" for event in listener.events):
            await asyncio.sleep(0.001)
        await model.close()

    async def record_it() -> None:
        async with Recorder(tmp_path / "calls.db") as recorder:
            await answers(recorder.wrap(in_memory(OpenAIRealtimeSIPModel(), SCRIPT), depth="wire"))

    run(record_it())
    played, sent = run(played_below(tmp_path / "calls.db", answers))
    assert played.verdict == "same", played
    assert sent == run(recorded_frames(tmp_path / "calls.db"))


@pytest.mark.real_time
async def test_a_call_over_a_real_websocket(tmp_path: Path) -> None:
    app = Talk()
    async with LocalProvider(SCRIPT, pace=0.01) as provider, Recorder(tmp_path / "calls.db") as recorder:
        app.url = provider.url
        await app(recorder.wrap(OpenAIRealtimeWebSocketModel(), depth="wire"))
    played, sent = await played_below(tmp_path / "calls.db", Talk())
    assert played.verdict == "same", played
    assert sent == await recorded_frames(tmp_path / "calls.db")
