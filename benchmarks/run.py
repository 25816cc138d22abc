"""Run all benchmarks, and write their tables to `docs/performance.md`: `make bench`."""

from __future__ import annotations

import asyncio
import os
import platform
from pathlib import Path

import idle_session
import proxying
import recording
import replaying
import sweeping

PAGE = Path(__file__).parent.parent / "docs/performance.md"
_PAGE = """# Performance

Written by `make bench`: medians of interleaved runs in one process. Machines are shared and noisy, and
absolute times do not travel: compare the rows of one table.

Python {python}, {cores} cores.

## What recording costs the event loop

{event_loop}

`RecordingModel` under the SDK's real model, which parses, validates, decodes and emits the same delta (two
events of it are recorded), with a tracker, the budget, and the default scrubbing of secrets; the share is
that of the SDK's own handling. A delta is numbered, and a snapshot of it appended, before the listeners see
it; the writer encodes and commits it from its own thread, which is at work meanwhile. The loop's own round
is subtracted. Of the bare `executemany`: all that recording takes, against the processor time in which the
same two rows alone, without their sound, are written into the same tables, in commits as large.

## What the writer sustains

{sustained}

The bare one writes the same rows into the same tables, with their indexes and triggers; digests and
encoding are ours alone. The others write the same events in their own ways (as JSON, where they have no
bytes), in an environment of their own, a process for each run, of which the start is not counted.

## Many sessions on one loop

{many_sessions}

## The size of the file

{file_size}

A message that the SDK does not know is two entries, for the SDK makes an error event of it, with the
whole message in it. An entry costs some 130 bytes beside its payload; and one whose payload is longer
than some 900 bytes a page of 4 KiB, for SQLite puts what does not fit into a page of its own. So for its
two rows alone the shortest of these messages takes four times its bytes. The error's copy of the message
stays: an entry is read, checked, redacted and cut out by what is in it and its own bytes, and one that
said "as the entry before" would be another format. Larger pages cost more than they save. In one run,
half as long, 1,600 bytes of audio take 1.36 of their bytes in pages of 4 KiB, 1.39 of 8 and 1.45 of 16,
and a commit of one delta two and four times as many in the log beside the file; only the longest of the
unknown messages takes less, 3.1 for 8.0. Of the 1.34, 0.02 are pages of tables that are empty, and 0.06
what SQLite leaves free where rows are added at the end.

## Memory

{memory}

A process each; a session's deltas are committed every two hundred. A model that nobody closed held the
audio of one.

## What the recording proxy adds

{proxy_paced}

A forwarder of bare `websockets`, our proxy with `REALTAPE_DISABLED=1`, and our proxy as it is: each in a
process of its own, between an echo and clients that send at the pace of calls, each at its own moments, the
audio of the time since, and get it back. × is of the forwarder's. The loop's is the processor time of the
thread that carries the messages, of a round trip; what a round trip takes is the median, and says something
where the cores are free: beside the loop the writer encodes and commits, and who else is on the machine keeps
either waiting.

{proxy}

The same, where each client sends 4,800 bytes of audio again as soon as it has its answer, all connections at
once. Of one connection that is what a message takes. Of many it is throughput and no call's latency: all the
processor there is goes into it, and what a round trip takes is the processor time of everything that is done
meanwhile, the writer's included, times the connections.

{proxy_memory}

## How fast a recording is replayed

{replay}

Decoding, the decisions of the core and the delivery are included; one await for each event. Each event
comes in the round of the event loop in which it had come: the more came in one, the less that costs.

A replay holds each entry against its digest chain as it comes; the rows that say so are of replays
that do not, and show the price.

## How much faster than it happened a long session is replayed

{idle_session}

A heartbeat every minute, a question after 30 s of silence, a caller who speaks every 47.903 s; on virtual
time, where it was recorded, too. From opening the file to the report, without the start of Python.

## What a place of a sweep costs

{sweep}

A session of the SDK with a tool, a player and an interruption; most places are judged for three responses.
What places have in common is replayed once. A place is a process that is forked, the variation, its replay
into the application, and the rules.
Of the processor time four tenths are the kernel's, for the fork and the pages that differ after it. The table
is of 400 places of each session, evenly spread: of more, the common beginnings weigh less.

## What a page costs

[The page of a session](viewer.md#figures) has its own figures, which `make bench-viewing` measures in a
browser.
"""


def main() -> None:
    """Measure everything; takes a minute or two."""
    page = _PAGE.format(
        python=platform.python_version(),
        cores=os.cpu_count(),
        **{name: "\n".join(lines) for name, lines in asyncio.run(recording.tables()).items()},
        proxy_paced="\n".join(asyncio.run(proxying.paced())),
        proxy="\n".join(asyncio.run(proxying.table())),
        proxy_memory="\n".join(asyncio.run(proxying.memory())),
        replay="\n".join(replaying.table()),
        idle_session="\n".join(idle_session.table()),
        sweep="\n".join(sweeping.table()),
    )
    PAGE.write_text(page)


if __name__ == "__main__":
    main()
