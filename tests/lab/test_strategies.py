"""The strategies: what they generate keeps to the vocabulary and to the protocol, replays, and shrinks."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, find, given, seed, settings
from hypothesis import strategies as st
from realtape.integrations.openai_agents import VOCABULARY
from realtape.lab.invariants import Findings, check
from realtape.lab.strategies import EVENT_TYPES, SEND_TYPES, events, plans, sends, sessions
from realtape.lab.strategies.plans import Plan
from realtape.lab.strategies.sessions import acted
from realtape.replay import ReplayModel, ReplayReport, run
from realtape.replay.responder import Responder
from realtape.replay.watched_recording import WatchedRecording
from realtape.schema import STANDARD, UsageError, Vocabulary, same
from realtape.schema.codec import Codec, event_name
from realtape.schema.entries import Kind
from realtape.session import Recording
from realtape.session.drafts import Draft, tree_of
from support.releases import of_today

VOCABULARIES = {"ours": STANDARD, "the SDK's": VOCABULARY}


# --- events and sends --------------------------------------------------------------------------------


def class_of(value: Any) -> type[Any]:
    return cast("type[Any]", type(value))


def round_trip(value: Any, vocabulary: Vocabulary) -> Any:
    data = bytearray()

    def put(part: bytes) -> tuple[int, int, int]:
        data.extend(part)
        return 0, len(data) - len(part), len(part)

    codec = Codec(vocabulary)
    payload = codec.encode(value, put).payload
    return codec.decode(payload, lambda _, offset, length: bytes(data[offset : offset + length])).value


@of_today
@pytest.mark.parametrize("vocabulary", VOCABULARIES.values(), ids=VOCABULARIES.keys())
@pytest.mark.parametrize(("strategy", "types"), [(events, EVENT_TYPES), (sends, SEND_TYPES)])
def test_each_type_is_in_its_vocabulary_and_round_trips(
    strategy: Callable[..., st.SearchStrategy[Any]], types: tuple[str, ...], vocabulary: Vocabulary
):
    known = [name for name in types if vocabulary.word_named(name) is not None]
    assert len(known) >= len(types) - 2  # the oldest release lacks some

    @settings(
        max_examples=60,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(st.one_of([strategy(name, vocabulary=vocabulary).map(lambda e, n=name: (n, e)) for name in known]))
    def hold(made: tuple[str, Any]) -> None:
        name, event = made
        word = vocabulary.word_for(class_of(event))
        assert word is not None
        assert word.name == name == event_name(vocabulary, class_of(event))
        assert same(round_trip(event, vocabulary), event)

    hold()


def test_without_a_type_all_of_them_come():
    seen: Counter[str] = Counter()

    @seed(1)
    @settings(max_examples=400, database=None)
    @given(events(), sends())
    def collect(event: Any, send: Any) -> None:
        seen.update([event_name(STANDARD, class_of(event)), event_name(STANDARD, class_of(send))])

    collect()
    assert seen.keys() == {*EVENT_TYPES, *SEND_TYPES}


def test_a_field_may_be_chosen():
    assert find(events("audio", data=st.just(b"abc")), lambda event: True).data == b"abc"
    assert find(sends("send_audio"), lambda send: send.commit).audio == b""


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: events("laughter"), "no event 'laughter': give some of error,"),
        (lambda: sends("audio"), "no send 'audio'"),
        (lambda: events("audio", transcript=st.just("")), "has a field 'transcript'"),
        (lambda: events("audio", vocabulary=Vocabulary()), "has no event 'audio'"),
        (lambda: sessions(max_connections=0), "give at least 1"),
        (lambda: plans(piece_ms=0), "from 1 up"),
    ],
)
def test_misuse_is_told(make: Callable[[], Any], words: str):
    with pytest.raises(UsageError, match=words):
        make()


# --- sessions --------------------------------------------------------------------------------


async def responded(draft: Draft) -> ReplayReport:
    """The replay of a session, into an application that does what was recorded."""
    async with WatchedRecording.of(draft) as recording:
        return await Responder(ReplayModel(recording), recording).run()


async def verify(draft: Draft) -> None:
    async with Recording.of(draft) as recording:
        await recording.verify()


def check_plan(plan: Plan) -> None:
    drafts = acted(plan)
    findings = check(drafts)
    assert not findings.violations, findings
    # A session in which nobody has listened or spoken has no playback; raw messages are always there.
    assert not findings.not_checkable
    for draft in drafts:
        asyncio.run(verify(draft))
        report = run(responded(draft))
        assert str(report).startswith("same"), report
        facts = report.as_json()
        assert not facts["early"]
        assert not facts["late"]
        assert not facts["weaker"]


@seed(1)
@settings(
    max_examples=25, database=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(plans())
def test_sessions_replay_and_hold_all_rules(plan: Plan):
    check_plan(plan)


@pytest.mark.deep
@settings(max_examples=1500)
@given(plans())
def test_many_sessions_replay_and_hold_all_rules(plan: Plan):
    check_plan(plan)


def ingredients(drafts: list[Draft]) -> set[str]:
    """What happens in a conversation."""
    found = {"reconnect"} if len(drafts) > 1 else set[str]()
    for draft in drafts:
        sent = [entry.type for entry in draft.entries if entry.kind == Kind.SENT]
        received = [entry for entry in draft.entries if entry.kind == Kind.RECEIVED]
        types = {entry.type for entry in received}
        raw = [tree_of(entry)["data"] for entry in received if entry.type == "raw_server_event"]
        done = [one["response"]["status"] for one in raw if one["type"] == "response.done"]
        names = {one["type"] for one in raw}
        by_voice = any(e.type == "audio_interrupted" and e.cause is None for e in received)
        called = [entry.seq for entry in received if entry.type == "function_call"]
        answered = [e.cause for e in draft.entries if e.type == "send_tool_output"]
        facts = {
            "barge-in by voice": by_voice,
            "interruption by the application": any(
                e.type == "audio_interrupted" and e.cause is not None for e in received
            ),
            "cancelled response": "cancelled" in done,
            "truncation": "conversation.item.truncated" in names,
            "tool round": bool(called),
            "outputs in another order": bool(answered) and answered != called,
            "answer inside a listener": any(e.kind == Kind.HANDLED for e in draft.entries),
            "handoff": "send_session_update" in sent,
            "error": "error" in types,
            "lost connection": "exception" in types,
            "end of stream": "end_of_stream" in types,
            "playback": any(e.type == "application" for e in draft.entries),
            "transcript": "input_audio_transcription_completed" in types,
            "written answer": "output_text_delta" in types,
            "deleted item": "item_deleted" in types,
        }
        found |= {name for name, holds in facts.items() if holds}
    return found


INGREDIENTS = 16


def test_a_sample_has_everything_in_it():
    """What is rare may be missing after one seed of hypothesis': so there are some."""
    seen: Counter[str] = Counter()
    for number in range(1, 11):

        @seed(number)
        @settings(
            max_examples=50,
            database=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )
        @given(plans())
        def collect(plan: Plan) -> None:
            seen.update(ingredients(acted(plan)))

        collect()
        if len(seen) == INGREDIENTS and min(seen.values()) >= 3:
            break
    assert len(seen) == INGREDIENTS, seen
    assert min(seen.values()) >= 3, seen


