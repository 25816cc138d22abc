"""What the model calls otherwise, and what the user says again or not for a while: it could have happened,
and it makes applications differ."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, find, settings
from realtape import schema
from realtape.integrations.soundness import observe
from realtape.integrations.testing import observed
from realtape.lab import variation_settings, varied
from realtape.lab.edits import AskAgain, CallTwice, OtherArguments, Silence, quiet, repeatable
from realtape.lab.invariants import ALL, Found, rule
from realtape.lab.shrinking.checks import new_problems, problems
from realtape.lab.strategies import variations
from realtape.recorder import Recorder
from realtape.replay import run
from realtape.schema import Entry, Kind, UsageError
from realtape.session import Draft, Recording
from realtape.session.structure import Structure
from support.golden import DEMO
from support.recorded_drafts import drafts_of
from support.scripted import Scripted, ScriptedModel

SEARCH = settings(
    max_examples=60,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=[Phase.generate],
)
_DEMO = asyncio.run(Recording.open(DEMO)).drafts()[0]
SWITCHBOARD = Path(__file__).parents[3] / "fixtures" / "switchboard"
TOOLS = [{"name": "book", "parameters": {"type": "object", "properties": {"seats": {"type": "integer"}}}}]


def made(draft: Draft, edit: Any) -> Draft:
    """With an edit, of which nothing is missing."""
    found = varied(draft, [edit])
    assert not new_problems(found, problems(draft)), edit
    return found


def test_every_place_gives_a_session_that_could_have_happened() -> None:
    for draft in (_DEMO, *asyncio.run(Recording.open(SWITCHBOARD)).drafts()):
        structure = Structure(draft)
        calls = [one.call_id for one in structure.calls if one.outputs]
        edits: list[Any] = [*map(CallTwice, calls)]
        edits += [OtherArguments(one, '{"to": "Zürich"}') for one in calls]
        edits += map(AskAgain, repeatable(structure))
        edits += [Silence(seq, 5_000) for seq in quiet(structure)]
        assert len({edit.__class__ for edit in edits}) == (4 if calls else 2)
        for edit in edits[::5]:
            made(draft, edit)


def test_a_call_is_made_twice_in_one_response_and_both_are_answered() -> None:
    draft = made(_DEMO, CallTwice("call_0001"))
    first, second = Structure(draft).calls
    assert (second.call_id, second.name, second.arguments) == ("call_0001_again", first.name, first.arguments)
    between = draft.entries[first.seq : second.seq]
    assert not [entry for entry in between if entry.type == "turn_ended"]
    assert (first.output, len(second.outputs)) == (second.output, 1)
    with pytest.raises(UsageError, match="made twice already"):
        varied(draft, [CallTwice("call_0001")])


def test_other_arguments_are_told_wherever_the_old_ones_were() -> None:
    (call,) = Structure(_DEMO).calls
    draft = made(_DEMO, OtherArguments(call.call_id, '{"destination": "Zürich"}'))
    assert not [entry for entry in draft.entries if "Brno" in entry.payload and call.call_id in entry.payload]
    assert json.loads(Structure(draft).calls[0].arguments) == {"destination": "Zürich"}
    assert made(draft, OtherArguments(call.call_id, call.arguments)).entries[call.seq].payload == (
        _DEMO.entries[call.seq].payload
    )


def test_what_is_asked_again_is_answered_again_and_twice_again() -> None:
    draft = made(_DEMO, AskAgain(2))
    again = made(draft, AskAgain(2))
    ids = [one.response_id for one in Structure(again).responses]
    assert ids[:3] == ["resp_0001", "resp_0001_again_again", "resp_0001_again"]
    asked = [entry for entry in again.entries if entry.type == "send_user_input"]
    assert len(asked) == 3
    lasts = [draft.entries[-1].at_ns for draft in (_DEMO, draft, again)]
    assert lasts == sorted(set(lasts))


def test_silence_is_where_nothing_goes_on() -> None:
    draft = made(_DEMO, Silence(2, 5_000))
    assert [now.at_ns - was.at_ns for now, was in zip(draft.entries, _DEMO.entries, strict=True)] == [
        *([0] * 2),
        *([5_000_000_000] * (len(_DEMO.entries) - 2)),
    ]
    assert varied(_DEMO, [Silence(2, 0)]) is _DEMO
    for seq in (155, 20, 400):
        with pytest.raises(UsageError):
            varied(_DEMO, [Silence(seq, 1)])


# --- what an application does otherwise then -------------------------------------------------------------


class Agency(schema.RealtimeModelListener):
    """Books seats, and asks who is silent for eight seconds whether he is there. It has bugs: of two calls at
    once one is lost, the same is booked again, and more than four seats are too many."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.over = asyncio.Event()
        self.working: asyncio.Task[None] | None = None
        self.asking: asyncio.TimerHandle | None = None
        self.sending: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        self.model.add_listener(self)
        await self.model.connect({"initial_model_settings": {"tools": TOOLS}})
        await self.model.send_event(schema.RealtimeModelSendUserInput(user_input="Two seats, please."))
        await self.over.wait()
        if self.asking is not None:
            self.asking.cancel()
        await self.model.close()

    async def on_event(self, event: Any) -> None:
        if event.type == "function_call":
            if self.working is not None:
                self.working.cancel()  # bug
            self.working = asyncio.create_task(self.book(event))
        elif event.type == "turn_ended":
            self.asking = asyncio.get_running_loop().call_later(8.0, self.ask)
        elif event.type == "turn_started" and self.asking is not None:
            self.asking.cancel()
        elif event.type in ("end_of_stream", "exception"):
            self.over.set()

    def ask(self) -> None:
        ask = self.model.send_event(schema.RealtimeModelSendUserInput(user_input="Are you still there?"))
        self.sending.append(asyncio.create_task(ask))

    async def book(self, call: Any) -> None:
        await asyncio.sleep(0.2)
        seats = json.loads(call.arguments).get("seats", 1)
        output = "booked" if seats <= 4 else "out of memory"
        answer = schema.RealtimeModelSendToolOutput(tool_call=call, output=output, start_response=True)
        await self.model.send_event(answer)


