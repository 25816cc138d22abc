"""Every entry stands at its place: numbered without holes, timed, in its round of the loop and its task."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from realtape.recorder import Recorder, causes
from realtape.recorder.causes import LOST
from realtape.recorder.playback import Playback
from realtape.recorder.session_log import MAX_CALLS
from realtape.schema import (
    RealtimeModelAudioEvent,
    RealtimeModelRawServerEvent,
    RealtimeModelTranscriptDeltaEvent,
)
from realtape.schema.entries import Flag, Kind, Status
from realtape.schema.errors import UsageError
from support.stored import begin, intact, mark, numbers, only, until


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


async def test_times_never_run_backwards(path: Path):
    times = iter([1_000, 5_000, 3_000, 9_000])
    async with Recorder(path, clock=lambda: next(times, 9_000)) as recorder:
        mark(begin(recorder), 0, 1, 2, 3)
    assert [entry.at_ns for entry in (await only(path)).entries] == [0, 4_000, 4_000, 8_000]


async def test_the_first_entry_is_at_0(path: Path):
    """However long after the session began; also where it is a gap."""
    now_ns = 5_000
    async with Recorder(path, clock=lambda: now_ns, max_pending_bytes=0) as recorder:
        first, second = begin(recorder, "first"), begin(recorder, "second")
        now_ns = 7_000
        mark(first, 0)  # it is held, and nothing more until it is committed
        now_ns = 8_000
        mark(second, 1)
        now_ns = 9_000
        await recorder.flush()
        mark(first, 2)
    found = {stored.label: stored for stored in await intact(path)}
    assert [entry.at_ns for entry in found["first"].entries] == [0, 2_000]
    assert numbers(found["first"]) == [0, 2]
    (gap,) = found["second"].payloads(Kind.GAP)
    assert (gap["from_ns"], gap["to_ns"]) == (0, 0)


# --- causes ---------------------------------------------------------------------------------------


async def test_what_was_caused_by_a_lost_entry_says_so(path: Path):
    async with Recorder(path) as recorder:
        log = begin(recorder)
        mark(log, 0)
        with causes.extent(log.number, LOST):
            mark(log, 1)
        log.append(Kind.SENT_DONE, {}, of=LOST)
        log.remember_call("call", LOST)
        log.append(Kind.SENT, {}, cause=log.call("call"))
    entries = (await only(path)).entries
    assert [(entry.cause, entry.of, entry.flags) for entry in entries] == [
        (None, None, 0),
        (None, None, Flag.CAUSE_LOST),
        (None, None, 0),
        (None, None, Flag.CAUSE_LOST),
    ]


async def test_calls_are_remembered_within_bounds(path: Path):
    async with Recorder(path) as recorder:
        log = begin(recorder)
        for number in range(MAX_CALLS + 10):
            log.remember_call(f"call_{number}", number)
    assert log.call("call_9") is None
    assert log.call("call_10") == 10


# --- values ---------------------------------------------------------------------------------------


async def test_what_is_mutated_afterwards_is_recorded_as_it_was(path: Path):
    audio = bytearray(b"before" * 10)
    raw: dict[str, Any] = {"type": "response.done", "list": [1, {"deep": "before"}], "audio": audio}
    event = RealtimeModelTranscriptDeltaEvent(item_id="i", delta="before", response_id="r")
    async with Recorder(path) as recorder:
        log = begin(recorder)
        log.append(Kind.RECEIVED, RealtimeModelRawServerEvent(data=raw))
        log.append(Kind.RECEIVED, event)
        raw["list"][1]["deep"] = "after"
        raw["more"] = "after"
        audio[:] = b"after." * 10
        event.delta = "after"
    stored = await only(path)
    assert "after" not in "".join(entry.payload for entry in stored.entries)
    assert stored.segments == {0: b"before" * 10}


async def test_the_same_bytes_are_one_reference(path: Path):
    async with Recorder(path) as recorder:
        log = begin(recorder)
        for audio in (b"a" * 100, b"b" * 100):
            log.append(Kind.RECEIVED, {"raw": audio})
            event = RealtimeModelAudioEvent(data=audio, response_id="r", item_id="i", content_index=0)
            log.append(Kind.RECEIVED, event)
            await recorder.flush()
            log.append(Kind.RECEIVED, {"of the commit before": audio})
    stored = await only(path)
    assert stored.segments == {0: b"a" * 100, 1: b"b" * 100}


class Unspeakable:
    """Everything about it raises."""

    def __getattribute__(self, name: str) -> Any:
        raise ValueError(name)

    def __str__(self) -> str:
        raise ValueError("str")


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "make",
    [
        Unspeakable,
        object,
        lambda: nested(5_000),
        lambda: float("nan"),
        lambda: "\ud800\x00",
        lambda: 1 << 200,
    ],
)
async def test_no_value_raises(path: Path, make: Callable[[], Any]):
    value = make()
    async with Recorder(path) as recorder:
        log = begin(recorder)
        assert log.append(Kind.MARKER, {"value": value}) == 0
        assert log.append(Kind.MARKER, value) == 1
        mark(log, 2)
    assert len((await only(path)).entries) == 3


def unlucky() -> Playback:
    raise RuntimeError("a tracker of the application's own")


@pytest.mark.parametrize(
    ("state", "columns"),
    [
        (("item", 0, 12.5, False), ("item", 0, 12.5)),
        (("i\x00\ud800", True, -0.0, False), ("i\\x00\\ud800", 1, 0.0)),
        (("item", 1 << 40, float("inf"), True), ("item", None, None)),
        ((7, "1", 10**400, False), (None, None, None)),
        ((7, 1, 3, False), ("7", 1, 3.0)),
        ((Unspeakable, 0, 0.0, False), (None, None, None)),
    ],
)
async def test_a_tracker_may_say_anything(path: Path, state: Any, columns: Any):
    async with Recorder(path) as recorder:
        log = begin(recorder)
        item, *rest = state
        said: Any = (item() if item is Unspeakable else item, *rest)
        log.playback = lambda: said
        mark(log, 1)
        log.playback = unlucky
        mark(log, 2)
    first, second = (await only(path)).entries
    assert (first.item_id, first.content_index, first.elapsed_ms) == columns
    assert (second.item_id, second.content_index, second.elapsed_ms) == (None, None, None)


async def test_what_fails_in_the_recorder_itself_is_a_gap(path: Path, caplog: pytest.LogCaptureFixture):
    def broken() -> Iterator[int]:
        yield 1_000
        raise KeyError("secret of the clock")

    times = broken()
    healthy = [2_000, 3_000]
    async with Recorder(path, clock=lambda: next(times, None) or healthy.pop()) as recorder:
        log = begin(recorder)
        mark(log, 1)
        assert log.append(Kind.MARKER, {}) is None
        healthy[:] = [3_000] * 10
        mark(log, 2)
    stored = await only(path)
    assert [entry.kind for entry in stored.entries] == ["marker", "gap", "marker"]
    (gap,) = stored.payloads(Kind.GAP)
    assert (gap["lost"], gap["kinds"]) == (1, {"marker": 1})
    assert "KeyError" in gap["reason"]
    assert "secret" not in caplog.text
    assert "secret" not in gap["reason"]


# --- the session ----------------------------------------------------------------------------------


@pytest.mark.real_time
async def test_entries_may_follow_the_end(path: Path):
    async with Recorder(path) as recorder:
        log = begin(recorder)
        mark(log, 1)
        log.finish(Status.CLOSED)
        await recorder.flush()
        await until(lambda: not log.listed)
        mark(log, 2)
        await recorder.flush()
        assert numbers(await only(path)) == [1, 2]
    stored = await only(path)
    assert stored.status is Status.CLOSED


async def test_a_session_without_entries_is_there_once_it_ends(path: Path):
    async with Recorder(path) as recorder:
        begin(recorder).finish(Status.FAILED)
    stored = await only(path)
    assert stored.status is Status.FAILED
    assert stored.entries == []


@pytest.mark.parametrize("amount", [-1, 1 << 40])
def test_memory_that_nobody_may_spend_is_refused(path: Path, amount: int):
    with pytest.raises(UsageError, match="max_pending_bytes"):
        Recorder(path, max_pending_bytes=amount)


def test_digests_are_over_what_the_columns_give_back(path: Path):
    """Whatever is appended reads back as it was digested: `only` has verified it."""
    recorder = Recorder(path, clock=iter([0.5, 1.75]).__next__)  # pyright: ignore[reportArgumentType]
    log = begin(recorder)
    mark(log, 0)
    log.append(Kind.MARKER, {"a": 1e300, "b": "é\u2028"}, type="\ud800", method="m")
    asyncio.run(recorder.close())
    assert [entry.at_ns for entry in asyncio.run(only(path)).entries] == [0, 1]
