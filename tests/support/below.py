"""Replays below the interface, and the frames that they come to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from realtape.integrations.openai_agents.wire_replay import WireReplayModel
from realtape.replay import Application, Play, Played
from realtape.session import Recording
from realtape.wire import connections_of

Sent = list[list[str | bytes]]
"""What the client sent on each connection."""


async def played_below(store: Path | str, app: Application, **options: Any) -> tuple[Played, Sent]:
    """The newest recording of a store, played below the interface; and what the model sent."""
    async with (
        await Recording.open(store) as recording,
        Play(recording, model=WireReplayModel, **options) as play,
    ):
        await play.perform(app)
        sent = [list(socket.sent) for socket in play.model.plays.sockets]
    return play.played(), sent


async def recorded_frames(store: Path | str) -> Sent:
    """What the recorded client sent."""
    async with await Recording.open(store) as recording:
        found = connections_of(recording)
    return [[frame.data.message for frame in one.frames if not frame.inbound] for one in found]
