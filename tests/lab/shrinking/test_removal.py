"""Whatever is left out of a session, what is left could have happened, and replays."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from realtape.lab.shrinking.checks import new_problems, problems
from realtape.lab.shrinking.needs import Needs
from realtape.lab.shrinking.removal import rest_without, without
from realtape.schema import Kind
from realtape.session import Recording
from realtape.session.drafts import Draft, tree_of
from realtape.session.fields import facts_of
from realtape.session.messages import server_event
from realtape.session.structure import Structure
from support import switchboard_recorded
from support.generated import Program, Provider, programs, providers
from support.golden import DEMO
from support.recorded_drafts import drafts_of, generated_draft, rehearse


@pytest.fixture(scope="module")
def demo() -> Needs:
    return Needs(drafts_of(DEMO)[0])


@pytest.fixture(scope="module")
def switchboard() -> list[Needs]:
    recorded = switchboard_recorded.recorded()
    return [Needs(draft) for draft in drafts_of(recorded.store, recorded.session)]


def some_of(draft: Draft, data: st.DataObject) -> set[int]:
    """Entries of it: here and there, or a stretch."""
    seq = st.integers(0, len(draft.entries) - 1)
    if data.draw(st.booleans()):
        begin, length = data.draw(seq), data.draw(st.integers(1, max(1, len(draft.entries) // 3)))
        return set(range(begin, min(begin + length, len(draft.entries))))
    return data.draw(st.sets(seq, min_size=1, max_size=40))


def check_law(needs: Needs, seqs: set[int], *, replays: bool = True) -> Draft:
    left = rest_without(needs, seqs).draft
    assert new_problems(left, problems(needs.draft)) == []
    assert left.entries[0].kind == Kind.CONNECT
    kinds = [entry.kind for entry in needs.draft.entries if entry.seq not in needs.gone_without(seqs)]
    assert kinds.count(Kind.CONNECTED) == [entry.kind for entry in left.entries].count(Kind.CONNECTED)
    sealed = needs.draft.derived("cut", left.entries)
    if replays:
        report = rehearse(sealed)
        assert report.verdict == "same", report
    return sealed


@settings(max_examples=8)
@given(st.data())
def test_a_part_of_the_demo_could_have_happened(demo: Needs, data: st.DataObject) -> None:
    left = check_law(demo, some_of(demo.draft, data))
    assert problems(left) == []
    assert left == left.sealed()


@settings(max_examples=4)
@given(st.data())
def test_a_part_of_the_switchboard_could_have_happened(switchboard: list[Needs], data: st.DataObject) -> None:
    needs = data.draw(st.sampled_from(switchboard))
    check_law(needs, some_of(needs.draft, data))


@settings(max_examples=8)
@given(providers(), programs(), st.data())
def test_a_part_of_a_generated_session_could_have_happened(
    provider: Provider, program: Program, data: st.DataObject
) -> None:
    draft = generated_draft(provider, program)
    # One that does not replay as it was, does not in parts.
    check_law(Needs(draft), some_of(draft, data), replays=rehearse(draft).verdict == "same")


@pytest.mark.deep
@settings(max_examples=500)
@given(st.data())
def test_hundreds_of_parts(demo: Needs, switchboard: list[Needs], data: st.DataObject) -> None:
    needs = data.draw(st.sampled_from([demo, *switchboard]))
    check_law(needs, some_of(needs.draft, data))


@given(st.data())
def test_what_goes_is_closed_and_holds_all_that_the_structure_names(demo: Needs, data: st.DataObject) -> None:
    seqs = some_of(demo.draft, data)
    gone = demo.gone_without(seqs)
    assert gone == demo.gone_without(gone)
    assert Structure(demo.draft).dependents(seqs - demo.staying) - demo.staying <= gone
    kept = set(range(len(demo.draft.entries))) - gone
    assert not [entry for entry in demo.draft.entries if entry.seq in kept and {entry.cause, entry.of} & gone]


@given(st.data())
def test_what_is_needed_stands_without_the_rest_but_for_ends(demo: Needs, data: st.DataObject) -> None:
    wanted = some_of(demo.draft, data)
    needed = demo.needed_by(wanted)
    assert wanted <= needed
    assert needed == demo.needed_by(needed)
    assert all(demo.of.get(seq, set()) <= needed for seq in needed)


# --- in particular ----------------------------------------------------------------------------------


def seq_of(needs: Needs, type: str, **fields: object) -> int:
    for entry in needs.draft.entries:
        facts = facts_of(entry)
        if (entry.type == type or facts.get("type") == type) and fields.items() <= facts.items():
            return entry.seq
    raise AssertionError(f"no {type}")


def named(draft: Draft, text: str) -> list[int]:
    return [entry.seq for entry in draft.entries if text in entry.payload]


def test_without_its_beginning_or_its_end_a_response_is_gone(demo: Needs) -> None:
    for type in ("turn_started", "turn_ended"):
        left = without(demo.draft, [seq_of(demo, type, response_id="resp_0003")])
        assert named(left, "resp_0003") == []
        assert named(left, "item_0006") == []
        assert named(left, "resp_0002")


def test_connect_and_gaps_stay(demo: Needs) -> None:
    every = range(len(demo.draft.entries))
    assert [entry.kind for entry in without(demo.draft, every).entries] == ["connect", "connected"]
    assert without(demo.draft, [0, 1]).entries == without(demo.draft, []).entries
    assert rehearse(without(demo.draft, every)).verdict == "same"


def test_without_a_call_there_is_no_answer_and_no_item_of_it(demo: Needs) -> None:
    left = without(demo.draft, [seq_of(demo, "function_call")])
    assert not [entry for entry in left.entries if entry.type == "send_tool_output"]
    assert not [entry for entry in left.entries if "function_call_output" in entry.payload]


def test_without_a_piece_the_text_is_shorter_wherever_it_is_told(demo: Needs) -> None:
    left = without(demo.draft, [seq_of(demo, "transcript_delta", delta=" morning.")])
    whole = "Good morning. I know the timetable."
    assert len(named(demo.draft, whole)) > 4
    assert named(left, whole) == []
    assert len(named(left, "Good I know the timetable.")) == len(named(demo.draft, whole))


def test_without_any_piece_the_text_is_told_at_once(demo: Needs) -> None:
    pieces = [
        entry.seq
        for entry in demo.draft.entries
        if entry.type == "transcript_delta" and '"item_0002"' in entry.payload
    ]
    left = without(demo.draft, pieces)
    assert len(named(left, "Good morning. I know the timetable.")) > 4


def test_without_some_audio_less_was_heard(demo: Needs) -> None:
    chunks = [chunk.seq for chunk in demo.structure.sounds[0].chunks]
    left = without(demo.draft, chunks[3:])
    played = [entry.elapsed_ms for entry in left.entries if entry.item_id == "item_0002"]
    assert max(filter(None, played)) == 300.0  # of three chunks of 100 ms
    truncated = next(entry for entry in left.entries if "item.truncated" in entry.payload)
    assert facts_of(truncated)["audio_end_ms"] == 300
    reads = [tree_of(entry)["state"] for entry in left.entries if entry.method == "get_state"]
    assert reads[0] == ["item_0002", 0, 300.0]
    calls = [
        entry for entry in left.entries if entry.method == "on_play_bytes" and entry.item_id == "item_0002"
    ]
    assert len(calls) == 15 + 1  # one that came late, after the interruption


def test_without_any_audio_nothing_was_heard_or_interrupted(demo: Needs) -> None:
    chunks = [chunk.seq for chunk in demo.structure.sounds[0].chunks]
    left = without(demo.draft, chunks)
    assert not [entry for entry in left.entries if entry.item_id == "item_0002"]
    interrupted = [server_event(entry) for entry in left.entries if entry.type == "audio_interrupted"]
    assert [fact.item_id for fact in interrupted if fact is not None] == ["item_0006"]


def test_without_an_item_those_around_it_are_neighbours(demo: Needs) -> None:
    adds = [
        entry.seq
        for entry in demo.draft.entries
        if (fact := server_event(entry)) is not None and fact.item_id == "item_0003"
    ]
    left = without(demo.draft, adds)
    after = next(
        fact
        for entry in left.entries
        if (fact := server_event(entry)) and fact.item_id == "item_0004" and "previous_item_id" in fact.fields
    )
    assert after.fields["previous_item_id"] == "item_0002"
    assert named(left, "item_0003") == []


def test_an_output_that_is_gone_is_not_among_its_response_s(switchboard: list[Needs]) -> None:
    needs = switchboard[0]
    response = next(
        one
        for one in needs.structure.responses
        if len(named(needs.draft, f'"{one.response_id}"')) > 8
        and len([call for call in needs.structure.calls if call.seq in _seqs(needs, one.messages)]) > 1
    )
    calls = [call for call in needs.structure.calls if call.seq in _seqs(needs, response.messages)]
    item = facts_of(needs.draft.entries[calls[0].seq])["id"]
    left = without(
        needs.draft,
        [
            seq
            for seq in named(needs.draft, f'"{item}"')
            if seq != response.ended and "response.done" not in needs.draft.entries[seq].payload
        ],
    )
    assert named(left, f'"id":"{item}"') == []
    assert named(left, response.response_id)


def _seqs(needs: Needs, places: tuple[int, ...]) -> set[int]:
    return {seq for place in places for seq in needs.structure.messages[place].seqs}


def test_what_is_left_is_a_recording_that_names_its_origin(demo: Needs) -> None:
    left = without(demo.draft, [40], how="less by one")
    assert left.header.source.startswith(f"less by one, of {demo.draft.header.id}")
    assert Recording.of(left).drafts() == [left]
