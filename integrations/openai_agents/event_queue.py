"""The cause of what the user's own `async for event in session:` loop does.

A session puts events into a queue, and the loop gets them in a task of its own: there the context
knows nothing of the model's event any more. So the queue carries it along.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Any, cast

from agents.realtime import RealtimeSession

from ...recorder import causes

logger = logging.getLogger("realtape.integrations.openai_agents")

QUEUE = "_event_queue"
"""The session's private attribute."""


class CausalQueue(asyncio.Queue[Any]):
    """A queue whose items carry their cause; whoever gets one goes on in it.

    Made of a queue that is in use already, so it has no constructor: see `make_causal`.
    """

    _realtape_frames: deque[causes.Frame | None]
    _realtape_causes: causes.EventCauses

    def _put(self, item: Any) -> None:
        super()._put(item)
        frame = causes.here()
        if frame is not None:
            self._realtape_causes.remember(item, frame)
        self._realtape_frames.append(frame)

    def _get(self) -> Any:
        frames = self._realtape_frames
        waiting = self.qsize()
        item = super()._get()
        if len(frames) != waiting:  # somebody reached into the queue: nothing is known any more
            frames.clear()
            frames.extend([None] * waiting)
        causes.enter(frames.popleft())
        return item


def make_causal(listener: Any, event_causes: causes.EventCauses) -> None:
    """Where the listener is a session of the SDK: let its queue carry causes.

    A session whose queue is not as we know it is left alone: what its loop does has no cause then,
    unless the application names it (`recorder.caused_by`).
    """
    if not isinstance(listener, RealtimeSession):
        return
    queue: Any = getattr(listener, QUEUE, None)
    kind = cast("type[Any]", type(queue))
    if kind is CausalQueue:
        return
    if kind is not asyncio.Queue:
        logger.info("this SDK's sessions have no %s that we know: events got from them carry no cause", QUEUE)
        return
    queue._realtape_frames = deque([None] * queue.qsize())
    queue._realtape_causes = event_causes
    queue.__class__ = CausalQueue
