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
from realtape.recorder.held_back import HOLD_SECONDS, HeldBack
from realtape.recorder.payloads import Pending
from realtape.recorder.session_log import SessionLog
from realtape.schema import (
    Entry,
    Flag,
    Frame,
    Kind,
    RealtimeModelRawServerEvent,
    RealtimeModelTranscriptDeltaEvent,
)
from realtape.schema.codec import MIN_BEGINNING, REDACTED, STANDARD, Codec, FlatPayloads, Secrets
from support.stored import at_once, begin, only

KEY = 'sk-of/the "house"-0123456789'
CODEC = Codec(STANDARD)


def knowing(*texts: str) -> Secrets:
    secrets = Secrets()
    secrets.add(texts)
    return secrets


def said(seq: int, text: str, secrets: Secrets, item: str = "item_1") -> Pending:
    event = RealtimeModelTranscriptDeltaEvent(item_id=item, delta=text, response_id="resp_1")
    form, _, first, others = CODEC.snapshots.take(event)
    # Encoded quickly or with care: of one text some may be this, and some that.
    flat = FlatPayloads(STANDARD, secrets, nowhere).payload(form, first, others) if seq % 3 else None
    payload, piece = flat or (CODEC.encode(event, nowhere, secrets).payload, None)
    entry = Entry(seq, 0, None, None, Kind.RECEIVED, "transcript_delta", payload=payload)
    return Pending.of(entry, piece=piece)


def nowhere(data: bytes) -> tuple[int, int, int]:
    return (0, 0, len(data))


def deltas(entries: list[Pending]) -> dict[str, str]:
    """The joined text of each item."""
    joined: dict[str, str] = {}
    for pending in entries:
        event: Any = CODEC.decode(pending.entry.payload, lambda segment, offset, length: b"").value
        joined[event.item_id] = joined.get(event.item_id, "") + event.delta
    return joined


def pieces(text: str, cuts: list[int]) -> list[str]:
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return [text[start:end] for start, end in pairwise(places)]


class Clock:
    """Stands still but where it is moved on; with a step, by each look at it."""

    def __init__(self) -> None:
        self.now, self.step = 100.0, 0.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


@given(st.sampled_from(["plain", "upper", "hex"]), st.lists(st.integers(0, 200)), st.data())
def test_joined_it_is_nowhere_however_it_is_cut_and_taken(
    how: str, cuts: list[int], data: st.DataObject
) -> None:
    secret = {"plain": KEY, "upper": KEY.upper(), "hex": KEY.encode().hex()}[how]
    secrets = knowing(KEY)
    clock = Clock()
    held = HeldBack(secrets, clock)
    passed: list[Pending] = []
    for seq, piece in enumerate(pieces(f"it is {secret}, and {secret}.", cuts)):
        clock.now += data.draw(st.sampled_from([0.0, HOLD_SECONDS - 0.01]))  # all of it may take for ever
        batch = [said(2 * seq, piece, secrets), said(2 * seq + 1, "…", secrets, "item_2")]
        if data.draw(st.booleans()):
            passed += held.pass_on(batch[:1], hold=True)
            passed += held.pass_on(batch[1:], hold=True)
        else:
            passed += held.pass_on(batch, hold=True)
    passed += held.pass_on([], hold=False)
    assert [pending.entry.seq for pending in passed] == list(range(len(passed)))
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
    held = HeldBack(secrets, Clock())
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
    return Pending.of(Entry(seq, 0, None, None, Kind.FRAME_IN, "x", payload=payload))


@given(
    st.sampled_from(["plain", "upper", "hex"]),
    st.lists(st.integers(0, 200)),
    st.sampled_from([(",", ":"), (", ", ": ")]),
    st.booleans(),
)
def test_nor_is_it_in_frames(how: str, cuts: list[int], separators: tuple[str, str], gemini: bool):
    secret = {"plain": KEY, "upper": KEY.upper(), "hex": KEY.encode().hex()}[how]
    secrets = knowing(KEY)
    held = HeldBack(secrets, Clock())
    passed: list[Pending] = []
    for seq, piece in enumerate(pieces(f"it is {secret}.", cuts)):
        delta = {"type": "response.output_text.delta", "event_id": f"event_{seq}", "delta": piece}
        message = {"serverContent": {"outputTranscription": {"text": piece}}} if gemini else delta
        passed += held.pass_on([framed(seq, message, secrets, separators)], hold=True)
    passed += held.pass_on([], hold=False)
    joined = ""
    for pending in passed:
        frame: Any = CODEC.decode(pending.entry.payload, lambda segment, offset, length: b"").value
        message = json.loads(frame.data)
        joined += message["serverContent"]["outputTranscription"]["text"] if gemini else message["delta"]
    left = re.fullmatch(rf"it is (.{{0,5}}){re.escape(REDACTED)}\.", joined)
    assert left is not None
    assert secret.startswith(left[1])


