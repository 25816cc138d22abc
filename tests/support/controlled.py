"""A telephone call, replayed beside a script that has its transport."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from realtape.replay import ReplayModel, run
from realtape.schema import Entry, Kind
from realtape.session import Recording
from realtape.session.state import Fold, State
from support.stored import only
from support.telephone import app


@functools.cache
def entries(path: Path) -> list[Entry]:
    """Read once; for the call that is replayed, by its fixture."""
    return asyncio.run(only(path)).entries


def first(path: Path, type: str) -> int:
    """The number of the first entry of a type."""
    return next(entry.seq for entry in entries(path) if entry.type == type)


def received(path: Path) -> list[str]:
    return [str(entry.type) for entry in entries(path) if entry.kind == Kind.RECEIVED]


class Call:
    """A replay of it, and what its application was given."""

    def __init__(self, model: ReplayModel) -> None:
        self.model = model
        self.transport = model.transport
        self.heard: list[str] = []
        model.add_listener(self)  # pyright: ignore[reportArgumentType]

    async def on_event(self, event: Any) -> None:
        self.heard.append(event.type)


async def tidy(model: Any, application: Callable[[Any], Awaitable[Any]] = app) -> None:
    """The application, and nothing is left of it when it is cancelled."""
    try:
        await application(model)
    finally:
        for task in asyncio.all_tasks():
            if "Application." in repr(task.get_coro()):
                task.cancel()


async def controlled(store: Path, script: Callable[[Call], Awaitable[Any]], **options: Any) -> Any:
    """The script beside the application, in a replay that is paused at its beginning."""
    application = options.pop("application", app)
    async with await Recording.open(store) as recording:
        call = Call(ReplayModel(recording, **options))
        call.transport.pause()
        running = asyncio.create_task(tidy(call.model, application))
        try:
            return await script(call)
        finally:
            await call.model.abandon()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def replay(store: Path, script: Callable[[Call], Awaitable[Any]], **options: Any) -> Any:
    return run(controlled(store, script, **options))


def fold(some: list[Entry]) -> State:
    """The state after these."""
    folded = Fold()
    for entry in some:
        folded.add(entry)
    return folded.state()
