"""A stretch of a session stands alone: with what it needs, as it was, and it replays."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from realtape.lab import trimmed
from realtape.lab.shrinking.checks import problems
from realtape.lab.shrinking.trim import Trimmed
from realtape.schema import Kind, UsageError
from realtape.schema.entries import Entry
from realtape.session.drafts import Draft
from realtape.session.fields import facts_of
from realtape.session.structure import Structure
from support import switchboard_recorded
from support.golden import DEMO
from support.recorded_drafts import drafts_of, rehearse


@pytest.fixture(scope="module")
def demo() -> Draft:
    return drafts_of(DEMO)[0]


@pytest.fixture(scope="module")
def switchboard() -> Draft:
    recorded = switchboard_recorded.recorded()
    return drafts_of(recorded.store, recorded.session)[0]


def cut(draft: Draft, first: int, last: int) -> Trimmed:
    return trimmed(draft, lambda entry: first <= entry.seq <= last, how=f"trimmed to {first} - {last}")


def moment(entry: Entry) -> tuple[object, ...]:
    """What does not change when others are cut off: when, what, and what the user had heard."""
    heard = (entry.item_id, entry.content_index, entry.elapsed_ms)
    return (entry.at_ns, entry.tick, entry.task, entry.kind, entry.type, entry.method, *heard)


def check_stands_alone(draft: Draft, first: int, last: int) -> Trimmed:
    found = cut(draft, first, last)
    assert problems(found.draft) == []
    assert found.asked == last - first + 1
    assert found.added == len(found.draft.entries) - found.asked
    stretch = Counter(map(moment, draft.entries[first : last + 1]))
    assert not stretch - Counter(map(moment, found.draft.entries))
    report = rehearse(found.draft)
    assert report.verdict == "same", report
    return found


@settings(max_examples=8)
@given(st.data())
def test_any_stretch_of_the_demo_stands_alone(demo: Draft, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(demo.entries) - 1))
    check_stands_alone(demo, first, data.draw(st.integers(first, len(demo.entries) - 1)))


@settings(max_examples=4)
@given(st.data())
def test_any_stretch_of_the_switchboard_stands_alone(switchboard: Draft, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(switchboard.entries) - 1))
    check_stands_alone(switchboard, first, data.draw(st.integers(first, len(switchboard.entries) - 1)))


def test_the_beginning_stays_and_what_came_between_goes(demo: Draft) -> None:
    found = check_stands_alone(demo, 366, 380)
    left = found.draft.entries
    assert [entry.kind for entry in left[:2]] == [Kind.CONNECT, Kind.CONNECTED]
    types = [facts_of(entry).get("type") for entry in left]
    assert types[2:6:2] == ["session.created", "session.updated"]
    calls = [facts_of(entry).get("response_id") for entry in left if entry.type == "turn_started"]
    assert "resp_0002" not in calls
    assert calls[-1] == "resp_0004"


def test_a_response_under_way_is_there_from_its_beginning(demo: Draft) -> None:
    found = check_stands_alone(demo, 80, 100)
    assert [sound.length for sound in Structure(found.draft).sounds] == [
        sum(chunk.length for chunk in Structure(demo).sounds[0].chunks if chunk.seq <= 100)
    ]


def test_the_end_of_what_is_open_stays(demo: Draft) -> None:
    found = check_stands_alone(demo, 200, 231)
    assert [(entry.kind, entry.type) for entry in found.draft.entries[-2:]] == [
        (Kind.SENT, "send_tool_output"),
        (Kind.SENT_DONE, None),
    ]


def test_all_of_it_is_the_same_session(demo: Draft) -> None:
    found = cut(demo, 0, len(demo.entries) - 1)
    assert found.added == 0
    assert [entry._replace(digest=b"", payload="") for entry in found.draft.entries] == [
        entry._replace(digest=b"", payload="") for entry in demo.entries
    ]


def test_nothing_is_no_session(demo: Draft) -> None:
    with pytest.raises(UsageError, match=r"the session has 513 entries in 1\.016 s"):
        trimmed(demo, lambda entry: False, how="nothing")
