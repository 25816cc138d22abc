"""Every edit, and several of them one after another, gives a session that could have happened and that
replays to its end."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from realtape.integrations.openai_agents import ReplayModel as SdkReplayModel
from realtape.lab import variation_settings, varied
from realtape.lab.edits import (
    Boundary,
    Delay,
    DelayResponse,
    Disconnect,
    FailTool,
    Interrupt,
    MergeDeltas,
    Reorder,
    SlowTool,
    SplitDelta,
)
from realtape.lab.edits.sketch import laid, spots_of
from realtape.lab.shrinking.checks import new_problems, problems
from realtape.lab.strategies.variations import ALL, Variation, variations
from realtape.recorder import Recorder
from realtape.replay import ReplayModel, run
from realtape.replay.responder import Responder
from realtape.replay.watched_recording import WatchedRecording
from realtape.schema import Kind, UsageError
from realtape.session import Recording
from realtape.session.drafts import Draft
from realtape.session.fields import facts_of
from realtape.session.structure import Structure
from support import generated
from support.golden import DEMO, VALUES
from support.releases import of_today

_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]

_DEMO = asyncio.run(Recording.open(DEMO)).drafts()[0]


def test_a_tool_may_be_slower_than_an_interruption() -> None:
    """The user breaks in while the tool is at work, seconds before it answers."""
    call = Structure(_DEMO).calls[0]
    slow = varied(_DEMO, [SlowTool(call.call_id, 5_000)])
    (output,) = Structure(slow).calls[0].outputs
    draft = varied(_DEMO, [SlowTool(call.call_id, 5_000), Interrupt(Boundary(output))])
    (output,) = Structure(draft).calls[0].outputs
    spoke = max(
        entry.at_ns
        for entry in draft.entries[:output]
        if facts_of(entry).get("type") == "input_audio_buffer.speech_started"
    )
    assert draft.entries[call.seq].at_ns < spoke < draft.entries[output].at_ns - 4_000_000_000
    assert not new_problems(draft, problems(_DEMO))
    assert not replayed(draft, ReplayModel).diverged


def replayed(draft: Draft, model_class: type[Any]) -> Any:
    """The report of a replay into an application that answers everything the variation holds."""

    async def main() -> Any:
        recording = WatchedRecording.of(draft)
        model = model_class(recording, **variation_settings())
        return await Responder(model, recording, variation_settings()["expect"]).run()

    return run(main())


def require_sound(original: Draft, variation: Variation, model_class: type[Any]) -> None:
    draft = variation.drafts()[0]
    assert not new_problems(draft, problems(original)), variation
    asyncio.run(variation.verify())
    report = replayed(draft, model_class)
    assert report.finished, variation
    assert not report.awaited, (variation, report.awaited)


@pytest.mark.parametrize("kind", ALL)
def test_every_edit_of_the_demo_gives_a_session_that_could_have_happened(kind: Any) -> None:
    @settings(max_examples=3, deadline=None, suppress_health_check=_SLOW)
    @given(variations(_DEMO, kinds=[kind], max_edits=1))
    def law(variation: Variation) -> None:
        require_sound(_DEMO, variation, SdkReplayModel)

    law()


@settings(max_examples=4, deadline=None, suppress_health_check=_SLOW)
@given(variations(_DEMO, max_edits=4))
def test_several_edits_one_after_another(variation: Variation) -> None:
    require_sound(_DEMO, variation, SdkReplayModel)


@pytest.mark.deep
@pytest.mark.timeout(600)
@settings(max_examples=500, deadline=None, suppress_health_check=_SLOW)
@given(variations(_DEMO, max_edits=4))
def test_many_edits_one_after_another(variation: Variation) -> None:
    require_sound(_DEMO, variation, SdkReplayModel)


def recorded(provider: generated.Provider, program: generated.Program, store: Path) -> list[Draft]:
    async def main() -> None:
        async with Recorder(store) as recorder:
            await generated.Running(program, recorder.wrap(generated.GeneratedModel(provider))).run()

    run(main())
    return asyncio.run(Recording.open(store)).drafts()


@settings(max_examples=4, deadline=None, suppress_health_check=_SLOW)
@given(generated.providers(), generated.programs(calm=True), st.data())
def test_of_generated_sessions(
    tmp_path_factory: pytest.TempPathFactory,
    provider: generated.Provider,
    program: generated.Program,
    data: st.DataObject,
) -> None:
    (draft,) = recorded(provider, program, tmp_path_factory.mktemp("generated") / "log.db")
    variation = data.draw(variations(draft))
    made = variation.drafts()[0]
    assert not new_problems(made, problems(draft)), variation
    asyncio.run(variation.verify())
    assert replayed(made, ReplayModel).finished


@pytest.mark.parametrize("store", [DEMO, VALUES])
def test_what_nobody_changed_is_laid_as_it_was(store: Path) -> None:
    for draft in asyncio.run(Recording.open(store)).drafts():
        again = laid(draft, spots_of(draft))
        assert again.entries == tuple(entry._replace(digest=b"") for entry in draft.entries)


def test_edits_that_change_nothing_are_the_identity() -> None:
    structure = Structure(_DEMO)
    seq = next(one.seqs[0] for one in structure.messages if one.type == "rate_limits.updated")
    nothing = [
        *(Delay(seq, 0), DelayResponse("resp_0001", 0), Reorder(seq, 0), SlowTool("call_0001", 0)),
    ]
    assert varied(_DEMO, nothing) is _DEMO
    assert varied(_DEMO, []) is _DEMO


def test_a_delta_that_is_cut_and_put_together_again_is_the_same_sound() -> None:
    structure = Structure(_DEMO)
    for sound in structure.sounds:
        seq = structure.messages[structure.message_of[sound.chunks[1].seq]].seqs[0]
        cut = varied(_DEMO, [SplitDelta(seq, 1001)])
        assert _sound_of(cut, sound.item_id) == _sound_of(_DEMO, sound.item_id)
        (first, second) = (chunk.length for chunk in _sound(cut, sound.item_id).chunks[1:3])
        assert (first, first + second) == (1001, sound.chunks[1].length)
        whole = SplitDelta(seq, 1001)(_DEMO)
        again = MergeDeltas(seq)(whole)
        assert [entry.payload for entry in again.entries] == [entry.payload for entry in _DEMO.entries]


def test_a_late_message_holds_back_what_the_server_says_behind_it_and_nobody_else() -> None:
    structure = Structure(_DEMO)
    late = next(one for one in structure.messages if one.type == "response.output_audio.delta")
    made = varied(_DEMO, [Delay(late.seqs[0], 40)])
    assert not problems(made)
    received = [entry for entry in made.entries if entry.kind == Kind.RECEIVED]
    was = [entry for entry in _DEMO.entries if entry.kind == Kind.RECEIVED]
    assert [entry.type for entry in received] == [entry.type for entry in was]
    place = next(n for n, entry in enumerate(was) if entry.seq == late.seqs[0])
    assert [entry.at_ns for entry in received[:place]] == [entry.at_ns for entry in was[:place]]
    assert received[place].at_ns - was[place].at_ns == 40_000_000
    assert received[-1].at_ns - was[-1].at_ns < 40_000_000  # it catches up


@pytest.mark.parametrize("by_ms", [40, 60_000])
def test_what_is_late_keeps_each_message_together(by_ms: int) -> None:
    def shapes(draft: Draft) -> list[tuple[str, int]]:
        return sorted((message.type, len(message.seqs)) for message in Structure(draft).messages)

    for message in Structure(_DEMO).messages[::7]:
        late = Delay(message.seqs[0], by_ms)
        assert shapes(late(_DEMO)) == shapes(_DEMO), late


@of_today
def test_a_failing_tool_is_told_as_the_sdk_tells_it() -> None:
    from agents.tool import default_tool_error_function

    made = varied(_DEMO, [FailTool("call_0001")])
    said = default_tool_error_function(None, ValueError("no train"))  # type: ignore[arg-type]
    outputs = [facts_of(entry) for entry in made.entries if entry.type == "send_tool_output"]
    assert [one["output"] for one in outputs] == [said]
    items = [facts_of(entry).get("item", {}) for entry in made.entries if entry.kind == Kind.RECEIVED]
    assert [item["output"] for item in items if item.get("output")] == [said] * 3


@of_today
@pytest.mark.parametrize("clean", [True, False])
def test_a_lost_connection_is_told_as_the_sdk_tells_it(clean: bool) -> None:
    made = varied(_DEMO, [Disconnect(130, clean)])
    recording = Recording.of(made)
    recording.read_as(SdkReplayModel.vocabulary)
    last = [value for entry, value in recording.stream() if entry.kind == Kind.RECEIVED][-2:]
    if clean:
        assert [(one.type, getattr(one, "status", "")) for one in last] == [
            *(("connection_status", "disconnected"), ("end_of_stream", ""))
        ]
    else:
        from websockets.exceptions import ConnectionClosedError

        assert isinstance(last[-1].exception, ConnectionClosedError)
        assert last[-1].context == "WebSocket connection closed unexpectedly"


def test_an_edit_names_a_place_that_there_is() -> None:
    for edit in (Delay(1, 5), SplitDelta(20, 0), Reorder(8, 3), SlowTool("call_9", 5), Disconnect(21)):
        with pytest.raises(UsageError):
            varied(_DEMO, [edit])


def test_what_the_model_makes_inside_a_send_is_none_of_the_servers() -> None:
    structure = Structure(_DEMO)
    made = [message for message in structure.messages if message.sent is not None]
    assert [message.type for message in made] == ["item_updated"]
    for message in made:
        with pytest.raises(UsageError, match=f"the model makes this itself, inside #{message.sent}"):
            varied(_DEMO, [Delay(message.seqs[0], 5)])
        assert all(message not in _messages(structure, one) for one in structure.responses)
    late = DelayResponse("resp_0002", 1_000)(_DEMO)  # the call comes late, its answer, and what that tells
    told = [entry for entry in late.entries if entry.type in ("send_tool_output", "item_updated")]
    sent = next(place for place, entry in enumerate(told) if entry.type == "send_tool_output")
    assert told[sent + 1].cause == told[sent].seq
    assert told[sent + 1].tick == told[sent].tick


def _messages(structure: Structure, response: Any) -> list[Any]:
    return [structure.messages[place] for place in response.messages]


def test_a_variation_says_what_it_is_made_of() -> None:
    made = varied(_DEMO, [Delay(20, 40), FailTool("call_0001")])
    assert made.header.id != _DEMO.header.id
    assert made.header.source.startswith("varied: #20 late by 40 ms, tool call call_0001 fails, of ")
    assert made.header.source.endswith(_DEMO.last_digest.hex())


def _sound(draft: Draft, item_id: str) -> Any:
    return next(one for one in Structure(draft).sounds if one.item_id == item_id)


def _sound_of(draft: Draft, item_id: str) -> bytes:
    recording = Recording.of(draft)
    return b"".join(
        value.data
        for entry, value in recording.stream()
        if entry.type == "audio" and value.item_id == item_id
    )
