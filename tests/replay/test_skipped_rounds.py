"""Rounds that a task lets pass without giving the loop back: nobody can tell."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import types
from collections.abc import Callable, Generator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from realtape.replay.loop.virtual_loop import UNASKED, VirtualLoop
from realtape.schema.clocks import Round

Trace = list[tuple[str, Round, int]]
Act = tuple[str, int]

ACTS = st.tuples(
    st.sampled_from(["yield", "sleep", "call_soon", "call_later", "soon", "round_end", "round_start"]),
    st.integers(0, 3),
)
TASKS = st.lists(st.lists(ACTS, max_size=5), max_size=3)


@types.coroutine
def next_round() -> Generator[None]:
    yield


def mine() -> asyncio.Task[Any]:
    """The task that is running."""
    task = asyncio.current_task()
    assert task is not None
    return task


class Run:
    """Some tasks that do as they are told, and one that lets rounds pass; what they saw. That one is woken
    as a replay wakes whom it gives an event: by the idle loop, at an instant, before all others.

    Args:
        skips: that one skips rounds, where it can.
    """

    def __init__(self, *, skips: bool) -> None:
        self.loop = VirtualLoop()
        self.trace: Trace = []
        self.skipped = 0
        self._skips = skips
        self._waker: asyncio.Future[None] | None = None
        self._wakes_at = 0
        self.loop.idlers.append(self)

    def next_ns(self) -> int | None:
        return None if self._waker is None else self._wakes_at

    def act(self) -> None:
        waker, self._waker = self._waker, None
        assert waker is not None
        self.loop.soon(self.loop.wake, waker.set_result, None)

    def rest(self) -> bool:
        return False

    async def _woken(self, after_ns: int) -> None:
        self._waker, self._wakes_at = self.loop.create_future(), self.loop.now_ns + after_ns
        await self._waker

    def see(self, who: str) -> None:
        self.trace.append((who, self.loop.round(), self.loop.now_ns))

    async def do(self, name: str, acts: list[Act]) -> None:
        loop = self.loop
        for number, (what, count) in enumerate(acts):
            told: Callable[[], None] = lambda who=f"{name}.{number} {what}": self.see(who)  # noqa: E731
            if what == "yield":
                for _ in range(count):
                    await next_round()
            elif what == "sleep":
                await asyncio.sleep(count / 1000)
            elif what == "call_soon":
                loop.call_soon(told)
            elif what == "call_later":
                loop.call_later(count / 1000, told)
            elif what == "soon":
                loop.soon(told)
            elif what == "round_end":
                loop.at_round_end(told)
            else:
                loop.at_round_start(loop.round().number + 1 + count, told)
            self.see(f"{name}.{number}")

    async def pass_rounds(self, counts: list[int]) -> None:
        for count in counts:
            burst, number = self.loop.round()
            while self.loop.round() < (burst, number + count):
                if self._skips and self.loop.skip_round(mine()):
                    self.skipped += 1
                else:
                    await next_round()
            self.see("passed")
            if count % 3 == 0:
                self.loop.call_later(0, lambda: self.see("a timer that is due at once"))
            if count % 2 == 0:
                await self._woken(count * 500_000)

    def run(self, tasks: list[list[Act]], counts: list[int]) -> Trace:
        async def main() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.pass_rounds(counts))
                for number, acts in enumerate(tasks):
                    group.create_task(self.do(f"task {number}", acts))
            self.see("all done")

        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            runner.run(main())
        return self.trace


@given(TASKS, st.lists(st.integers(0, 5), max_size=6))
def test_nobody_can_tell(tasks: list[list[Act]], counts: list[int]) -> None:
    assert Run(skips=True).run(tasks, counts) == Run(skips=False).run(tasks, counts)


def test_a_round_with_nobody_else_is_skipped() -> None:
    run = Run(skips=True)
    run.run([], [5, 4])
    assert run.skipped == 9


@pytest.mark.parametrize(
    "what", ["ready", "due", "soon", "round end", "round start", "socket", "stopped", "cancelled"]
)
def test_a_round_with_anybody_else_is_not(what: str) -> None:
    loop = VirtualLoop()
    skipped: list[bool] = []

    async def main() -> None:
        if what == "ready":
            loop.call_soon(lambda: None)
        elif what == "due":
            loop.call_later(0, lambda: None)
        elif what == "soon":
            loop.soon(lambda: None)
        elif what == "round end":
            loop.at_round_end(lambda: None)
        elif what == "round start":
            loop.at_round_start(3, lambda: None)
        elif what == "socket":
            ours, theirs = socket.socketpair()
            loop.add_reader(ours, lambda: None)
            skipped.append(loop.skip_round(mine()))
            loop.remove_reader(ours)
            ours.close()
            theirs.close()
            return
        elif what == "cancelled":
            mine().cancel()
            skipped.append(loop.skip_round(mine()))
            mine().uncancel()
            with contextlib.suppress(asyncio.CancelledError):
                await next_round()
            return
        else:
            loop.stop()
        skipped.append(loop.skip_round(mine()))

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(main())
    assert skipped == [False], what


def test_signals_are_heard_of_in_a_while() -> None:
    """They come by a descriptor of the loop's own, at which it must look now and then."""
    loop = VirtualLoop()
    heard: list[int] = []

    async def main() -> int:
        loop.add_signal_handler(signal.SIGUSR1, heard.append, 1)
        os.kill(os.getpid(), signal.SIGUSR1)
        for number in range(200):
            if heard:
                return number
            if not loop.skip_round(mine()):
                await next_round()
        return 200

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        assert runner.run(main()) <= 2 * UNASKED


def test_who_was_not_to_be_called_any_more_does_not_matter() -> None:
    loop = VirtualLoop()
    called: list[str] = []

    async def main() -> bool:
        loop.soon(called.append, "never").cancel()
        loop.soon(called.append, "never, either").cancel()
        return loop.skip_round(mine())

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        assert runner.run(main())
    assert not called


def test_what_is_called_soon_after_the_task_is_called_after_the_rounds() -> None:
    loop = VirtualLoop()
    called: list[tuple[str, Round]] = []

    def call(who: str) -> None:
        called.append((who, loop.round()))

    async def main() -> tuple[Round, Round]:
        kept, began = loop.soon(call, "kept"), loop.round()
        assert loop.skip_round(mine(), kept)
        assert loop.skip_round(mine(), kept)
        assert not called
        loop.soon(call, "another")
        assert not loop.skip_round(mine(), kept)
        ended = loop.round()
        await next_round()
        return began, ended

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        began, ended = runner.run(main())
    assert ended == (began.burst, began.number + 2)
    assert called == [("kept", ended), ("another", ended)]


def test_what_a_callback_raises_is_told_to_the_loop() -> None:
    loop = VirtualLoop()
    told: list[BaseException] = []
    loop.set_exception_handler(lambda _, context: told.append(context["exception"]))

    async def main() -> None:
        loop.soon(divmod, 1, 0)
        await next_round()

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(main())
    assert [type(error) for error in told] == [ZeroDivisionError]
