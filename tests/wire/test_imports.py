"""What others captured becomes a recording: lines of JSON, and HAR files; and back."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from realtape.schema import UsageError
from realtape.session import Draft
from realtape.session.fixture import read_fixture, write_fixture
from realtape.session.redaction import redacted
from realtape.wire import (
    LineFields,
    RecordedConnection,
    RecordedEnd,
    connections_of,
    har_of,
    read_frames,
    read_har,
    serve,
)
from support.wire_sockets import talk
from support.wire_talk import TURN, as_recorded, connection, data_of, inbound
from websockets.asyncio.client import connect

LINES: list[dict[str, Any]] = [
    {"dir": "server" if way == "<" else "client", "ms": 10 * place, "event": what}
    for place, (way, what) in enumerate(TURN)
]


def written(path: Path, *lines: dict[str, Any] | str) -> Path:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("".join(f"{text}\n" for text in texts))
    return path


def told(one: RecordedConnection) -> list[tuple[bool, str | bytes, int]]:
    return [(frame.inbound, frame.data.message, frame.at_ns) for frame in one.frames]


def test_lines_become_a_recording_that_can_be_played(tmp_path: Path) -> None:
    draft = read_frames(written(tmp_path / "a.jsonl", *LINES))
    assert (draft.header.format, draft.header.source, draft.header.host) == (2, "imported from a.jsonl", "")
    (one,) = connections_of([draft])
    assert (one.dialect.name, one.end.by) == ("openai-realtime", None)
    assert [data for _, data, _ in told(one)] == [data_of(what) for _, what in TURN]
    assert [at_ns for _, _, at_ns in told(one)] == [10_000_000 * place for place in range(len(TURN))]
    played = as_recorded(one)
    assert played.got == inbound(one)
    assert played.findings() == []


def test_a_close_ends_a_connection_and_the_next_line_begins_another(tmp_path: Path) -> None:
    close = {"dir": "close", "code": 1011, "reason": "again"}
    eof = {"dir": "close"}
    path = written(tmp_path / "a.jsonl", *LINES[:1], close, *LINES[:1], eof, *LINES[:1])
    ends = [(one.end.how, one.end.code, one.end.reason) for one in connections_of([read_frames(path)])]
    assert ends == [("closed", 1011, "again"), ("eof", None, ""), ("open", None, "")]


def test_other_names_texts_bytes_and_no_times(tmp_path: Path) -> None:
    lines: list[dict[str, Any]] = [
        {"type": "received", "payload": '{"a":  1}'},
        {"type": "sent", "base64": base64.b64encode(b"\xff\0").decode()},
    ]
    fields = LineFields(direction="type", message="payload", type="none")
    (one,) = connections_of([read_frames(written(tmp_path / "a.jsonl", *lines), fields)])
    assert told(one) == [(True, '{"a":  1}', 0), (False, b"\xff\0", 10_000_000)]


async def test_a_line_without_its_message_is_shown_and_not_served(tmp_path: Path) -> None:
    bare = {"dir": "server", "ms": 5, "type": "response.audio.delta", "delta_chars": 900}
    draft = read_frames(written(tmp_path / "a.jsonl", LINES[0], bare))
    entry = draft.entries[-1]
    assert (entry.kind, entry.type) == ("frame_in", "response.audio.delta")
    assert json.loads(entry.payload) == {"skeleton": {"type": "response.audio.delta", "delta_chars": 900}}
    with pytest.raises(UsageError, match="1 of its frames were captured by their type alone"):
        async with serve([draft]):
            raise AssertionError("it listens")


def test_credentials_are_taken_out(tmp_path: Path) -> None:
    secret = {"type": "session.created", "session": {"client_secret": {"value": "ek_planted0123456"}}}
    draft = read_frames(written(tmp_path / "a.jsonl", {"dir": "server", "event": secret}))
    assert "planted" not in "".join(entry.payload for entry in draft.entries)
    assert draft.entries[-1].flags & 2


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "line 2: no JSON"),
        ("[]", "line 2: not an object"),
        ({"dir": "sideways", "event": {}}, "line 2: 'dir' is 'sideways'.*--direction-field"),
        ({"dir": "client"}, "line 2: it has neither 'event' nor 'type'"),
        ({"dir": "client", "base64": "?"}, "line 2: its base64 is none"),
    ],
)
def test_what_is_no_capture_is_told(tmp_path: Path, line: Any, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        read_frames(written(tmp_path / "a.jsonl", LINES[0], line))


def test_an_empty_file_and_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no frame in it"):
        read_frames(written(tmp_path / "a.jsonl", ""))
    with pytest.raises(UsageError, match="cannot be read"):
        read_frames(tmp_path / "none")
    (tmp_path / "b").write_bytes(b"\xff\n")
    with pytest.raises(UsageError, match="no UTF-8"):
        read_frames(tmp_path / "b")


# --- HAR ----------------------------------------------------------------------------------------------------


def test_a_har_file_there_and_back(tmp_path: Path) -> None:
    said = [*TURN, (">", b"\xff\0"), ("<", "ä")]
    recorded = connection(said)
    path = tmp_path / "calls.har"
    path.write_text(json.dumps(har_of([recorded], 1_700_000_000_000_000_000)))
    (draft,) = read_har(path)
    (one,) = connections_of([draft])
    assert [(way, data) for way, data, _ in told(one)] == [(way, data) for way, data, _ in told(recorded)]
    times = [(before.at_ns, after.at_ns) for before, after in zip(recorded.frames, one.frames, strict=True)]
    assert all(abs(before - after) < 1_000_000 for before, after in times), "milliseconds are kept"
    again = har_of([one], draft.header.started_ns)["log"]["entries"][0]
    assert again["request"]["url"].startswith("wss://")
    assert [message["type"] for message in again["_webSocketMessages"]] == [
        "receive" if way == "<" else "send" for way, _ in said
    ]


@pytest.mark.parametrize(
    "end",
    [
        RecordedEnd("server", "closed", 1011, "planned", 5_000_000),
        RecordedEnd("server", "eof", at_ns=5_000_000),
        RecordedEnd("client", "closed", 1000, "", 5_000_000),
        RecordedEnd(),
    ],
)
def test_an_end_there_and_back(tmp_path: Path, end: RecordedEnd) -> None:
    path = tmp_path / "calls.har"
    path.write_text(json.dumps(har_of([connection(TURN, end=end)], 1_700_000_000_000_000_000)))
    (one,) = connections_of(read_har(path))
    found = one.end
    assert (found.by, found.how, found.code, found.reason) == (end.by, end.how, end.code, end.reason)


def chrome(**changes: Any) -> dict[str, Any]:
    """As a browser writes it."""
    headers = [
        {"name": "Sec-WebSocket-Protocol", "value": "realtime, openai-insecure-api-key.ek_planted0123456"},
        {"name": "Cookie", "value": "session=planted-cookie-1"},
    ]
    entry: dict[str, Any] = {
        "startedDateTime": "2025-06-01T10:00:00.000Z",
        "request": {"url": "wss://api.example/v1/realtime?model=m&key=planted-key-1", "headers": headers},
        "response": {"status": 101, "headers": [{"name": "Sec-WebSocket-Protocol", "value": "realtime"}]},
        "_webSocketMessages": [
            {"type": "receive", "time": 1748772000.5, "opcode": 1, "data": '{"type":"session.created"}'},
            {"type": "send", "time": 1748772000.75, "opcode": 2, "data": "AAE="},
        ],
        **changes,
    }
    return {"log": {"entries": [{"request": {"url": "https://page.example"}}, entry]}}


def test_a_browsers_file_without_its_credentials(tmp_path: Path) -> None:
    path = tmp_path / "page.har"
    path.write_text(json.dumps(chrome()))
    (draft,) = read_har(path)
    assert draft.header.started_ns == 1_748_772_000_000_000_000
    assert "planted" not in "".join(entry.payload for entry in draft.entries)
    (one,) = connections_of([draft])
    assert one.subprotocol == "realtime"
    assert [(way, data) for way, data, _ in told(one)] == [
        (True, '{"type":"session.created"}'),
        (False, b"\0\1"),
    ]
    assert [frame.at_ns for frame in one.frames] == [500_000_000, 750_000_000]


def test_a_refused_handshake_in_a_har_file(tmp_path: Path) -> None:
    path = tmp_path / "page.har"
    response = {"status": 403, "content": {"text": "no"}}
    path.write_text(json.dumps(chrome(response=response, _webSocketMessages=[])))
    (one,) = connections_of(read_har(path))
    assert one.refusal is not None
    assert (one.refusal.status, one.refusal.body) == (403, "no")


ENDS = {
    "a broken connection": (
        {"type": "error", "opcode": -1, "data": "WebSocket opcode"},
        ("server", "error", None),
    ),
    "a close frame": ({"type": "receive", "opcode": 8, "data": "A+hieWU="}, ("server", "closed", 1000)),
    "one without a code": ({"type": "send", "opcode": 8, "data": ""}, ("client", "closed", 1005)),
}


@pytest.mark.parametrize("name", ENDS)
def test_what_a_browser_tells_beside_messages_is_none(tmp_path: Path, name: str) -> None:
    last, end = ENDS[name]
    said = {"type": "receive", "time": 1748772000.5, "opcode": 1, "data": "hello"}
    pings = [{"type": "receive", "opcode": 9, "data": ""}, {"type": "send", "opcode": 10, "data": ""}]
    path = tmp_path / "page.har"
    path.write_text(json.dumps(chrome(_webSocketMessages=[*pings, said, last])))
    (one,) = connections_of(read_har(path))
    assert [(way, data) for way, data, _ in told(one)] == [(True, "hello")]
    assert (one.end.by, one.end.how, one.end.code) == end


def test_a_websocket_over_http_2(tmp_path: Path) -> None:
    path = tmp_path / "page.har"
    path.write_text(json.dumps(chrome(response={"status": 200})))
    (one,) = connections_of(read_har(path))
    assert (one.refusal, len(one.frames)) == (None, 2)


def test_what_another_editor_put_before_the_first_line(tmp_path: Path) -> None:
    (tmp_path / "a").write_text(json.dumps({"dir": "server", "event": {"type": "a"}}), encoding="utf-8-sig")
    (one,) = connections_of([read_frames(tmp_path / "a")])
    assert [frame.type for frame in one.frames] == ["a"]


@pytest.mark.parametrize("code", [99999, True, "1000", 1004])
def test_what_is_no_close_code_is_told(tmp_path: Path, code: Any) -> None:
    lines = [{"dir": "server", "event": {"type": "a"}}, {"dir": "close", "code": code}]
    (tmp_path / "a").write_text("\n".join(map(json.dumps, lines)))
    with pytest.raises(UsageError, match=r"line 2: .* is no close code"):
        read_frames(tmp_path / "a")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "no HAR file"),
        (json.dumps(chrome(_webSocketMessages=[{"data": "?"}])), "message 0 .* its type is none of receive"),
        ("[]", "holds no websocket"),
        ('{"log":{"entries":[3,{}]}}', "holds no websocket"),
        (
            json.dumps(chrome(_webSocketMessages=[{"type": "send", "opcode": 2, "data": "?"}])),
            "no base64",
        ),
    ],
)
def test_what_is_no_har_file_is_told(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "a.har"
    path.write_text(text)
    with pytest.raises(UsageError, match=problem):
        read_har(path)


@pytest.mark.real_time
async def test_an_import_is_served(tmp_path: Path) -> None:
    draft = read_frames(written(tmp_path / "a.jsonl", *LINES))
    server = serve([draft], pace=0)
    async with server as url, connect(url) as client:
        assert await talk(client, TURN) == [data_of(what) for way, what in TURN if way == "<"]
    assert server.report().verdict == "same"


# --- what is done to other recordings is done to these ------------------------------------------------------


def spoken(tmp_path: Path) -> Draft:
    """A recording of frames with sound, a telephone number cut in two, and bytes."""
    ids = {"response_id": "r", "item_id": "item_1", "content_index": 0}
    words = {"type": "response.output_audio_transcript.delta", **ids}
    audio = base64.b64encode(bytes(range(1, 201)) * 3).decode()
    messages: list[Any] = [
        {"type": "session.created", "session": {"id": "sess_1"}},
        {**words, "delta": "Call (415) 55"},
        {"type": "response.output_audio.delta", **ids, "delta": audio},
        {**words, "delta": "5-0132, or write to ada@example.org."},
    ]
    lines = [{"dir": "server", "event": message} for message in messages]
    return read_frames(written(tmp_path / "a.jsonl", *lines, {"dir": "client", "base64": "AAE="}))


def test_a_fixture_of_frames_comes_back_and_its_sound_is_a_file(tmp_path: Path) -> None:
    draft = spoken(tmp_path)
    write_fixture([draft], tmp_path / "fixture")
    assert read_fixture(tmp_path / "fixture") == [draft]
    assert [path.name for path in (tmp_path / "fixture" / "audio").iterdir()] == ["01-assistant-item_1.wav"]


@pytest.mark.parametrize("audio", ["keep", "silence", "drop"])
def test_frames_are_redacted_across_their_borders_and_can_be_played(tmp_path: Path, audio: Any) -> None:
    draft = spoken(tmp_path)
    (less,) = redacted([draft], audio=audio)
    (before,), (after,) = connections_of([draft]), connections_of([less])
    texts = [str(frame.data.data) for frame in after.frames]
    assert "(555) 55" in texts[1]
    assert "5-0000" in texts[3]
    assert "ada@example.org" not in texts[3]
    assert list(map(len, texts)) == [len(str(frame.data.data)) for frame in before.frames]
    assert (texts[2] == str(before.frames[2].data.data)) is (audio == "keep")
    assert as_recorded(after).got == inbound(after)


def test_a_redacted_recording_of_frames_verifies(tmp_path: Path) -> None:
    (less,) = redacted([spoken(tmp_path)], audio="silence")
    assert less == less.sealed()


# --- hostile files ------------------------------------------------------------------------------------


def socket(*messages: str, **facts: Any) -> str:
    """A HAR file with a websocket, whose messages are JSON."""
    rest = json.dumps(facts)[1:]
    entry = f'{{"_webSocketMessages": [{", ".join(messages)}]{", " if facts else ""}{rest}'
    return f'{{"log": {{"entries": [{entry}]}}}}'


TIMES = ("1e400", "-1e400", "NaN", "1e30", "-1e30", "9" * 400)
"""As JSON has them, or Python's."""


