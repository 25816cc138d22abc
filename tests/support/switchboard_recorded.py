"""The switchboard, recorded: the SDK's own model on a plain event loop, against the local provider."""

from __future__ import annotations

import asyncio
import atexit
import functools
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.realtime import OpenAIRealtimeWebSocketModel
from realtape.integrations.openai_agents import Recorder
from realtape.provider import LocalProvider
from realtape.schema import Kind

from .noise import SILENCE
from .stored import read
from .switchboard import ARCHIVES, script
from .switchboard_run import ITS_ERROR, Switchboard

PACE = 0.1
"""Seconds that a second of audio takes."""

GUARD_SECONDS = 60.0

INGREDIENTS = {
    "handoff": 2,
    "guardrail_tripped": 1,
    "tool_approval_required": 2,
    f"error {ITS_ERROR}": 1,
    "raised": 1,
    "archive begins": ARCHIVES,
    "archive is cancelled": ARCHIVES,
    "history": 2,
}
"""What must have happened, and how often. How often the sound was cut off depends on the machine: on one that
stands still for a tenth of a second the user speaks when all has been heard; and so does whether a response
that the model cancels has just ended, which the provider answers with an error."""


@dataclass(frozen=True)
class Recorded:
    """A recorded run.

    Attributes:
        store: with both connections.
        session: id of the first.
        behind_close: so many entries stand behind the first session's close: what the player did while the
            application made the second connection, which takes time of this machine, and none of a replay.
        lines: what the application told while it was recorded.
    """

    store: Path
    session: str
    behind_close: int
    lines: Sequence[str]


def happened(lines: Sequence[str]) -> dict[str, int]:
    """How often what `INGREDIENTS` names did."""
    counts = Counter[str]()
    for line in lines:
        told: dict[str, Any] = json.loads(line)
        name: str = told["what"]
        if name == "event":
            event = told["event"]
            name = f"error {event['error']['code']}" if event["type"] == "error" else event["type"]
        counts[name] += 1
    return {name: counts[name] for name in INGREDIENTS}


@functools.cache
def recorded() -> Recorded:
    """Recorded once in each process; nobody changes it."""
    folder = Path(tempfile.mkdtemp(prefix="realtape-switchboard-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    store, lines = folder / "switchboard.db", list[str]()
    asyncio.run(_record(store, lines))
    assert happened(lines) == INGREDIENTS
    first, second = asyncio.run(read(store))
    assert second.record.header.previous_session == first.record.header.id
    closed = next(entry.seq for entry in reversed(first.entries) if entry.kind == Kind.CLOSED)
    return Recorded(store, first.record.header.id, len(first.entries) - 1 - closed, lines)


async def _record(store: Path, lines: list[str]) -> None:
    async with (
        asyncio.timeout(GUARD_SECONDS),
        LocalProvider(script, pace=PACE) as provider,
        Recorder(store) as recorder,
    ):
        model = recorder.wrap(OpenAIRealtimeWebSocketModel())
        await Switchboard(model, provider.url, lines.append, SILENCE).run()
