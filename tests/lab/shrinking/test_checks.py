"""What could not have happened is found, and no real session has any of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from realtape.lab.shrinking.checks import new_problems, problems
from realtape.schema import Kind
from realtape.schema.entries import Entry
from realtape.session.drafts import Draft, renumbered
from realtape.session.messages import server_event
from support import switchboard_recorded, telephone
from support.generated import Program, Provider, programs, providers
from support.golden import DEMO
from support.long_session import record_long
from support.recorded_drafts import drafts_of, generated_draft, with_columns, with_entries, with_fields


@pytest.fixture(scope="module")
def demo() -> Draft:
    return drafts_of(DEMO)[0]


def rules(draft: Draft) -> set[str]:
    return {problem.rule for problem in problems(draft)}


def the(draft: Draft, is_it: Callable[[Entry], bool]) -> Entry:
    """The first such entry."""
    return next(entry for entry in draft.entries if is_it(entry))


def moved(draft: Draft, seq: int, to: int) -> Draft:
    """The draft with one entry in another place, numbers and times in order."""
    entries = list(draft.entries)
    entries.insert(to, entries.pop(seq))
    spots = [(entry.at_ns, entry.tick) for entry in draft.entries]
    timed = [
        entry._replace(at_ns=at_ns, tick=tick) for entry, (at_ns, tick) in zip(entries, spots, strict=True)
    ]
    return with_entries(draft, renumbered(timed))


def left_out(draft: Draft, *seqs: int) -> Draft:
    return with_entries(draft, renumbered(entry for entry in draft.entries if entry.seq not in seqs))


# --- real sessions ----------------------------------------------------------------------------------


def test_the_demo_and_a_scripted_session_have_no_problem(demo: Draft, tmp_path: Path) -> None:
    record_long(tmp_path / "long.db", 8, 3)
    assert problems(demo) == []
    assert problems(drafts_of(tmp_path / "long.db")[0]) == []


def test_a_switchboard_has_no_problem_on_either_connection() -> None:
    recorded = switchboard_recorded.recorded()
    drafts = drafts_of(recorded.store, recorded.session)
    assert len(drafts) == 2
    assert [problems(draft) for draft in drafts] == [[], []]


@settings(max_examples=10)
@given(providers(), programs())
def test_generated_sessions_keep_the_rules_of_the_log(provider: Provider, program: Program) -> None:
    """Of the protocol their providers know nothing."""
    draft = generated_draft(provider, program)
    of_the_log = {"connect", "numbers", "times", "references", "ends"}
    assert not rules(draft) & of_the_log
    assert new_problems(draft, problems(draft)) == []


def test_what_a_telephone_says_out_of_order_is_told(tmp_path: Path) -> None:
    """Its model interrupts what it has not said: it is a rough one, and nobody's recording."""
    telephone.record(tmp_path / "calls.db")
    draft = drafts_of(tmp_path / "calls.db")[0]
    assert all(str(problem).startswith("#") for problem in problems(draft))


# --- the log ----------------------------------------------------------------------------------------


def test_rows_that_could_not_be_appended_so(demo: Draft) -> None:
    assert rules(with_entries(demo, demo.entries[1:])) == {"connect", "numbers"}
    assert rules(with_entries(demo, ())) == {"connect"}
    assert rules(with_entries(demo, renumbered(demo.entries[2:]))) == {"connect"}
    assert rules(with_columns(demo, 40, at_ns=0)) == {"times"}
    assert rules(with_columns(demo, 40, tick=0)) == {"times"}
    assert rules(with_columns(demo, 40, cause=40)) == {"references"}
    assert rules(with_columns(demo, 40, cause=-1)) == {"references"}
    assert rules(with_columns(demo, 3, of=500)) == {"references"}


