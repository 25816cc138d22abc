"""`SessionMachine`: it finds planted bugs, leaves a sound application alone, and keeps what fails."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test  # pyright: ignore[reportUnknownVariableType]
from realtape.integrations.testing import SessionMachine
from realtape.integrations.testing.kept_examples import keep
from realtape.integrations.testing.session_machine import REFUSED
from realtape.lab.invariants import CallsAnsweredOnce, InvariantError, NothingSentAfterClose, check
from realtape.lab.strategies.plans import Plan
from realtape.lab.strategies.sessions import acted
from realtape.replay import ReplayModel, run
from realtape.schema import RealtimeModelListener, RealtimeModelSendToolOutput, UsageError
from realtape.session import Recording
from realtape.session.drafts import Draft
from support.voice_desk import Bug, VoiceDesk


def machine(bug: Bug | None, folder: Path | None) -> type[SessionMachine]:
    class DeskMachine(SessionMachine):
        failures = folder

        async def application(self, model: Any) -> None:
            await VoiceDesk(model, bug).run()

    return DeskMachine


def drive(cls: type[SessionMachine], examples: int, steps: int = 20, number: int = 1) -> None:
    """Run a machine; of each number the same examples, as far as hypothesis draws no constants from what else
    this process has imported."""
    run_machine = cast("Any", run_state_machine_as_test)
    chosen = settings(
        max_examples=examples,
        phases=[Phase.generate, Phase.shrink],
        stateful_step_count=steps,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    run_machine(seed(number)(cls), settings=chosen)


def test_a_sound_application_passes(tmp_path: Path):
    drive(machine(None, tmp_path), 15)
    assert not list(tmp_path.iterdir())


@pytest.mark.deep
def test_a_sound_application_passes_many(tmp_path: Path):
    drive(machine(None, tmp_path), 300, steps=50)


async def drafts_at(path: Path) -> list[Draft]:
    async with await Recording.open(path) as recording:
        return recording.drafts()


async def replayed(path: Path, bug: Bug) -> str:
    model = ReplayModel(await Recording.open(path))
    await VoiceDesk(model, bug).run()
    return str(await model.finished())


@pytest.mark.parametrize(
    ("bug", "rule", "entries", "steps"),
    [
        ("unanswered", CallsAnsweredOnce, 50, 6),
        ("twice", CallsAnsweredOnce, 70, 8),
        ("after close", NothingSentAfterClose, 20, 5),
    ],
)
def test_a_planted_bug_is_found_shrunk_and_kept(
    bug: Bug, rule: Any, entries: int, steps: int, tmp_path: Path
):
    with pytest.raises(InvariantError) as raised:
        drive(machine(bug, tmp_path), 200, steps)
    assert {violation.invariant for violation in raised.value.violations} == {rule.name}
    notes = "\n".join(raised.value.__notes__)
    (kept,) = tmp_path.iterdir()
    assert f"This example is kept as {kept}" in notes
    assert f"realtape replay {kept} --app module:callable" in notes
    drafts = run(drafts_at(kept))
    assert sum(len(draft.entries) for draft in drafts) <= entries
    found = check(drafts).violations
    assert [violation.invariant for violation in found] == [rule.name] * len(found)
    if bug != "after close":  # what it sends then is refused by a replay, too, in another way
        assert run(replayed(kept, bug)).startswith("same")


def test_what_the_application_raises_fails_the_example(tmp_path: Path):
    class Broken(SessionMachine):
        failures: ClassVar[Path | None] = tmp_path

        async def application(self, model: Any) -> None:
            await model.connect({})
            raise LookupError("nobody has thought of this")

    with pytest.raises(LookupError, match="nobody"):
        drive(Broken, 5)
    assert [path.name for path in tmp_path.iterdir()] == ["Broken"]


def test_a_machine_without_an_application_says_so(tmp_path: Path):
    class Nothing(SessionMachine):
        failures: ClassVar[Path | None] = None

    with pytest.raises(UsageError, match="Nothing has no application"):
        drive(Nothing, 1)


def test_rules_are_within_the_protocol_and_all_of_them_are_used(tmp_path: Path):
    """Nothing that the provider does is refused by itself, and everything happens."""
    done: set[str] = set()

    class Noting(SessionMachine):
        failures: ClassVar[Path | None] = None
        tools: ClassVar[Sequence[str]] = ("look_up", "book")

        async def application(self, model: Any) -> None:
            await VoiceDesk(model).run()

        def teardown(self) -> None:
            for draft in self._stage.recorder.drafts():
                done.update(str(entry.type) for entry in draft.entries)
            super().teardown()

    wanted = {
        *("function_call", "send_tool_output", "audio", "audio_interrupted", "turn_ended", "send_user_input"),
        *("send_audio", "send_interrupt", "error", "end_of_stream", "exception", "transcript_delta"),
        *("output_text_delta", "application", "input_audio_transcription_completed"),
    }
    for number in range(1, 11):
        drive(Noting, 20, steps=25, number=number)
        if done >= wanted:
            break
    assert done >= wanted


def test_a_kept_failure_replaces_only_what_this_process_has_kept(tmp_path: Path):
    drafts = acted(Plan())
    (tmp_path / "Desk").write_text("of yesterday")
    first = keep(drafts, tmp_path, "Desk")
    assert first.name == "Desk-2"
    assert keep(drafts, tmp_path, "Desk") == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Desk", "Desk-2"]
    assert (tmp_path / "Desk").read_text() == "of yesterday"
    assert [one.header.id for one in run(drafts_at(first))] == [drafts[0].header.id]
    if first.is_dir():
        shutil.rmtree(first)


SCHEMA = {
    "type": "object",
    "properties": {"guests": {"type": "integer", "minimum": 1, "maximum": 9}},
    "required": ["guests"],
    "additionalProperties": False,
}
TOOL = {"name": "book", "parameters": SCHEMA}


class Booking(RealtimeModelListener):
    """Books tables for one to nine guests, and refuses all else, as the SDK does."""

    def __init__(self, model: Any, accepts: Callable[[int], bool]) -> None:
        self.model, self.accepts, self.over = model, accepts, asyncio.Event()

    async def run(self) -> None:
        self.model.add_listener(self)
        await self.model.connect({"initial_model_settings": {"tools": [TOOL]}})
        await self.over.wait()
        await self.model.close()

    async def on_event(self, event: Any) -> None:
        if event.type == "function_call":
            guests = json.loads(event.arguments)["guests"]
            assert 1 <= guests <= 9
            output = f"for {guests}" if self.accepts(guests) else f"{REFUSED} Please try again."
            await self.model.send_event(
                RealtimeModelSendToolOutput(tool_call=event, output=output, start_response=False)
            )
        elif event.type in ("end_of_stream", "exception"):
            self.over.set()


def booking(accepts: Callable[[int], bool], arguments: Any = None) -> type[SessionMachine]:
    class BookingMachine(SessionMachine):
        tools = ("book",)
        failures = None

        async def application(self, model: Any) -> None:
            await Booking(model, accepts).run()

        def tool_arguments(self, name: str) -> Any:
            return super().tool_arguments(name) if arguments is None else arguments

    BookingMachine.TestCase.settings = settings(  # pyright: ignore[reportAttributeAccessIssue]
        max_examples=20, stateful_step_count=15, deadline=None, database=None, derandomize=True
    )
    return BookingMachine


def run_case(machine: type[SessionMachine]) -> None:
    cast("Any", machine.TestCase)("runTest").runTest()


def test_tools_are_called_with_what_fits_their_schema(capsys: pytest.CaptureFixture[str]):
    machine = booking(lambda guests: guests > 2)
    run_case(machine)
    assert 0 < machine.ran["book"] < machine.called["book"]
    told = f"tools whose bodies ran, of so many calls: book {machine.ran['book']} of {machine.called['book']}"
    assert told in capsys.readouterr().out


def test_a_run_in_which_no_body_ran_has_failed():
    with pytest.raises(AssertionError, match="no body of a tool ran, in "):
        run_case(booking(lambda guests: False))


def test_values_of_ones_own():
    machine = booking(lambda guests: guests == 7, st.just({"guests": 7}))
    run_case(machine)
    assert machine.ran["book"] == machine.called["book"] > 0
