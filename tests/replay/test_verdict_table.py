"""Applications of many shapes, each with something that is wrong: what the verdict says. Nothing is `same`
without a remark, and nothing that is unchanged diverges; `docs/replay.md` has the table."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from realtape.replay import Played, replay, run
from realtape.schema.log import fetch_sessions, locate, open_blocking
from realtape.session import Recording
from support.hand_overs import HAND_OVERS
from support.shapes import PAIRS, SHAPES, Desk, Fault, Shaped, record_shape

PAGE = (Path(__file__).parents[2] / "docs" / "replay.md").read_text()
HEADING = "| application | " + " | ".join(Fault) + " |"
WORDS = {
    "same, but 1 send of unknown origin was not checked": "unchecked",
    "same, but what was heard differs at": "heard",
    "diverged": "diverged",
}


def told_by_page() -> dict[str, list[str]]:
    """Each row of the page's table: what is said of each fault."""
    table = PAGE[PAGE.index(HEADING) :].partition("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table]
    return {row[0]: row[1:] for row in cells}


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


def word(played: Played) -> str:
    """The verdict, in a word of the page's."""
    text = str(played.report)
    return next((short for words, short in WORDS.items() if text.startswith(words)), text)


def test_the_page_has_a_row_for_each_shape() -> None:
    assert set(told_by_page()) == set(SHAPES)
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
