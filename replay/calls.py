"""The recorded calls of a session: which are open where, which live call is which recorded one."""

from __future__ import annotations

import heapq
import math
import re
from bisect import insort
from collections import deque
from collections.abc import Callable, Iterator

from ..schema.entries import Entry, Flag, Kind
from ..schema.secrets import REDACTED
from .acts import RecordedCall
from .matching import Expectation, must_come
from .steps import Step

MISSED_STIMULI = 4096
"""How many stimuli that nobody sent again are remembered, in case they come late."""

_Key = tuple[str, str | None, str]


class Calls:
    """Keeps account of the calls in memory.

    Args:
        expect: which of them must come again.

    Attributes:
        live: those that the application has made and that are not done, in the log's order.
    """

    def __init__(self, expect: Expectation) -> None:
        self.live: list[RecordedCall] = []
        self._expect: Expectation = expect
        self._by_seq: dict[int, RecordedCall] = {}
        self._open: dict[int | None, list[RecordedCall]] = {}  # by recorded task, innermost last
        self._index: dict[_Key, deque[RecordedCall]] = {}  # those that nobody has made
        self._missed: deque[RecordedCall] = deque()
        self._due: list[tuple[int, RecordedCall]] = []  # a heap: reactions, until they are made

    # --- the recording comes in -----------------------------------------------------------------------

    def begin(self, step: Step) -> None:
        """A recorded call."""
        call = RecordedCall(step, must_come(step.entry, self._expect))
        self._by_seq[step.seq] = call
        if call.required:
            heapq.heappush(self._due, (step.seq, call))
        self._open.setdefault(step.entry.task, []).append(call)
        self._index.setdefault(_key(step), deque()).append(call)

    def end(self, step: Step) -> None:
        """The entry that ends one."""
        call = self.ended_by(step)
        if call is None:
            return
        call.end = step
        stack = self._open.get(call.step.entry.task)
        if stack and call in stack:
            stack.remove(call)

    def end_all(self, gap: Step) -> None:
        """The recorder lost something: how the open calls ended is lost with it, perhaps."""
        for stack in self._open.values():
            for call in stack:
                call.end = call.end or gap
        self._open.clear()

    def around(self, received: Step) -> RecordedCall | None:
        """The call inside which this event was received: one that was open in its task."""
        task = received.entry.task
        stack = self._open.get(task) if task is not None else None
        return stack[-1] if stack and not stack[-1].skipped else None

    def at(self, step: Step) -> RecordedCall:
        """The call that begins at this step."""
        return self._by_seq[step.seq]

    def ended_by(self, step: Step) -> RecordedCall | None:
        """The call that this step ends, if it is in memory."""
        of = step.entry.of
        return None if of is None else self._by_seq.get(of)

    def passed(self, end: Step) -> None:
        """The cursor has passed the end of a call: forget it, if it is over."""
        call = self.ended_by(end)
        if call is not None and (call.done or call.skipped):
            del self._by_seq[call.seq]

    # --- the application's calls come in ----------------------------------------------------------------

    def match(
        self,
        kind: str,
        type: str | None,
        key: str,
        cause: int | None,
        given: Callable[[int | None], bool],
    ) -> RecordedCall | None:
        """The recorded call that a live one is, or None.

        By index and not by cursor. Among several of the same content: the one of the same cause,
        then a reaction that is due (it must come), then a stimulus, then what is not due yet; and
        the first of those.

        Args:
            cause: the event in whose extent the live call was made, where that is known.
            given: whether the application was given the event of this seq.
        """

        def remoteness(call: RecordedCall) -> tuple[int, int]:
            recorded = call.step.entry.cause
            if cause is not None and recorded == cause:
                return (0, call.seq)
            if not given(recorded):
                return (3, call.seq)
            return (1 if call.required else 2, call.seq)

        queue = self._index.get((kind, type, key)) or self._redacted(kind, type, key)
        if not queue:
            return None
        call = min(queue, key=remoteness) if len(queue) > 1 else queue[0]
        self._unindex(call)
        call.matched = True
        call.ahead = not given(call.step.entry.cause)
        call.late = call.skipped
        insort(self.live, call, key=_seq)
        return call

    def close_at(self, seq: int) -> RecordedCall:
        """A `close` that the recording lacks, because its recorder was closed before."""
        step = Step(Entry(seq, 0, None, None, Kind.CLOSE))
        end = Step(Entry(seq, 0, None, None, Kind.CLOSED, of=seq))
        call = RecordedCall(step, required=False, end=end, matched=True, early=True)
        insort(self.live, call, key=_seq)
        return call

    def first_due(self) -> float:
        """The first reaction that nobody has made."""
        while self._due and (self._due[0][1].matched or self._due[0][1].skipped):
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else math.inf

    def finish(self, call: RecordedCall) -> None:
        """The live call is completed, or was cancelled."""
        call.done = True
        if call in self.live:
            self.live.remove(call)

    def skip(self, call: RecordedCall) -> None:
        """Nobody made it in time. It is remembered for a while."""
        call.skipped = True
        self._missed.append(call)
        if len(self._missed) > MISSED_STIMULI:
            self._unindex(self._missed.popleft())

    def unmade(self) -> Iterator[RecordedCall]:
        """Recorded calls that nobody has made, nearest first."""
        return iter(sorted((call for queue in self._index.values() for call in queue), key=_seq))

    def _redacted(self, kind: str, type: str | None, key: str) -> deque[RecordedCall] | None:
        """A recorded send from which something was taken out matches whatever stood there."""
        for (one_kind, one_type, one_key), queue in self._index.items():
            if one_kind != kind or one_type != type or REDACTED not in one_key:
                continue
            pattern = ".*".join(map(re.escape, one_key.split(REDACTED)))
            if queue[0].step.entry.flags & Flag.REDACTED and re.fullmatch(pattern, key, re.DOTALL):
                return queue
        return None

    def _unindex(self, call: RecordedCall) -> None:
        key = _key(call.step)
        queue = self._index.get(key)
        if queue is not None and call in queue:
            queue.remove(call)
            if not queue:
                del self._index[key]


def _key(step: Step) -> _Key:
    return (step.entry.kind, step.entry.type, step.key)


def _seq(call: RecordedCall) -> int:
    return call.seq
