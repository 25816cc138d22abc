"""When the disk does not keep up the session goes on, and the log says what it lost."""

from __future__ import annotations

import logging
import random
from pathlib import Path

import pytest
from realtape.recorder import Recorder
from realtape.recorder.session_log import ENTRY_OVERHEAD_BYTES
from realtape.recorder.writer import Pace
from realtape.schema.entries import Flag, Kind
from support.driven import DrivenRecorder
from support.models import EchoModel, Ignoring
from support.stored import begin, intact, locked, mark, not_flushed, numbers, only, paced, until, writer_of

pytestmark = pytest.mark.real_time

SMALL = 50 * ENTRY_OVERHEAD_BYTES


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


async def test_what_exceeds_the_memory_is_a_gap(path: Path, caplog: pytest.LogCaptureFixture):
    async with Recorder(path, max_pending_bytes=SMALL) as recorder:
        log = begin(recorder)
        mark(log, 0)
        await recorder.flush()
        with locked(path):
            # Who waited for the disk would wait for ever: the lock is held until all is appended.
            seqs = [log.append(Kind.MARKER, {"number": number}) for number in range(1, 2_001)]
            kept = seqs.index(None)
            log.append(Kind.CLOCK, {})
        await recorder.flush()
        mark(log, 2_001)
    weights = [ENTRY_OVERHEAD_BYTES + len(f'{{"number":{number}}}') for number in range(1, 101)]
    assert kept == next(count for count in range(1, 101) if sum(weights[:count]) > SMALL)
    assert seqs[:kept] == list(range(1, kept + 1))
    stored = await only(path)
    assert numbers(stored) == [0, *range(1, kept + 1), 2_001]
    (gap,) = stored.of_kind(Kind.GAP)
    (value,) = stored.payloads(Kind.GAP)
    assert gap.seq == kept + 1
    assert value["lost"] == 2_000 - kept + 1
    assert value["kinds"] == {"marker": 2_000 - kept, "clock": 1}
    assert stored.entries[kept].at_ns <= value["from_ns"] <= value["to_ns"] <= gap.at_ns
    assert f"lost {value['lost']} entries" in caplog.text


async def test_the_gap_comes_though_nothing_follows(path: Path):
    async with Recorder(path, max_pending_bytes=SMALL) as recorder:
        log = begin(recorder)
        mark(log, 0)
        await recorder.flush()
        with locked(path):
            mark(log, *range(1, 200))
        await recorder.flush()
        stored = await only(path)
        assert stored.entries[-1].kind == Kind.GAP
    assert len((await only(path)).entries) == len(stored.entries)


async def test_a_gap_is_all_that_a_session_without_luck_holds(path: Path):
    """The memory is shared: one session may use it up before another has appended anything."""
    async with Recorder(path, max_pending_bytes=SMALL) as recorder:
        greedy, unlucky = begin(recorder, "greedy"), begin(recorder, "unlucky")
        mark(greedy, 0)
        await recorder.flush()
        with locked(path):
            mark(greedy, *range(1, 100))
            mark(unlucky, *range(10))
    found = {stored.label: stored for stored in await intact(path)}
    assert [entry.kind for entry in found["unlucky"].entries] == ["gap"]
    assert found["unlucky"].payloads(Kind.GAP)[0]["lost"] == 10


async def test_memory_is_given_back(path: Path):
    """A long session uses its budget many times over."""
    async with Recorder(path, max_pending_bytes=SMALL) as recorder:
        log = begin(recorder)
        for number in range(20):
            mark(log, *range(number * 30, number * 30 + 30))
            await recorder.flush()
    assert numbers(await only(path)) == list(range(600))


async def test_what_refers_to_lost_entries_says_so(path: Path):
    """A send began while the recorder lost entries, and ended after."""
    async with Recorder(path, max_pending_bytes=SMALL) as recorder:
        lock = locked(path)

        class Unlocking(EchoModel):
            async def send_event(self, event: object) -> None:
                lock.__exit__(None, None, None)
                await recorder.flush()
                await super().send_event(event)

        model = recorder.wrap(Unlocking())
        model.add_listener(Ignoring())
        await model.connect({})
        await recorder.flush()
        lock.__enter__()
        recorder.mark("large", text="x" * SMALL)
        recorder.mark("lost")
        await model.send_event(b"audio of an echo")
        await model.close()
    stored = await only(path)
    (gap,) = stored.payloads(Kind.GAP)
    assert gap["kinds"] == {"marker": 1, "sent": 1}
    (received,) = stored.of_kind(Kind.RECEIVED)
    assert (received.cause, received.flags & Flag.CAUSE_LOST) == (None, Flag.CAUSE_LOST)
    (done,) = stored.of_kind(Kind.SENT_DONE)
    assert done.of is None


