"""The canary: asyncio's private parts are there, on each Python, and mean what we take them for."""

from __future__ import annotations

import asyncio
import re
import selectors
import sys
from collections import deque
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from realtape.schema.asyncio_private import OpenLoop, current_task_of, never_got, ready_of

ROOT = Path(__file__).parent.parent.parent
HERE = ROOT / "schema" / "asyncio_private.py"
OURS = ("schema", "session", "recorder", "replay", "provider", "wire", "lab", "viewer", "integrations", "cli")

LOOP = ("_ready", "_scheduled", "_stopping", "_clock_resolution", "_write_to_self", "_read_from_self")
HANDLE = ("_callback", "_args", "_loop", "_context", "_repr", "_cancelled", "_source_traceback")
PARTS = [
    *(("an event loop", name) for name in (*LOOP, "_selector")),
    *(("a handle", name) for name in (*HANDLE, "_run")),
    ("a timer", "_scheduled"),
]


def lacks(what: str, name: str) -> str:
    """What is told of a Python that has changed."""
    return f"asyncio of Python {sys.version.split()[0]}: {what} has no {name}; see schema/asyncio_private.py"


@pytest.mark.parametrize(("what", "name"), PARTS)
def test_it_is_there(what: str, name: str) -> None:
    with closing(asyncio.new_event_loop()) as loop:
        things = {
            "an event loop": loop,
            "a handle": asyncio.Handle(print, (), loop),
            "a timer": asyncio.TimerHandle(0.0, print, (), loop),
        }
        assert hasattr(things[what], name), lacks(what, name)


def test_a_handle_has_nothing_else() -> None:
    """One of ours sets all that there is, or asyncio would miss it."""
    slots = set(asyncio.Handle.__slots__) - {"__weakref__"}
    assert slots == set(HANDLE), f"Python {sys.version.split()[0]} has others: see schema/asyncio_private.py"


class Loop(OpenLoop):
    """Notes what runs."""

    def __init__(self) -> None:
        super().__init__(selectors.DefaultSelector())
        self.ran: list[str] = []

    def note(self, what: str) -> None:
        self.ran.append(what)


@pytest.fixture
def loop() -> Any:
    loop = Loop()
    yield loop
    loop.close()


def go(loop: Loop) -> list[str]:
    """Until nothing is left to run; returns what has."""
    while loop.goes_on():
        loop.call_soon(loop.stop)
        loop.run_forever()
    return loop.ran


def test_the_queue_is_seen(loop: Loop) -> None:
    ready = ready_of(loop)
    assert isinstance(ready, deque)
    assert not loop.has_ready
    loop.call_soon(loop.note, "ready")
    assert ready_of(loop) is ready
    assert [type(one) for one in ready] == [asyncio.Handle]
    assert loop.has_ready
    assert go(loop) == ["ready"]
    assert ready_of(object()) is None  # type: ignore[arg-type]


def test_what_is_urgent_runs_before_the_next(loop: Loop) -> None:
    def first() -> None:
        loop.note("first")
        loop.soon(loop.note, "urgent")
        loop.soon(loop.note, "never").cancel()

    loop.call_soon(first)
    loop.call_soon(loop.note, "second")
    assert go(loop) == ["first", "urgent", "second"]


def test_who_is_woken_runs_before_the_next(loop: Loop) -> None:
    async def main() -> None:
        waker = loop.create_future()

        async def wait() -> None:
            await waker
            loop.note("woken")

        waiting = loop.create_task(wait())
        await asyncio.sleep(0)
        loop.call_soon(loop.note, "second")
        loop.wake(waker.set_result, None)
        await waiting

    loop.run_until_complete(main())
    assert go(loop) == ["woken", "second"]


def test_timers_of_one_instant_ring_in_the_order_in_which_they_were_made(loop: Loop) -> None:
    at = loop.time()
    handles = [loop.call_at(at, loop.note, str(number)) for number in range(20)]
    assert set(loop.timers) == set(handles)
    handles[3].cancel()
    assert go(loop) == [str(number) for number in range(20) if number != 3]
    assert not loop.timers


def test_whether_a_loop_goes_on(loop: Loop) -> None:
    assert not loop.goes_on()
    later = loop.call_later(3600, loop.note, "never")
    assert not loop.goes_on()
    later.cancel()
    soon = loop.soon(loop.note, "soon")
    assert loop.goes_on()
    assert loop.runs_alone(soon)
    assert not loop.runs_alone(None)
    loop.run_urgent()
    assert loop.runs_alone(None)
    loop.stop()
    assert loop.goes_on()
    assert not loop.runs_alone(None)
    loop.run_forever()
    loop.call_at(loop.time(), loop.note, "due")
    assert not loop.runs_alone(None)


def test_a_thread_wakes_it(loop: Loop) -> None:
    loop.wake_from_thread()
    selector: Any = vars(loop)["_selector"]
    assert len(selector.select(1)) == 1
    loop.forget_wakes()
    assert not selector.select(0)


@pytest.mark.parametrize("name", sorted({*LOOP, "_source_traceback"} - {"_stopping"}))
def test_nobody_else_touches_it(name: str) -> None:
    """(A `_stopping`, and most of what a handle has, others have of their own.)"""
    files = [path for folder in OURS for path in sorted((ROOT / folder).rglob("*.py")) if path != HERE]
    as_a_word = re.compile(rf"(?<!\w){name}\b")
    assert not [str(path.relative_to(ROOT)) for path in files if as_a_word.search(path.read_text())]


def test_out_of_a_queue_nobody_has_taken_anything() -> None:
    queue: asyncio.Queue[int] = asyncio.Queue()
    assert never_got(queue) == 0
    for number in range(3):
        queue.put_nowait(number)
    assert never_got(queue) == 3
    queue.get_nowait()
    assert never_got(queue) == 0
    queue.put_nowait(4)
    assert never_got(queue) == 0


@pytest.mark.real_time
async def test_the_task_that_runs_is_known_and_in_a_callback_there_is_none() -> None:
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    tasks: list[asyncio.Task[Any] | None] = []

    def look() -> None:
        tasks.append(current_task_of(loop))
        told.set()

    assert current_task_of(loop) is asyncio.current_task()
    loop.call_soon(look)
    await told.wait()
    assert tasks == [None]