def test_ends_of_what_did_not_begin_or_ended_before(demo: Draft) -> None:
    done = the(demo, lambda entry: entry.kind == Kind.SENT_DONE)
    later = the(demo, lambda entry: entry.kind == Kind.SENT_DONE and entry.seq > done.seq)
    assert rules(with_columns(demo, later.seq, of=done.of)) == {"ends"}
    assert rules(with_columns(demo, later.seq, of=0)) == {"ends"}
    assert rules(with_columns(demo, later.seq, of=None)) == {"ends"}


def test_bytes_that_are_not_there(demo: Draft) -> None:
    audio = the(demo, lambda entry: entry.type == "audio")
    beyond = {"$": "py:bytes", "at": [0, 1 << 30, 4]}
    assert "references" in rules(with_fields(demo, audio.seq, data=beyond))


# --- the protocol -----------------------------------------------------------------------------------


def test_a_delta_before_its_response_began_and_after_it_ended(demo: Draft) -> None:
    began = the(demo, lambda entry: entry.type == "turn_started")
    ended = the(demo, lambda entry: entry.type == "turn_ended")
    delta = the(demo, lambda entry: entry.type == "transcript_delta")
    assert "response" in rules(moved(demo, delta.seq, began.seq - 1))
    assert "response" in rules(moved(demo, delta.seq, ended.seq))
    assert "response" in rules(left_out(demo, began.seq, began.seq - 1))


def test_audio_that_is_done_or_interrupted_and_never_came(demo: Draft) -> None:
    of_item_2 = [
        entry.seq for entry in demo.entries if entry.type == "audio" and '"item_0002"' in entry.payload
    ]
    found = problems(left_out(demo, *of_item_2))
    assert {problem.rule for problem in found} == {"audio", "heard"}
    assert {"audio_done of item_0002, which had none", "audio_interrupted of item_0002, which had none"} <= {
        problem.text for problem in found
    }


def test_an_item_that_is_used_before_it_was_added(demo: Draft) -> None:
    adds = [
        entry.seq
        for entry in demo.entries
        if (fact := server_event(entry)) is not None and fact.item_id == "item_0006" and fact.adds
    ]
    assert "item" in rules(left_out(demo, *adds))


def test_an_output_without_its_call(demo: Draft) -> None:
    call = the(demo, lambda entry: entry.type == "function_call")
    (found,) = problems(left_out(demo, call.seq))
    assert (found.rule, found.about) == ("call", "call_0001")
    assert str(found).endswith("the output of call_0001, which was not called")


def test_texts_that_are_not_what_their_pieces_were(demo: Draft) -> None:
    delta = the(
        demo, lambda entry: "response.output_audio_transcript.delta" in entry.payload and entry.seq > 20
    )
    assert rules(with_fields(demo, delta.seq, delta=" evening.")) == {"text"}
    assert rules(left_out(demo, delta.seq)) == {"text"}


def test_more_heard_than_came(demo: Draft) -> None:
    assert rules(with_columns(demo, 148, elapsed_ms=2200.0)) == {"heard"}
    assert rules(with_columns(demo, 148, elapsed_ms=2100.5)) == set()


def test_behind_a_gap_nothing_is_missed(demo: Draft) -> None:
    began = the(demo, lambda entry: entry.type == "turn_started")
    entries = list(demo.entries)
    for seq in (began.seq - 1, began.seq):
        entries[seq] = entries[seq]._replace(kind=Kind.GAP, type=None, payload='{"lost":1}')
    assert rules(with_entries(demo, entries)) == set()
    # The log's own rules go on.
    late = with_columns(with_entries(demo, entries), 40, at_ns=0)
    assert rules(late) == {"times"}


def test_problems_that_were_there_before_are_no_news(demo: Draft) -> None:
    call = the(demo, lambda entry: entry.type == "function_call")
    unasked = left_out(demo, call.seq)
    assert new_problems(unasked, problems(unasked)) == []
    assert [problem.rule for problem in new_problems(unasked, ())] == ["call"]
