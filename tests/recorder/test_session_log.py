"""Every entry stands at its place: numbered without holes, timed, in its round of the loop and its task."""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from realtape.recorder import Recorder, causes
from realtape.recorder.columns import Playback
from realtape.recorder.session_log import LOST, MAX_CALLS, SessionLog
from realtape.schema import (
    RealtimeModelAudioEvent,
    RealtimeModelRawServerEvent,
    RealtimeModelTranscriptDeltaEvent,
)
from realtape.schema.entries import SETTLED_TICKS, Flag, Kind, Status
from realtape.schema.errors import UsageError
from support.stored import Stored, begin, intact, mark, numbers, only


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


def places(stored: Stored) -> dict[str, tuple[int | None, int | None]]:
    """Round and task of each marker, by its text."""
    return {
        json.loads(entry.payload)["at"]: (entry.tick, entry.task) for entry in stored.of_kind(Kind.MARKER)
    }


# --- rounds and tasks -------------------------------------------------------------------------------


async def test_what_happens_in_one_round_has_one_tick(path: Path):
    async with Recorder(path) as recorder:
        log = begin(recorder)

        def at(name: str) -> None:
            log.append(Kind.MARKER, {"at": name})

        at("first")
        at("second")
        await asyncio.sleep(0)
        at("after a round")
        await asyncio.sleep(0.001)
        at("after a while")
    ticks = [tick for tick, _ in places(await only(path)).values()]
    assert ticks == [0, 0, 1, 1 + SETTLED_TICKS]  # nothing was left to run


async def test_sessions_do_not_keep_each_other_from_settling(path: Path):
    """Each of them counts rounds; were the counting itself something to run, it would never end."""
    async with Recorder(path) as recorder:
        logs = [begin(recorder, str(number)) for number in range(5)]
        for number in range(4):
            for log in logs:
                mark(log, number)
            await asyncio.sleep(0.001)
    for stored in await intact(path):
        assert [entry.tick for entry in stored.entries] == [n * SETTLED_TICKS for n in range(4)]


async def test_counting_ends_though_the_loop_never_rests(path: Path):
    async with Recorder(path) as recorder:
        log = begin(recorder)
        busy = asyncio.create_task(spin(200))
        mark(log, 0)
        for _ in range(3):
            await asyncio.sleep(0)
        mark(log, 1)
        await busy
        mark(log, 2)
    ticks = [entry.tick for entry in (await only(path)).entries]
    assert ticks == [0, 3, 3 + SETTLED_TICKS]


async def spin(rounds: int) -> None:
    for _ in range(rounds):
        await asyncio.sleep(0)


async def test_what_an_entry_wakes_runs_in_another_tick(path: Path):
    async with Recorder(path) as recorder:
        log = begin(recorder)
        woken = asyncio.Event()

        async def sleeper() -> None:
            await woken.wait()
            log.append(Kind.MARKER, {"at": "woken"})

        task = asyncio.create_task(sleeper())
        await asyncio.sleep(0)
        log.append(Kind.MARKER, {"at": "waker"})
        woken.set()
        log.append(Kind.MARKER, {"at": "after"})
        await task
    at = places(await only(path))
    assert at["waker"][0] == at["after"][0]
    assert at["woken"][0] == (at["waker"][0] or 0) + 1


async def test_callbacks_that_were_queued_before_share_the_tick(path: Path):
    """They were runnable already: nothing that the entry woke ran in between."""
    async with Recorder(path) as recorder:
        log = begin(recorder)

        async def one(name: str) -> None:
            log.append(Kind.MARKER, {"at": name})

        await asyncio.gather(one("a"), one("b"), one("c"))
    assert {tick for tick, _ in places(await only(path)).values()} == {0}


async def test_no_two_entries_of_one_tick_surround_what_the_first_woke(path: Path):
    """Many tasks that wake each other: what was woken is never seen in its waker's tick."""
    woken_by: dict[int, int] = {}
    async with Recorder(path) as recorder:
        log = begin(recorder)
        count = itertools.count()
        waiting: list[asyncio.Future[int]] = []

        async def work() -> None:
            for _ in range(50):
                future = asyncio.get_running_loop().create_future()
                waiting.append(future)
                number = next(count)
                mark(log, number)
                if len(waiting) > 3:
                    waiting.pop(0).set_result(number)
                waker = await future if len(waiting) > 2 else None
                if waker is not None:
                    number = next(count)
                    woken_by[number] = waker
                    mark(log, number)

        _, asleep = await asyncio.wait([asyncio.create_task(work()) for _ in range(8)], timeout=0.3)
        for task in asleep:  # nobody is left to wake them
            task.cancel()
    stored = await only(path)
    ticks = {json.loads(entry.payload)["number"]: entry.tick for entry in stored.of_kind(Kind.MARKER)}
    assert len(woken_by) > 20
    for number, waker in woken_by.items():
        before, after = ticks[waker], ticks[number]
        assert before is not None
        assert after is not None
        assert before < after


