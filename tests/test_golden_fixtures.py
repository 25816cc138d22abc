"""The golden fixtures: every release reads them, and replays them with these very reports.

With `REALTAPE_WRITE_REPORTS=1` the reports are written anew, to be reviewed.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from realtape.cli import main
from realtape.cli.wish import Wish, play
from realtape.lab.invariants import check
from realtape.session import Recording, Target
from realtape.session.fixture import is_fixture, read_fixture, write_fixture
from support.golden import FIXTURES

GOLDEN = sorted(path for path in FIXTURES.iterdir() if is_fixture(path))
CORPUS = 200


def test_there_are_some() -> None:
    assert {path.name for path in GOLDEN} >= {"demo", "kiosk", "kiosk-interrupted", "switchboard"}


@pytest.mark.parametrize("fixture", GOLDEN, ids=lambda path: path.name)
def test_it_replays_with_this_report(fixture: Path) -> None:
    played = play(Wish(Target(str(fixture), None)))
    text = re.sub(r"(?<= in )[\d.,e-]+ s, [\d.,e+-]+ times", "… s, … times", str(played.report)) + "\n"
    report = FIXTURES / f"{fixture.name}.report.txt"
    if os.environ.get("REALTAPE_WRITE_REPORTS"):
        report.write_text(text)
    assert text == report.read_text()
    assert played.report.verdict == "same"


@pytest.mark.parametrize("fixture", GOLDEN, ids=lambda path: path.name)
def test_it_is_written_as_it_is(fixture: Path, tmp_path: Path) -> None:
    """Byte for byte: a format that changes unseen would change every fixture in a repository."""
    audio_files = any(fixture.rglob("*.wav"))
    write_fixture(read_fixture(fixture), tmp_path / "copy", audio_files=audio_files)

    def files(folder: Path) -> dict[str, bytes]:
        return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()}

    assert files(tmp_path / "copy") == files(fixture)


@pytest.mark.parametrize("fixture", GOLDEN, ids=lambda path: path.name)
def test_it_is_intact_and_breaks_no_rule(fixture: Path) -> None:
    async def verify() -> None:
        async with await Recording.open(fixture) as recording:
            await recording.verify()

    asyncio.run(verify())
    assert check(read_fixture(fixture)).violations == ()


@pytest.mark.deep
def test_a_corpus_of_two_hundred_is_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], record_property: Callable[[str, object], None]
) -> None:
    for number in range(CORPUS):
        golden = GOLDEN[number % len(GOLDEN)]
        shutil.copytree(golden, tmp_path / f"{number:03}-{golden.name}")
    began = time.monotonic()
    assert main(["check", str(tmp_path)]) == 0
    seconds = time.monotonic() - began
    record_property("seconds", seconds)
    assert f"{CORPUS} recordings: {CORPUS} same" in capsys.readouterr().out
