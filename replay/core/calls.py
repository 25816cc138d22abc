"""The recorded calls of a session: which are open where, which live call is which recorded one."""

from __future__ import annotations

import heapq
from bisect import insort
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from ...schema.entries import Entry, Kind
from ...session.learned import Origins
from ..matching.audio_tape import AudioTape, SentAudio
from ..matching.expectation import Expectation, Expected
from ..matching.matching import AUDIO_TYPE, Content, Matching, is_redacted
from ..terms.steps import RecordedCall, Step

MISSED_STIMULI = 4096
"""How many stimuli that nobody sent again are remembered, in case they come late."""

MAX_CANDIDATES = 256
"""Recorded sends of which a live one may be any, but for a field that a matcher judges: so many are tried."""

_Alike = tuple[str, str | None, str]


class RecordedCalls:
    """Keeps account of the calls in memory.

    Args:
        expect: which of them must come again.
        matching: how sends are compared.
        learned: whose calls without a cause are.
        is_given: whether the application was given the event of this number; None: it needs none.
        is_here: whether this entry has its place just now, where that is known exactly.
        may_make: whether the listener that made this call when recorded is at work.

    Attributes:
        live: those that the application has made and that are not done, in the log's order.
        completed: what the last live call was when recorded: mostly one call; of audio that is cut
            otherwise it may be none, or several.
    """

    def __init__(
        self,
        expect: Expectation,
        matching: Matching,
        *,
        learned: Origins | None = None,
        is_given: Callable[[int | None], bool] = lambda seq: True,
        is_here: Callable[[Step], bool] = lambda step: False,
        may_make: Callable[[Step], bool] = lambda step: False,
    ) -> None:
        self.live: list[RecordedCall] = []
        self.completed: list[RecordedCall] = []
        self._matching = matching
        self._tape = AudioTape(self._matching.audio)
        self._redacted: dict[tuple[str, str | None], dict[str, None]] = {}  # keys in `_index`
        self._expected = Expected(expect, learned)
        self._is_given = is_given
        self._is_here = is_here
        self._may_make = may_make
        self._by_seq: dict[int | None, RecordedCall] = {}
        self._open: dict[int | None, list[RecordedCall]] = {}  # by recorded task, innermost last
        self._index: dict[_Alike, deque[RecordedCall]] = {}  # those that nobody has made
        self._missed: deque[RecordedCall] = deque()
        self._due: dict[int, RecordedCall] = {}  # reactions by seq, until they are made

    # --- the recording comes in -----------------------------------------------------------------------

    def begin(self, step: Step) -> None:
        """A recorded call."""
        expected, entry = self._expected, step.entry
        call = RecordedCall(
            step,
            expected.requires(entry),
            unknown=expected.leaves_open(entry),
            waived=expected.waives(entry),
        )
        self._by_seq[step.seq] = step.call = call
        if call.required:
            self._due[step.seq] = call
        self._open.setdefault(step.entry.task, []).append(call)
        self._index.setdefault(call.alike, deque()).append(call)
        if is_redacted(step.entry, step.key) or self._matching.may_hold_stand_ins(step.entry):
            self._redacted.setdefault((step.kind, step.entry.type), {})[step.key] = None
        if isinstance(step.key, Content) and step.key.audio is not None:
            self._tape.add(call, step.key.audio)

    def end(self, step: Step) -> None:
        """The entry that ends one."""
        call = self._by_seq.get(step.entry.of)
        if call is None:
            return
        call.end, step.call = step, call
        stack = self._open.get(call.step.entry.task)
        if stack and call in stack:
            stack.remove(call)

    def end_all(self, gap: Step) -> None:
        """The recorder lost something: how the open calls ended is lost with it, perhaps."""
        for stack in self._open.values():
            for call in stack:
                call.end = gap
        self._open.clear()

    def open_in(self, task: int | None) -> RecordedCall | None:
        """The call inside which this task receives: one that is open in it."""
        stack = self._open.get(task) if task is not None else None
        return stack[-1] if stack and not stack[-1].skipped else None

    def passed(self, end: Step) -> None:
        """The cursor has passed the end of a call: forget it, if it is over."""
        call = end.call
        if call is not None and (call.done or call.skipped):
            self._by_seq.pop(call.seq, None)

    # --- the application's calls come in ----------------------------------------------------------------

    def match(self, kind: str, type: str | None, key: str, cause: int | None) -> RecordedCall | None:
        """The recorded call that a live one is, or None.

        By index and not by cursor. Among several of the same content: the one of the same cause,
        then a reaction that is due (it must come), then a stimulus, then what is not due yet; and the
        first of those. But a stimulus that was made before a reaction goes before it, as long as the
        listener that made that may still make it itself.

        Args:
            cause: the event in whose extent the live call was made, where that is known.

        Raises:
            MatcherError: a function of a matcher raised.
        """
        self.completed = []
        call = self._equal(kind, type, key, cause)
        if isinstance(key, Content) and key.audio is not None:
            return self._match_audio(key.audio, call, cause)
        if call is None:
            return None
        self._matching.matched(call.step.key, key)
        self._make(call)
        insort(self.live, call, key=_seq)
        return call

    def is_certain(self, kind: str, type: str | None, key: str, cause: int | None) -> bool:
        """Whether what a live call is found to be by now, it is, whatever comes in yet.

        Raises:
            MatcherError: a function of a matcher raised.
        """
        if isinstance(key, Content) and key.audio is not None:
            return False
        call = self._equal(kind, type, key, cause)
        if call is None:
            return False
        return call.required or (cause is not None and call.step.entry.cause == cause)

    def _equal(self, kind: str, type: str | None, key: str, cause: int | None) -> RecordedCall | None:
        """The recorded call nearest to a live one whose content it has."""
        agree = self._matching.agree
        queue = self._causable(self._index.get((kind, type, key)), type, cause)
        if queue and len(queue) == 1:
            if agree(queue[0].step.key, key):
                return queue[0]
        elif queue:
            remoteness = self._remoteness(cause)
            call = min(queue, key=remoteness)
            if agree(call.step.key, key):
                return call
            for call in heapq.nsmallest(MAX_CANDIDATES, queue, key=remoteness)[1:]:
                if agree(call.step.key, key):
                    return call
        for one in self._redacted.get((kind, type), ()):
            calls = self._causable(self._index[kind, type, one], type, cause)
            if calls and self._matching.redacted_agree(calls[0].step.key, key):
                return min(calls, key=self._remoteness(cause))
        return None

    @staticmethod
    def _causable(
        calls: Sequence[RecordedCall] | None, type: str | None, cause: int | None
    ) -> Sequence[RecordedCall]:
        """Those of these that a live one may be which this event has caused: of those that need not come,
        none that was made before the event came, and none of which it is known that the user made it. (Of
        audio, its place in the stream decides; an event of our own, the end, is none that was recorded.)"""
        if calls is None:
            return ()
        if cause is None or cause < 0 or type == AUDIO_TYPE:
            return calls
        return [call for call in calls if call.required or (call.seq > cause and not call.is_users)]

    def _remoteness(self, cause: int | None) -> Callable[[RecordedCall], tuple[int, int]]:
        """How far recorded calls of one content are from a live one that has this cause."""
        firsts: dict[_Alike, int] = {}  # of the stimuli of some content, which one may be made next

        def follows_stimulus(call: RecordedCall) -> bool:
            same = call.alike
            if same not in firsts:
                open_ones = (one.seq for one in self._index[same] if not (one.required or one.skipped))
                firsts[same] = min(open_ones, default=call.seq)
            return firsts[same] < call.seq

        def remoteness(call: RecordedCall) -> tuple[int, int]:
            recorded = call.step.entry.cause
            if recorded == cause and self._is_here(call.step):
                return (-1, call.seq)
            if cause is not None and recorded == cause:
                return (0, call.seq)
            if not self._is_given(recorded):
                return (4, call.seq)
            if not call.required:
                return (2, call.seq)
            return (3 if self._may_make(call.step) and follows_stimulus(call) else 1, call.seq)

        return remoteness

    def _match_audio(
        self, audio: SentAudio, same: RecordedCall | None, cause: int | None
    ) -> RecordedCall | None:
        """The recorded call that a live chunk of audio completes; one of our own, if it is but a part.

        Args:
            same: one of the same content, if there is one.
        """
        by_event = cause is not None and same is not None and same.step.entry.cause == cause
        if same is not None and (by_event or self._is_here(same.step)):
            self._tape.forget(same)  # who sends by the way of an event has a place of its own
            return self._complete([same])
        taken = self._tape.take(audio, same)
        if taken is None and (audio.data or audio.commit) and self._matching.audio != "ignore":
            return None
        if taken is None or not taken.made:
            return self._part(None if taken is None else taken.at.step)
        return self._complete(taken.made)

    def _complete(self, made: list[RecordedCall]) -> RecordedCall:
        """A live chunk completes these; returns the one that says how it ends."""
        for call in made:
            self._make(call)
        bound = max(made, key=_weight)
        for call in made:
            if call is not bound:
                call.done = True
        insort(self.live, bound, key=_seq)
        return bound

    def _part(self, within: Step | None) -> RecordedCall:
        """What a live chunk is that completes no recorded one: it returns at once."""
        seq = -1 if within is None else within.seq
        sent = Entry(seq, 0, None, None, Kind.SENT, AUDIO_TYPE)
        end = Step(Entry(seq, 0, None, None, Kind.SENT_DONE, of=seq))
        part = RecordedCall(Step(sent), required=False, end=end, matched=True, early=True)
        if within is not None:
            part.step.place = end.place = within.place
        insort(self.live, part, key=_seq)
        return part

    def _make(self, call: RecordedCall) -> None:
        """The application has made this recorded call."""
        self._unindex(call)
        self._due.pop(call.seq, None)
        call.matched = True
        call.ahead = not self._is_given(call.step.entry.cause)
        call.late = call.skipped
        self.completed.append(call)

    def take(self, call: RecordedCall) -> None:
        """A live call is this recorded one, though they differ."""
        self._make(call)
        insort(self.live, call, key=_seq)

    def unmade_before(self, call: RecordedCall) -> RecordedCall | None:
        """The first reaction of the same task before this call that is due, and was not made."""
        task = call.step.entry.task
        for one in self._due.values():  # in the log's order
            if one.seq >= call.seq:
                break
            if task is not None and one.step.entry.task == task and self._is_given(one.step.entry.cause):
                return one
        return None

    def close_at(self, seq: int) -> RecordedCall:
        """A `close` that the recording lacks, because its recorder was closed before."""
        step = Step(Entry(seq, 0, None, None, Kind.CLOSE))
        end = Step(Entry(seq, 0, None, None, Kind.CLOSED, of=seq))
        call = RecordedCall(step, required=False, end=end, matched=True, early=True)
        insort(self.live, call, key=_seq)
        return call

    def finish(self, call: RecordedCall) -> None:
        """The live call is completed, or was cancelled."""
        call.done = True
        if call in self.live:
            self.live.remove(call)

    def skip(self, call: RecordedCall) -> None:
        """Nobody made it in time. It is remembered for a while."""
        call.skipped = True
        self._due.pop(call.seq, None)
        self._missed.append(call)
        if len(self._missed) > MISSED_STIMULI:
            missed = self._missed.popleft()
            self._unindex(missed)
            self._tape.forget(missed)

    def unmade(self) -> Iterator[RecordedCall]:
        """Recorded calls that nobody has made, nearest first."""
        return iter(sorted((call for queue in self._index.values() for call in queue), key=_seq))

    def _unindex(self, call: RecordedCall) -> None:
        key = call.alike
        queue = self._index.get(key)
        if queue is not None and call in queue:
            queue.remove(call)
            if not queue:
                del self._index[key]
                self._redacted.get(key[:2], {}).pop(key[2], None)


def _seq(call: RecordedCall) -> int:
    return call.seq


def _weight(call: RecordedCall) -> tuple[bool, bool, int]:
    """Of several recorded chunks that one live chunk is: which says how it ends, and when."""
    return (call.end is None or call.end.outcome.how != "returned", bool(call.nested), call.seq)
