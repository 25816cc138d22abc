"""Ways in which an application hands a model's event over to what answers it: which of them keep the cause is
a table in `docs/replay.md`."""

from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from realtape.recorder import Recorder
from realtape.replay import run
from realtape.schema import (
    RealtimeModelAudioDoneEvent,
    RealtimeModelListener,
    RealtimeModelSendUserInput,
    RealtimeModelTurnStartedEvent,
)
from realtape.schema.clocks import clock_held

from .scripted import Scripted, ScriptedModel

ANSWER = "Are you still there?"

Answer = Callable[[], Coroutine[Any, Any, None]]
Hand = Callable[[], Awaitable[None]]
HandOver = Callable[[Answer, asyncio.TaskGroup], AsyncGenerator[Hand]]

HAND_OVERS: dict[str, Callable[[Answer, asyncio.TaskGroup], Any]] = {}
"""By the name that the table has. Each is entered once, and gives what a listener awaits at the event."""


def _row(name: str) -> Callable[[HandOver], HandOver]:
    def add(make: HandOver) -> HandOver:
        HAND_OVERS[name] = asynccontextmanager(make)
        return make

    return add


@_row("`await` in the listener")
async def _in_place(answer: Answer, group: asyncio.TaskGroup) -> AsyncGenerator[Hand]:
    yield answer


@_row("`asyncio.create_task`, `loop.call_later`")
async def _task(answer: Answer, group: asyncio.TaskGroup) -> AsyncGenerator[Hand]:
    loop, tasks = asyncio.get_running_loop(), list[asyncio.Task[None]]()

    def begin() -> None:
        tasks.append(asyncio.create_task(answer()))

    async def hand() -> None:
        loop.call_later(0.01, begin)

    yield hand


@_row("`TaskGroup.create_task` in the listener")
async def _group(answer: Answer, group: asyncio.TaskGroup) -> AsyncGenerator[Hand]:
    async def hand() -> None:
        group.create_task(answer())

    yield hand


@_row("`asyncio.timeout`, `asyncio.wait_for` around the answer")
async def _timeout(answer: Answer, group: asyncio.TaskGroup) -> AsyncGenerator[Hand]:
    async def hand() -> None:
        async with asyncio.timeout(1):
            await asyncio.wait_for(answer(), 1)

    yield hand


@_row("`start_soon` of an anyio task group, in the listener")
async def _anyio_group(answer: Answer, group: asyncio.TaskGroup) -> AsyncGenerator[Hand]:
    async with anyio.create_task_group() as tasks:

        async def hand() -> None:
            tasks.start_soon(answer)

        yield hand


@_row("`asyncio.to_thread`, and the answer after it")
async def _to_thread(answer: Answer, group: asyncio.TaskGroup) -> AsyncGenerator[Hand]:
    async def hand() -> None:
        await asyncio.to_thread(lambda: None)
        await answer()

    yield hand


@_row("`run_coroutine_threadsafe` in a thread of `asyncio.to_thread`")
async def _from_to_thread(answer: Answer, group: asyncio.TaskGroup) -> AsyncGenerator[Hand]:
    loop = asyncio.get_running_loop()

    async def hand() -> None:
        future = await asyncio.to_thread(lambda: asyncio.run_coroutine_threadsafe(answer(), loop))
        await asyncio.wrap_future(future)

    yield hand


@_row("`run_coroutine_threadsafe` in a thread of `run_in_executor`")
async def _from_executor(answer: Answer, group: asyncio.TaskGroup) -> AsyncGenerator[Hand]:
    loop = asyncio.get_running_loop()

    async def hand() -> None:
        future = await loop.run_in_executor(
            None,
            lambda: asyncio.run_coroutine_threadsafe(answer(), loop),
        )
        await asyncio.wrap_future(future)

    yield hand


@_row("a queue of its own: `put_nowait`, and a worker that answers")
async def _queue(answer: Answer, group: asyncio.TaskGroup) -> AsyncGenerator[Hand]:
    events = asyncio.Queue[None]()

    async def worker() -> None:
        await events.get()
        await answer()

    group.create_task(worker())

    async def hand() -> None:
        events.put_nowait(None)

    yield hand


@_row("the same, through `asyncio.wait_for(queue.get(), …)`")
async def _queue_waited_for(answer: Answer, group: asyncio.TaskGroup) -> AsyncGenerator[Hand]:
    events = asyncio.Queue[None]()

    async def worker() -> None:
        await asyncio.wait_for(events.get(), 60)
        await answer()

    group.create_task(worker())

    async def hand() -> None:
        events.put_nowait(None)

    yield hand


@_row("an `asyncio.Event`, `Condition` or `Future` that a worker awaits")
async def _event(answer: Answer, group: asyncio.TaskGroup) -> AsyncGenerator[Hand]:
    came = asyncio.Event()

    async def worker() -> None:
        await came.wait()
        await answer()

    group.create_task(worker())

    async def hand() -> None:
        came.set()

    yield hand


