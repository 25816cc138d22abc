"""Many entries at a time, as a replay reads them: the same entries, and the same values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from realtape.recorder import Recorder
from realtape.replay import run
from realtape.schema import Kind, RealtimeModelRawServerEvent, RealtimeModelTranscriptDeltaEvent
from realtape.schema.codec import STANDARD, Codec
from realtape.schema.log import BARE_FIELDS, entry_of, fetch_entries, fetch_sessions, locate, open_blocking
from realtape.schema.log.rows import fetch_batch
from realtape.schema.log.untyped import fit

DELTA = '{"$":"transcript_delta","item_id":"i","delta":"%s","response_id":"r","type":"transcript_delta"}'


async def record(store: Path) -> None:
    """Bare events, and one of each way in which an entry is more."""
    async with Recorder(store) as recorder:
        log = recorder.begin({})
        event = RealtimeModelTranscriptDeltaEvent(item_id="i", delta="a", response_id="r")
        facts: list[dict[str, Any]] = [{}, {"method": "on_event"}, {"cause": 0}, {"of": 0}, {}, {}]
        for fact in facts:
            log.append(Kind.RECEIVED, event, type=event.type, **fact)
        log.append(Kind.MARKER, {"label": "x"})
        log.append(Kind.RECEIVED, RealtimeModelRawServerEvent(data={"type": "x"}), type="raw_server_event")


def test_bare_rows_are_the_same_entries_but_for_their_digests(tmp_path: Path) -> None:
    store = tmp_path / "log.db"
    run(record(store))
    with open_blocking(locate(store)) as connection:
        key = fetch_sessions(connection)[0].key
        rows = fetch_batch(connection, key, 1, bare=True).rows
        entries = fetch_entries(connection, key, 1)
    assert [len(row) == BARE_FIELDS for row in rows] == [False, False, False, True, True, False, True]
    assert [entry_of(row)._replace(digest=b"") for row in rows] == [
        entry._replace(digest=b"") for entry in entries
    ]


@pytest.mark.parametrize(
    "payloads",
    [
        [DELTA % "a", DELTA % "b"],
        [DELTA % "{", '{"outcome":"returned"}', '{"$":"other","data":{"$":"py:tuple","items":[1]}}'],
        ['{"delta":"no class"}', '{"$":"of nobody","a":1}', '{"$":"transcript_delta","delta":"too few"}'],
        [DELTA % "a", DELTA.replace("transcript", "output_text") % "b"],
        [DELTA % "a", '{"item_id":"i","$":"transcript_delta","delta":"b","response_id":"r","type":"x"}'],
        ['{"$":null,"a":1}', '{"$":null,"a":2}'],
    ],
)  # fmt: skip
def test_many_values_are_what_each_is(payloads: list[str]) -> None:
    codec = Codec(STANDARD)
    decoded = codec.decode_all(payloads, _nothing)
    each = [codec.decode(payload, _nothing) for payload in payloads]
    assert decoded is not None
    assert list(map(repr_of, decoded[0])) == [repr_of(one.value) for one in each]
    assert decoded[1] == {note for one in each for note in one.notes}


@pytest.mark.parametrize(
    "payloads",
    [
        ['{"a":1', '"b":2},{}'],
        ['{"a":1', '"b":2},\n{}'],
        ["{}", ""],
        ["{}", "[]"],
        ["{}", '{"$":[]}'],
        ["{}", "{"],
        ["{}},{{", "{}"],
        ['{"a":1},5', '{"b":[1', '{"c":2}]}'],
        ['{"a":1},[null]', '{"b":[1', '{"c":2}]}'],
        [],
    ],
)
def test_payloads_that_are_none_are_asked_for_one_by_one(payloads: list[str]) -> None:
    assert Codec(STANDARD).decode_all(payloads, _nothing) is None


@pytest.mark.parametrize(
    ("allowed", "column", "fits"),
    [
        ({int}, [1, 1 << 62, 1 << 62, 1 << 62, -1], True),
        ({int}, [1, 2.0], False),
        ({int}, [1, None], False),
        ({int, type(None)}, [None, 1], True),
        ({int, type(None)}, [None, 1.5], False),
        ({int}, [b"", b""], False),
        ({str}, ["a", ""], True),
        ({str}, ["a", b"a"], False),
        ({str, type(None)}, [None, "a"], True),
        ({str, type(None)}, ["a", 1], False),
        ({bytes}, [b"a", b""], True),
        ({bytes}, [b"a", "a"], False),
        ({bytes, type(None)}, [b"a", None], True),
        ({float, type(None)}, [1.0, None], True),
        ({float, type(None)}, [1.0, 1], False),
    ],
)
def test_what_a_column_holds_is_asked_at_once(allowed: set[type], column: list[Any], fits: bool) -> None:
    assert fit([frozenset(allowed)], [column]) is fits


def repr_of(value: Any) -> str:
    """Also of an event that lacks a field."""
    return f"{type(value).__name__} {value if isinstance(value, dict) else vars(value)}"


def _nothing(segment: int, offset: int, length: int) -> bytes:
    raise AssertionError("no payload refers to bytes")
