"""Stimuli: of every recorded session, exactly what nothing in it caused."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from realtape.recorder import Recorder
from realtape.replay import run
from realtape.replay.matching.expectation import Expected
from realtape.schema import (
    Entry,
    Kind,
    RealtimeModel,
    RealtimeModelSendAudio,
    RealtimeModelSendInterrupt,
    RealtimeModelSendToolOutput,
    RealtimeModelSendUserInput,
    RealtimeModelTurnStartedEvent,
)
from realtape.schema.entries import SETTLED_TICKS, Flag
from realtape.session import Recording
from realtape.session.places import MAX_ROUNDS, Numbering, Place
from realtape.session.stimuli import Stimulus, is_stimulus, stimuli
from realtape.session.tool_calls import ToolAnswers, ToolCall, tool_calls
from support import telephone
from support.course import Take, takes
from support.scripted import Listening, Scripted, ScriptedModel, tool_call, tool_output


async def found_in(store: Path) -> list[Stimulus]:
    async with await Recording.open(store) as recording:
        return [stimulus async for stimulus in stimuli(recording)]


@given(takes())
def test_a_stimulus_is_a_call_without_a_cause(take: Take) -> None:
    calls = [step.entry for step in take.steps if step.kind in (Kind.SENT, Kind.CLOSE)]
    found = [step.seq for step in take.steps if is_stimulus(step.entry)]
    assert found == [entry.seq for entry in calls if entry.cause is None]
    assert not [entry for entry in calls if is_stimulus(entry) and Expected().requires(entry)]


@pytest.mark.parametrize(
    ("type", "cause", "flags", "expected"),
    [
        ("send_audio", None, 0, True),
        ("send_audio", 3, 0, True),  # a microphone that was started in a listener
        ("send_user_input", 3, 0, False),
        ("send_tool_output", None, 0, False),
        ("send_user_input", None, int(Flag.CAUSE_LOST), False),  # it had one
    ],
)
def test_the_type_and_what_was_lost_matter(type: str, cause: int | None, flags: int, expected: bool) -> None:
    entry = Entry(9, 0, 0, 0, Kind.SENT, type, "send_event", cause, flags=flags)
    assert is_stimulus(entry) is expected
    assert not is_stimulus(entry._replace(kind=Kind.CONNECT, type=None, cause=None))


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 1000)), max_size=30))
def test_bursts_begin_where_nothing_was_left_to_run(steps: list[tuple[int, int]]) -> None:
    numbering, tick, at_ns, began_ns, burst, rounds = Numbering(), 0, 0, 0, 0, 0
    for seq, (ticks, passed_ns) in enumerate(steps):
        tick, at_ns = tick + ticks, at_ns + passed_ns
        if seq == 0:
            began_ns, rounds = at_ns, tick
        elif ticks < 16:
            rounds += ticks
        else:
            began_ns, burst, rounds = at_ns, burst + 1, ticks - 16
        assert numbering.place(tick, at_ns) == Place(began_ns, burst, rounds)
    assert numbering.place(None, at_ns + 5) == Place(at_ns + 5, burst, rounds, timed=True)


@given(st.lists(st.integers(0, 40), max_size=5), st.lists(st.integers(1, 15), max_size=30))
def test_a_burst_that_goes_on_may_be_shown_by_its_end_alone(before: list[int], steps: list[int]) -> None:
    one_by_one, at_once, tick = Numbering(), Numbering(), 3
    for ticks in [0, *before]:
        tick += ticks
        at_once.place(tick, tick)
        one_by_one.place(tick, tick)
    for ticks in steps:
        tick += ticks
        one_by_one.place(tick, 0)
    at_once.go_on(tick)
    for later in (tick, tick + 9, tick + 90, None):
        assert at_once.place(later, 900) == one_by_one.place(later, 900)


def sent(kind: int, number: int) -> Any:
    """One of the things that a user can do."""
    kinds: list[Any] = [
        RealtimeModelSendUserInput(user_input=f"word {number}"),
        RealtimeModelSendAudio(audio=bytes([number]) * 480, commit=number % 2 == 0),
        RealtimeModelSendInterrupt(),
    ]
    return kinds[kind]


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["turn", "tool", "answers", 0, 1, 2]), max_size=8))
def test_a_recorded_session_gives_back_what_the_user_did(
    tmp_path_factory: pytest.TempPathFactory, course: list[Any]
) -> None:
    """Turns, tools that are answered, listeners that answer, and a user in between."""
    store = tmp_path_factory.mktemp("stimuli") / "log.db"
    did: list[tuple[Any, int]] = []

    async def script(model: Scripted) -> None:
        pass

    async def user(model: RealtimeModel, inner: ScriptedModel) -> None:
        async def react(event: Any) -> None:
            if event.type == "function_call":
                await model.send_event(tool_output(event))
            elif event.type == "turn_started" and event.response_id == "answers":
                await model.send_event(RealtimeModelSendUserInput(user_input="a reaction"))

        model.add_listener(Listening(react))
        await model.connect({})
        turn = 0
        for number, what in enumerate(course):
            if what == "tool":
                await inner.emit(tool_call(number))
            elif what in ("turn", "answers"):
                turn += 1
                await inner.emit(RealtimeModelTurnStartedEvent(response_id=str(what)))
            else:
                event = sent(what, number)
                did.append((event, turn))
                await model.send_event(event)
        await model.close()

    async def record() -> list[Stimulus]:
        async with Recorder(store) as recorder:
            inner = ScriptedModel(script)
            await user(recorder.wrap(inner), inner)
        return await found_in(store)

    found = run(record())
    assert [(one.event, one.turn) for one in found[:-1]] == did
    close = found[-1]
    assert (close.kind, close.type, close.event, close.method) == ("close", None, None, "close")
    assert [one.outcome for one in found] == ["returned"] * len(found)
    assert all(one.burst_ns <= one.at_ns <= (one.ended_ns or 0) for one in found)
    assert [one.at_ns for one in found] == sorted(one.at_ns for one in found)
    assert found[0].at == found[0].at_ns / 1e9


async def test_how_a_stimulus_ended_is_told(tmp_path: Path) -> None:
    async def script(model: Scripted) -> None:
        pass

    class Failing(ScriptedModel):
        async def send_event(self, event: Any) -> None:
            if event.user_input == "fail":
                raise ConnectionResetError("the line is dead")
            if event.user_input == "wait":
                await asyncio.Event().wait()
            await super().send_event(event)

        async def send_event_if(self, event: Any, send_if: Any) -> bool:
            return bool(send_if())

    async with Recorder(tmp_path / "log.db") as recorder:
        model = recorder.wrap(Failing(script))
        await model.connect({})
        with pytest.raises(ConnectionResetError):
            await model.send_event(RealtimeModelSendUserInput(user_input="fail"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(model.send_event(RealtimeModelSendUserInput(user_input="wait")), 0.01)
        await model.send_event_if(RealtimeModelSendUserInput(user_input="no"), lambda: False)
        unfinished = asyncio.create_task(model.send_event(RealtimeModelSendUserInput(user_input="wait")))
        await asyncio.sleep(0)
        await recorder.flush()
        found = await found_in(tmp_path / "log.db")
        unfinished.cancel()
        await asyncio.gather(unfinished, return_exceptions=True)
    assert [one.outcome for one in found] == ["raised", "cancelled", "withheld", None]
    assert [one.method for one in found] == ["send_event", "send_event", "send_event_if", "send_event"]
    assert found[-1].ended_ns is None
    assert (found[1].ended_ns or 0) - found[1].at_ns == 10_000_000


def test_a_whole_telephone_call(tmp_path: Path) -> None:
    """What the application did by itself, and nothing of what it answered from its listeners."""
    telephone.record(tmp_path / "log.db")
    found = run(found_in(tmp_path / "log.db"))
    assert [one.type for one in found] == ["send_user_input", *["send_audio"] * 3, None]
    assert found[0].event == RealtimeModelSendUserInput(user_input="hello")
    assert found[1].event == RealtimeModelSendAudio(audio=bytes(480))


# --- tool calls ---------------------------------------------------------------------------------------


async def test_tool_calls_come_with_their_answers_and_their_time(tmp_path: Path) -> None:
    async def script(model: Scripted) -> None:
        await model.emit(tool_call(1), tool_call(2), tool_call(3))

    async with Recorder(tmp_path / "log.db") as recorder:
        model = recorder.wrap(ScriptedModel(script))
        asked: list[Any] = []

        async def react(event: Any) -> None:
            asked.append(event)

        model.add_listener(Listening(react))
        await model.connect({})
        while len(asked) < 3:
            await asyncio.sleep(0)
        await asyncio.sleep(0.02)
        await model.send_event(tool_output(asked[1], "second"))
        await model.send_event(tool_output(asked[0], "first"))
        await model.send_event(tool_output(asked[0], "first, again"))
        await model.close()
    async with await Recording.open(tmp_path / "log.db") as recording:
        calls = await tool_calls(recording)
    assert [(call.call_id, call.output) for call in calls] == [
        ("call_1", "first"),
        ("call_2", "second"),
        ("call_3", None),
    ]
    assert calls[0].seconds == pytest.approx(0.02)  # pyright: ignore[reportUnknownMemberType]
    assert calls[2].seconds == 0.0
    assert isinstance(tool_output(asked[0]), RealtimeModelSendToolOutput)


@given(st.permutations(range(6)))
def test_each_recorded_call_is_given_out_once(order: list[int]) -> None:
    calls = [ToolCall(n, n, f"call_{n}", "look_up", f'{{"n": {n % 2}}}', f"out {n}") for n in range(6)]
    by_id = ToolAnswers(calls)
    assert [by_id.claim(f"call_{n}", "look_up", "whatever") for n in order] == [calls[n] for n in order]
    assert by_id.claim("call_3", "look_up", "") is calls[3]  # the same call comes again
    by_content = ToolAnswers(calls)
    live = [by_content.claim(f"live_{n}", "look_up", f'{{"n":{n % 2}}}') for n in order]
    assert [call.arguments for call in live if call] == [calls[n].arguments for n in order]
    assert {call.seq for call in live if call} == set(range(6))
    assert by_content.claim(None, "look_up", '{"n": 1}') is None
    assert by_content.nearest("look_up", '{"n": 1}') is calls[1]
    assert by_content.claim("call_0", "another", "{}") is None
    assert ToolAnswers([]).nearest("look_up", "{}") is None


def test_of_rounds_that_somebody_claims_no_more_are_waited_for_than_there_may_be():
    numbering, far = Numbering(), (1 << 63) - 1
    numbering.place(3, 0)
    assert numbering.place(far, 1) == Place(0, 0, MAX_ROUNDS)  # three were there before
    assert numbering.place(far + far, 2) == Place(0, 0, MAX_ROUNDS)
    assert numbering.place(far + far + SETTLED_TICKS + 5, 3) == Place(3, 1, 0)
