"""However much is recorded, the recorder's memory stays the same."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from pathlib import Path

import pytest
from realtape.integrations.openai_agents import Recorder
from realtape.integrations.openai_agents.vocabulary import VOCABULARY
from realtape.recorder.payloads import KeptEntries, Pending
from realtape.schema.entries import Entry, Kind
from support.stored import at_once, begin

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


async def test_what_was_appended_does_not_either(tmp_path: Path):
    """What waits to be encoded is forgotten the first time that the collector comes: a tuple that held a
    dictionary would be kept for ever, and count among what lives for long."""
    message = '{"type":"response.output_audio_transcript.delta","delta":" word","output_index":0,"item":null}'
    events = [
        VOCABULARY.make("raw_server_event", data=json.loads(message)),
        VOCABULARY.make("transcript_delta", item_id="item_1", delta=" word", response_id="resp_1"),
        VOCABULARY.make("audio", data=b"1234", response_id="resp_1", item_id="item_1", content_index=0),
    ]
    async with Recorder(tmp_path / "log.db") as recorder:
        log = begin(recorder)
        with at_once(log):
            gc.collect()  # what all entries have in common is forgotten
            for event in events:
                log.append(Kind.RECEIVED, event, type=event.type)
            gc.collect(0)
            waiting = list(log._pending)  # pyright: ignore[reportPrivateUsage]
            assert len(waiting) == len(events) + 1
            assert not any(map(gc.is_tracked, waiting))
