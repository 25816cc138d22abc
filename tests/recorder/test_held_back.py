"""A known secret that comes in pieces is in no log: not in one delta, and not in all of them joined."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from realtape.recorder import Recorder
from realtape.recorder.held_back import HeldBack
from realtape.recorder.payloads import Pending
from realtape.schema import (
    Entry,
    Flag,
    Frame,
    Kind,
    RealtimeModelRawServerEvent,
    RealtimeModelTranscriptDeltaEvent,
)
from realtape.schema.codec import REDACTED, STANDARD, Codec, FlatPayloads, Secrets
from support.stored import begin, only

KEY = 'sk-of/the "house"-0123456789'
CODEC = Codec(STANDARD)


def knowing(*texts: str) -> Secrets:
    secrets = Secrets()
    secrets.add(texts)
    return secrets


def said(seq: int, text: str, secrets: Secrets, item: str = "item_1") -> Pending:
    event = RealtimeModelTranscriptDeltaEvent(item_id=item, delta=text, response_id="resp_1")
    form, data, _ = CODEC.snapshots.take(event)
    # Encoded quickly or with care: of one text some may be this, and some that.
    flat = FlatPayloads(STANDARD, secrets, nowhere).payload(form, data) if seq % 3 else None
    payload, piece = flat or (CODEC.encode(event, nowhere, secrets).payload, None)
    return Pending(Entry(seq, 0, None, None, Kind.RECEIVED, "transcript_delta", payload=payload), {}, piece)


def nowhere(data: bytes) -> tuple[int, int, int]:
    return (0, 0, len(data))


def deltas(entries: list[Pending]) -> dict[str, str]:
    """The joined text of each item."""
    joined: dict[str, str] = {}
    for entry, _, _ in entries:
        event: Any = CODEC.decode(entry.payload, lambda segment, offset, length: b"").value
        joined[event.item_id] = joined.get(event.item_id, "") + event.delta
    return joined


def pieces(text: str, cuts: list[int]) -> list[str]:
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return [text[start:end] for start, end in pairwise(places)]


@given(st.sampled_from(["plain", "upper", "hex"]), st.lists(st.integers(0, 200)), st.data())
def test_joined_it_is_nowhere_however_it_is_cut_and_taken(
    how: str, cuts: list[int], data: st.DataObject
) -> None:
    secret = {"plain": KEY, "upper": KEY.upper(), "hex": KEY.encode().hex()}[how]
    secrets = knowing(KEY)
    held = HeldBack(secrets)
    passed: list[Pending] = []
    for seq, piece in enumerate(pieces(f"it is {secret}, and {secret}.", cuts)):
        batch = [said(2 * seq, piece, secrets), said(2 * seq + 1, "…", secrets, "item_2")]
        if data.draw(st.booleans()):
            passed += held.pass_on(batch[:1], hold=True)
            passed += held.pass_on(batch[1:], hold=True)
        else:
            passed += held.pass_on(batch, hold=True)
    passed += held.pass_on([], hold=False)
    assert [entry.seq for entry, _, _ in passed] == list(range(len(passed)))
    # Fewer than six characters may have gone before anybody could know.
    mark = re.escape(REDACTED)
    left = re.fullmatch(rf"it is (.{{0,5}}){mark}, and (.{{0,5}}){mark}\.", deltas(passed)["item_1"])
    assert left is not None
    assert secret.startswith(left[1])
    assert secret.startswith(left[2])
    assert deltas(passed)["item_2"] == "…" * (len(passed) // 2)


TOKEN = "sk-proj-0123456789abcdefghijklmn"


@given(st.integers(13, 30), st.booleans(), st.sampled_from([TOKEN, "sk-another-0123456789abcdefghijk"]))
def test_of_one_that_was_found_by_its_look_in_one_piece_no_rest_is_left(cut: int, at_once: bool, key: str):
    """Also of one that nobody knows."""
    secrets = knowing(TOKEN)
    held = HeldBack(secrets)
    passed: list[Pending] = []
    batch = [
        said(seq, text, secrets)
        for seq, text in enumerate([f"it is {key[:cut]}", f"{key[cut:]}, so. ", "No"])
    ]
    for one in [batch] if at_once else [[each] for each in batch]:
        passed += held.pass_on(one, hold=True)
    passed += held.pass_on([], hold=False)
    assert deltas(passed)["item_1"] == f"it is {REDACTED}, so. No"


def framed(seq: int, message: dict[str, Any], secrets: Secrets, separators: tuple[str, str]) -> Pending:
    frame = Frame(json.dumps(message, separators=separators), "text")
    payload = CODEC.encode(frame, lambda data: (0, 0, 0), secrets).payload
    return Pending(Entry(seq, 0, None, None, Kind.FRAME_IN, "x", payload=payload), {})


@given(
    st.sampled_from(["plain", "upper", "hex"]),
    st.lists(st.integers(0, 200)),
    st.sampled_from([(",", ":"), (", ", ": ")]),
    st.booleans(),
)
def test_nor_is_it_in_frames(how: str, cuts: list[int], separators: tuple[str, str], gemini: bool):
    secret = {"plain": KEY, "upper": KEY.upper(), "hex": KEY.encode().hex()}[how]
    secrets = knowing(KEY)
    held = HeldBack(secrets)
    passed: list[Pending] = []
    for seq, piece in enumerate(pieces(f"it is {secret}.", cuts)):
        delta = {"type": "response.output_text.delta", "event_id": f"event_{seq}", "delta": piece}
        message = {"serverContent": {"outputTranscription": {"text": piece}}} if gemini else delta
        passed += held.pass_on([framed(seq, message, secrets, separators)], hold=True)
    passed += held.pass_on([], hold=False)
    joined = ""
    for entry, _, _ in passed:
        frame: Any = CODEC.decode(entry.payload, lambda segment, offset, length: b"").value
        message = json.loads(frame.data)
        joined += message["serverContent"]["outputTranscription"]["text"] if gemini else message["delta"]
    left = re.fullmatch(rf"it is (.{{0,5}}){re.escape(REDACTED)}\.", joined)
    assert left is not None
    assert secret.startswith(left[1])


def test_what_only_begins_like_one_is_let_go_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("realtape.recorder.held_back.time.monotonic", lambda: now[0])
    secrets = knowing(KEY)
    held = HeldBack(secrets)
    first, other = said(0, "it is sk-of/t", secrets), said(1, "beside", secrets, "item_2")
    assert held.pass_on([first, other], hold=True) == []
    now[0] += 0.05
    assert held.pass_on([], hold=True) == []
    now[0] += 0.06
    assert held.pass_on([], hold=True) == [first, other]
    rest = held.pass_on([said(2, KEY[7:], secrets)], hold=True)  # the rest of it is taken out all the same
    assert deltas(rest)["item_1"] == REDACTED
    assert held.pass_on([said(3, "sk-of no", secrets)], hold=True)  # fewer than six: nothing waits


@pytest.mark.real_time
async def test_in_the_log_there_is_none_raw_or_understood(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    async with Recorder(path) as recorder:
        recorder.secrets.add([KEY])
        log = begin(recorder)
        for number, char in enumerate(f"it is {KEY}, so"):
            data = {
                **{"type": "response.output_text.delta", "event_id": f"event_{number}"},
                **{"item_id": "item_1", "response_id": "resp_1", "delta": char},
            }
            log.append(Kind.RECEIVED, RealtimeModelRawServerEvent(data=data), type="raw_server_event")
            event = RealtimeModelTranscriptDeltaEvent(item_id="item_1", delta=char, response_id="resp_1")
            log.append(Kind.RECEIVED, event, type=event.type)
        log.append(Kind.RECEIVED, RealtimeModelTranscriptDeltaEvent("item_9", KEY[:9], "resp_9"), type="x")
        await recorder.flush()  # waits for what waits
        assert (await only(path)).entries[-1].type == "x"
    stored = await only(path)
    assert sum(bool(entry.flags & Flag.REDACTED) for entry in stored.entries) == 2 * len(KEY)
    payloads = stored.payloads(Kind.RECEIVED)
    raw = "".join(event["data"]["delta"] for event in payloads if "data" in event)
    understood = "".join(event["delta"] for event in payloads if event.get("item_id") == "item_1")
    assert raw == understood == f"it is {REDACTED}, so"
