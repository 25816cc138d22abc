"""Run all benchmarks, and write their tables to `docs/performance.md`: `make bench`."""

from __future__ import annotations

import asyncio
import os
import platform
from pathlib import Path

import appending
import replaying

PAGE = Path(__file__).parent.parent / "docs/performance.md"
_PAGE = """# Performance

Written by `make bench`: medians of interleaved runs in one process. Machines are shared and noisy, and
absolute times do not travel: compare the rows of one table.

Python {python}, {cores} cores.

## What recording costs the event loop

{append}

A delta is appended, encoded and numbered before the listeners see it; the writer commits it from its
own thread, which is at work meanwhile. The loop's own round is subtracted.

## How fast a recording is replayed

{replay}

Decoding, the decisions of the core and the delivery are included; one await for each event.
"""


def main() -> None:
    """Measure everything; takes a minute or two."""
    page = _PAGE.format(
        python=platform.python_version(),
        cores=os.cpu_count(),
        append="\n".join(asyncio.run(appending.table())),
        replay="\n".join(asyncio.run(replaying.table())),
    )
    PAGE.write_text(page)


if __name__ == "__main__":
    main()
