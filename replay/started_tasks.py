"""The tasks that an application has started, it and these again: so that who called it can end what it
leaves.

Every task inherits the context of the one that starts it; a variable there says whose it is. What else runs
on the same event loop is nobody's business here, and left alone.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any, Protocol, TypeVar, cast

_Result = TypeVar("_Result")

MAX_ROUNDS = 10
"""How often tasks that are left are cancelled: some start others when they are."""

GRACE_SECONDS = 1.0
"""For which tasks that were cancelled are awaited, each time."""


class StartedTasks:
    """Tasks of one application on the running event loop, or on the one that is given. `end()` lets it go."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._loop = loop or asyncio.get_running_loop()
        self._tasks = weakref.WeakSet[asyncio.Task[Any]]()
        self._factory: _Factory | None = _Factory.on(self._loop)

    def start(self, work: Coroutine[Any, Any, _Result], name: str | None = None) -> asyncio.Task[_Result]:
        """Start something; it, and what it starts, belongs here."""
        context = copy_context()
        context.run(_owner.set, self)
        return self._loop.create_task(work, name=name, context=context)

    def add(self, task: asyncio.Task[Any]) -> None:
        """It belongs here."""
        self._tasks.add(task)

    async def end(self) -> int:
        """Cancel those that are left, but the one that calls this, and wait for them: `MAX_ROUNDS` times at
        most, each for `GRACE_SECONDS` of the loop's time; returns how many are left then. Cancelled itself,
        it leaves the rest running."""
        left: set[asyncio.Task[Any]] = set()
        mine = asyncio.current_task()
        try:
            for _ in range(MAX_ROUNDS):
                left = {task for task in self._tasks if task is not mine and not task.done()}
                if not left:
                    return 0
                for task in left:
                    task.cancel()
                await asyncio.wait(left, timeout=GRACE_SECONDS)
            return sum(not task.done() for task in left)
        finally:
            if self._factory is not None:
                self._factory.leave(self._loop)
                self._factory = None


_owner: ContextVar[StartedTasks | None] = ContextVar("realtape_started_tasks", default=None)


class _MakesTasks(Protocol):
    def __call__(
        self, loop: asyncio.AbstractEventLoop, coroutine: Any, /, **options: Any
    ) -> asyncio.Future[Any]: ...


class _Factory:
    """The loop's own task factory, and a note of who owns the task. One for all that are on this loop."""

    def __init__(self, before: _MakesTasks | None) -> None:
        self._before = before
        self._users = 0

    @classmethod
    def on(cls, loop: asyncio.AbstractEventLoop) -> _Factory:
        """That of this loop; each who asks leaves once."""
        before: Any = loop.get_task_factory()
        factory = before if isinstance(before, cls) else cls(before)
        if factory is not before:
            loop.set_task_factory(cast("Any", factory))
        factory._users += 1
        return factory

    def leave(self, loop: asyncio.AbstractEventLoop) -> None:
        """Nobody asks for it any more, if this was the last."""
        self._users -= 1
        if not self._users and cast("object", loop.get_task_factory()) is self:
            loop.set_task_factory(cast("Any", self._before))

    def __call__(
        self, loop: asyncio.AbstractEventLoop, coroutine: Any, /, **options: Any
    ) -> asyncio.Future[Any]:
        if self._before is None:
            task = asyncio.Task(coroutine, loop=loop, **options)
        else:
            task = self._before(loop, coroutine, **options)
        context: Context | None = options.get("context")
        owner = _owner.get() if context is None else context.get(_owner)
        if owner is not None and isinstance(task, asyncio.Task):
            owner.add(task)
        return task