def test_what_is_not_wanted_does_not_come():
    seen: set[str] = set()
    formats: set[str] = set()

    @seed(1)
    @settings(
        max_examples=60,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(
        plans(
            max_connections=1,
            max_turns=2,
            tools=(),
            handoffs=(),
            barge_ins=False,
            errors=False,
            audio_format="g711_ulaw",
            piece_ms=7,
        )
    )
    def collect(plan: Plan) -> None:
        assert len(plan.connections[0].turns) <= 2
        assert plan.piece_ms == 7
        formats.add(plan.audio_format)
        seen.update(ingredients(acted(plan)))

    collect()
    assert formats == {"g711_ulaw"}
    # The SDK's model gives `audio_interrupted` also when all has been heard.
    told = {"playback", "transcript", "written answer", "deleted item", "barge-in by voice"}
    assert seen <= told


@of_today
@pytest.mark.parametrize("vocabulary", VOCABULARIES.values(), ids=VOCABULARIES.keys())
def test_sessions_are_recordings_in_the_classes_that_are_wanted(vocabulary: Vocabulary):
    called: list[Any] = []

    @seed(1)
    @settings(
        max_examples=20,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(sessions(tools=("tell_time",), handoffs=(), vocabulary=vocabulary))
    def collect(recording: Recording) -> None:
        called.extend(value for entry, value in recording.stream() if entry.type == "function_call")
        recording.close_blocking()

    collect()
    assert {type(call).__module__.split(".")[0] for call in called} == {
        "agents" if vocabulary is VOCABULARY else "realtape"
    }
    assert {call.name for call in called} == {"tell_time"}


def test_the_same_plan_gives_the_same_recording():
    plan = find(plans(), lambda plan: len(plan.connections) == 2)
    assert [draft.last_digest for draft in acted(plan)] == [draft.last_digest for draft in acted(plan)]
    assert acted(plan)[1].header.previous_session == acted(plan)[0].header.id


# --- shrinking --------------------------------------------------------------------------------


def smallest(ingredient: str) -> list[Draft]:
    found = find(
        plans(),
        lambda plan: ingredient in ingredients(acted(plan)),
        settings=settings(max_examples=500, database=None, derandomize=True),
    )
    return acted(found)


@pytest.mark.parametrize(
    ("ingredient", "entries", "octets"),
    [
        ("tool round", 40, 48),
        ("handoff", 40, 48),
        pytest.param("reconnect", 14, 0, marks=pytest.mark.deep),
        pytest.param("barge-in by voice", 60, 200, marks=pytest.mark.deep),
        pytest.param("error", 20, 0, marks=pytest.mark.deep),
        pytest.param("playback", 50, 100, marks=pytest.mark.deep),
    ],
)
def test_sessions_shrink_to_little(ingredient: str, entries: int, octets: int):
    drafts = smallest(ingredient)
    assert sum(len(draft.entries) for draft in drafts) <= entries
    assert sum(len(data) for draft in drafts for data in draft.segments.values()) <= octets


def test_anything_shrinks_to_a_connect_and_a_close():
    (draft,) = acted(find(plans(), lambda plan: True))
    kinds = [entry.kind for entry in draft.entries]
    assert kinds == ["connect", "connected", "received", "playback", "close", "playback", "closed"]
    assert check(draft) == Findings()


# --- the packages --------------------------------------------------------------------------------


def python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


def test_replay_does_not_import_hypothesis():
    done = python("import sys, realtape.replay, realtape.lab.invariants; print('hypothesis' in sys.modules)")
    assert done.stdout == "False\n", done.stderr


def test_without_hypothesis_the_strategies_say_what_to_install():
    hidden = "import sys; sys.modules['hypothesis'] = None\nimport realtape.lab.strategies"
    done = python(hidden)
    assert "UsageError: realtape.lab.strategies needs hypothesis: pip install" in done.stderr
