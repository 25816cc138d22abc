"""Applications of many shapes, each with something that is wrong: what the verdict says. Nothing is `same`
without a remark, and nothing that is unchanged diverges; `docs/replay.md` has the table."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from realtape.replay import Played, replay, run
from realtape.schema.log import fetch_sessions, locate, open_blocking
from realtape.session import Recording
from support.hand_overs import HAND_OVERS
from support.shapes import APPROVED, PAIRS, SHAPES, Desk, Fault, Shaped, record_shape
from support.verdicts import told_by_page, word


async def play(store: Path, shape: str, fault: Fault | None) -> list[Played]:
    """The sessions of a store into the application, at once: the first is the one in which it fails."""
    with open_blocking(locate(store)) as connection:
        ids = [one.header.id for one in fetch_sessions(connection)]
    recordings = [await Recording.open(store, id) for id in ids]
    faults = [fault, *[None] * (len(ids) - 1)]
    desk = Desk()
    played = [
        replay(one, Shaped(shape, how, desk), on_divergence="collect")
        for one, how in zip(recordings, faults, strict=True)
    ]
    found = await asyncio.gather(*played)
    for one in recordings:
        await one.close()
    return [*found]


def test_the_page_has_a_row_for_each_shape() -> None:
    assert set(told_by_page()) == {*SHAPES, *APPROVED}
    assert len(SHAPES) >= 25


@pytest.mark.parametrize(
    "shape",
    [pytest.param(one, marks=() if number % 2 else pytest.mark.deep) for number, one in enumerate(SHAPES)],
)
def test_the_verdict_is_what_the_page_says(tmp_path: Path, shape: str) -> None:
    store = tmp_path / "log.db"
    record_shape(store, shape)
    for one in run(play(store, shape, None)):
        assert (one.verdict, one.report.remark) == ("same", "")
    said = [word(run(play(store, shape, fault))[0]) for fault in Fault]
    assert said == told_by_page()[shape]
    assert "same" not in said


@pytest.mark.deep
@pytest.mark.real_time
@pytest.mark.parametrize("shape", SHAPES)
def test_an_unchanged_application_never_diverges(tmp_path: Path, shape: str) -> None:
    """Recorded in real time; whoever is busy beside it, does not matter."""
    store = tmp_path / "log.db"
    record_shape(store, shape, real_time=True)
    for _ in range(20):
        assert [one.verdict for one in run(play(store, shape, None))] == ["same"] * (
            2 if shape in PAIRS else 1
        )


def test_the_shapes_are_the_hand_overs() -> None:
    assert set(SHAPES) - set(PAIRS) == set(HAND_OVERS)
