"""The search finds the smallest session that still fails, whatever it is that fails."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from realtape.lab import Hunt, Shrinking
from realtape.lab.shrinking.checks import problems
from realtape.lab.shrinking.levels import LEAST_BYTES, LEVELS, entries, exchanges, silences, turns
from realtape.lab.shrinking.needs import Needs
from realtape.lab.shrinking.removal import rest_without
from realtape.lab.shrinking.shrink import smallest
from realtape.schema.codec import references
from realtape.session.drafts import Draft
from realtape.session.fields import facts_of
from support.golden import DEMO
from support.long_session import record_long
from support.recorded_drafts import drafts_of, rehearse

Fails = Callable[[Draft], bool]

LAW = settings(phases=[Phase.generate])
"""An example takes half a second: a smaller one is found by hand sooner than by hypothesis."""


@pytest.fixture(scope="module")
def demo() -> Draft:
    return drafts_of(DEMO)[0]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Draft:
    """Six turns, and the money paid back twice in the fourth."""
    store = tmp_path_factory.mktemp("long") / "long.db"
    record_long(store, 6, 3)
    return drafts_of(store)[0]


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Draft:
    """Two turns."""
    store = tmp_path_factory.mktemp("short") / "short.db"
    record_long(store, 2)
    return drafts_of(store)[0]


def marks(draft: Draft) -> set[str]:
    """What a predicate looks for: each entry, by what stands in it whatever is left out around it."""
    return {f"{entry.kind} {entry.type} {_name(entry.payload)}" for entry in draft.entries}


def _name(payload: str) -> str:
    """Less the bytes' places, which change, and texts, which get shorter."""
    facts = [part for part in payload.split('"') if part.startswith(("item_", "resp_", "call_", "Question"))]
    return " ".join(facts[:2])


@dataclass
class Asked:
    """A predicate that keeps what it was asked about, and refuses what could not have happened."""

    fails: Fails
    drafts: list[Draft] = field(default_factory=list[Draft])

    def __call__(self, draft: Draft) -> bool:
        assert problems(draft) == []
        assert [entry.seq for entry in draft.entries] == list(range(len(draft.entries)))
        self.drafts.append(draft)
        return self.fails(draft)


def has(*wanted: str) -> Fails:
    return lambda draft: set(wanted) <= marks(draft)


def refunds(draft: Draft) -> bool:
    """Whether the money is paid back twice."""
    return sum(entry.kind == "sent" and '"refund"' in entry.payload for entry in draft.entries) > 1


def no_unit_can_go(draft: Draft, fails: Fails) -> bool:
    """Whether without any one more of the finest units it does not fail."""
    needs = Needs(draft)
    return not any(fails(rest_without(needs, unit).draft) for unit in entries(needs))


# --- the law ----------------------------------------------------------------------------------------


@settings(LAW, max_examples=8)
@given(st.data())
def test_what_is_found_fails_and_is_minimal_for_whatever_must_be_there(
    session: Draft, data: st.DataObject
) -> None:
    wanted = data.draw(st.lists(st.sampled_from(sorted(marks(session))), min_size=1, max_size=4))
    asked = Asked(has(*wanted))
    found = smallest(session, asked)
    assert asked.fails(found)
    assert no_unit_can_go(found, asked.fails)
    assert len(asked.drafts) <= 70 * len(wanted) + 40


@settings(LAW, max_examples=4)
@given(st.data())
def test_what_is_found_fails_and_is_minimal_for_failures_that_come_and_go(
    session: Draft, data: st.DataObject
) -> None:
    """With one more entry the failure may be gone, and be back with two."""
    divisor = data.draw(st.integers(2, 5))
    rest = len(session.entries) % divisor
    wanted = data.draw(st.sampled_from(sorted(marks(session))))
    asked = Asked(lambda draft: wanted in marks(draft) and len(draft.entries) % divisor == rest)
    found = smallest(session, asked)
    assert asked.fails(found)
    assert no_unit_can_go(found, asked.fails)
    units = len(entries(Needs(session)))
    assert len(asked.drafts) <= 4 * units


