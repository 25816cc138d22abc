"""The application's tracker is looked at, and that is no call of it: whatever its state depends on."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from realtape.recorder import Recorder
from realtape.recorder.ctrl_c import may_be_ctrl_c
from realtape.recorder.session_log import SAMPLE_NS, SLOW_READS
from realtape.schema import RealtimeModelSendRawMessage, RealtimePlaybackTracker
from realtape.schema.entries import Kind
from support.models import EchoModel
from support.stored import only

MS = 1_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


class Saying(RealtimePlaybackTracker):
    """Says what a function says."""

    def __init__(self, elapsed_ms: Callable[[], Any]) -> None:
        super().__init__()
        self.elapsed_ms = elapsed_ms

    def get_state(self) -> Any:
        return {
            "current_item_id": "i",
            "current_item_content_index": 0,
            "elapsed_ms": self.elapsed_ms(),
        }


@pytest.mark.parametrize("says", ["the time", "a fresh NaN", "a number more each time"])
async def test_a_state_that_moves_by_itself_makes_no_entries(path: Path, says: str):
    clock, numbers = Clock(), itertools.count()
    elapsed: dict[str, Callable[[], Any]] = {
        "the time": lambda: clock.now_ns / MS,
        "a fresh NaN": lambda: float("nan"),
        "a number more each time": lambda: next(numbers),
    }
    async with Recorder(path, clock=clock) as recorder:
        model = recorder.wrap(EchoModel())
        await model.connect({"playback_tracker": Saying(elapsed[says])})
        for number in range(100):
            clock.now_ns += 2 * MS
            recorder.mark(str(number))
    stored = await only(path)
    assert stored.of_kind(Kind.PLAYBACK) == []
    marked = stored.of_kind(Kind.MARKER)
    assert len(marked) == 100
    if says == "the time":
        assert [entry.elapsed_ms for entry in marked] == [2.0 * number for number in range(1, 101)]


async def test_a_tracker_that_is_slow_to_answer_is_asked_seldom(path: Path):
    clock, asked = Clock(), 0

    def slowly() -> float:
        nonlocal asked
        asked += 1
        clock.now_ns += 20 * MS
        return 1.0

    async with Recorder(path, clock=clock) as recorder:
        model = recorder.wrap(EchoModel())
        await model.connect({"playback_tracker": Saying(slowly)})
        for number in range(1_000):
            clock.now_ns += 10 * MS  # ten seconds, of which it may take a hundredth part
            recorder.mark(str(number))
    assert 2 <= asked <= 10_000 // (20 * SLOW_READS) + 2


async def test_within_a_moment_it_is_asked_once_and_told_by_its_calls(path: Path):
    clock = Clock()
    tracker = RealtimePlaybackTracker()
    unseen = tracker.on_play_ms
    async with Recorder(path, clock=clock) as recorder:
        model = recorder.wrap(EchoModel())
        await model.connect({"playback_tracker": tracker})
        recorder.mark("nothing")
        tracker.on_play_ms("i", 0, 10.0)
        recorder.mark("told at once")
        unseen("i", 0, 5.0)
        recorder.mark("not yet seen")
        clock.now_ns += SAMPLE_NS
        recorder.mark("seen")
    stored = await only(path)
    assert [entry.elapsed_ms for entry in stored.of_kind(Kind.MARKER)] == [None, 10.0, 10.0, 15.0]
    assert [entry.method for entry in stored.of_kind(Kind.PLAYBACK)] == ["on_play_ms"]


async def test_what_a_tracker_calls_to_answer_us_is_no_call(path: Path):
    class Correcting(RealtimePlaybackTracker):
        def get_state(self) -> Any:
            self.on_interrupted()
            return super().get_state()

    async with Recorder(path) as recorder:
        model = recorder.wrap(EchoModel())
        tracker = Correcting()
        await model.connect({"playback_tracker": tracker})
        recorder.mark("we ask")
        tracker.get_state()
    assert [entry.method for entry in (await only(path)).of_kind(Kind.PLAYBACK)] == ["get_state"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit, ValueError])
async def test_what_a_tracker_raises_when_it_is_looked_at_does_not_reach_the_application(
    path: Path, error: type[BaseException]
):
    """The loop has a handler of its own for Ctrl-C, so that is none."""

    def fail() -> Any:
        raise error

    async with Recorder(path) as recorder:
        inner = EchoModel()
        model, tracker = recorder.wrap(inner), Saying(fail)
        await model.connect({"playback_tracker": tracker})
        tracker.on_play_ms("i", 0, 10)
        await model.send_event(RealtimeModelSendRawMessage(message={"type": "x"}))
    stored = await only(path)
    assert [entry.kind for entry in stored.entries if entry.kind == Kind.GAP] == []
    assert {entry.item_id for entry in stored.entries} == {None}


def test_ctrl_c_is_not_kept_where_pythons_own_handler_stands():
    kept = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert may_be_ctrl_c(KeyboardInterrupt())
        assert not may_be_ctrl_c(SystemExit())
        with ThreadPoolExecutor(1) as pool:
            assert not pool.submit(may_be_ctrl_c, KeyboardInterrupt()).result()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        assert not may_be_ctrl_c(KeyboardInterrupt())
    finally:
        signal.signal(signal.SIGINT, kept)
