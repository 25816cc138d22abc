"""However much is recorded, the recorder's memory stays the same."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import pytest
from realtape.recorder.payloads import KeptEntries, Pending
from realtape.schema.entries import Entry, Kind

PROGRAM = Path(__file__).parent / "programs" / "fill.py"


@pytest.mark.parametrize("entries", [25_000, pytest.param(1_000_000, marks=pytest.mark.deep)])
def test_memory_does_not_grow_with_the_log(tmp_path: Path, entries: int):
    arguments = [sys.executable, PROGRAM, tmp_path / "log.db", str(entries)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    _, _, early_kb, late_kb = done.stdout.split()
    # Nine tenths of the entries: were each of them kept, it would be 20 MB for the smaller count.
    assert int(late_kb) - int(early_kb) < 8_000


def test_what_waits_for_its_commit_does_not_wake_the_garbage_collector():
    """A hundred sessions have thousands of entries waiting: to look through the whole process for these takes
    a tenth of a second."""
    kind = Kind.RECEIVED.value  # as the recorder has it
    entry = Entry(7, 1, 2, 3, kind, "audio", payload='{"data":{"$":"py:bytes","at":[0,0,4]}}')
    blobs = {(0, 0, 4): b"data", (0, 4, 2): b"is"}
    waiting = [Pending.of(entry._replace(seq=seq), blobs if seq % 2 else {}) for seq in range(50)]
    kept = KeptEntries(waiting)
    assert (len(kept), kept[:], kept[-1], [*kept]) == (50, waiting, waiting[-1], waiting)
    assert (kept[8].entry, kept[8].blobs) == (entry._replace(seq=8), {})
    assert (kept[9].entry, kept[9].blobs) == (entry._replace(seq=9), blobs)
    kept[3] = Pending.of(entry)
    assert kept[3] == Pending.of(entry)
    gc.collect(0)
    assert not any(gc.is_tracked(plain) for plain in kept.plain)
