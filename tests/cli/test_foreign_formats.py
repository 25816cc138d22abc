"""What `realtape export` writes for other people's tools, opened by readers that we did not write."""

from __future__ import annotations

import base64
import io
import json
import wave
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from foxglove_schemas_protobuf.RawAudio_pb2 import RawAudio
from google.protobuf import json_format
from mcap.reader import make_reader
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from perfetto.protos.perfetto.trace import perfetto_trace_pb2
from realtape.schema.log import locate
from realtape.session.derived import Derived, derive_draft
from realtape.session.drafts import write_drafts
from realtape.session.fixture import read_fixture
from support.calls_to_see import GREETING, spoken_elsewhere
from support.command_line import Ran
from support.depths import renamed
from support.golden import FIXTURES
from support.hostile_texts import hostile, hostile_frames

Realtape = Callable[..., Ran]
DEMO = FIXTURES / "demo"


@pytest.fixture
def exported(realtape: Realtape, tmp_path: Path) -> Callable[..., bytes]:
    def export(name: str, *options: str, target: Path = DEMO) -> bytes:
        path = tmp_path / name
        path.unlink(missing_ok=True)
        ran = realtape("export", target, path, "--no-redact", *options)
        assert (ran.code, ran.err) == (0, "")
        return path.read_bytes()

    return export


Exported = Callable[..., bytes]


def derived() -> Derived:
    return derive_draft(read_fixture(DEMO)[0])


# --- OTLP ---------------------------------------------------------------------------------------------------


