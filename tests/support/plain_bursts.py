"""Recordings of bursts of plain events, and a listener that does something in their midst."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hypothesis import strategies as st
from realtape.recorder import Recorder
from realtape.recorder.session_log import SessionLog
from realtape.replay import ReplayModel
from realtape.replay.loop.virtual_loop import VirtualLoop
from realtape.schema import (
    Kind,
    RealtimeModelRawServerEvent,
    RealtimeModelSendUserInput,
    RealtimeModelTranscriptDeltaEvent,
    RealtimeModelTurnStartedEvent,
)
from realtape.schema.clocks import Round
from realtape.schema.log import RowBatch
from realtape.session import Recording

Item = Literal["delta", "raw", "turn", "other task", "handled", "sent", "round", "rounds", "pause"]
Doing = Literal[
    "send", "send later", "send recorded", "round", "sleep", "raise", "cancel", "report", "add", "remove",
    "remove all", "close", "close later", "pause", "pause a while", "breakpoint", "cursor", "timer",
]  # fmt: skip
PLAIN: list[Item] = ["delta", "raw"]
ROUNDS: list[Item] = ["delta", "raw", "delta", "round", "rounds"]
ITEMS: list[Item] = ["turn", "other task", "handled", "sent", "round", "rounds", "pause"]
SEVEN: list[Item] = ["delta", "raw", "delta", "delta", "raw", "raw", "delta"]
DOINGS: list[Doing] = list(Doing.__args__)


def sessions() -> st.SearchStrategy[list[Item]]:
    """Bursts of plain events, some of several rounds, and between them now and then something else."""
    burst = st.lists(st.sampled_from(PLAIN), max_size=8) | st.lists(st.sampled_from(ROUNDS), max_size=16)
    other = st.lists(st.sampled_from(ITEMS), max_size=2)
    return st.lists(st.tuples(burst, other), min_size=1, max_size=8).map(
        lambda parts: [item for plain, others in parts for item in (*plain, *others)]
    )


def acting() -> st.SearchStrategy[dict[int, Doing]]:
    """At which deliveries the listener does what."""
    return st.dictionaries(st.integers(0, 30), st.sampled_from(DOINGS), max_size=3)


async def record(store: Path, items: list[Item]) -> None:
    async with Recorder(store) as recorder:
        log = recorder.begin({})
        connect = log.append(Kind.CONNECT, {"options": {}, "listeners": ["One"]}, method="connect")
        log.append(Kind.CONNECTED, {"outcome": "returned"}, of=connect)
        for number, item in enumerate(items):
            await _record(log, item, number)


async def _record(log: SessionLog, item: Item, number: int) -> None:
    if item == "round":
        await asyncio.sleep(0)
    elif item == "rounds":
        for _ in range(3):
            await asyncio.sleep(0)
    elif item == "pause":
        await asyncio.sleep(0.25)
    elif item == "sent":
        sent = log.append(Kind.SENT, RealtimeModelSendUserInput(user_input="Hi"), type="send_user_input")
        log.append(Kind.SENT_DONE, {"outcome": "returned"}, of=sent)
    elif item == "other task":
        await asyncio.create_task(_deliver(log, item, number))
    else:
        await _deliver(log, item, number)


async def _deliver(log: SessionLog, item: Item, number: int) -> None:
    if item == "turn":
        event: Any = RealtimeModelTurnStartedEvent(response_id=f"r{number}")
    elif item == "raw":
        event = RealtimeModelRawServerEvent(data={"type": "x", "n": number})
    else:
        event = RealtimeModelTranscriptDeltaEvent(item_id="i", delta=f"{number} ", response_id="r")
    received = log.append(Kind.RECEIVED, event, type=event.type)
    if item == "handled":
        await asyncio.sleep(0)
        log.append(Kind.HANDLED, {"outcome": "returned"}, of=received)


def _round() -> Round:
    loop = asyncio.get_running_loop()
    return loop.round() if isinstance(loop, VirtualLoop) else Round(0, 0)


def _here(begun: Round) -> tuple[int, int]:
    """The round, counted from an earlier one: how many it took to open a store is not told."""
    burst, number = _round()
    return burst - begun.burst, number - (begun.number if burst == begun.burst else 0)


@dataclass(eq=False)
class Ear:
    """A listener that does something at some deliveries, and notes when and where it got each."""

    name: str
    model: Any
    replay: ReplayModel
    doings: dict[int, Doing]
    trace: list[Any] = field(default_factory=list[Any])
    tasks: list[asyncio.Task[None]] = field(default_factory=list[asyncio.Task[None]])
    count: int = 0
    begun: Round = field(default_factory=lambda: _round())

    async def on_event(self, event: Any) -> None:
        self.note(event)
        doing = self.doings.get(self.count)
        self.count += 1
        if doing is not None:
            try:
                await self._do(doing)
            finally:
                self.note(doing)

    def note(self, what: Any) -> None:
        task = asyncio.current_task()
        in_lane = task is not None and task.get_name() == "realtape-replay-lane"
        self.trace.append((self.name, repr(what), _here(self.begun), in_lane))

    async def _do(self, doing: Doing) -> None:
        transport = self.replay.transport
        if doing == "send":
            await self._send(f"at {self.count}")
        elif doing == "send recorded":
            await self._send("Hi")
        elif doing == "send later":
            self.tasks.append(asyncio.create_task(self._send(f"later than {self.count}")))
        elif doing == "round":
            await asyncio.sleep(0)
        elif doing == "sleep":
            await asyncio.sleep(0.1)
        elif doing == "raise":
            raise ValueError("no")
        elif doing == "cancel":
            raise asyncio.CancelledError
        elif doing == "report":
            self.trace.append(facts(self.replay))
        elif doing == "add":
            self.model.add_listener(Ear(f"{self.name}+", self.model, self.replay, {}, self.trace, self.tasks))
        elif doing in ("remove", "remove all"):
            self.model.remove_listener(self)
            if doing == "remove all":
                for other in list(self.replay._listeners):
                    self.replay.remove_listener(other)
        elif doing == "timer":
            asyncio.get_running_loop().call_later(0, self.note, "the timer rings")
        elif doing == "close":
            await self.model.close()
        elif doing == "close later":
            self.tasks.append(asyncio.create_task(self._close()))
        elif doing == "pause":
            transport.pause()
            asyncio.get_running_loop().call_soon(transport.resume)
        elif doing == "pause a while":
            transport.pause()
            self.tasks.append(asyncio.create_task(self._resume()))
        elif doing == "breakpoint":
            transport.add_breakpoint(type="turn_started")
            transport.on_stop = lambda stop: (self.trace.append(stop), transport.resume())[0]
        elif doing == "cursor":
            state = transport.state
            self.trace.append(
                (transport.seq, state.turn, None if transport.next is None else transport.next.seq)
            )

    async def _send(self, text: str) -> None:
        self.note(text)
        with contextlib.suppress(Exception):
            await self.model.send_event(RealtimeModelSendUserInput(user_input=text))
        self.note(text)

    async def _close(self) -> None:
        self.note("closes")
        with contextlib.suppress(Exception):
            await self.model.close()
        self.note("has closed")

    async def _resume(self) -> None:
        for _ in range(4):
            await asyncio.sleep(0)
        self.note("resumes")
        self.replay.transport.resume()


def facts(model: ReplayModel) -> dict[str, Any]:
    """The report, but for what the wall's clock says."""
    found = model.report.as_json()
    for name in ("wall_seconds", "times_real_time"):
        found.pop(name, None)
    return found