@_row("a stream of anyio: `send_nowait`, and a worker that answers")
async def _anyio_stream(answer: Answer, group: asyncio.TaskGroup) -> AsyncGenerator[Hand]:
    give, take = anyio.create_memory_object_stream[None](8)

    async def worker() -> None:
        async with take:
            await take.receive()
            await answer()

    group.create_task(worker())

    async def hand() -> None:
        async with give:
            give.send_nowait(None)

    yield hand


@_row("a queue between threads, such as janus's")
async def _threads(answer: Answer, group: asyncio.TaskGroup) -> AsyncGenerator[Hand]:
    loop, events = asyncio.get_running_loop(), queue.Queue[None]()
    answered = loop.create_future()

    def worker() -> None:
        events.get()
        future = asyncio.run_coroutine_threadsafe(answer(), loop)
        future.result()
        loop.call_soon_threadsafe(answered.set_result, None)

    thread = threading.Thread(target=worker)
    thread.start()

    async def hand() -> None:
        with clock_held():
            events.put(None)
            await answered

    yield hand
    thread.join()


@_row("a worker that waits in a thread, `asyncio.to_thread(queue.get)`, as players do")
async def _waiting_in_a_thread(answer: Answer, group: asyncio.TaskGroup) -> AsyncGenerator[Hand]:
    events = queue.Queue[bool]()

    async def worker() -> None:
        while await asyncio.to_thread(events.get):
            await answer()

    async def hand() -> None:
        events.put(True)

    group.create_task(worker())
    yield hand
    events.put(False)


@_row("`asyncio.shield`, `asyncio.as_completed` around the answer")
async def _shielded(answer: Answer, group: asyncio.TaskGroup) -> AsyncGenerator[Hand]:
    async def hand() -> None:
        for done in asyncio.as_completed([asyncio.shield(answer())]):
            await done

    yield hand


@_row("a generator that the listener sends into")
async def _generator(answer: Answer, group: asyncio.TaskGroup) -> AsyncGenerator[Hand]:
    def steps() -> Generator[Coroutine[Any, Any, None] | None, None]:
        yield None
        while True:
            yield answer()

    running = steps()
    next(running)

    async def hand() -> None:
        step = running.send(None)
        assert step is not None
        await step

    yield hand
    running.close()


@_row("a timer that each event sets anew")
async def _debounced(answer: Answer, group: asyncio.TaskGroup) -> AsyncGenerator[Hand]:
    waiting: list[asyncio.Task[None]] = []

    async def later() -> None:
        await asyncio.sleep(0.02)
        await answer()

    async def hand() -> None:
        for _ in range(3):
            for task in waiting:
                task.cancel()
            waiting.append(asyncio.create_task(later()))
            await asyncio.sleep(0)

    yield hand


@_row("an answer that is tried again after it failed")
async def _again(answer: Answer, group: asyncio.TaskGroup) -> AsyncGenerator[Hand]:
    async def attempts() -> None:
        for number in range(3):
            try:
                async with asyncio.timeout(0.01 if number < 2 else 1):
                    await (asyncio.sleep(60) if number < 2 else answer())
            except TimeoutError:
                continue

    async def hand() -> None:
        group.create_task(attempts())

    yield hand


@_row("a task that waits for an approval, which another task gives")
async def _approved(answer: Answer, group: asyncio.TaskGroup) -> AsyncGenerator[Hand]:
    asked, approved = asyncio.Event(), asyncio.Event()

    async def supervisor() -> None:
        await asked.wait()
        await asyncio.sleep(0.05)
        approved.set()

    async def waits() -> None:
        asked.set()
        await approved.wait()
        await answer()

    group.create_task(supervisor())

    async def hand() -> None:
        group.create_task(waits())

    yield hand


@_row("`add_done_callback` of a future, from before")
async def _callback(answer: Answer, group: asyncio.TaskGroup) -> AsyncGenerator[Hand]:
    came = asyncio.get_running_loop().create_future()
    came.add_done_callback(lambda _: group.create_task(answer()))

    async def hand() -> None:
        came.set_result(None)

    yield hand


@_row("`create_task(…, context=…)`, as frameworks do for each request")
async def _other_context(answer: Answer, group: asyncio.TaskGroup) -> AsyncGenerator[Hand]:
    async def hand() -> None:
        group.create_task(answer(), context=contextvars.Context())

    yield hand


@_row("a worker that looks every so often, and answers several events at once")
async def _batched(answer: Answer, group: asyncio.TaskGroup) -> AsyncGenerator[Hand]:
    events = list[int]()

    async def worker() -> None:
        while len(events) < 3:
            await asyncio.sleep(0.01)
        await answer()

    group.create_task(worker())

    async def hand() -> None:
        for number in range(3):
            events.append(number)

    yield hand