@pytest.mark.parametrize("time", TIMES)
def test_what_is_no_time_is_told(tmp_path: Path, time: str) -> None:
    line = f'{{"dir": "server", "ms": {time}, "event": {{"type": "x"}}}}'
    with pytest.raises(UsageError, match=r"line 2: .*is no time"):
        read_frames(written(tmp_path / "a.jsonl", LINES[0], line))
    line = f'{{"dir": "server", "id_unix": {time}, "event": {{"type": "x"}}}}'
    with pytest.raises(UsageError, match=r"line 1: .*is no time"):
        read_frames(written(tmp_path / "b.jsonl", line))
    message = f'{{"type": "receive", "time": {time}, "opcode": 1, "data": "{{}}"}}'
    (tmp_path / "a.har").write_text(socket(message))
    with pytest.raises(UsageError, match=r"message 0 of a websocket: .*is no time"):
        read_har(tmp_path / "a.har")


@pytest.mark.parametrize("began", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_a_websocket_of_another_age(tmp_path: Path, began: str) -> None:
    message = '{"type": "receive", "time": 1, "opcode": 1, "data": "{}"}'
    (tmp_path / "a.har").write_text(socket(message, startedDateTime=began))
    with pytest.raises(UsageError, match=r"when a websocket began: .*is no time"):
        read_har(tmp_path / "a.har")


def test_values_are_counted_before_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtape.wire.frame_files.MAX_LINE_VALUES", 100)
    monkeypatch.setattr("realtape.wire.har.MAX_VALUES", 100)
    monkeypatch.setattr("realtape.wire.har.MAX_SOCKETS", 3)
    many = f"[{'{},' * 100}{{}}]"
    with pytest.raises(UsageError, match="line 1: more than 100 values"):
        read_frames(written(tmp_path / "a.jsonl", f'{{"dir": "server", "event": {{"a": {many}}}}}'))
    (tmp_path / "a.har").write_text(f'{{"log": {{"entries": {many}}}}}')
    with pytest.raises(UsageError, match="more than 100 values"):
        read_har(tmp_path / "a.har")
    (tmp_path / "b.har").write_text(json.dumps({"log": {"entries": [{"_webSocketMessages": []}] * 4}}))
    with pytest.raises(UsageError, match="more than 3 websockets"):
        read_har(tmp_path / "b.har")


def test_a_line_is_read_no_further_than_it_may_be_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtape.wire.frame_files.MAX_LINE_CHARS", 1_000)
    with pytest.raises(UsageError, match="line 2: longer than 1,000 characters"):
        read_frames(written(tmp_path / "a.jsonl", LINES[0], "x" * 10_000))
