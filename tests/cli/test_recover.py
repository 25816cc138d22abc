"""`realtape recover`: what is good of a damaged store is in a new one, and what is there stays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from support.command_line import Ran

Realtape = Callable[..., Ran]


def test_what_is_cut_off_costs_what_was_there(realtape: Realtape, path: Path, tmp_path: Path) -> None:
    data = path.read_bytes()[:-5_000]
    path.write_bytes(data)
    ran = realtape("recover", path, tmp_path / "out.db")
    assert ran.code == 3
    assert ": whole, 48 entries\n" in ran.out
    assert ran.out.endswith(" entries of 2 sessions\n")
    assert " entries, of at least " in ran.err
    assert path.read_bytes() == data
    assert {found.name for found in tmp_path.iterdir()} == {"calls.db", "out.db"}
    ran = realtape("verify", tmp_path / "out.db")
    assert (ran.code, ran.err) == (3, "")
    assert ran.out.endswith("2 sessions: 2 intact, 1 of these incomplete\n")
    assert realtape("replay", tmp_path / "out.db").code in (0, 3)


def test_a_file_that_nothing_else_opens(realtape: Realtape, path: Path, tmp_path: Path) -> None:
    path.write_bytes(bytes(100) + path.read_bytes()[100:])
    assert realtape("ls", path).code == 1
    ran = realtape("verify", path)
    assert ran.code == 3
    assert ran.out.count(": whole, ") == 2
    assert "not an SQLite database; `realtape recover` writes the above into a new store" in ran.err
    assert realtape("recover", path, tmp_path / "out.db").code == 0
    assert realtape("verify", tmp_path / "out.db").code == 0


def test_what_is_no_damaged_store(realtape: Realtape, path: Path, tmp_path: Path) -> None:
    for out in (path, tmp_path):
        ran = realtape("recover", path, out)
        assert (ran.code, ran.out) == (2, "")
        assert "exists: name another place" in ran.err
    (tmp_path / "prose.db").write_text("This is not a database. " * 1000)
    for name, code in (("prose.db", 1), ("nothing.db", 2), ("postgresql://localhost/calls", 2)):
        ran = realtape("recover", name if "/" in name else tmp_path / name, tmp_path / "out.db")
        assert (ran.code, ran.out, ran.err.count("\n")) == (code, "", 1)
    assert not (tmp_path / "out.db").exists()