async def test_the_application_never_waits_for_the_disk(path: Path):
    """A conversation over a locked database, from its first entry to its last: who waited would wait for
    ever, for the lock is held until all is said."""
    recorder = Recorder(path)
    with locked(path):
        model = recorder.wrap(EchoModel())
        model.add_listener(Ignoring())
        await model.connect({})
        for _ in range(100):
            await model.send_event(b"audio of an echo")
        await model.close()
        assert "not written within" in str(await not_flushed(recorder))
    await recorder.close()
    assert len((await only(path)).of_kind(Kind.SENT)) == 100


async def test_the_log_tells_when_writing_fails_and_when_it_works_again(
    path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("realtape.schema.log.stores.WRITE_BUSY_SECONDS", 0.05)
    caplog.set_level(logging.INFO, "realtape.recorder")
    async with paced(path, Pace(max_backoff=0.02, busy_is_trouble=0)) as recorder:
        log = begin(recorder)
        mark(log, 0)
        await recorder.flush()
        attempts = 0
        failed = writer_of(recorder)._failed  # pyright: ignore[reportPrivateUsage]

        def count(error: Exception) -> None:
            nonlocal attempts
            failed(error)
            attempts += 1

        monkeypatch.setattr(writer_of(recorder), "_failed", count)
        with locked(path):
            mark(log, 1)
            await until(lambda: attempts >= 3)
        await recorder.flush()
    lines = [record.getMessage() for record in caplog.records]
    assert lines == [
        f"{path}: cannot write: held by another process; close the other one, or wait for it. "
        "The session goes on, and writing is tried again",
        f"{path}: writing again",
    ]
    assert numbers(await only(path)) == [0, 1]


async def test_what_is_lost_again_and_again_is_said_once(path: Path, caplog: pytest.LogCaptureFixture):
    """And at the end, how much it was in all."""
    failing = True

    def clock() -> int:
        if failing:
            raise ZeroDivisionError
        return 0

    async with Recorder(path, clock=clock) as recorder:
        logs = [begin(recorder, name) for name in "ab"]
        for number in range(10):
            for log in logs:
                mark(log, number)
            await recorder.flush()
        failing = False
        mark(logs[0], 10)
    found = {stored.label: stored for stored in await intact(path)}
    assert sum(gap["lost"] for gap in found["a"].payloads(Kind.GAP)) == 10
    assert numbers(found["a"]) == [10]
    lines = [record.getMessage() for record in caplog.records]
    assert sum("please report this: ZeroDivisionError" in line for line in lines) == 1
    assert sum("in all)" in line for line in lines) == 1
    assert lines[-1].endswith("20 entries were lost in all; gaps say so")


async def test_what_a_hundred_sessions_lose_under_load_is_exact(path: Path):
    """Of each that was appended it is known where it is: at its place, or in a gap of so many, from then to
    then, between the same two."""
    rng, recorder = random.Random(11), DrivenRecorder(path, max_pending_bytes=400 * ENTRY_OVERHEAD_BYTES)
    logs = [recorder.begin({"name": f"{number}"}) for number in range(100)]
    appended = dict.fromkeys(range(100), 0)
    for _ in range(30):
        for number in rng.choices(range(100), k=rng.randrange(1_000)):
            mark(logs[number], appended[number])
            appended[number] += 1
        if rng.random() < 0.7:
            recorder.write()
    recorder.close_blocking()
    lost_in_all = 0
    for stored in await intact(path):
        following, before_ns = 0, 0
        payloads = {kind: iter(stored.payloads(kind)) for kind in (Kind.GAP, Kind.MARKER)}
        for entry in stored.entries:
            value = next(payloads[Kind(entry.kind)])
            if entry.kind == Kind.GAP:
                assert value["kinds"] == {"marker": value["lost"]}
                assert before_ns <= value["from_ns"] <= value["to_ns"] <= entry.at_ns
                following += value["lost"]
                lost_in_all += value["lost"]
            else:
                assert value == {"number": following}
                following += 1
            before_ns = entry.at_ns
        assert following == appended[int(stored.label)]
    assert 0 < lost_in_all < sum(appended.values())
    assert recorder.status().lost_entries == lost_in_all
