"""What a session comes to is the same wherever it is told: `stats`, SQL, the page, OTLP,
Perfetto, MCAP and WAV."""

from __future__ import annotations

import contextlib
import io
import json
import sqlite3
import tempfile
import wave
from array import array
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from foxglove_schemas_protobuf.RawAudio_pb2 import RawAudio
from hypothesis import example, given, settings
from mcap.reader import make_reader
from perfetto.protos.perfetto.trace import perfetto_trace_pb2
from realtape.cli import main
from realtape.lab.strategies import sessions
from realtape.schema.log import locate
from realtape.session import Draft, Recording
from realtape.session.derived import Derived, derive_draft, table_rows
from realtape.session.drafts import write_drafts
from realtape.session.fixture import read_fixture
from support.depths import framed
from support.golden import FIXTURES
from support.pages import blocks_of
from support.perfetto_slices import slices_of

RECORDS = ("responses", "turns", "heard", "tools", "interruptions", "latency", "connections")
SWITCHBOARD = Recording.of(*read_fixture(FIXTURES / "switchboard"))


def realtape(*arguments: object) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()) as said:
        code = main([str(one) for one in arguments])
    assert code == 0, said.getvalue()
    return out.getvalue()


def plain(records: Any) -> Any:
    return json.loads(json.dumps([asdict(one) for one in records]))


@given(sessions(max_connections=1))
@example(SWITCHBOARD)
@settings(max_examples=3)
def test_everybody_says_the_same(recording: Recording) -> None:
    """Of the model's events, and of the frames beneath them."""
    draft, *_ = recording.drafts()
    for one in (draft, framed(draft).sealed()):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_drafts(locate(folder / "calls.db"), [one])
            derived = derive_draft(one)
            stats_agree(folder / "calls.db", derived)
            sql_agrees(folder / "calls.db", derived)
            page_agrees(folder, derived)
            otlp_agrees(folder, derived)
            perfetto_agrees(folder, one, derived)
            sound_agrees(folder, derived)


def stats_agree(store: Path, derived: Derived) -> None:
    for name in RECORDS:
        told = json.loads(realtape("stats", store, "--table", name, "--json"))[name]
        for row in told:
            assert row.pop("session") == derived.header.id
        for row, record in zip(told, plain(getattr(derived, name)), strict=True):
            assert {key: row[key] for key in record} == record, name


def sql_agrees(store: Path, derived: Derived) -> None:
    realtape("views", store)
    realtape("stats", store, "--write")
    with contextlib.closing(sqlite3.connect(store)) as connection:
        connection.row_factory = sqlite3.Row
        for name, wanted in table_rows(derived).items():
            rows = [dict(row) for row in connection.execute(f"SELECT * FROM {name} ORDER BY rowid")]
            for row, record in zip(rows, wanted, strict=True):
                assert {key: row[key] for key in record} == record, name
        for name in ("responses", "tools", "connections"):
            rows = [dict(row) for row in connection.execute(f"SELECT * FROM {name} ORDER BY seq")]
            records = sorted(plain(getattr(derived, name)), key=lambda record: record["seq"])
            for row, record in zip(rows, records, strict=True):
                for key in row.keys() & record.keys() - {"beside"}:
                    assert row[key] == record[key], (name, key)


def page_agrees(folder: Path, derived: Derived) -> None:
    realtape("export", folder / "calls.db", "--html", folder / "page.html", "--no-redact")
    told = json.loads(blocks_of((folder / "page.html").read_text())["0/session"])
    for name in RECORDS:
        for row, record in zip(told["story"][name], plain(getattr(derived, name)), strict=True):
            assert {key: row[key] for key in record} == record, name
    assert told["duration_ns"] == derived.duration_ns


def otlp_agrees(folder: Path, derived: Derived) -> None:
    realtape("export", folder / "calls.db", folder / "spans.json", "--otlp", "--no-redact")
    tree = json.loads((folder / "spans.json").read_text())
    spans = [span for one in tree["resourceSpans"] for scope in one["scopeSpans"] for span in scope["spans"]]
    since = derived.header.started_ns

    def told(span: Any) -> dict[str, Any]:
        return {one["key"]: next(iter(one["value"].values()), None) for one in span["attributes"]}

    waits = {one.turn: one for one in derived.latency}
    turns = [span for span in spans if span["name"].startswith("user ")]
    for span, turn in zip(turns, derived.turns, strict=True):
        assert int(span["startTimeUnixNano"]) - since == (turn.began_ns or 0)
        wait = waits.get(turn.number)
        for name in ("first_byte_ms", "first_sound_ms", "played_ms"):
            wanted = None if wait is None else getattr(wait, name)
            assert told(span).get(f"realtape.latency.{name}") == wanted, name
    chats = [span for span in spans if told(span).get("gen_ai.operation.name") == "chat"]
    for span, response in zip(chats, derived.responses, strict=True):
        ended_ns = derived.duration_ns if response.ended_ns is None else response.ended_ns
        assert int(span["endTimeUnixNano"]) - since == max(ended_ns, response.began_ns)
        tokens = None if response.tokens is None else response.tokens.output
        assert told(span).get("gen_ai.usage.output_tokens") == (None if tokens is None else str(tokens))
    tools = [span for span in spans if span["name"].startswith("execute_tool ")]
    for span, tool in zip(tools, derived.tools, strict=True):
        assert int(span["startTimeUnixNano"]) - since == tool.began_ns
        assert int(span["endTimeUnixNano"]) - since == (tool.ended_ns or derived.duration_ns)


