"""Approvals: a session asks whether a tool may run, and is answered as it was when it was recorded."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine, Iterable
from types import TracebackType
from typing import Any, Self, cast

from agents.realtime import RealtimeSession

from ...session import ToolCall
from .event_queue import QUEUE

logger = logging.getLogger("realtape.integrations.openai_agents")


class Approvals:
    """While it is entered: answers what the session asks.

    The question is an event in the session's queue, which the application reads; so it is seen when
    it is put there. That the user said yes or no is not in a log, but what followed is: a call whose
    output is one of `rejections` was rejected, a call that has another output was approved, and one
    without any was never decided. When the user approved is not known: it is done at once, and the
    tool has the whole time that passed until its recorded output. A rejection comes when it came.

    Args:
        session: of the SDK.
        calls: the recorded ones.
        awaited: those of them that `finished` waits for.
        rejections: outputs that say that the user said no.
        pace: how many times faster than recorded.
        spawn: starts a task, and owns it.
    """

    def __init__(
        self,
        session: RealtimeSession,
        calls: Iterable[ToolCall],
        *,
        awaited: Iterable[ToolCall],
        rejections: Collection[str],
        pace: float,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self._session = session
        self._decided = {call.call_id: call for call in calls if call.output is not None}
        self._awaited = list(awaited)
        self._none_awaited = asyncio.Event()
        self._rejections = rejections
        self._pace = pace
        self._spawn = spawn
        self._queue: Any = None

    def __enter__(self) -> Self:
        queue: Any = getattr(self._session, QUEUE, None)
        if isinstance(queue, asyncio.Queue):
            put = cast("Callable[[Any], None]", queue._put)

            def put_and_look(event: Any) -> None:
                put(event)
                self._look(event)

            self._queue = queue
            vars(queue)["_put"] = put_and_look
        elif self._decided:
            logger.warning(
                "this SDK's sessions have no %s that we know: what they ask is not answered", QUEUE
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._queue is not None:
            del vars(self._queue)["_put"]

    async def finished(self, deadline: float) -> list[str]:
        """Wait until the tools have asked, or have run without asking, or the stream has ended; at
        most until this time of the loop. Returns what did not happen, in words."""
        if self._awaited and self._queue is not None:
            try:
                async with asyncio.timeout_at(deadline):
                    await self._none_awaited.wait()
            except TimeoutError:
                return [f"the session did not ask about {call}, nor run it" for call in self._awaited]
        return []

    def _look(self, event: Any) -> None:
        kind = getattr(event, "type", None)
        if kind == "tool_approval_required":
            self._passed(lambda call: call.call_id == event.call_id)
            call = self._decided.get(event.call_id)
            if call is not None:
                self._spawn(self._decide(call))
        elif kind in ("tool_start", "tool_end"):
            self._passed(lambda call: (call.name, call.arguments) == (event.tool.name, event.arguments))
        elif kind == "raw_model_event" and event.data.type in ("end_of_stream", "exception"):
            self._passed(lambda call: True)

    def _passed(self, is_it: Callable[[ToolCall], bool]) -> None:
        self._awaited = [call for call in self._awaited if not is_it(call)]
        if not self._awaited:
            self._none_awaited.set()

    async def _decide(self, call: ToolCall) -> None:
        if call.output in self._rejections:
            await asyncio.sleep(call.seconds / self._pace)
            await self._session.reject_tool_call(call.call_id, rejection_message=call.output)
        else:
            await self._session.approve_tool_call(call.call_id)
