"""On an ordinary loop, too, what came a round apart comes a round apart: the application's own tasks have
their turn in between, as they had when this was recorded."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from realtape.recorder import Recorder
from realtape.replay import ReplayModel
from realtape.replay.loop.pacing import NextRound
from realtape.schema import (
    RealtimeModel,
    RealtimeModelListener,
    RealtimeModelRawServerEvent,
    RealtimeModelSendUserInput,
)
from realtape.session import Recording
from support.plain_bursts import facts

END = "end"
"""What the server says last."""


class Server(RealtimeModel):
    """Reads what comes: so many events at once, and then it lets others run. A send takes some rounds, and in
    each it may say so.

    Args:
        bursts: how many events come in each round.
        sends: how many rounds a send takes.
        tells: it gives an event in each of them.
    """

    def __init__(self, bursts: list[int], sends: int, *, tells: bool = False) -> None:
        self._bursts = bursts
        self._sends = sends
        self._tells = tells
        self._listeners: list[RealtimeModelListener] = []

    async def connect(self, options: Any) -> None:
        self._reading = asyncio.create_task(self._read())

    def add_listener(self, listener: RealtimeModelListener) -> None:
        self._listeners.append(listener)

    def remove_listener(self, listener: RealtimeModelListener) -> None:
        self._listeners.remove(listener)

    async def send_event(self, event: Any) -> None:
        for _ in range(self._sends):
            if self._tells:
                await self._give("sending")
            await asyncio.sleep(0)

    async def close(self) -> None:
        await self._reading

    async def _read(self) -> None:
        numbers = itertools.count(1)
        for burst in self._bursts:
            for number in itertools.islice(numbers, burst):
                await self._give(number)
            await asyncio.sleep(0)
        await self._give(END)

    async def _give(self, what: Any) -> None:
        event = RealtimeModelRawServerEvent(data={"type": "x", "n": what})
        for listener in list(self._listeners):
            await listener.on_event(event)


class Application(RealtimeModelListener):
    """Puts what comes into a queue, out of which a task of its own takes it; that sends something now and
    then, and a listener may let a round pass.

    Args:
        sending: at which events the task sends.
        waiting: at which the listener lets a round pass.
    """

    def __init__(self, sending: set[int], waiting: set[int]) -> None:
        self.trace: list[tuple[str, Any]] = []
        self._sending = sending
        self._waiting = waiting
        self._queue: asyncio.Queue[Any] = asyncio.Queue()
        self._noting: list[asyncio.Task[None]] = []

    async def on_event(self, event: Any) -> None:
        if event.type != "raw_server_event":
            return
        number = event.data["n"]
        self.trace.append(("came", number))
        if number == "sending":  # inside the call of who takes from the queue
            self._noting.append(asyncio.create_task(self._note()))
            return
        self._queue.put_nowait(number)
        if number in self._waiting:
            await asyncio.sleep(0)
            self.trace.append(("returned", number))

    async def _note(self) -> None:
        self.trace.append(("seen", "sending"))

    async def use(self, model: Any) -> None:
        model.add_listener(self)
        await model.connect({})
        number = None
        while number != END:
            number = await self._queue.get()
            self.trace.append(("seen", number))
            if number in self._sending:
                await model.send_event(RealtimeModelSendUserInput(user_input=f"{number}"))
                self.trace.append(("sent", number))
        await model.close()


async def record(store: Path, server: Server, application: Application) -> None:
    async with Recorder(store) as recorder:
        await application.use(recorder.wrap(server))


async def replay(store: Path, application: Application, *, watched: bool) -> dict[str, Any]:
    async with await Recording.open(store) as recording:
        model = ReplayModel(recording, stuck_after=30.0)
        if watched:
            model.transport.add_breakpoint(type="never")
        await application.use(model)
        return facts(model)


NONE: frozenset[int] = frozenset()


def check(
    bursts: list[int],
    sends: int = 0,
    sending: frozenset[int] = NONE,
    waiting: frozenset[int] = NONE,
    *,
    tells: bool = False,
) -> list[tuple[str, Any]]:
    """The order in a replay is the recorded one; returns it."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder, "log.db")
        recorded = Application(set(sending), set(waiting))
        asyncio.run(record(store, Server(bursts, sends, tells=tells), recorded))
        for watched in (False, True):
            played = Application(set(sending), set(waiting))
            report = asyncio.run(replay(store, played, watched=watched))
            assert not report["divergences"], report
            assert played.trace == recorded.trace
    return recorded.trace


def test_a_task_sees_each_event_before_the_next_round_s() -> None:
    trace = check([1] * 50)
    assert trace[:4] == [("came", 1), ("seen", 1), ("came", 2), ("seen", 2)]


def test_the_events_of_a_round_come_back_to_back() -> None:
    trace = check([3, 2, 1])
    assert [number for what, number in trace if what == "came"] == [1, 2, 3, 4, 5, 6, END]
    assert trace[:7] == [
        ("came", 1), ("came", 2), ("came", 3), ("seen", 1), ("seen", 2), ("seen", 3), ("came", 4),
    ]  # fmt: skip


@pytest.mark.parametrize("sends", [0, 1, 2, 5])
def test_a_send_takes_as_many_rounds(sends: int) -> None:
    check([1] * 12, sends, sending=frozenset({1, 4, 5}))


def test_what_comes_inside_a_send_comes_a_round_apart() -> None:
    trace = check([1, 0, 0, 0, 0, 0], 3, sending=frozenset({1}), tells=True)
    assert trace[2:-3] == [("came", "sending"), ("seen", "sending")] * 3


@pytest.mark.parametrize("bursts", [[1] * 8, [2] * 4, [1, 0, 3, 0, 0, 1]])
def test_what_comes_while_a_listener_waits(bursts: list[int]) -> None:
    check(bursts, waiting=frozenset({1, 2, 5}))


BURSTS = st.lists(st.integers(0, 4), min_size=1, max_size=12)
SOME = st.frozensets(st.integers(1, 20), max_size=4)
FEW = settings(max_examples=settings().max_examples // 2)


@settings(FEW)
@given(BURSTS, st.integers(0, 3), SOME)
def test_any_sends(bursts: list[int], sends: int, sending: frozenset[int]) -> None:
    check(bursts, sends, sending=sending)


@settings(FEW)
@given(BURSTS, SOME)
def test_any_listener_that_waits(bursts: list[int], waiting: frozenset[int]) -> None:
    check(bursts, waiting=waiting)


async def test_what_is_called_soon_comes_right_after_who_awaits_the_next_round() -> None:
    order: list[str] = []
    loop = asyncio.get_running_loop()
    loop.call_soon(order.append, "before")
    await NextRound(lambda: loop.call_soon(order.append, "after"))
    order.append("in it")
    loop.call_soon(order.append, "later")
    await asyncio.sleep(0)
    assert order == ["before", "in it", "after", "later"]
