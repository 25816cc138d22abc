"""Held against a slow reference that is written apart, against the same at other depths, and what was heard
against the SDK's own arithmetic."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from agents.realtime import RealtimePlaybackTracker
from agents.realtime._default_tracker import ModelAudioTracker
from hypothesis import given, settings
from hypothesis import strategies as st
from realtape.lab.strategies import sessions
from realtape.schema.entries import Entry, Kind
from realtape.session import Recording
from realtape.session.derived import Derived, derive_draft
from realtape.session.drafts import Draft
from realtape.session.fields import event_fields, mapping, payload
from support.depths import bare, framed
from support.hostile_texts import session

# --- the reference: every question walks over everything ----------------------------------------------------


def messages(draft: Draft) -> list[tuple[Entry, dict[str, Any]]]:
    return [
        (entry, mapping(payload(entry)["data"]))
        for entry in draft.entries
        if entry.type == "raw_server_event"
    ]


def transcript(draft: Draft, item_id: str) -> str:
    deltas = [
        event_fields(entry)["delta"]
        for entry in draft.entries
        if entry.type in ("transcript_delta", "output_text_delta")
        and event_fields(entry)["item_id"] == item_id
    ]
    return "".join(deltas)


def reference_turns(draft: Draft) -> list[tuple[Any, ...]]:
    """Kind, item, text, and the ids of the responses until the next that the model got."""
    told = messages(draft)
    begun: list[tuple[int, str, str, int]] = []  # seq, kind, item, the seq at which the model had it
    for entry in draft.entries:
        if entry.kind == Kind.SENT and entry.type == "send_user_input":
            added = [
                one["item"]["id"]
                for other, one in told
                if other.seq > entry.seq
                and one["type"] == "conversation.item.added"
                and one["item"].get("role") == "user"
                and one["item"]["content"][0]["type"] == "input_text"
            ]
            begun.append((entry.seq, "text", added[0] if added else "", entry.seq))
    for entry, one in told:
        if one["type"] == "input_audio_buffer.speech_started":
            got = [
                other.seq
                for other, that in told
                if that["type"] == "input_audio_buffer.committed" and that["item_id"] == one["item_id"]
            ]
            begun.append((entry.seq, "speech", one["item_id"], got[0] if got else -1))
    begun.sort()
    found: list[tuple[Any, ...]] = []
    for _, kind, item_id, got in begun:
        later = [other for _, _, _, other in begun if other > got >= 0]
        end = min(later, default=1 << 62)
        answers = [
            one["response"]["id"]
            for entry, one in told
            if one["type"] == "response.created" and 0 <= got < entry.seq < end
        ]
        found.append((kind, item_id, tuple(answers)))
    return found


def reference_heard(draft: Draft) -> dict[tuple[str, int], tuple[float, float]]:
    """Of each part the bytes that came, as milliseconds, and the most that was heard."""
    parts: dict[tuple[str, int], list[int]] = {}
    for entry in draft.entries:
        if entry.type == "raw_server_event" and mapping(payload(entry)["data"])["type"] in (
            "response.output_audio.delta",
        ):
            one = payload(entry)["data"]
            told = one["delta"]
            place = mapping(told).get("at")
            length = int(place[2]) if place else len(str(told).rstrip("=")) * 3 // 4
            parts.setdefault((one["item_id"], one["content_index"]), []).append(length)
    said = "".join(entry.payload for entry in draft.entries if "session." in entry.payload)
    rate = 8 if any(name in said for name in ("g711", "pcmu", "pcma")) else 48
    found: dict[tuple[str, int], tuple[float, float]] = {}
    for part, lengths in parts.items():
        heard = [
            entry.elapsed_ms
            for entry in draft.entries
            if (entry.item_id, entry.content_index) == part and entry.elapsed_ms is not None
        ]
        found[part] = (sum(lengths) / rate, max(heard, default=0.0))
    return found


def first_byte(draft: Draft, response_ids: tuple[str, ...]) -> int | None:
    announced = (
        "response.created",
        "response.done",
        "response.output_item.added",
        "response.content_part.added",
    )
    for entry, one in messages(draft):
        named = one.get("response_id") or mapping(one.get("response")).get("id")
        if named in response_ids and one["type"] not in announced and one["type"].startswith("response."):
            return entry.at_ns
    return None


@given(sessions(max_connections=1))
@settings(max_examples=8)
def test_the_slow_reference_says_the_same(recording: Recording) -> None:
    (draft,) = recording.drafts()
    derived = derive_draft(draft)
    assert [(one.kind, one.response_ids) for one in derived.turns] == [
        (kind, answers) for kind, _, answers in reference_turns(draft)
    ]
    heard = {(one.item_id, one.content_index): one for one in derived.heard}
    wanted = reference_heard(draft)
    assert list(heard) == list(wanted)
    for part, (generated_ms, heard_ms) in wanted.items():
        assert heard[part].generated_ms == pytest.approx(generated_ms)
        assert (heard[part].heard_ms or 0.0) == heard_ms
        assert heard[part].text == transcript(draft, part[0])
    for one in derived.interruptions:
        came, most = wanted.get((one.item_id, one.content_index), (0.0, 0.0))
        assert one.lost_ms == pytest.approx(max(came - most, 0.0))
    for wait in derived.latency:
        turn = derived.turns[wait.turn - 1]
        byte_ns = first_byte(draft, turn.response_ids)
        assert wait.ended_ns == turn.ended_ns
        assert wait.first_byte_ms == (None if byte_ns is None else (byte_ns - wait.ended_ns) / 1e6)
    ended = {one.response_id: one for one in derived.responses}
    for entry, one in messages(draft):
        if one["type"] == "response.done":
            assert ended[one["response"]["id"]].ended_ns == entry.at_ns
            assert ended[one["response"]["id"]].status == one["response"]["status"]


# --- depths ---------------------------------------------------------------------------------------------


def facts(derived: Derived, *, numbers: bool = True) -> Any:
    """What must be the same, however deep it was recorded."""
    responses = [
        (one.response_id, one.began_ns, one.ended_ns, one.sound_ms, one.tokens) for one in derived.responses
    ]
    tools = [(one.call_id, one.name, one.output, len(one.beside)) for one in derived.tools]
    heard = [(one.item_id, one.content_index, one.generated_ms, one.text) for one in derived.heard]
    turns = [(one.kind, one.text, one.response_ids, one.answer) for one in derived.turns]
    asked = [one.asked_by for one in derived.responses] if numbers else []
    return responses, tools, heard, turns if numbers else [], asked


@given(sessions(max_connections=1, barge_ins=False, errors=False))
@settings(max_examples=6)
def test_a_conversation_is_the_same_at_any_depth(recording: Recording) -> None:
    (draft,) = recording.drafts()
    derived = derive_draft(draft)
    assert facts(derive_draft(framed(draft))) == facts(derived)
    assert facts(derive_draft(bare(draft)), numbers=False) == facts(derived, numbers=False)


# --- the SDK's own arithmetic ---------------------------------------------------------------------------


PARTS = st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 1))
STEPS = st.one_of(
    st.tuples(st.just("came"), PARTS, st.integers(2, 4_800)),
    st.tuples(st.just("play_bytes"), PARTS, st.integers(0, 4_800)),
    st.tuples(st.just("play_ms"), PARTS, st.integers(0, 200)),
    st.tuples(st.just("interrupt"), PARTS, st.just(0)),
)


@given(st.lists(STEPS, max_size=20), st.sampled_from(["pcm16", "g711_ulaw", "g711_alaw"]))
@settings(max_examples=25)
def test_what_was_heard_is_what_the_sdk_counts(
    steps: list[tuple[str, tuple[str, int], int]], format: Any
) -> None:
    playing, audio = RealtimePlaybackTracker(), ModelAudioTracker()
    playing.set_audio_format(format)
    audio.set_audio_format(format)
    most: dict[tuple[str, int], float] = {}
    entries: list[tuple[Kind, str, Any, dict[str, Any]]] = [(Kind.PLAYBACK, "model", {"args": [format]}, {})]
    came: set[tuple[str, int]] = set()
    for what, part, count in steps:
        event: tuple[Kind, str, Any] = (Kind.PLAYBACK, "application", {"args": []})
        if what == "came":
            audio.on_audio_delta(*part, bytes(count))
            came.add(part)
            data = {"$": "py:bytes", "at": [0, 0, count]}
            fields = {"data": data, "response_id": "r", "item_id": part[0], "content_index": part[1]}
            event = (Kind.RECEIVED, "audio", {"$": "audio", **fields})
        elif what == "play_bytes":
            playing.on_play_bytes(*part, bytes(count))
        elif what == "play_ms":
            playing.on_play_ms(*part, count)
        else:
            playing.on_interrupted()
        state = playing.get_state()
        item_id, index = state["current_item_id"], state["current_item_content_index"]
        elapsed_ms = state["elapsed_ms"]
        if item_id is not None and index is not None:
            most[item_id, index] = max(most.get((item_id, index), 0.0), elapsed_ms or 0.0)
        columns = {"item_id": item_id, "content_index": index, "elapsed_ms": elapsed_ms}
        entries.append((event[0], event[1], event[2], columns))
    draft = session(*((kind, type, tree) for kind, type, tree, _ in entries))
    made = [
        entry._replace(method="set_audio_format" if not place else None, **entries[place][3])
        for place, entry in enumerate(draft.entries)
    ]
    made_draft = dataclasses.replace(draft, entries=tuple(made), segments={0: bytes(4_800)})
    derived = derive_draft(made_draft)
    assert {(one.item_id, one.content_index) for one in derived.heard} == came
    for one in derived.heard:
        part = (one.item_id, one.content_index)
        counted = audio.get_state(*part)
        assert counted is not None
        assert one.generated_ms == counted.audio_length_ms
        assert one.heard_ms == most.get(part, 0.0)