class OneByOne(Recording):
    """A recording that is read an entry at a time: so none of its events lie together as a run."""

    def stream_rows(self) -> Iterator[tuple[RowBatch, list[Any]]]:
        """As of any recording."""
        for batch, values in super().stream_rows():
            for row, value in zip(batch.rows, values, strict=True):
                yield RowBatch([row]), [value]


async def replay(
    store: Path,
    doings: dict[int, Doing],
    into: Path | None,
    opened: type[Recording] = Recording,
    *,
    watched: bool = False,
) -> tuple[list[Any], dict[str, Any]]:
    """What the listeners got, and the report.

    Args:
        watched: by a transport that asks after each act, and lets it go.
    """
    trace: list[Any] = []
    async with await opened.open(store) as recording:
        model = ReplayModel(recording, on_divergence="collect", at_end="hold")
        if watched:
            model.transport.add_breakpoint(type="never")
        async with contextlib.AsyncExitStack() as stack:
            outer: Any = model
            if into is not None:
                outer = (await stack.enter_async_context(Recorder(into))).wrap(model)
            tasks: list[asyncio.Task[None]] = []
            outer.add_listener(Ear("one", outer, model, doings, trace, tasks))
            outer.add_listener(Ear("two", outer, model, {}, trace, tasks))
            await outer.connect({})
            await model.finished()
            await asyncio.gather(*tasks, return_exceptions=True)
            await outer.close()
        return trace, facts(model)