@settings(LAW, max_examples=3)
@given(st.data())
def test_of_a_recorded_session_of_the_sdk_s_all_that_is_asked_about_could_have_happened(
    demo: Draft, data: st.DataObject
) -> None:
    wanted = data.draw(st.lists(st.sampled_from(sorted(marks(demo))), min_size=1, max_size=2))
    asked = Asked(has(*wanted))
    found = smallest(demo, asked)
    assert no_unit_can_go(found, asked.fails)
    assert rehearse(found.sealed()).verdict == "same"


def test_nobody_is_asked_twice_about_the_same(session: Draft) -> None:
    rest = len(session.entries) % 3
    asked = Asked(lambda draft: len(draft.entries) % 3 == rest or len(draft.entries) > 100)
    smallest(session, asked)
    contents = [draft.entries for draft in asked.drafts]
    assert len(contents) == len(set(contents))


def test_the_proposals_are_smaller_and_the_coarsest_come_first(short: Draft) -> None:
    search = Shrinking(short)
    steps = search.search()
    proposals = next(steps)
    levels = [search.level]
    while True:
        for proposal in proposals:
            assert proposal.draft is None or proposal.draft.entries != search.best.entries
        try:
            proposals = steps.send(None)
        except StopIteration:
            break
        levels.append(search.level)
    assert search.best is short
    assert list(dict.fromkeys(levels)) == [level.name for level in LEVELS if level.units(Needs(short))]


# --- the levels -------------------------------------------------------------------------------------


def test_turns_responses_and_entries_each_hold_all_that_can_go(session: Draft, demo: Draft) -> None:
    for draft in (session, demo):
        needs = Needs(draft)
        for units in (turns(needs), exchanges(needs), entries(needs)):
            every = [seq for unit in units for seq in unit]
            assert sorted(every) == sorted(set(range(len(draft.entries))) - needs.staying)
    assert len(turns(Needs(session))) == 6
    assert len(turns(Needs(demo))) == 4


def test_one_answer_is_left_of_the_demo(demo: Draft) -> None:
    found = smallest(demo, lambda draft: any(entry.type == "send_tool_output" for entry in draft.entries))
    types = [entry.type or entry.kind for entry in found.entries]
    assert types == [
        *("connect", "connected", "raw_server_event", "turn_started", "raw_server_event"),
        *("raw_server_event", "item_updated", "function_call"),
        *("raw_server_event", "usage", "turn_ended", "handled", "send_tool_output", "sent_done"),
    ]


def test_audio_texts_and_silences_are_cut(session: Draft) -> None:
    def fails(draft: Draft) -> bool:
        return sum(entry.type == "audio" for entry in draft.entries) > 2 and "transcript_delta" in {
            entry.type for entry in draft.entries
        }

    found = smallest(session, fails)
    lengths = [one[2] for entry in found.entries for one in references(entry.payload)]
    assert lengths == [LEAST_BYTES] * 3
    (delta,) = [facts_of(entry)["delta"] for entry in found.entries if entry.type == "transcript_delta"]
    assert len(delta) == 1
    assert silences(Needs(found)) == []
    assert found.entries[-1].at_ns < 10**9 < session.entries[-1].at_ns
    assert rehearse(found.sealed()).verdict == "same"


def test_what_is_needed_of_the_audio_stays(session: Draft) -> None:
    def fails(draft: Draft) -> bool:
        return any(length > 400 for entry in draft.entries for _, _, length in references(entry.payload))

    found = smallest(session, fails)
    assert [one[2] for entry in found.entries for one in references(entry.payload)] == [960]


# --- asking about several at once -------------------------------------------------------------------