def test_what_only_begins_like_one_is_let_go_in_time() -> None:
    clock, secrets = Clock(), knowing(KEY)
    held = HeldBack(secrets, clock)
    first, other = said(0, "it is sk-of/t", secrets), said(1, "beside", secrets, "item_2")
    assert held.pass_on([first, other], hold=True) == []
    clock.now += 0.05
    assert held.pass_on([], hold=True) == []
    clock.now += 0.06
    assert held.pass_on([], hold=True) == [first, other]
    rest = held.pass_on([said(2, KEY[7:], secrets)], hold=True)  # the rest of it is taken out all the same
    assert deltas(rest)["item_1"] == REDACTED
    assert held.pass_on([said(3, "sk-of no", secrets)], hold=True)  # fewer than six: nothing waits


def test_one_that_is_said_slowly_is_waited_for() -> None:
    clock, secrets = Clock(), knowing(KEY)
    held = HeldBack(secrets, clock)
    passed: list[Pending] = []
    assert held.seconds == 0
    for seq, piece in enumerate([KEY[:6], *KEY[6:]]):
        clock.now += HOLD_SECONDS - 0.01
        assert held.seconds == pytest.approx(seq * (HOLD_SECONDS - 0.01))  # told by `loss_window_seconds`
        passed += held.pass_on([], hold=True)
        passed += held.pass_on([said(seq, piece, secrets)], hold=True)
    assert deltas(passed) == {"item_1": REDACTED}
    assert held.seconds == 0


def test_how_long_the_oldest_waits_is_told() -> None:
    """Of those that are left when others went."""
    clock, secrets = Clock(), knowing(KEY)
    held = HeldBack(secrets, clock)
    began = clock.now
    held.pass_on([said(0, "no more, ", secrets), said(1, KEY[:8], secrets)], hold=True)
    clock.now = began + 0.05
    held.pass_on([said(2, KEY[8:10], secrets)], hold=True)
    clock.now = began + 0.07
    assert held.seconds == pytest.approx(0.07)
    held.pass_on([said(3, f"{KEY[10:]}, {KEY[:7]}", secrets)], hold=True)
    clock.now = began + 0.08
    assert held.seconds == pytest.approx(0.01)
    held.pass_on([], hold=False)
    assert held.seconds == 0


def test_of_two_that_begin_each_has_its_time() -> None:
    clock, secrets = Clock(), knowing(KEY)
    held = HeldBack(secrets, clock)
    assert held.pass_on([said(0, KEY[:7], secrets)], hold=True) == []
    clock.now += 0.09
    others = [said(1, KEY[:9], secrets, "item_2"), said(2, "", secrets)]  # which is nothing that goes on
    assert held.pass_on(others, hold=True) == []
    clock.now += 0.02
    passed = held.pass_on([], hold=True)
    assert deltas(passed) == {"item_1": KEY[:7]}
    passed += held.pass_on([said(3, KEY[9:], secrets, "item_2")], hold=True)
    assert deltas(passed) == {"item_1": KEY[:7], "item_2": REDACTED}


def test_while_the_whole_process_stood_still_nothing_could_follow() -> None:
    clock, secrets = Clock(), knowing(KEY)
    held = HeldBack(secrets, clock)
    assert held.pass_on([said(0, KEY[:9], secrets)], hold=True) == []
    clock.now += 60
    assert held.pass_on([], hold=True) == []
    assert deltas(held.pass_on([said(1, KEY[9:], secrets)], hold=True)) == {"item_1": REDACTED}


def say(log: SessionLog, *deltas: str) -> None:
    """Each as it came, and as it was understood."""
    for delta in deltas:
        data = {
            **{"type": "response.output_text.delta", "event_id": f"event_{log.count}"},
            **{"item_id": "item_1", "response_id": "resp_1", "delta": delta},
        }
        log.append(Kind.RECEIVED, RealtimeModelRawServerEvent(data=data), type="raw_server_event")
        event = RealtimeModelTranscriptDeltaEvent(item_id="item_1", delta=delta, response_id="resp_1")
        log.append(Kind.RECEIVED, event, type=event.type)


TOKENS = ("9f86d081884c7d659a2feaa0c55ad015", "Zm9vYmFyYmF6cXV4cXV1eGNvcmdl")
"""Which pass for base64, and so do their pieces."""


