"""Sessions whose page is looked at: one of which every sample is known, and one that no page must obey."""

from __future__ import annotations

import dataclasses
import json
import math
import random
import sys
from array import array
from pathlib import Path
from typing import Any

from realtape.schema import Kind
from realtape.schema.codec import to_json
from realtape.schema.entries import Entry, Status
from realtape.session.drafts import Draft
from realtape.wire import read_frames
from support.fixtures import audio, header, numbered, raw, received, sent, spoken

MS = 1_000_000
RATE_HZ = 24_000
BEGIN_MS, LENGTH_MS, HEARD_MS = 500, 1000, 620
"""Of the model's sound: when it came, how long it is, how much of it was heard."""

HOSTILE = (
    '<img src=x onerror="window.hacked=1"><script>window.hacked=2</script></script><b>bold</b>'
    "<!-- \u202eetirw\u202c \x1b]0;title\x07 \x00 \u2028 ' ` ${window.hacked=3} {{7*7}} "
    "javascript:window.hacked=4"
)
"""What a caller, a tool, a provider or an operator may say, and no page may do."""


GREETING = "Hello, this is the kiosk."


def tone(ms: int, hertz: float, loudness: float = 0.5) -> bytes:
    """A sound of PCM16 at 24 kHz, of which no two neighbours are the same for long."""
    samples = array(
        "h",
        (
            round(32_000 * loudness * math.sin(2 * math.pi * hertz * n / RATE_HZ))
            for n in range(ms * RATE_HZ // 1000)
        ),
    )
    if sys.byteorder == "big":
        samples.byteswap()
    return samples.tobytes()


def known_call() -> tuple[Draft, bytes]:
    """A user speaks for 400 ms, the model for a second, of which 620 ms are reported as heard; a tool is
    called meanwhile. Returns the model's sound, too."""
    voice, model = tone(400, 310), tone(LENGTH_MS, 440)
    at: list[tuple[float, Entry]] = [
        (
            0,
            Entry(
                0, 0, 0, 0, Kind.CONNECT, method="connect", payload=to_json({"options": {"url": "ws://x/"}})
            ),
        ),
        (1, Entry(0, 0, 0, 0, Kind.CONNECTED, of=0, payload=to_json({"outcome": "returned"}))),
    ]
    at += [(20 * (n + 1) + 20, spoken((0, n * 960, 960))) for n in range(20)]
    at += [
        (451, received("turn_started", response_id="resp_1")),
        (
            460,
            received("function_call", name="departure", call_id="call_1", arguments='{"to": "Brno"}', id="i"),
        ),
    ]
    at += [(BEGIN_MS + n, audio((1, n * 4800, 4800), "item_2")) for n in range(LENGTH_MS // 100)]
    for heard in range(20, HEARD_MS + 1, 20):
        played = Entry(
            *(0, 0, 0, 0, Kind.PLAYBACK, "application", "on_play_ms"),
            item_id="item_2",
            content_index=0,
            elapsed_ms=float(heard),
            payload=to_json({"args": ["item_2", 0, 20], "kwargs": {}}),
        )
        at.append((BEGIN_MS + heard, played))
    output = {"call_id": "call_1", "name": "departure", "arguments": '{"to": "Brno"}'}
    at += [
        (
            700,
            received(
                "transcript_delta", item_id="item_2", delta="Your train leaves at nine.", response_id="resp_1"
            ),
        ),
        (760, sent("send_tool_output", tool_call=output, output="9:15, platform 4", start_response=True)),
        (1125, received("audio_interrupted", item_id="item_2", content_index=0)),
        (1131, received("turn_ended", response_id="resp_1")),
        (1600, received("error", error={"message": "the line is bad"})),
    ]
    ordered = sorted(at, key=lambda one: one[0])
    entries = numbered(*(entry for _, entry in ordered))
    entries = tuple(
        entry._replace(at_ns=round(ms * MS)) for (ms, _), entry in zip(ordered, entries, strict=True)
    )
    causes = {"function_call": "turn_started", "send_tool_output": "function_call"}
    seqs = {entry.type: entry.seq for entry in reversed(entries)}
    entries = tuple(
        entry._replace(cause=seqs[causes[entry.type]]) if entry.type in causes else entry for entry in entries
    )
    call = Draft(header(customer="1042"), Status.CLOSED, entries, {0: voice, 1: model}).sealed()
    return call, model


def hostile_call() -> Draft:
    """Every text of it is hostile."""
    what = HOSTILE
    text = what.replace("\x00", "\\x00")
    item = {
        "item_id": what,
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": what}],
    }
    entries = [
        Entry(
            0,
            0,
            0,
            0,
            Kind.CONNECT,
            method="connect",
            payload=to_json({"options": {"url": what, what: what}}),
        ),
        received("item_updated", item=item),
        received("function_call", name=what, call_id=what, arguments=what, id=what),
        received("transcript_delta", item_id=what, delta=what, response_id=what),
        received("input_audio_transcription_completed", item_id=what, transcript=what),
        received("error", error={"message": what, what: what}),
        received(text, **{"field": what}),
        raw({"type": what, what: what}),
        raw({"type": "response.created", "response": {"id": what, "status": what}}),
        audio((0, 0, 4800), what),
        raw(
            {
                "type": "response.done",
                "response": {"id": what, "status": "failed", "status_details": {"error": {"message": what}}},
            }
        ),
        sent("send_user_input", user_input=what),
        sent("send_tool_output", tool_call={"call_id": what, "name": what, "arguments": what}, output=what),
        Entry(0, 0, 0, 0, Kind.MARKER, payload=to_json({"text": what, "data": {what: what}})),
        Entry(0, 0, 0, 0, Kind.GAP, payload=to_json({"lost": 3, "reason": what})),
        Entry(
            0,
            0,
            0,
            0,
            Kind.PLAYBACK,
            text,
            text,
            item_id=text,
            content_index=0,
            elapsed_ms=3.0,
            payload=to_json({"args": [what]}),
        ),
        Entry(0, 0, 0, 0, text, text, text, payload=to_json({what: what})),
    ]
    told = header(**{"label": what})
    told = dataclasses.replace(told, host=what, source=what, labels={what: what}, versions={what: what})
    return Draft(told, Status.CLOSED, numbered(*entries, step_ns=50 * MS), {0: tone(100, 200)}).sealed()


ODD_KEYS = ("__proto__", "constructor", "prototype", "hasOwnProperty", "toString", "length", "then")
"""Names that every object of JavaScript has, or that its language looks for."""

ODD_TEXTS = (
    *ODD_KEYS,
    "\ud800 half of a pair \udfff",
    "line\u2028paragraph\u2029\u0085",
    "\u202eright to left\u202c \u2066isolated\u2069 \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
    "Z" + "\u0300" * 60,
    "a" * 20_000,
    "</script>\n<script>window.hacked=1</script>",
    "]]><!--<script>",
    "@DATA@ @SCRIPT@ @TITLE@ @STYLE@ @POLICY@",
    "#/../..?%2e%2e'\"`",
    "",
)
"""What a page must not stumble over."""


def odd_call() -> Draft:
    """Every field is odd in another way, and there are numbers that no other language has."""
    entries: list[Entry] = []
    for what in ODD_TEXTS:
        inner = {what: what, "polluted": "yes", "__proto__": {"polluted": "yes"}}
        content = [{"type": "text", "text": what, "transcript": what}]
        item = {"item_id": what, "type": "message", "role": what, "status": what, "content": content, **inner}
        done = {"id": what, "status": "failed", "status_details": {"error": {"message": what, "code": what}}}
        call = {"call_id": what, "name": what, "arguments": what}
        entries += [
            received("item_updated", item=item),
            received("function_call", id=what, **call),
            received("transcript_delta", item_id=what, delta=what, response_id=what),
            raw({"type": "response.created", "response": {"id": what, "status": what, "metadata": inner}}),
            raw({"type": "session.updated", "session": {"instructions": what, what: inner, "voice": what}}),
            raw({"type": "response.done", "response": done}),
            audio((0, 0, 4800), what),
            sent("send_user_input", user_input=what),
            sent("send_tool_output", tool_call=call, output=what),
            sent("send_session_update", session_settings={what: inner}),
            Entry(0, 0, 0, 0, Kind.MARKER, payload=to_json({"text": what, "data": inner})),
        ]
    deep: object = "deep"
    for _ in range(60):
        deep = [{"__proto__": deep}]
    entries += [
        raw({"type": "rate_limits.updated", "huge": 10**400, "small": -(10**30), "deep": deep}),
        Entry(0, 0, 0, 0, Kind.MARKER, payload='{"text":1e999,"data":[1e-400,-0,12345678901234567890]}'),
        Entry(0, 0, 0, 0, Kind.MARKER, payload="no JSON at all"),
        Entry(0, 0, 0, 0, Kind.MARKER, payload="null"),
    ]
    named = {one[:200]: one for one in ODD_TEXTS}
    told = dataclasses.replace(header(**named), host="__proto__", source="constructor", versions=named)
    return Draft(told, Status.CLOSED, numbered(*entries, step_ns=20 * MS), {0: tone(100, 200)}).sealed()


def spoken_elsewhere(folder: Path) -> Draft:
    """A greeting that nobody asked for, of which the sound takes another way than the messages."""
    item: dict[str, Any] = {"id": "item_1", "type": "message", "role": "assistant", "content": []}
    messages: list[dict[str, Any]] = [
        {"type": "session.created", "session": {"id": "sess_1", "type": "realtime"}},
        {"type": "response.created", "response": {"id": "resp_1", "status": "in_progress"}},
        {"type": "response.output_item.added", "response_id": "resp_1", "item": item},
        {
            **{"type": "response.output_audio_transcript.done", "response_id": "resp_1"},
            **{"item_id": "item_1", "content_index": 0, "transcript": GREETING},
        },
        {
            "type": "response.done",
            "response": {"id": "resp_1", "status": "completed", "output": [{**item, "status": "completed"}]},
        },
    ]
    path = folder / "call.jsonl"
    path.write_text("".join(json.dumps({"dir": "server", "event": one}) + "\n" for one in messages))
    return read_frames(path)


def paused_call() -> Draft:
    """A player stands still twice: it is paused, then waits for sound; somebody breaks in in the end."""
    sound = tone(1_200, 440)
    at: list[tuple[float, Entry]] = [
        (
            0,
            Entry(
                0, 0, 0, 0, Kind.CONNECT, method="connect", payload=to_json({"options": {"url": "ws://x/"}})
            ),
        ),
        (10, received("turn_started", response_id="resp_1")),
        (100, audio((0, 0, 48 * 800), "item_2")),
        (2_690, audio((0, 48 * 800, 48 * 400), "item_2")),
        (2_905, received("audio_interrupted", item_id="item_2", content_index=0)),
        (2_910, received("turn_ended", response_id="resp_1")),
        (3_500, Entry(0, 0, 0, 0, Kind.MARKER, payload=to_json({"text": "the end"}))),
    ]
    for begin_ms, from_ms, to_ms in ((100, 0, 400), (1_300, 400, 800), (2_700, 800, 1_000)):
        for heard in range(from_ms + 20, to_ms + 1, 20):
            played = Entry(
                *(0, 0, 0, 0, Kind.PLAYBACK, "application", "on_play_ms"),
                item_id="item_2",
                content_index=0,
                elapsed_ms=float(heard),
                payload="{}",
            )
            at.append((begin_ms + heard - from_ms, played))
    ordered = sorted(at, key=lambda one: one[0])
    entries = numbered(*(entry for _, entry in ordered))
    entries = tuple(one._replace(at_ns=round(ms * MS)) for (ms, _), one in zip(ordered, entries, strict=True))
    return Draft(header(), Status.CLOSED, entries, {0: sound}).sealed()


def spoken_in(format: object, lengths: list[int], heard_ms: float, at_ms: int = 100) -> tuple[Draft, bytes]:
    """The model says something in pieces of so many bytes, of which some was heard."""
    sound = random.Random(3).randbytes(sum(lengths))
    entries = [raw({"type": "session.created", "session": {"audio": {"output": {"format": format}}}})]
    begin = 0
    for length in lengths:
        entries.append(audio((0, begin, length), "item_1"))
        begin += length
    played = Entry(0, 0, 0, 0, Kind.PLAYBACK, "application", "on_play_ms", payload="{}")
    entries.append(played._replace(item_id="item_1", content_index=0, elapsed_ms=heard_ms))
    ends_ns = [at_ms * MS] * len(lengths) + [at_ms * MS + round(heard_ms * 3 * MS)]
    made = [one._replace(at_ns=at_ns) for one, at_ns in zip(numbered(*entries), [0, *ends_ns], strict=True)]
    return Draft(header(), Status.CLOSED, tuple(made), {0: sound}).sealed(), sound
