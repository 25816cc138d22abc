"""Six hours of timers are replayed in seconds, and each of them fires when it did."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from realtape.recorder import Recorder
from realtape.replay import ReplayModel, ReplayReport, run
from realtape.schema.entries import Entry, Kind
from realtape.session import Recording
from support.counting import calls_in
from support.idle_session import (
    HEARTBEAT_SECONDS,
    HOURS,
    PATIENCE_SECONDS,
    QUESTIONS,
    SILENCES_SECONDS,
    Desk,
    night,
)
from support.stored import only

MOST_CALLS = 600
"""For each entry, in the thread of the loop; 380 today."""
NANOSECONDS = 1_000_000_000


TOGETHER_SECONDS = (30.0, 29.3)
"""Silences with which a heartbeat, a question and the caller come at the very same instant."""


async def record(store: Path, silences: Sequence[float] = SILENCES_SECONDS) -> None:
    async with Recorder(store) as recorder:
        await Desk(recorder.wrap(night(HOURS, silences))).run()


async def replay(store: Path, into: Path | None = None) -> ReplayReport:
    async with await Recording.open(store) as recording:
        model = ReplayModel(recording)
        if into is None:
            await Desk(model).run()
        else:
            async with Recorder(into) as recorder:
                await Desk(recorder.wrap(model)).run()
        return await model.finished()


async def entries(store: Path) -> list[Entry]:
    return (await only(store)).entries


def is_sent(entry: Entry, type: str) -> bool:
    return entry.kind == Kind.SENT and entry.type == type


@pytest.mark.parametrize("silences", [SILENCES_SECONDS, TOGETHER_SECONDS], ids=["apart", "together"])
def test_every_timer_fires_at_its_recorded_instant(tmp_path: Path, silences: Sequence[float]) -> None:
    run(record(tmp_path / "night.db", silences))
    report = run(replay(tmp_path / "night.db", tmp_path / "again.db"))
    assert report.finished
    assert (len(report.divergences), len(report.early), len(report.late), report.unsent) == (0, 0, 0, 0)
    recorded, again = run(entries(tmp_path / "night.db")), run(entries(tmp_path / "again.db"))
    for one, other in zip(recorded, again, strict=True):
        assert other._replace(digest=b"") == one._replace(digest=b"")
    check_timers(again)


def check_timers(found: list[Entry]) -> None:
    """What the application promises, whatever was recorded."""
    beats = [entry.at_ns for entry in found if is_sent(entry, "send_raw_message")]
    assert len(beats) >= HOURS * 60
    for number, at_ns in enumerate(beats, start=1):
        assert at_ns == number * HEARTBEAT_SECONDS * NANOSECONDS
    heard = [entry.at_ns for entry in found if entry.type == "input_audio_transcription_completed"]
    asked = [entry.at_ns for entry in found if is_sent(entry, "send_user_input")]
    [closed] = [entry.at_ns for entry in found if entry.kind == Kind.CLOSE]
    assert len(asked) > HOURS * 30
    said = sorted({*heard, *asked, closed})
    for before, after in pairwise(said):
        if after not in heard:  # a question, or the hang-up
            assert after - before == PATIENCE_SECONDS * NANOSECONDS
    assert said[-QUESTIONS - 1 :] == [*asked[-QUESTIONS:], closed]


def test_idle_hours_cost_nothing(tmp_path: Path) -> None:
    """Only what happens in them does: so many calls for each entry, however long it was quiet."""
    run(record(tmp_path / "night.db"))
    found = run(entries(tmp_path / "night.db"))
    assert found[-1].at_ns > HOURS * 3600 * NANOSECONDS

    def replay_it() -> None:
        assert run(replay(tmp_path / "night.db")).finished

    assert calls_in(replay_it) < MOST_CALLS * len(found)
