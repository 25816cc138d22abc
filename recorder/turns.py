"""The event loop's turn: the writer holds the interpreter's lock for a moment, and gives it up.

The moments are those of the thread and not of a session, for a hundred of them may have a few entries each:
to give way after each of these costs more than to write them.
"""

from __future__ import annotations

import time

SLICE_SECONDS = 0.0002
"""So long the writer goes on before it gives way."""

_since = 0.0


def give_way() -> None:
    """Let others run, if it is time to. Who asks often loses a tenth of a microsecond each time."""
    global _since  # of all writers: one more that asks makes the moments shorter, never longer
    if time.perf_counter() - _since > SLICE_SECONDS:
        time.sleep(0)
        _since = time.perf_counter()
