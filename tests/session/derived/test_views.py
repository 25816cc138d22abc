"""The views of a store say what `session/derived/` says, row for row, of any session, at any depth."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from realtape.lab.strategies import sessions
from realtape.schema import UsageError
from realtape.schema.entries import Kind, text_column
from realtape.schema.log import locate, make_views, open_for_changes, views_of
from realtape.session import Recording
from realtape.session.derived import Derived, TokenCounts, derive_draft
from realtape.session.drafts import Draft, in_memory, write_drafts
from realtape.session.fixture import read_fixture
from support.depths import bare, framed, renamed
from support.fixtures import drafts_in
from support.golden import DEMO, FIXTURES
from support.hostile_texts import CALL, ITEM, created, done, frame, hostile, hostile_frames, raw, session

Row = dict[str, Any]
TOKENS = [one.name for one in dataclasses.fields(TokenCounts)]


def rows(connection: sqlite3.Connection, view: str, key: int) -> list[Row]:
    order = "session" if view == "usage" else "seq"
    cursor = connection.execute(f"SELECT * FROM {view} WHERE session = ? ORDER BY {order}", (key,))
    names = [one[0] for one in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def expected(derived: Derived, view: str, key: int) -> list[Row]:
    """What a view is to say, of what Python says."""
    return [{"session": key, **row} for row in _expected(derived, view)]


def _expected(derived: Derived, view: str) -> Iterator[Row]:
    if view == "responses":
        for one in derived.responses:
            names = (
                "seq",
                "response_id",
                "connection",
                "began_ns",
                "first_byte_ns",
                "first_sound_ns",
                "ended_ns",
            )
            plain = {name: getattr(one, name) for name in (*names, "status", "reason")}
            yield {**plain, "out_of_band": int(one.out_of_band), **_tokens(one.tokens)}
    elif view == "usage" and derived.responses:
        yield {"responses": len(derived.responses), **_tokens(derived.tokens)}
    elif view == "tools":
        for tool in derived.tools:
            facts = {one.name: getattr(tool, one.name) for one in dataclasses.fields(tool)}
            yield {**facts, "beside": len(tool.beside), "duration_ms": tool.duration_ms}
    elif view == "connections":
        for connection in derived.connections:
            yield dataclasses.asdict(connection)


def _tokens(tokens: TokenCounts | None) -> Row:
    told = tokens or TokenCounts()
    return {f"{name}_tokens": getattr(told, name) for name in TOKENS}


VIEWS = ("responses", "usage", "tools", "connections")


def shown(told: list[Row], wanted: list[Row]) -> list[Row]:
    """Where a database cannot hold a text, what it shows in its place: the escape."""
    for row, one in zip(told, wanted, strict=False):
        for name, value in one.items():
            if isinstance(value, str) and text_column(value) != value:
                assert isinstance(row[name], str)
                assert "\\u" in row[name]
                row[name] = value
    return told


def agrees(drafts: list[Draft]) -> None:
    """Views over a store of these sessions say of each what Python does."""
    address = in_memory(drafts, "views")
    assert address.memory is not None
    with closing(sqlite3.connect(address.sqlite_uri("rw"), uri=True)) as connection:
        for view in views_of("sqlite"):
            connection.execute(view.sql)
        keys = dict(connection.execute("SELECT id, key FROM sessions").fetchall())
        for draft in drafts:
            derived, key = derive_draft(draft), keys[draft.header.id]
            for view in VIEWS:
                wanted = expected(derived, view, key)
                assert shown(rows(connection, view, key), wanted) == wanted, (view, draft.header.id)


@given(sessions(max_connections=1))
@settings(max_examples=4)
def test_of_generated_sessions_at_every_depth(recording: Recording) -> None:
    (draft,) = recording.drafts()
    agrees([draft, framed(draft), bare(draft)])


@pytest.mark.parametrize("name", ["demo", "kiosk", "kiosk-interrupted", "switchboard"])
def test_of_the_golden_sessions(name: str) -> None:
    drafts = read_fixture(FIXTURES / name)
    agrees([one for draft in drafts for one in (draft, framed(draft), bare(draft))])


# --- what is odd ------------------------------------------------------------------------------------------


def failed(reason: str, **error: str) -> dict[str, Any]:
    return done(status="failed", status_details={"reason": reason, "error": error})


ODD: dict[str, list[tuple[Kind, str, Any]]] = {
    "no entries": [],
    "payloads that are no JSON": [
        raw(created()),
        (Kind.RECEIVED, "raw_server_event", '{"data": '),
        raw(done()),
    ],
    "payloads that are no objects": [(Kind.RECEIVED, "raw_server_event", "[1]"), (Kind.CONNECT, "", '"x"')],
    "a message that is tagged": [
        raw({"$": "py:dict", "items": [["type", "response.created"], ["$", "x"]]}),
        raw(created(metadata={"$": "py:dict", "items": [["$", 1]]})),
        raw({**done(), "response": {"$": "py:dict", "items": [["id", "r"]]}}),
    ],
    "an event of a class that nobody registered": [
        (Kind.RECEIVED, "raw_server_event", {"$": "described", "name": "x", "value": {"data": created()}}),
    ],
    "ids that are no texts": [raw(created(7)), raw(done(7)), raw(created(None))],
    "counts that are none": [
        raw(created()),
        raw(done(usage={"input_tokens": 1.5, "output_tokens": "7", "total_tokens": True})),
    ],
    "a usage without details": [raw(created()), raw(done(usage={"input_tokens": 3, "output_tokens": 4}))],
    "a reason that says everything twice": [
        raw(created()),
        raw(failed("x", type="x", code="y", message="y")),
    ],
    "a reason that says nothing": [raw(created()), raw(failed("", type="", message="m"))],
    "an id that comes again": [
        raw(created()),
        raw(ITEM),
        raw(done()),
        raw(created()),
        raw(done(status="failed")),
    ],
    "an end that comes twice": [raw(created()), raw(done()), raw(done(status="failed"))],
    "an end without a begin": [raw(done()), raw(created("s"))],
    "out of band": [raw(created(conversation_id=None)), raw(created("s", conversation_id="conv"))],
    "names of the beta": [
        raw(created()),
        raw({"type": "response.audio.delta", "response_id": "r", "item_id": "i", "delta": "AAAA"}),
    ],
    "a call that was cut off": [raw(created()), raw({**ITEM, "item": {**CALL, "status": "incomplete"}})],
    "a frame of format 1": [(Kind.FRAME_IN, "", [json.dumps(created())])],
    "frames that are no JSON": [frame("{"), frame("[1]"), frame(""), frame(json.dumps(created()))],
    "a frame with something behind it": [
        frame(json.dumps(created()) + "\0x"),
        frame(json.dumps(created("s"))),
    ],
    "a frame of bytes": [(Kind.FRAME_IN, "", {"$": "frame", "opcode": "binary", "bytes": {"$": "py:bytes"}})],
    "a frame that names what the log has no type for": [
        frame('{"type":"\\ud800","response":{"id":"\\u0000"}}')
    ],
    "frames beside raw events": [frame(json.dumps(created())), raw(created("s")), raw(done("s"))],
    "a connect that failed": [
        (Kind.CONNECT, "", {"options": {"url": "ws://x"}}),
        (Kind.CONNECT_FAILED, "", {"outcome": "raised", "raised": {"$": "py:OSError", "$text": "gone"}}),
    ],
    "a close that the other side answers": [
        (Kind.CONNECT, "", {}),
        (Kind.CLOSE, "", {}),
        (Kind.RECEIVED, "end_of_stream", {"type": "end_of_stream"}),
    ],
    "a close that raised": [(Kind.CONNECT, "", {}), (Kind.CLOSED, "", {"outcome": "raised"})],
    "answers of nobody": [
        (
            Kind.SENT,
            "send_tool_output",
            {"tool_call": {"call_id": "c"}, "output": "x", "start_response": False},
        ),
        raw(created()),
        raw(ITEM),
    ],
    "an answer by hand": [
        raw(created()),
        raw(ITEM),
        (
            Kind.SENT,
            "send_raw_message",
            {
                "message": {
                    "type": "conversation.item.create",
                    "other_data": {"item": {"type": "function_call_output", "call_id": "c", "output": "o"}},
                }
            },
        ),
    ],
    "events alone, whose ends name nobody": [
        (Kind.RECEIVED, "turn_started", {"response_id": None}),
        (
            Kind.RECEIVED,
            "usage",
            {"usage": {"input_tokens": 1, "input_tokens_details": {"cached_tokens": 1}}},
        ),
        (Kind.RECEIVED, "function_call", {"name": "n", "call_id": "c", "arguments": "{}"}),
        (Kind.RECEIVED, "turn_ended", {"response_id": None}),
        (Kind.RECEIVED, "turn_ended", {"response_id": None}),
    ],
}


@pytest.mark.parametrize("name", ODD)
def test_of_what_is_odd(name: str) -> None:
    agrees([session(*ODD[name])])


def test_of_texts_that_no_database_holds() -> None:
    agrees([hostile(), renamed(hostile_frames(), "frames")])


def test_one_odd_text_takes_no_other_row_with_it(tmp_path: Path) -> None:
    """Read as anybody reads it: with `sqlite3`, whose texts are UTF-8."""
    path = tmp_path / "calls.db"
    write_drafts(locate(path), [hostile()])
    with open_for_changes(locate(path)) as engine, engine.begin() as connection:
        assert make_views(connection)
    with closing(sqlite3.connect(path)) as plain:
        told = plain.execute(
            "SELECT response_id, status, reason, input_tokens FROM responses ORDER BY seq"
        ).fetchall()
        assert told == [
            ("r\\u0000s", "completed", "\\udfff and \U0001f600", 5),
            ("whole", "open", "", None),
            *((f"r{number}", "open", "", None) for number in range(6)),
        ]
        assert plain.execute("SELECT name, call_id FROM tools").fetchall() == [("lone \\ud800", "c\\u0000d")]
        assert plain.execute("SELECT count(*), max(length(message)) > 9 FROM messages").fetchone() == (10, 1)
    numbers = [(one.began_ns, one.ended_ns) for one in derive_draft(hostile()).responses]
    with closing(sqlite3.connect(path)) as plain:
        assert plain.execute("SELECT began_ns, ended_ns FROM responses ORDER BY seq").fetchall() == numbers


# --- making them ------------------------------------------------------------------------------------------


def made(path: Path) -> bool:
    with open_for_changes(locate(path)) as engine, engine.begin() as connection:
        return make_views(connection)


def test_views_are_made_once_and_replaced_by_those_of_another_version(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    write_drafts(locate(path), drafts_in(DEMO))
    assert (made(path), made(path)) == (True, False)
    with closing(sqlite3.connect(path)) as plain, plain:
        plain.execute("DROP VIEW usage")
        plain.execute("CREATE VIEW usage AS /* realtape views 0 */ SELECT 1 AS old")
    assert (made(path), made(path)) == (True, False)
    with closing(sqlite3.connect(path)) as plain:
        assert plain.execute("SELECT responses, input_tokens FROM usage").fetchall() == [(4, 176)]


def test_what_somebody_else_called_so_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    write_drafts(locate(path), drafts_in(DEMO))
    for own in ("CREATE TABLE tools (x)", "CREATE VIEW tools AS SELECT 1 AS x"):
        with closing(sqlite3.connect(path)) as plain, plain:
            plain.execute(own)
        with pytest.raises(UsageError, match="tools is something else in this store"):
            made(path)
        with closing(sqlite3.connect(path)) as plain, plain:
            assert plain.execute("SELECT sql FROM sqlite_master WHERE name = 'tools'").fetchone() == (own,)
            plain.execute(f"DROP {own.split()[1]} tools")