async def test_tasks_are_numbered_in_order_of_appearance(path: Path):
    async with Recorder(path) as recorder:
        log = begin(recorder)

        async def one(name: str, turns: int) -> None:
            for _ in range(turns):
                await asyncio.sleep(0)
            log.append(Kind.MARKER, {"at": name})

        late, early = asyncio.create_task(one("late", 5)), asyncio.create_task(one("early", 1))
        await asyncio.gather(late, early)
        log.append(Kind.MARKER, {"at": "main"})
        loop = asyncio.get_running_loop()
        loop.call_soon(lambda: log.append(Kind.MARKER, {"at": "callback"}))
        await asyncio.sleep(0.001)
    at = {name: task for name, (_, task) in places(await only(path)).items()}
    assert at == {"early": 0, "late": 1, "main": 2, "callback": None}


async def test_a_thread_is_in_no_round_and_no_task(path: Path):
    async with Recorder(path) as recorder:
        log = begin(recorder)
        await asyncio.to_thread(log.append, Kind.MARKER, {"at": "thread"})
    assert places(await only(path)) == {"thread": (None, None)}


def test_one_session_may_see_several_loops(path: Path):
    recorder = Recorder(path)
    log = begin(recorder)

    async def one(name: str) -> None:
        log.append(Kind.MARKER, {"at": name})
        await asyncio.sleep(0)
        log.append(Kind.MARKER, {"at": name + " again"})

    asyncio.run(one("first"))
    asyncio.run(one("second"))
    asyncio.run(recorder.close())
    at = places(asyncio.run(only(path)))
    assert at == {"first": (0, 0), "first again": (1, 0), "second": (17, 1), "second again": (18, 1)}


async def test_times_never_run_backwards(path: Path):
    times = iter([1_000, 5_000, 3_000, 9_000])
    async with Recorder(path, clock=lambda: next(times, 9_000)) as recorder:
        mark(begin(recorder), 1, 2, 3)
    assert [entry.at_ns for entry in (await only(path)).entries] == [4_000, 4_000, 8_000]


# --- causes ---------------------------------------------------------------------------------------


async def test_what_was_caused_by_a_lost_entry_says_so(path: Path):
    async with Recorder(path) as recorder:
        log = begin(recorder)
        mark(log, 0)
        with causes.extent(log.number, LOST, model=False):
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
        yield 0  # when the session begins
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


# --- in the middle of another append ----------------------------------------------------------------


def interrupted(log: SessionLog, appender: Callable[[], Any]) -> None:
    """Append while signals come, as fast as the machine makes them."""

    def handler(signal_number: int, frame: object) -> None:
        appender()

    before = signal.signal(signal.SIGPROF, handler)
    signal.setitimer(signal.ITIMER_PROF, 0.0001, 0.0001)
    try:
        for number in range(5_000):
            log.append(Kind.MARKER, {"number": number, "bytes": number.to_bytes(50)})
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


async def test_a_signal_handler_may_append_at_any_moment(path: Path):
    async with Recorder(path) as recorder:
        log = begin(recorder)
        interrupted(log, lambda: recorder.mark("signal", bytes=b"s" * 50))
    stored = await only(path)
    texts = [payload.get("text") for payload in stored.payloads()]
    assert texts.count("signal") > 5
    assert [payload["number"] for payload in stored.payloads() if "number" in payload] == list(range(5_000))


async def test_a_finalizer_may_append_at_any_moment(path: Path):
    class Dying:
        def __init__(self) -> None:
            self.itself = self  # so that only the collector ends it, wherever it is called

        def __del__(self) -> None:
            log.append(Kind.MARKER, {"died": b"d" * 50})

    thresholds = gc.get_threshold()
    gc.set_threshold(7)
    try:
        async with Recorder(path) as recorder:
            log = begin(recorder)
            for number in range(2_000):
                if number % 5 == 0:
                    Dying()
                log.append(Kind.MARKER, {"number": number, "bytes": number.to_bytes(50)})
            gc.collect()
    finally:
        gc.set_threshold(*thresholds)
    stored = await only(path)
    assert sum("died" in payload for payload in stored.payloads()) > 300
    assert [payload["number"] for payload in stored.payloads() if "number" in payload] == list(range(2_000))


async def test_a_redactor_may_append(path: Path):
    recorder: Recorder

    def redactor(text: str) -> str:
        if text != "from within":
            recorder.mark("from within")
        return text

    async with Recorder(path, redactors=[redactor]) as recorder:
        log = begin(recorder)
        log.append(Kind.MARKER, {"text": "from without"})
    texts = [payload["text"] for payload in (await only(path)).payloads()]
    assert texts[0] == "from without"
    assert "from within" in texts


# --- the session ----------------------------------------------------------------------------------


async def test_entries_may_follow_the_end(path: Path):
    async with Recorder(path) as recorder:
        log = begin(recorder)
        mark(log, 1)
        log.finish(Status.CLOSED)
        await recorder.flush()
        await asyncio.sleep(0.05)
        assert not log.listed
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
    recorder = Recorder(path, clock=iter([0.5, 1.5, 2.25]).__next__)  # pyright: ignore[reportArgumentType]
    log = begin(recorder)
    log.append(Kind.MARKER, {"a": 1e300, "b": "é\u2028"}, type="\ud800", method="m")
    asyncio.run(recorder.close())
    (entry,) = asyncio.run(only(path)).entries
    assert entry.at_ns == 1