def spans(data: bytes) -> list[Any]:
    """As OpenTelemetry's own classes read them. (Ids are hexadecimal in OTLP/JSON, base64 in other JSON.)"""
    tree = json.loads(data)
    for resource in tree["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                for name in {"traceId", "spanId", "parentSpanId"} & span.keys():
                    span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
    read: Any = json_format.ParseDict(tree, TracesData())
    return [span for one in read.resource_spans for scope in one.scope_spans for span in scope.spans]


def said(span: Any) -> dict[str, Any]:
    values = ((one.key, one.value) for one in span.attributes)
    return {key: getattr(value, value.WhichOneof("value")) for key, value in values}


def test_otlp_has_a_span_for_each_turn_response_and_tool(exported: Exported) -> None:
    found, told = spans(exported("o.json", "--otlp")), derived()
    assert len(found) == 1 + len(told.turns) + len(told.responses) + len(told.tools)
    assert len({one.trace_id for one in found}) == 1
    assert len({one.span_id for one in found}) == len(found)
    by_id = {one.span_id: one for one in found}
    assert [one.name for one in found if one.parent_span_id not in by_id] == ["session"]
    started = told.header.started_ns
    chats = [one for one in found if said(one).get("gen_ai.operation.name") == "chat"]
    for span, one in zip(chats, told.responses, strict=True):
        facts = said(span)
        assert facts["gen_ai.response.id"] == one.response_id
        assert one.tokens is not None
        assert facts["gen_ai.usage.input_tokens"] == one.tokens.input
        assert facts["gen_ai.usage.output_tokens"] == one.tokens.output
        assert span.end_time_unix_nano == started + (one.ended_ns or 0)
    (tool,) = (one for one in found if one.name == "execute_tool departure")
    assert said(tool)["gen_ai.tool.call.result"] == "9:15, platform 4"
    assert by_id[tool.parent_span_id] is chats[1]
    assert tool.end_time_unix_nano - tool.start_time_unix_nano == round(
        (told.tools[0].duration_ms or 0) * 1e6
    )
    waits = [said(one)["realtape.latency.first_byte_ms"] for one in found if one.name.startswith("user ")]
    assert waits == [one.first_byte_ms for one in told.latency]


def test_otlp_is_the_same_twice_and_holds_no_sound(exported: Exported) -> None:
    once = exported("o.json", "--otlp")
    assert exported("o.json", "--otlp") == once
    assert b"realtape:01a202e1-9b22-7205-92f1-537963f92128/item_0002/0" in once
    assert max(len(one) for span in spans(once) for one in map(str, said(span).values())) < 400


def test_names_are_those_that_are_asked_for(exported: Exported, realtape: Realtape, tmp_path: Path) -> None:
    old = spans(exported("o.json", "--otlp", "--semconv", "1.28"))
    assert any(said(one).get("gen_ai.system") == "openai" for one in old)
    assert not any("gen_ai.provider.name" in said(one) for one in old)
    phoenix = [said(one) for one in spans(exported("p.json", "--otlp", "--profile", "openinference"))]
    kinds = [one["openinference.span.kind"] for one in phoenix]
    assert sorted(set(kinds)) == ["AGENT", "CHAIN", "LLM", "TOOL"]
    assert sum(one.get("llm.token_count.total", 0) for one in phoenix) == 292
    assert not any(name.startswith("gen_ai.") for one in phoenix for name in one)
    for options, problem in (
        (["--otlp", "--semconv", "0.1"], "--semconv 0.1: there are 1.37, 1.28"),
        (["--otlp", "--profile", "x"], "--profile x: there are openinference"),
        (["--otlp", "--semconv", "1.37", "--profile", "openinference"], "names of its own"),
        (["--wav", "--semconv", "1.37"], "are for --otlp"),
        (["--otlp", "--mcap"], "choose one"),
        (["--mcap"], "--mcap writes a .mcap file"),
    ):
        ran = realtape("export", DEMO, tmp_path / "new.json", *options)
        assert (ran.code, problem in ran.err) == (2, True), ran


def test_an_export_is_redacted_unless_it_is_said_otherwise(realtape: Realtape, tmp_path: Path) -> None:
    plain = realtape("export", DEMO, tmp_path / "r.json", "--otlp", "--word", "Brno")
    assert plain.code == 0
    assert b"Brno" not in (tmp_path / "r.json").read_bytes()
    again = realtape("export", DEMO, tmp_path / "r.json", "--otlp")
    assert (again.code, "exists already" in again.err) == (2, True)


def test_a_redacted_export_names_the_session_as_the_store_does(realtape: Realtape, tmp_path: Path) -> None:
    """Its trace is the same as that of what is not redacted; and an address of sound leads to it."""
    (draft,) = read_fixture(DEMO)
    id = draft.header.id
    for option, name in (("--otlp", "r.json"), ("--perfetto", "r.pftrace"), ("--mcap", "r.mcap")):
        for path, redaction in ((tmp_path / name, ()), (tmp_path / f"plain-{name}", ("--no-redact",))):
            ran = realtape("export", DEMO, path, option, *redaction)
            assert ran.out.startswith(f"session {id}: "), ran
            assert id.encode() in path.read_bytes()
    told = [json.loads((tmp_path / name).read_text()) for name in ("r.json", "plain-r.json")]
    spans = [one["resourceSpans"][0]["scopeSpans"][0]["spans"] for one in told]
    ids = [[(span["traceId"], span["spanId"]) for span in some] for some in spans]
    assert ids[0] == ids[1]


# --- Perfetto -----------------------------------------------------------------------------------------------


def slices(data: bytes) -> tuple[Any, dict[str, list[tuple[int, Any]]]]:
    """A trace, and what begins on each track: when, and the event. By Perfetto's own protobuf classes. (The
    trace processor is a program that its package downloads when it is used first: tests have no network.)"""
    trace: Any = perfetto_trace_pb2.Trace()
    trace.ParseFromString(data)
    names = {
        one.track_descriptor.uuid: one.track_descriptor.name
        for one in trace.packet
        if one.HasField("track_descriptor")
    }
    types = perfetto_trace_pb2.TrackEvent
    begun: dict[str, list[tuple[int, Any]]] = {}
    depth: dict[int, int] = {}
    for packet in trace.packet:
        if not packet.HasField("track_event"):
            continue
        event = packet.track_event
        if event.type == types.TYPE_SLICE_BEGIN:
            begun.setdefault(names[event.track_uuid], []).append((packet.timestamp, event))
        depth[event.track_uuid] = depth.get(event.track_uuid, 0) + (
            1 if event.type == types.TYPE_SLICE_BEGIN else -1
        )
    assert set(depth.values()) == {0}
    return trace, begun


def noted(event: Any) -> dict[str, str]:
    return {one.name: one.string_value for one in event.debug_annotations}


def test_perfetto_has_the_slices_on_their_tracks(exported: Exported) -> None:
    trace, begun = slices(exported("p.pftrace", "--perfetto"))
    told = derived()
    assert [(at, one.name) for at, one in begun["responses"]] == [
        (one.began_ns, one.response_id) for one in told.responses
    ]
    assert [noted(one)["text"] for _, one in begun["responses"]] == [
        told.said.get(one.seq, "") for one in told.responses
    ]
    assert "text of the model" not in begun
    assert [(at, one.name) for at, one in begun["tools"]] == [(one.began_ns, one.name) for one in told.tools]
    assert [at for at, _ in begun["interruptions"]] == [one.began_ns for one in told.interruptions]
    assert len(begun["heard"]) == 3
    flows = [one.track_event for one in trace.packet if one.HasField("track_event")]
    out = {flow for one in flows for flow in one.flow_ids}
    into = {flow for one in flows for flow in one.terminating_flow_ids}
    assert len(out) == 5, "from each turn to its first response, from one to its tool, from that to the next"
    assert into == out


# --- sound --------------------------------------------------------------------------------------------------


def messages(data: bytes) -> Iterator[tuple[str, str, int, bytes]]:
    for schema, channel, message in make_reader(io.BytesIO(data)).iter_messages():
        assert schema is not None
        yield channel.topic, schema.name, message.log_time, message.data


def test_mcap_has_the_lanes_as_raw_audio(exported: Exported) -> None:
    found = [*messages(exported("m.mcap", "--mcap"))]
    assert {topic for topic, *_ in found} == {"/user", "/model", "/heard", "/said"}
    seconds: dict[str, float] = {}
    for topic, schema, at_ns, data in found:
        if topic == "/said":
            continue
        assert schema == "foxglove.RawAudio"
        audio: Any = RawAudio.FromString(data)
        assert (audio.format, audio.sample_rate, audio.number_of_channels) == ("pcm-s16", 24_000, 1)
        assert audio.timestamp.seconds * 10**9 + audio.timestamp.nanos == at_ns
        seconds[topic] = seconds.get(topic, 0.0) + len(audio.data) / 2 / 24_000
    assert seconds["/heard"] == pytest.approx(sum(one.heard_ms or 0.0 for one in derived().heard) / 1000)
    words = [json.loads(data)["text"] for topic, _, _, data in found if topic == "/said"]
    assert sorted(words) == sorted(
        [*(one.text for one in derived().turns), *(one.text for one in derived().heard)]
    )


def test_what_is_said_without_sound_is_told(tmp_path: Path, exported: Exported) -> None:
    store = tmp_path / "greeted"
    write_drafts(locate(f"{store}.db"), [spoken_elsewhere(tmp_path)])
    (response,) = [
        one for one in spans(exported("g.json", "--otlp", target=Path(f"{store}.db"))) if one.name == "chat"
    ]
    facts = said(response)
    assert facts["gen_ai.output.type"] == "text"
    assert [one["parts"] for one in json.loads(facts["gen_ai.output.messages"])] == [
        [{"type": "text", "content": GREETING}]
    ]
    data = exported("g.mcap", "--mcap", target=Path(f"{store}.db"))
    words = [
        json.loads(one.data)["text"]
        for _, channel, one in make_reader(io.BytesIO(data)).iter_messages()
        if channel.topic == "/said"
    ]
    assert words == [GREETING]
    _, begun = slices(exported("g.pftrace", "--perfetto", target=Path(f"{store}.db")))
    (greeted,) = begun["responses"]
    assert noted(greeted[1])["text"] == GREETING
    assert [(at, one.name) for at, one in begun["text of the model"]] == [(greeted[0], GREETING)]


def test_wav_has_the_user_left_and_the_model_right(exported: Exported) -> None:
    with wave.open(io.BytesIO(exported("w.wav", "--wav"))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 24_000)
        both = array("h", file.readframes(file.getnframes()))
    assert any(both[0::2])
    assert any(both[1::2])


def test_the_heard_wav_holds_what_the_ledger_says_to_the_millisecond(exported: Exported) -> None:
    with wave.open(io.BytesIO(exported("h.wav", "--heard-wav"))) as file:
        assert (file.getnchannels(), file.getframerate()) == (1, 24_000)
        heard = array("h", file.readframes(file.getnframes()))
    told = derived()
    draft = read_fixture(DEMO)[0]
    generated = b"".join(
        draft.bytes_at(*json.loads(entry.payload)["data"]["at"])
        for entry in draft.entries
        if entry.type == "audio"
    )
    whole, position = array("h", generated), 0
    data = heard.tobytes()
    for part in told.heard:
        samples = round((part.heard_ms or 0.0) * 24)
        of_part = whole[position : position + samples].tobytes()
        assert of_part in data, part.item_id
        position += round(part.generated_ms * 24)


@pytest.mark.parametrize(
    ("options", "problem"), [(["--wav"], "holds no sound"), (["--heard-wav"], "what was heard")]
)
def test_what_has_no_sound_is_no_sound_file(
    realtape: Realtape, tmp_path: Path, options: list[str], problem: str
) -> None:
    write_drafts(locate(tmp_path / "calls.db"), [hostile().sealed()])
    ran = realtape("export", tmp_path / "calls.db", tmp_path / "x.wav", "--no-redact", *options)
    assert (ran.code, problem in ran.err) == (2, True)
    assert not (tmp_path / "x.wav").exists()


@pytest.mark.parametrize("option", ["--otlp", "--perfetto", "--mcap"])
def test_whatever_texts_there_are_and_without_any_sound(
    realtape: Realtape, tmp_path: Path, option: str
) -> None:
    write_drafts(
        locate(tmp_path / "calls.db"), [hostile().sealed(), renamed(hostile_frames(), "frames").sealed()]
    )
    place = tmp_path / {"--otlp": "x.json", "--mcap": "x.mcap"}.get(option, "x")
    ran = realtape("export", tmp_path / "calls.db", place, "--no-redact", option)
    assert (ran.code, ran.err) == (0, "")
    assert place.stat().st_size > 100


@pytest.mark.parametrize(
    "arguments",
    [
        *(("export", f"x{suffix}", option) for option, suffix in (("--mcap", ".mcap"), ("--wav", ".wav"))),
        ("export", "--html", "x.html"),
        ("show", "--lanes"),
    ],
    ids=" ".join,
)
def test_more_sound_than_can_be_gone_through_is_refused(
    realtape: Realtape, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    """Each reference counts what it stands for, also to the same bytes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("realtape.session.lanes.MOST_SAMPLES", 10_000)
    command, *options = arguments
    ran = realtape(command, DEMO, *options)
    assert (ran.code, "samples of sound, more than the 10,000" in ran.err) == (2, True)
    assert not [*tmp_path.iterdir()]