@pytest.mark.real_time
@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("told", [("{}",), ("abcd{}",), ("{0:.24}", "{1}")])
async def test_nor_where_it_passes_for_base64(tmp_path: Path, token: str, told: tuple[str, ...]) -> None:
    path = tmp_path / "log.db"
    deltas = [form.format(token, token[24:]) for form in told]
    async with Recorder(path) as recorder:
        recorder.secrets.add([token])
        log = begin(recorder)
        with at_once(log):
            say(log, *deltas)
            for number, delta in enumerate(deltas):
                data = {"type": "response.output_text.delta", "event_id": f"event_{number}", "delta": delta}
                log.append(Kind.FRAME_IN, Frame(json.dumps(data)), type="response.output_text.delta")
    stored = await only(path)
    read: dict[str, list[str]] = {}
    for entry in stored.entries:
        value: Any = CODEC.decode(entry.payload, stored.bytes_at).value
        data = json.loads(value.data) if entry.kind == Kind.FRAME_IN else getattr(value, "data", None)
        read.setdefault(f"{entry.kind} {entry.type}", []).append(data["delta"] if data else value.delta)
    wanted = "".join(deltas).replace(token, REDACTED)
    assert ["".join(texts) for texts in read.values()] == [wanted] * 3


@pytest.mark.real_time
@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("key", ["delta", "audio", "data", "payload"])
async def test_nor_is_it_where_sound_may_be(tmp_path: Path, token: str, key: str) -> None:
    """Of what passes for sound as many bytes are left, and none of it."""
    path = tmp_path / "log.db"
    async with Recorder(path) as recorder:
        recorder.secrets.add([token])
        log = begin(recorder)
        message = {"type": "response.output_audio.delta", key: f"abcd{token}"}
        log.append(Kind.RECEIVED, RealtimeModelRawServerEvent(data=message), type="raw_server_event")
        log.append(Kind.FRAME_IN, Frame(json.dumps(message)), type="x")
    stored = await only(path)
    assert len(stored.entries) == 2
    for entry in stored.entries:
        assert entry.flags & Flag.REDACTED
        value: Any = CODEC.decode(entry.payload, stored.bytes_at).value
        assert token not in str(value.data)


@pytest.mark.real_time
async def test_in_the_log_there_is_none_raw_or_understood(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    async with Recorder(path) as recorder:
        recorder.secrets.add([KEY])
        log = begin(recorder)
        log.held = HeldBack(log.secrets, clock := Clock())  # however long this thread has to wait below
        told = f"it is {KEY}, so"
        begins = told.index(KEY) + MIN_BEGINNING
        with at_once(log):  # fewer characters of it would not wait for these
            say(log, *told[:begins])
        say(log, *told[begins:])
        log.append(Kind.RECEIVED, RealtimeModelTranscriptDeltaEvent("item_9", KEY[:9], "resp_9"), type="x")
        clock.step = HOLD_SECONDS / 2
        await recorder.flush()  # waits for what waits
        assert (await only(path)).entries[-1].type == "x"
    stored = await only(path)
    assert sum(bool(entry.flags & Flag.REDACTED) for entry in stored.entries) == 2 * len(KEY)
    payloads = stored.payloads(Kind.RECEIVED)
    raw = "".join(event["data"]["delta"] for event in payloads if "data" in event)
    understood = "".join(event["delta"] for event in payloads if event.get("item_id") == "item_1")
    assert raw == understood == f"it is {REDACTED}, so"


@pytest.mark.real_time
async def test_where_no_secret_is_known_no_rest_is_left_either(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    async with Recorder(path) as recorder:
        log = begin(recorder)
        assert not log.secrets.forms
        with at_once(log):
            say(log, "it is ", TOKEN[:20], TOKEN[20:24])
        await recorder.flush()
        say(log, TOKEN[24:], " she said")
    understood = [each["delta"] for each in (await only(path)).payloads(Kind.RECEIVED) if "delta" in each]
    assert "".join(understood) == f"it is {REDACTED} she said"


@pytest.mark.real_time
@pytest.mark.parametrize("delta", ["\\q", "\\u12", "\\ud83d", "sk-of\\x"])
async def test_what_is_no_json_is_recorded_as_it_came(tmp_path: Path, delta: str) -> None:
    path = tmp_path / "log.db"
    message = f'{{"type":"response.output_text.delta","delta":"{delta}"}}'
    async with Recorder(path) as recorder:
        recorder.secrets.add([KEY])
        log = begin(recorder)
        log.append(Kind.FRAME_IN, Frame(message))
        log.append(Kind.FRAME_IN, Frame(message))
        await recorder.flush()
    stored = await only(path)
    frames = [CODEC.decode(entry.payload, stored.bytes_at).value for entry in stored.entries]
    assert [frame.data for frame in frames] == [message] * 2


def test_who_fails_gives_back_what_waited(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = knowing(KEY)
    held = HeldBack(secrets, Clock())
    assert not held.pass_on([said(0, KEY[:9], secrets)], hold=True)
    with monkeypatch.context() as broken:
        broken.delattr(HeldBack, "_scrub")
        with pytest.raises(AttributeError):
            held.pass_on([said(1, KEY[9:], secrets)], hold=True)
    passed = held.pass_on([said(1, KEY[9:], secrets)], hold=False)
    assert [one.entry.seq for one in passed] == [0, 1]
    assert deltas(passed) == {"item_1": REDACTED}