@_row("queue after queue, each with a worker")
async def _chained(answer: Answer, group: asyncio.TaskGroup) -> AsyncGenerator[Hand]:
    queues = [asyncio.Queue[None]() for _ in range(3)]

    async def passes_on(number: int) -> None:
        await queues[number].get()
        if number + 1 < len(queues):
            queues[number + 1].put_nowait(None)
        else:
            await answer()

    for number in range(len(queues)):
        group.create_task(passes_on(number))

    async def hand() -> None:
        queues[0].put_nowait(None)

    yield hand


@_row("a service of its own, an `async with`, that iterates over what it is given")
async def _service(answer: Answer, group: asyncio.TaskGroup) -> AsyncGenerator[Hand]:
    give, take = anyio.create_memory_object_stream[None](8)

    async def serves() -> None:
        async with take:
            async for _ in take:
                await answer()

    async with anyio.create_task_group() as tasks, give:
        tasks.start_soon(serves)

        async def hand() -> None:
            await give.send(None)

        yield hand


@_row("`call_soon_threadsafe` from a thread that was there before")
async def _from_thread(answer: Answer, group: asyncio.TaskGroup) -> AsyncGenerator[Hand]:
    loop, events = asyncio.get_running_loop(), queue.Queue[None]()
    begun = asyncio.Event()

    def begin() -> None:
        group.create_task(answer())
        begun.set()

    def worker() -> None:
        events.get()
        loop.call_soon_threadsafe(begin)

    thread = threading.Thread(target=worker)
    thread.start()

    async def hand() -> None:
        with clock_held():
            events.put(None)
            await begun.wait()

    yield hand
    thread.join()


@_row("a transport of its own: frames to its other end, and what that says is sent")
async def _transport(answer: Answer, group: asyncio.TaskGroup) -> AsyncGenerator[Hand]:
    there, here = asyncio.StreamReader(), asyncio.StreamReader()

    async def other_end() -> None:
        await there.readline()
        here.feed_data(b"say it\n")

    async def reads() -> None:
        await here.readline()
        await answer()

    group.create_task(other_end())
    group.create_task(reads())

    async def hand() -> None:
        there.feed_data(b"audio_done\n")

    yield hand


class Asks(RealtimeModelListener):
    """Connects, types a line by itself, and asks by some hand-over whenever the sound of an answer is done;
    closes when a second turn begins.

    Args:
        hand_over: its name; None: it asks nothing.
        types: whether it types the line.
    """

    def __init__(self, hand_over: str | None, *, types: bool = True) -> None:
        self._hand_over = hand_over
        self._types = types
        self.hand: Hand | None = None
        self.over = asyncio.Event()

    async def __call__(self, model: Any) -> None:
        """The application."""

        async def answer() -> None:
            await model.send_event(RealtimeModelSendUserInput(user_input=ANSWER))

        async with asyncio.TaskGroup() as group:
            if self._hand_over is None:
                await self._run(model)
            else:
                async with HAND_OVERS[self._hand_over](answer, group) as self.hand:
                    await self._run(model)

    async def _run(self, model: Any) -> None:
        model.add_listener(self)
        await model.connect({})
        if self._types:
            await model.send_event(RealtimeModelSendUserInput(user_input="hello"))
        await self.over.wait()
        await model.close()
        model.remove_listener(self)

    async def on_event(self, event: Any) -> None:
        """What the model says."""
        if event.type == "audio_done" and self.hand is not None:
            await self.hand()
        elif event.type in ("turn_started", "end_of_stream"):
            self.over.set()


async def _script(model: Scripted) -> None:
    await model.until_sent(1)
    await asyncio.sleep(1)
    await model.emit(RealtimeModelAudioDoneEvent(item_id="item_1", content_index=0))
    await model.until_sent(2)
    await asyncio.sleep(0.1)
    await model.emit(RealtimeModelTurnStartedEvent(response_id="resp_2"))


def record(store: Path, hand_over: str) -> None:
    """Record it, on virtual time."""

    async def main() -> None:
        async with Recorder(store) as recorder:
            await Asks(hand_over)(recorder.wrap(ScriptedModel(_script)))

    run(main())


QUEUE = next(name for name in HAND_OVERS if "a worker that answers" in name)


async def asks(model: Any) -> None:
    """`--app support.hand_overs:asks`: what was recorded by a queue."""
    await Asks(QUEUE)(model)


async def asks_nothing(model: Any) -> None:
    """The same without its reaction."""
    await Asks(None)(model)


async def types_nothing(model: Any) -> None:
    """The same without what the user typed."""
    await Asks(QUEUE, types=False)(model)