def perfetto_agrees(folder: Path, draft: Draft, derived: Derived) -> None:
    realtape("export", folder / "calls.db", folder / "trace.pftrace", "--perfetto", "--no-redact")
    trace: Any = perfetto_trace_pb2.Trace()
    trace.ParseFromString((folder / "trace.pftrace").read_bytes())
    end_ns = derived.duration_ns
    wanted = {
        "responses": [(one.began_ns, _end(one.ended_ns, one.began_ns, end_ns)) for one in derived.responses],
        "tools": [(one.began_ns, _end(one.ended_ns, one.began_ns, end_ns)) for one in derived.tools],
        "interruptions": [
            (one.began_ns, _end(one.silent_ns, one.began_ns, one.began_ns)) for one in derived.interruptions
        ],
    }
    page = json.loads(blocks_of((folder / "page.html").read_text())["0/session"])
    wanted["playback"] = [(one["begin_ns"], one["end_ns"]) for one in page["story"]["playback"]]
    heard = [one for one in page["sound"]["lanes"]["model"] if one["heard_until_ns"] is not None]
    model = page["sound"]["lanes"]["model"]
    wanted["sound of the model"] = [(one["begin_ns"], one["until_ns"]) for one in model]
    wanted["heard"] = [(one["begin_ns"], min(one["heard_until_ns"], one["until_ns"])) for one in heard]
    slices = dict(slices_of(trace))
    for name, spans in wanted.items():
        assert sorted(slices.get(name, [])) == sorted(spans), name


def sound_agrees(folder: Path, derived: Derived) -> None:
    """MCAP and WAV hold of what was heard as much as is derived, and as the page shows; at the same place."""
    realtape("export", folder / "calls.db", folder / "call.mcap", "--mcap", "--no-redact")
    pieces: list[tuple[int, int, array[int]]] = []
    said: list[tuple[str, str]] = []
    for _, channel, message in make_reader(io.BytesIO((folder / "call.mcap").read_bytes())).iter_messages():
        if channel.topic == "/said":
            words = json.loads(message.data)
            said.append((words["who"], words["text"]))
        elif channel.topic == "/heard":
            audio = RawAudio.FromString(message.data)
            samples = array("h", audio.data)
            pieces.append((message.log_time - derived.header.started_ns, audio.sample_rate, samples))
    texts = [("user", one.text) for one in derived.turns] + [("model", one.text) for one in derived.heard]
    texts += [("model", text) for _, text in derived.written]
    assert sorted(said) == sorted(one for one in texts if one[1])
    page = json.loads(blocks_of((folder / "page.html").read_text())["0/session"])
    lane = page["sound"]["lanes"]["model"]
    assert sum(len(one) for *_, one in pieces) == sum(one["heard"] or 0 for one in lane)
    counted_ms = sum(len(one) / (8 if rate_hz == 8_000 else 24) for _, rate_hz, one in pieces)
    heard = [
        (one.heard_ms, one.generated_ms if one.given_ms is None else one.given_ms) for one in derived.heard
    ]
    wanted_ms = sum(min(heard_ms or 0.0, given_ms) for heard_ms, given_ms in heard)
    assert counted_ms == pytest.approx(wanted_ms, abs=len(heard) + 0.001)
    if pieces:
        realtape("export", folder / "calls.db", folder / "heard.wav", "--heard-wav", "--no-redact")
        with wave.open(str(folder / "heard.wav")) as file:
            rate_hz, sound = file.getframerate(), array("h", file.readframes(file.getnframes()))
        ends: list[int] = []
        for at_ns, piece_hz, samples in pieces:
            begin = round(at_ns * page["pace"] * rate_hz / 1e9)
            ends.append(begin + len(samples) * rate_hz // piece_hz)
            if {one for _, one, _ in pieces} == {rate_hz} and len(pieces) == 1:
                assert sound[begin : ends[-1]] == samples
        assert len(sound) == max(ends)


def _end(told_ns: int | None, began_ns: int, otherwise_ns: int) -> int:
    return max(otherwise_ns if told_ns is None else told_ns, began_ns)
