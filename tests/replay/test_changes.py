"""What a replay says of an application that was changed: a table of changes, the verdict on each, and the
report's text as a stranger would read it (`changes/<name>.txt`)."""

from __future__ import annotations

import asyncio
import json
import os
import re
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest
from realtape.recorder import Recorder
from realtape.replay import DivergenceError, ReplayModel, ReplayReport, run
from realtape.session import Recording
from support.booking import model, with_card_hidden
from support.changes import BASE, CHANGES, Change

GOLDEN = Path(__file__).parent / "changes"
PATIENCE_SECONDS = 60.0
WRITE = "REALTAPE_WRITE_REPORTS"
"""Set in the environment: the texts are written, not compared."""


async def _record(store: Path) -> None:
    async with Recorder(store, redactors=[with_card_hidden]) as recorder:
        await BASE.run(recorder.wrap(model()))


async def _replay(store: Path, change: Change, **options: Any) -> ReplayReport:
    async with await Recording.open(store) as recording:
        played = ReplayModel(recording, redactors=[with_card_hidden], **change.options, **options)
        running = asyncio.create_task(change.application.run(played))
        playing = asyncio.create_task(played.finished())
        await asyncio.wait({running, playing}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(PATIENCE_SECONDS)  # what it does after the end of the recording
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return await playing


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("booking") / "booking.db"
    run(_record(store))
    return store


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_the_report_of_a_change(recorded: Path, change: Change) -> None:
    report = run(_replay(recorded, change, on_divergence="collect"))
    text = re.sub(r"(?<= in )[\d.,e-]+ s, [\d.,e+-]+ times", "… s, … times", str(report)) + "\n"
    path = GOLDEN / f"{change.name}.txt"
    if os.environ.get(WRITE):
        GOLDEN.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()
    assert tuple(divergence.kind for divergence in report.divergences) == change.kinds
    assert report.weaker == ()
    assert report.verdict == ("diverged" if change.kinds else "same")


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_a_divergence_is_raised_unless_collected(recorded: Path, change: Change) -> None:
    if not change.kinds:
        assert run(_replay(recorded, change)).divergences == ()
        return
    with pytest.raises(DivergenceError) as caught:
        run(_replay(recorded, change))
    first = "missing" if change.kinds[0] == "late" else change.kinds[0]  # until it comes after all
    assert caught.value.divergence.kind in (change.raises or first, "changed")


def test_a_report_does_not_change_and_is_json(recorded: Path) -> None:
    change = next(one for one in CHANGES if one.name == "tool-output-changed")
    report = run(_replay(recorded, change, on_divergence="collect"))
    with pytest.raises(FrozenInstanceError):
        report.matched = 0  # pyright: ignore[reportAttributeAccessIssue]
    facts = json.loads(json.dumps(report.as_json()))
    (divergence,) = facts["divergences"]
    assert (facts["verdict"], facts["differing"], facts["extra"], facts["missing"]) == ("diverged", 1, 0, 0)
    assert divergence["differences"] == [{"field": "output.table", "recorded": "4", "live": "5"}]
    assert (divergence["speaker"], divergence["turn"], len(divergence["chain"])) == ("user", 2, 3)
    assert report.times_real_time == pytest.approx(report.recorded_seconds / report.wall_seconds)
    with pytest.raises(DivergenceError, match="other than the recorded one"):
        report.raise_for_divergence()


def test_what_was_waited_for_is_told(recorded: Path) -> None:
    found = {one.name: one for one in CHANGES}
    for name, how in (("missing-send", "stuck"), ("missing-send-under-a-heartbeat", "overdue")):
        report = run(_replay(recorded, found[name], on_divergence="collect"))
        assert [one.how for one in report.awaited] == [how]
        assert (report.missing, report.unsent) == (1, 0)


def test_the_page_shows_reports_as_they_are() -> None:
    page = (Path(__file__).parents[2] / "docs/replay.md").read_text()
    for name in ("tool-output-changed", "missing-send-under-a-heartbeat"):
        assert (GOLDEN / f"{name}.txt").read_text() in page
