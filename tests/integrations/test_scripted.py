"""A recording as Python source for the SDK's own scripted model: the session on it is the same again."""

from __future__ import annotations

import asyncio
import dataclasses
import enum
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from agents import function_tool
from agents.realtime import RealtimeAgent, RealtimeSession
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from realtape.integrations.openai_agents import VOCABULARY
from realtape.integrations.openai_agents.source import PythonSource
from realtape.provider import FunctionCall, Reply, Script, Speech
from realtape.schema import Kind, UsageError, same
from realtape.session import Recording
from support.conversation import Told, record, running
from support.golden import DEMO, VALUES
from support.stores import fill

pytestmark = pytest.mark.real_time

testing = pytest.importorskip("agents.realtime.testing", reason="older releases of the SDK have none")

SCRIPT = Script(
    replies=[
        Reply((Speech("Good morning. Where to?"),)),
        Reply((FunctionCall("departure", {"destination": 'Brno, "main"'}),)),
        Reply((Speech("At 9:15."),)),
    ],
    transcripts=[],
)


def timetable() -> RealtimeAgent[Any]:
    @function_tool
    async def departure(destination: str) -> str:
        """When the next train leaves."""
        return f"9:15 to {destination}"

    return RealtimeAgent(name="Timetable", instructions="Answer briefly.", tools=[departure])


async def user(session: RealtimeSession, told: Told) -> None:
    await session.send_message("Good morning!")
    await told.until_turn(1)
    await session.send_message("When does my train to Brno leave?")
    await told.until_turn(3)


async def exported(store: Path, folder: Path) -> dict[str, Any]:
    """The module of a recording, run."""
    from realtape.integrations.openai_agents.scripted import scripted_source

    async with await Recording.open(store) as recording:
        source = await scripted_source(recording, "steps.bytes")
    path = folder / "steps.py"
    path.write_text(source.text)
    (folder / "steps.bytes").write_bytes(source.data)
    found: dict[str, Any] = {"__file__": str(path)}
    exec(compile(source.text, str(path), "exec"), found)
    return found


def test_a_session_on_the_steps_is_the_recorded_one(tmp_path: Path) -> None:
    recorded = asyncio.run(record(tmp_path / "log.db", SCRIPT, timetable(), user))

    async def scripted() -> Told:
        module = await exported(tmp_path / "log.db", tmp_path)
        model = testing.ScriptedRealtimeModel(module["STEPS"], connect_events=module["CONNECT_EVENTS"])
        told = Told()
        async with running(model, timetable(), told, url="") as (session, _):
            await user(session, told)
        model.assert_complete()
        return told

    told = asyncio.run(scripted())
    assert told.history == recorded.history
    assert told.turns == recorded.turns == 3
    assert len(told.history) == 5


async def test_all_events_are_in_it_and_equal(tmp_path: Path) -> None:
    """Of the demo's recording: two interruptions, a tool, sound in both directions."""
    module = await exported(DEMO, tmp_path)
    emitted = [*module["CONNECT_EVENTS"], *(event for step in module["STEPS"] for event in step.emit)]
    async with await Recording.open(DEMO, vocabulary=VOCABULARY) as recording:
        received = [value async for entry, value in recording.values() if entry.kind == Kind.RECEIVED]
    assert len(emitted) == len(received)
    assert all(same(one, other) for one, other in zip(emitted, received, strict=True))
    assert (tmp_path / "steps.bytes").stat().st_size < 200_000


async def test_it_is_laid_out_as_a_formatter_would(tmp_path: Path) -> None:
    await exported(DEMO, tmp_path)
    ruff = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", "100", "--check"]
    done = subprocess.run([*ruff, tmp_path / "steps.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


async def test_every_value_that_an_event_may_hold(tmp_path: Path) -> None:
    """Of the golden recording of values, but exceptions of classes that nobody else can make."""
    module = await exported(VALUES, tmp_path)
    emitted = [*module["CONNECT_EVENTS"], *(event for step in module["STEPS"] for event in step.emit)]
    async with await Recording.open(VALUES, vocabulary=VOCABULARY) as recording:
        received = [value async for entry, value in recording.values() if entry.kind == Kind.RECEIVED]
    different = [
        one.type
        for one, other in zip(emitted, received[:-1], strict=True)  # without the end of the stream
        if one != other and not same(one, other)
    ]
    assert different == ["other"]
    values = next(event.data for event in emitted if event.type == "other")
    recorded = next(event.data for event in received if event.type == "other")
    odd = [
        (repr(one), repr(other))
        for one, other in zip(values, recorded, strict=True)
        if repr(one) != repr(other) and not same(one, other)
    ]
    assert [one for one, _ in odd] == [
        *("b'a bytearray'", "b'a memoryview'", "RuntimeError('their.Error: went wrong')")
    ]


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
values = st.recursive(
    leaves | st.dates() | st.decimals(allow_nan=False) | st.sets(st.integers()),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner) | st.tuples()
    ),
    max_leaves=12,
)


@given(values)
def test_an_expression_makes_an_equal_value(value: Any) -> None:
    source = PythonSource()
    text = source.expression(value)
    names: dict[str, Any] = {"AUDIO": bytes(source.data)}
    exec("\n".join(source.imports()), names)
    assert same(eval(text, names), value)


class Colour(enum.Enum):
    """Of these `repr` is no Python."""

    RED = 1


@dataclasses.dataclass
class Place:
    """A class that nobody can import from where it says it is."""

    colour: Colour


Place.__qualname__, Place.__name__ = "here.Place", "Elsewhere"


def refused() -> ValidationError:
    """Its arguments are pydantic's own."""
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(int).validate_python("x")
    return caught.value


@pytest.mark.parametrize(
    "value",
    [object(), float, Colour.RED, Place(Colour.RED), {Colour.RED}, frozenset({1}), KeyError(1j), refused()],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_source_is_told_in_a_text(value: Any) -> None:
    source = PythonSource()
    text = source.expression([value])
    names: dict[str, Any] = {}
    exec("\n".join(source.imports()), names)
    (made,) = eval(text, names)
    assert type(made) in (str, set, frozenset, KeyError, RuntimeError)
    assert "RuntimeError" not in text or str(made) == str(value)


def test_what_never_connected_has_no_steps(tmp_path: Path) -> None:
    fill(tmp_path / "log.db")
    with pytest.raises(UsageError, match="never connected"):
        asyncio.run(exported(tmp_path / "log.db", tmp_path))
