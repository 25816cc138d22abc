"""However much is recorded, the recorder's memory stays the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parent / "programs" / "fill.py"


@pytest.mark.parametrize("entries", [25_000, pytest.param(1_000_000, marks=pytest.mark.deep)])
def test_memory_does_not_grow_with_the_log(tmp_path: Path, entries: int):
    arguments = [sys.executable, PROGRAM, tmp_path / "log.db", str(entries)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    _, _, early_kb, late_kb = done.stdout.split()
    # Nine tenths of the entries: were each of them kept, it would be 20 MB for the smaller count.
    assert int(late_kb) - int(early_kb) < 8_000
