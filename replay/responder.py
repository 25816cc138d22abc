"""The responder: an application that answers a replay with what the recorded one answered, so that
every recording replays by itself.

It knows the application by what it has left in the log: which sends were made inside which listener, which
in a task of their own, how each ended. A send is made again once everything was delivered that had
been received before it.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import itertools
from collections import OrderedDict, deque
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from ..schema.entries import CALL_ENDS, Entry, Kind
from ..schema.errors import UsageError
from ..schema.log import entry_of
from ..schema.model import RealtimeModelListener
from ..schema.playback import RealtimePlaybackTracker
from ..session.ended import EndedEntries
from ..session.recording import Recording
from .matching.expectation import Expectation, Expected
from .model import ReplayBase
from .reporting.divergence import DivergenceError
from .reporting.report import ReplayReport
from .terms.steps import Outcome, outcome_of
from .watched_recording import WatchedRecording

CONTEXTS_REMEMBERED = 4096
"""Events back, to whose extent a late answer still belongs."""


@dataclass(eq=False)
class Answer:
    """A recorded call of the application, to be made again.

    Attributes:
        entry: the call's entry.
        value: the event that was sent.
        outcome: how it ended, once that was read.
        begun: it was made again.
        cancelled: it was cancelled again, as recorded.
    """

    entry: Entry
    value: Any
    outcome: Outcome | None = None
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[Any] | None = None
    cancelled: bool = False


@dataclass(eq=False)
class Handling:
    """What the recorded listeners did with one event.

    Attributes:
        seq: the event's entry.
        event: the very object that will be delivered.
        answers: calls made inside, not made again yet.
        outcome: how the handling ended, once that was read; None while it goes on.
    """

    seq: int
    event: Any
    answers: deque[Answer] = field(default_factory=deque[Answer])
    outcome: Outcome | None = None
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def end(self, outcome: Outcome) -> None:
        """The listeners ended so."""
        if self.outcome is None:
            self.outcome = outcome
        self.news.set()


class Responder(RealtimeModelListener):
    """Plays the application that was recorded.

    Args:
        model: made with the same recording.
        recording: of the session to answer.
        expect: as the model's. What has a cause is made again in any case, but audio.
    """

    def __init__(
        self, model: ReplayBase, recording: WatchedRecording, expect: Expectation = "reactions"
    ) -> None:
        self._model = model
        self._recording = recording
        self._expected = Expected(expect)
        self._ended = EndedEntries()
        self._handlings: dict[int, Handling] = {}  # by the identity of the event
        self._undelivered: dict[int, None] = {}  # seqs, ascending
        self._open: dict[int | None, list[Answer | Handling]] = {}  # by recorded task
        self._open_by_seq: dict[int, Answer | Handling] = {}
        self._by_task: dict[int | None, deque[Answer]] = {}
        self._contexts: OrderedDict[int, contextvars.Context] = OrderedDict()
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing: asyncio.Task[Any] | None = None
        self._failure: Exception | None = None
        self._over = asyncio.Event()

    async def run(self) -> ReplayReport:
        """Connect, answer until all was played, close if the recorded application did.

        Raises:
            DivergenceError: the recording does not agree with itself.
            CorruptRecordError: it cannot be read to its end.
            UsageError: the session begins without a `connect`.
        """
        connect = self._first()
        self._model.answer_itself()
        recording = self._recording
        self._ended = recording.ended()
        recording.watcher = self
        self._model.add_listener(self)
        try:
            return await recording.while_readable(self._play(connect))
        finally:
            self._over.set()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            recording.watcher = None
            self._model.remove_listener(self)

    # --- the model's listener -----------------------------------------------------------------------

    async def on_event(self, event: Any) -> None:
        """Do what the recorded listeners did with it, and end as they did."""
        handling = self._handlings.pop(id(event), None)
        if handling is None:
            return  # an event that the replay itself made
        self._delivered(handling.seq)
        while True:
            while handling.answers:
                answer = handling.answers.popleft()
                await self._reached(answer.entry.seq)
                await self._make(answer)
            if handling.outcome is not None:
                break
            handling.news.clear()
            await handling.news.wait()
        if handling.outcome.how == "cancelled":
            await self._over.wait()  # the replay cancels it in its place
        elif handling.outcome.error is not None:
            raise handling.outcome.error

    # --- the recording's watcher --------------------------------------------------------------------

    def read(self, entry: Entry, value: Any) -> None:
        """Where does this belong: into a listener, or into a task of its own?"""
        kind = entry.kind
        if kind == Kind.RECEIVED:
            self._read_received(entry, value)
        elif kind in (Kind.SENT, Kind.CLOSE):
            self._read_call(entry, value)
        elif kind == Kind.HANDLED or kind in CALL_ENDS:
            self._read_end(entry, outcome_of(value))
        elif kind == Kind.GAP:
            self._forget_open()

    def read_all(self) -> None:
        """What is open stays open: the process died, or somebody closed in the midst of it."""
        self._forget_open()

    def _read_received(self, entry: Entry, event: Any) -> None:
        handling = self._handlings[id(event)] = Handling(entry.seq, event)
        self._undelivered[entry.seq] = None
        if entry.seq in self._ended:
            self._begin(entry, handling)
        else:
            handling.end(Outcome())  # it returned before anything else happened

    def _read_call(self, entry: Entry, value: Any) -> None:
        answer = Answer(entry, value)
        extents = self._open.get(entry.task)
        host = extents[-1] if extents else None
        self._begin(entry, answer)
        if not self._is_made(entry):
            return
        if isinstance(host, Handling):
            host.answers.append(answer)
            host.news.set()
        elif entry.task in self._by_task:
            self._by_task[entry.task].append(answer)
        else:
            answers = self._by_task[entry.task] = deque([answer])
            self._spawn(self._make_all(entry.task, answers))

    def _read_end(self, entry: Entry, outcome: Outcome) -> None:
        ended = self._open_by_seq.pop(-1 if entry.of is None else entry.of, None)
        if ended is None:
            return
        if isinstance(ended, Handling):
            self._close_extent(entry.task, ended)
            ended.end(outcome)
            return
        self._close_extent(ended.entry.task, ended)
        ended.outcome = outcome
        if outcome.how == "cancelled" and self._is_made(ended.entry):
            self._spawn(self._cancel(ended, entry.seq))

    def _begin(self, entry: Entry, extent: Answer | Handling) -> None:
        self._open.setdefault(entry.task, []).append(extent)
        self._open_by_seq[entry.seq] = extent

    def _close_extent(self, task: int | None, extent: Answer | Handling) -> None:
        extents = self._open.get(task, [])
        if extent in extents:
            extents.remove(extent)
        if not extents:
            self._open.pop(task, None)

    def _forget_open(self) -> None:
        for extent in self._open_by_seq.values():
            if isinstance(extent, Handling):
                extent.end(Outcome())
        self._open_by_seq.clear()
        self._open.clear()

    def _is_made(self, entry: Entry) -> bool:
        if entry.kind in (Kind.CONNECT, Kind.CLOSE) or self._expected.requires(entry):
            return True
        return entry.cause is not None and entry.type != "send_audio"

    # --- making calls -------------------------------------------------------------------------------

    def _first(self) -> Answer:
        for batch, values in Recording.stream_rows(self._recording):  # which nobody watches
            entry, value = entry_of(batch.rows[0]), values[0]
            if entry.kind == Kind.CONNECT:
                answer = Answer(entry, value)
                self._open_by_seq[entry.seq] = answer
                return answer
            break
        raise UsageError(
            f"session {self._recording.header.id} does not begin with a connect: there is nothing to replay"
        )

    async def _play(self, connect: Answer) -> ReplayReport:
        if await self._make(connect):
            await self._model.finished()
        if self._closing is not None:
            await asyncio.wait({self._closing})
        if self._failure is not None:
            raise self._failure
        return self._model.report

    async def _make_all(self, task: int | None, answers: deque[Answer]) -> None:
        """The calls of one recorded task that no listener made: one after another."""
        while answers:
            answer = answers.popleft()
            await self._reached(answer.entry.seq)
            context = self._contexts.get(-1 if answer.entry.cause is None else answer.entry.cause)
            making = asyncio.get_running_loop().create_task(
                self._make(answer), context=None if context is None else context.copy()
            )
            try:
                await making
            except DivergenceError:
                break  # the model raises it again
            except Exception as error:  # noqa: BLE001 - raised by `run`, which owns this task
                self._failure = self._failure or error
                break
        del self._by_task[task]

    async def _make(self, answer: Answer) -> bool:
        """Make a call again; whether it returned. It ends otherwise only where it was recorded so."""
        answer.task = asyncio.current_task()
        answer.begun.set()
        try:
            await self._call(answer)
        except BaseException as error:
            if answer.cancelled and answer.task is not None and isinstance(error, asyncio.CancelledError):
                answer.task.uncancel()
                return False
            if answer.outcome is not None and answer.outcome.error is error:
                return False
            raise
        return True

    async def _call(self, answer: Answer) -> None:
        entry, model = answer.entry, self._model
        if entry.kind == Kind.CONNECT:
            await model.connect(_options_of(answer))
        elif entry.kind == Kind.CLOSE:
            self._closing = answer.task
            await model.close()
        elif entry.method == "send_event_if":
            await model.send_event_if(answer.value, lambda: _agreed(answer))
        else:
            await model.send_event(answer.value)

    async def _cancel(self, answer: Answer, seq: int) -> None:
        """Cancel a call where the recorded one was cancelled."""
        await answer.begun.wait()
        await self._reached(seq)
        if answer.task is not None and not answer.task.done():
            answer.cancelled = True
            answer.task.cancel()

    # --- how far the replay is ----------------------------------------------------------------------

    def _delivered(self, seq: int) -> None:
        self._undelivered.pop(seq, None)
        self._contexts[seq] = contextvars.copy_context()
        if len(self._contexts) > CONTEXTS_REMEMBERED:
            self._contexts.popitem(last=False)
        first = next(iter(self._undelivered), None)
        while self._waiting and (first is None or self._waiting[0][0] < first):
            waiter = heapq.heappop(self._waiting)[2]
            if not waiter.done():
                waiter.set_result(None)

    async def _reached(self, seq: int) -> None:
        """Wait until everything was delivered that had been received before this entry."""
        first = next(iter(self._undelivered), None)
        if first is not None and first < seq:
            waiter = asyncio.get_running_loop().create_future()
            heapq.heappush(self._waiting, (seq, next(self._numbers), waiter))
            await waiter

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _options_of(connect: Answer) -> dict[str, Any]:
    """What of the recorded options a replay compares or drives."""
    recorded: dict[str, Any] = connect.value.get("options", {})
    options: dict[str, Any] = {}
    if "initial_model_settings" in recorded:
        options["initial_model_settings"] = recorded["initial_model_settings"]
    if "playback_tracker" in recorded:
        options["playback_tracker"] = RealtimePlaybackTracker()
    return options


def _agreed(answer: Answer) -> bool:
    """What the condition of a `send_event_if` said."""
    return answer.outcome is None or answer.outcome.how != "withheld"
