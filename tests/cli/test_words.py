"""Entries in words: whatever lies in a log, a line comes out that a terminal can show."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from realtape.schema import STANDARD, Entry, Kind
from realtape.session import Folder, Row, row_of, words
from realtape.session.folding import PAUSE_NS

KEYS = (
    *("$", "value", "type", "data", "item", "content", "args", "kwargs", "state", "bytes", "at", "raised"),
    *("outcome", "text", "tool_call", "message", "commit", "exception", "session_settings", "options", "url"),
    *("unrecordable", "error", "usage", "delta", "audio", "user_input", "name", "lost", "reason"),
)
"""Those that the words look at."""

TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=200),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=6,
)
PAYLOADS = TREES | st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, TREES))
TYPES = st.sampled_from([None, "application", "model", "mine", *STANDARD.names()])


def entry(seq: int, kind: str, type: str | None = None, payload: Any = None, **more: Any) -> Entry:
    at_ns = more.pop("at_ns", seq)
    text = payload if isinstance(payload, str) else json.dumps({} if payload is None else payload)
    nothing: Any = dict.fromkeys(Entry._fields)
    facts: Any = {"seq": seq, "at_ns": at_ns, "tick": 0, "task": 0, "kind": kind, "type": type, "flags": 0}
    facts |= {"payload": text, "digest": b"", **more}
    return Entry._make((nothing | facts)[name] for name in Entry._fields)


def audio(seq: int, item: str = "i", **more: Any) -> Entry:
    return entry(seq, "received", "audio", {"data": {"at": [0, 0, 100]}, "item_id": item}, **more)


def fold(*entries: Entry) -> list[Row]:
    folder = Folder()
    rows = [row for one in entries for row in folder.add(one)] + folder.rest()
    assert (folder.entries, folder.rows) == (len(entries), len(rows))
    return rows


@given(
    kind=st.sampled_from([*Kind, "of_the_future"]), type=TYPES, tree=TREES, of=st.none() | st.integers(0, 9)
)
def test_any_payload_becomes_a_short_line(kind: str, type: str | None, tree: Any, of: int | None) -> None:
    one = entry(3, kind, type, tree, of=of, method="on_play_ms")
    for text in (words.content(one), words.line(one), row_of(one).content, row_of(one).title):
        assert not [letter for letter in text if unicodedata.category(letter) == "Cc"]
    assert len(words.content(one)) <= words.MAX_WORDS
    fold(one, one._replace(seq=4), one._replace(seq=5))


def test_a_payload_that_is_no_json_is_its_text() -> None:
    assert words.content(entry(0, "received", "audio", "{torn")) == "{torn"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\n\tb  c", "a b c"),
        ("\x1b[31mred\x9b", "\\x1b[31mred\\x9b"),
        ("\u202eright to left", "\\x202eright to left"),
        ("x" * 200, "x" * 99 + "…"),
        (" " * 1000 + "late", "…"),
    ],
)
def test_short_is_one_line_that_nothing_obeys(text: str, shown: str) -> None:
    assert words.short(text) == shown


def test_an_audio_burst_is_a_row() -> None:
    rows = fold(audio(0), audio(1), audio(2), entry(3, "marker", None, {"text": "x"}))
    assert [(row.seq, row.count, row.title, row.content) for row in rows] == [
        (0, 3, "audio ×3", "300 bytes of i"),
        (3, 1, "marker", "x"),
    ]


def test_bursts_run_side_by_side_and_end_together() -> None:
    delta = {"delta": "a", "item_id": "i"}
    rows = fold(
        audio(0),
        entry(1, "received", "transcript_delta", delta),
        audio(2),
        audio(3, "other"),
        entry(4, "received", "transcript_delta", delta),
        entry(5, "close"),
    )
    assert [(row.seq, row.title) for row in rows] == [
        (0, "audio ×2"),
        (1, "transcript_delta ×2"),
        (3, "audio"),
        (5, "close"),
    ]
    assert rows[1].content == "'aa'"


def test_silence_ends_a_burst() -> None:
    rows = fold(audio(0), audio(1, at_ns=PAUSE_NS), audio(2, at_ns=2 * PAUSE_NS + 1))
    assert [row.count for row in rows] == [2, 1]


def test_a_raw_message_is_left_out_where_its_event_follows() -> None:
    raw = entry(0, "received", "raw_server_event", {"data": {"type": "response.created"}})
    started = entry(1, "received", "turn_started", {"response_id": "r"})
    assert [row.title for row in fold(raw, started)] == ["turn_started"]
    assert [row.title for row in fold(raw, started._replace(task=1))] == ["raw_server_event", "turn_started"]
    assert [row.content for row in fold(raw, raw._replace(seq=1), entry(2, "close"))] == [
        "response.created",
        "",
    ]


def test_only_what_went_well_is_left_out() -> None:
    done = {"outcome": "returned"}
    error = {"outcome": "raised", "raised": {"$": "py:ValueError", "args": ["no"]}}
    assert fold(entry(1, "handled", of=0), entry(2, "sent_done", None, done, of=0)) == []
    told = fold(
        entry(1, "handled", None, error, of=0),
        entry(2, "sent_done", None, {"outcome": "withheld", "value": False}, of=0),
    )
    assert [(row.content, row.alarming) for row in told] == [
        ("of #0: raised ValueError: no", True),
        ("of #0: withheld false", False),
    ]


def test_what_commits_audio_stands_alone() -> None:
    piece = {"audio": {"at": [0, 0, 10]}}
    rows = fold(
        entry(0, "sent", "send_audio", piece),
        entry(1, "sent", "send_audio", piece),
        entry(2, "sent", "send_audio", {**piece, "commit": True}),
    )
    assert [row.content for row in rows] == ["20 bytes", "10 bytes, commit"]