async def agency(model: Any) -> None:
    await Agency(model).run()


async def _script(model: Scripted) -> None:
    await model.until_sent(1)
    await model.emit(
        schema.RealtimeModelTurnStartedEvent(response_id="resp_1"),
        schema.RealtimeModelToolCallEvent(name="book", call_id="call_1", arguments='{"seats": 2}', id="i_1"),
        schema.RealtimeModelTurnEndedEvent(response_id="resp_1"),
    )
    await model.until_sent(2)
    await asyncio.sleep(0.1)
    await model.emit(
        schema.RealtimeModelTurnStartedEvent(response_id="resp_2"),
        schema.RealtimeModelTurnEndedEvent(response_id="resp_2"),
    )
    await asyncio.sleep(3)
    await model.emit(schema.RealtimeModelEndOfStreamEvent())


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Draft:
    store = tmp_path_factory.mktemp("agency") / "log.db"

    async def record() -> None:
        async with Recorder(store) as recorder:
            await agency(recorder.wrap(ScriptedModel(_script)))

    run(record())
    (draft,) = drafts_of(store)
    assert not observe([draft], agency, rules=[*ALL, *RULES.values()])
    return draft


def _sent(entries: Any, words: str) -> list[int]:
    return [one.seq for one in entries if one.kind == Kind.SENT and words in one.payload]


def _never(words: str) -> Callable[[Sequence[Entry]], Any]:
    return lambda entries: [Found(words, (seq,)) for seq in _sent(entries, words)]


RULES = {
    "silence": rule("nobody is pestered")(_never("still there")),
    "arguments": rule("memory is enough")(_never("out of memory")),
    "again": rule("nothing is booked twice")(
        lambda entries: [Found("again", (*seqs,))] if len(seqs := _sent(entries, '"booked"')) > 1 else []
    ),
}


@pytest.mark.parametrize(
    ("kind", "broken"),
    [
        ("silence", "nobody is pestered"),
        ("repeat", "nothing is booked twice"),
        ("calls", "memory is enough"),
        ("calls", "every tool call is answered exactly once"),
    ],
)
def test_a_bug_that_it_shows_is_found_in_a_healthy_recording(healthy: Draft, kind: Any, broken: str) -> None:
    rules = [*ALL, *RULES.values()]

    def shows(variation: Any) -> bool:
        return any(one.what == broken for one in observe(variation.drafts(), agency, rules=rules))

    found = find(variations(healthy, kinds=[kind], max_edits=1), shows, settings=SEARCH)
    assert len(found.edits) == 1


def test_both_calls_of_a_response_are_given(healthy: Draft) -> None:
    did = observed(Recording.of(made(healthy, CallTwice("call_1"))), agency, **variation_settings())
    assert [(one.call_id, one.output) for one in did.calls] == [("call_1", None), ("call_1_again", "booked")]