class SlowTrial:
    """Answers after a while that depends on what it is asked, so that answers overtake each other."""

    def __init__(self, draft: Draft, fails: Fails, ended: list[Draft]) -> None:
        self._draft = draft
        self._fails = fails
        self._ended = ended
        self._end = threading.Event()

    def fails(self) -> bool:
        self._end.wait(0.004 * (len(self._draft.entries) % 4))
        return self._fails(self._draft)

    def end(self) -> None:
        self._ended.append(self._draft)
        self._end.set()


def hunt(draft: Draft, fails: Fails, jobs: int, seconds: float | None = None) -> tuple[Hunt, list[Draft]]:
    ended: list[Draft] = []
    found = Hunt(Shrinking(draft), lambda one: SlowTrial(one, fails, ended), jobs=jobs, seconds=seconds)
    return found, ended


@settings(LAW, max_examples=2)
@given(st.data())
def test_what_is_found_does_not_depend_on_how_many_are_asked_at_once(
    session: Draft, data: st.DataObject
) -> None:
    wanted = data.draw(st.lists(st.sampled_from(sorted(marks(session))), min_size=1, max_size=2))
    alone, _ = hunt(session, has(*wanted), 1)
    found = alone.run()
    assert found == smallest(session, has(*wanted))
    for jobs in (2, 5):
        together, _ = hunt(session, has(*wanted), jobs)
        assert together.run() == found


class OrderlyTrial(SlowTrial):
    """Answers when another was asked after it and none before it is left, until one is given up."""

    def __init__(self, draft: Draft, ended: list[Draft], asked: list[OrderlyTrial]) -> None:
        super().__init__(draft, refunds, ended)
        self._asked = asked
        asked.append(self)

    def fails(self) -> bool:
        for _ in range(100):  # who is asked alone waits no longer
            if self._ended or (self._asked[0] is self and len(self._asked) > 1):
                break
            self._end.wait(0.002)
        answer = self._fails(self._draft)
        self._asked.remove(self)
        return answer


def test_what_is_asked_in_vain_is_given_up(session: Draft) -> None:
    ended: list[Draft] = []
    asked: list[OrderlyTrial] = []
    together = Hunt(Shrinking(session), lambda draft: OrderlyTrial(draft, ended, asked), jobs=4)
    together.run()
    assert ended
    assert together.runs > 5
    assert not together.over_time


class HangingTrial(SlowTrial):
    """Hangs after some answers, until it is given up."""

    def __init__(self, draft: Draft, ended: list[Draft], answered: list[bool]) -> None:
        super().__init__(draft, refunds, ended)
        self._answered = answered

    def fails(self) -> bool:
        if len(self._answered) >= 4:
            self._end.wait()
        self._answered.append(super().fails())
        return self._answered[-1]


def test_the_best_so_far_is_left_when_the_time_is_over(session: Draft) -> None:
    ended: list[Draft] = []
    answered: list[bool] = []
    found = Hunt(Shrinking(session), lambda draft: HangingTrial(draft, ended, answered), jobs=2, seconds=4.0)
    best = found.run()
    assert found.over_time
    assert ended
    assert refunds(best)
    assert best is found.best
    assert 10 < len(best.entries) < len(session.entries)


def test_who_raises_ends_the_search(session: Draft) -> None:
    def fails(draft: Draft) -> bool:
        if 10 < len(draft.entries) < 60:
            raise KeyboardInterrupt
        return len(draft.entries) >= 60

    found, _ = hunt(session, fails, 2)
    with pytest.raises(KeyboardInterrupt):
        found.run()
    assert 60 <= len(found.best.entries) < len(session.entries)


def test_a_store_of_thousands_is_searched_in_few_runs(tmp_path: Path) -> None:
    record_long(tmp_path / "long.db", 60, 40)
    draft = drafts_of(tmp_path / "long.db")[0]
    asked = Asked(refunds)
    found = smallest(draft, asked)
    assert len(found.entries) == 10
    assert len(asked.drafts) < 60
