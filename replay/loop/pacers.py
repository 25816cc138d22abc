"""Which pacer drives a replay on this event loop."""

from __future__ import annotations

import asyncio

from .pacing import Pacer
from .plain_pacer import PlainPacer
from .virtual_loop import VirtualLoop
from .virtual_pacer import VirtualPacer


def pacer_of(
    loop: asyncio.AbstractEventLoop, *, stuck_after: float, patience: float, pace: float | None
) -> Pacer:
    """The pacer for this loop.

    Args:
        stuck_after: on an ordinary loop: wall seconds without progress after which nothing will come.
        patience: on virtual time: virtual seconds.
        pace: on an ordinary loop: how many times faster than recorded; None: as fast as can be.
    """
    if isinstance(loop, VirtualLoop):
        return VirtualPacer(loop, round(patience * 1e9))
    return PlainPacer(loop, stuck_after, pace)
