"""`realtape trim`: a stretch of a recording, written as a recording of its own; nothing is overwritten."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from realtape.session import Recording
from support.command_line import Ran
from support.golden import DEMO
from support.recorded_drafts import drafts_of
from support.stores import state_of

Realtape = Callable[..., Ran]


def verify(store: Path) -> None:
    async def verified() -> None:
        async with await Recording.open(store) as recording:
            await recording.verify()

    asyncio.run(verified())


@pytest.mark.parametrize("places", [("378", "499"), ("847.5ms", "1.00795s")])
def test_a_stretch_by_numbers_or_times(realtape: Realtape, tmp_path: Path, places: tuple[str, str]) -> None:
    out = tmp_path / "stretch.db"
    ran = realtape("trim", DEMO, out, "--from", places[0], "--to", places[1])
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"{out}: 122 of 513 entries, and 81 that they need")
    verify(out)
    (draft,) = drafts_of(out)
    assert draft.header.source.startswith(f"trimmed to {places[0]} - {places[1]}, of ")
    assert realtape("replay", out).code == 0
    assert realtape("show", out).code == 0


def test_one_bound_is_enough_and_none_is_not(realtape: Realtape, tmp_path: Path) -> None:
    assert realtape("trim", DEMO, tmp_path / "end.db", "--from", "500").code == 0
    assert realtape("trim", DEMO, tmp_path / "begin.db", "--to", "20").code == 0
    assert len(drafts_of(tmp_path / "begin.db")[0].entries) == 22  # the other half of a message
    ran = realtape("trim", DEMO, tmp_path / "all.db")
    assert (ran.code, ran.out) == (2, "")
    assert "--from or --to" in ran.err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--from", "600"], "nothing lies there: the session has 513 entries in 1.016 s"),
        (["--from", "20", "--to", "10"], "nothing lies there"),
        (["--from", "soon"], "--from soon: give an entry's number"),
    ],
)
def test_misuse_writes_nothing(realtape: Realtape, tmp_path: Path, options: list[str], told: str) -> None:
    ran = realtape("trim", DEMO, tmp_path / "out.db", *options)
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err
    assert list(tmp_path.iterdir()) == []


def test_what_exists_is_refused_and_stays(realtape: Realtape, tmp_path: Path, store: Path) -> None:
    before = state_of(tmp_path)
    for out in (store, tmp_path, store / "no" / "folder.db"):
        ran = realtape("trim", DEMO, out, "--to", "20")
        assert (ran.code, ran.out) == (2, "")
        assert "name another place" in ran.err
    assert state_of(tmp_path) == before


def test_no_store_is_told(realtape: Realtape, tmp_path: Path) -> None:
    ran = realtape("trim", tmp_path / "none.db", tmp_path / "out.db", "--to", "3")
    assert ran.code == 2
    assert "none.db" in ran.err


def test_anything_but_a_db_is_a_fixture(realtape: Realtape, tmp_path: Path) -> None:
    folder, zipped = tmp_path / "turn", tmp_path / "turn.zip"
    assert realtape("trim", DEMO, folder, "--from", "378", "--to", "499").code == 0
    assert (folder / "entries.jsonl").is_file()
    assert realtape("trim", folder, zipped, "--to", "60").code == 0
    assert zipped.is_file()
    assert realtape("trim", DEMO, folder, "--to", "60").code == 2
    for out in (folder, zipped):
        assert realtape("replay", out).code == 0


def test_what_an_application_carries_over_is_kept(realtape: Realtape, tmp_path: Path, recorded: Path) -> None:
    stretch = (recorded, tmp_path / "cut.db", "--from", "40")
    ran = realtape("trim", *stretch)
    assert (ran.code, "an application that carries something over" in ran.out) == (0, True)
    app = ("--app", "support.telephone:remembering")
    assert realtape("replay", tmp_path / "cut.db", *app).code == 1
    ran = realtape("trim", recorded, tmp_path / "kept.db", "--from", "40", *app)
    assert (ran.code, ran.err) == (0, "")
    assert "remembering carries over what came before #40: " in ran.out
    assert realtape("replay", tmp_path / "kept.db", *app).code == 0
    assert len(drafts_of(tmp_path / "cut.db")[0].entries) < len(drafts_of(tmp_path / "kept.db")[0].entries)
    ran = realtape("trim", recorded, tmp_path / "no.db", "--from", "40", "--app", "support.telephone:failing")
    assert (ran.code, "does otherwise in every stretch" in ran.err) == (2, True)
    assert not (tmp_path / "no.db").exists()
