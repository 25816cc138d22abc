"""Replaying into the OpenAI Agents SDK: a recording behind `agents.realtime.RealtimeModel`."""

from __future__ import annotations

import asyncio
from typing import Any, Unpack

from agents.realtime import RealtimeModel, RealtimeSession

from ...replay import Application, Depth, Played, ReplayBase, ReplayOptions
from ...replay import replay as _replay
from ...schema import WIRE_FORMAT
from ...schema.log import StoreLocation
from ...session import Recording
from .event_queue import QUEUE
from .vocabulary import VOCABULARY


class ReplayModel(ReplayBase, RealtimeModel):
    """A recording behind the SDK's interface, delivering the SDK's own event classes.

    Hand it to `RealtimeRunner(agent, model=…)` in the place of the model that was recorded. What
    was recorded with another release of the SDK is delivered in the classes of the installed one:
    a field that it lacks is left out, a type that it lacks comes as `other`; the report notes both.
    """

    vocabulary = VOCABULARY

    def _queues(self) -> list[asyncio.Queue[Any]]:
        sessions = [one for one in self._listeners if isinstance(one, RealtimeSession)]
        queues: list[Any] = [getattr(session, QUEUE, None) for session in sessions]
        return [queue for queue in queues if isinstance(queue, asyncio.Queue)]

    async def _let_go(self) -> None:
        """A session of a release without that event goes on waiting, until it is closed."""
        for listener in list(self._listeners):
            if isinstance(listener, RealtimeSession):
                await listener.close()


async def replay(
    recording: Recording | StoreLocation,
    app: Application | None = None,
    *,
    depth: Depth | None = None,
    **options: Unpack[ReplayOptions],
) -> Played:
    """Play a recording into an application of the SDK, and judge what it does: `realtape.replay.replay`, with
    the SDK's classes.

    ```python
    async def app(model):
        async with await RealtimeRunner(agent, model=model).run() as session:
            ...


    played = run(replay("sessions.db", app))
    ```

    Cancelled, it cancels the application and all that it has started, waits for these, closes what it has
    opened, and raises `CancelledError`.

    Args:
        recording: open, and left as it is; or where one is: a path or a URL of a store, of which the newest
            session is played, or a fixture.
        app: `async def app(model): ...`. None: the recording is answered with the answers that it holds
            itself.
        depth: `wire`: below the interface: the SDK's own model runs, on the recorded frames (of a recording
            without frames, on the messages that the model was given, which is weaker). `interface`: above it.
            None: below it where all frames of the session were recorded.
        options: of the `ReplayModel`.

    Raises:
        StoreError: the recording cannot be opened.
        CorruptRecordError: it cannot be read as far as this came.
        MatcherError: a matcher raised.
        UsageError: it cannot be replayed: it does not begin with a connect, or an option says what there is
            not.
    """
    if not isinstance(recording, Recording):
        async with await Recording.open(recording) as opened:
            return await replay(opened, app, depth=depth, **options)
    return await _replay(recording, app, model=_class(depth, recording, app), **options)


def _class(depth: Depth | None, recording: Recording, app: Application | None) -> type[Any]:
    alone = app is None or recording.header.format < WIRE_FORMAT
    return ReplayModel if depth is None and alone else replayed_at(depth, recording)


def replayed_at(depth: Depth | None, recording: Recording) -> type[Any]:
    """The class of the model with which a recording is replayed at a depth; blocking.

    Args:
        depth: None: below the interface where all of it can be played there.
    """
    if depth == "interface":
        return ReplayModel
    from .wire_replay import WireReplayModel  # with its servers: not for who stays at the interface

    return WireReplayModel if depth == "wire" or WireReplayModel.can_play(recording) else ReplayModel
