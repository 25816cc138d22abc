"""One run of an application: `python -m releases.program record|replay BUG STORE`.

Runs under any release of the SDK, and prints what the application saw, as JSON.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import sys
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from realtape.integrations.openai_agents import Recorder, ReplayModel
from realtape.provider import LocalProvider
from realtape.session import Recording

from .application import Application, Seen

NOWHERE = "ws://127.0.0.1:9/nobody-listens-here"
STUCK_AFTER_SECONDS = 0.5
"""Everything in these applications takes milliseconds: what has not come by then will not come."""


async def record(application: Application, store: str) -> Seen:
    """The SDK's own model, against a provider on this machine."""
    async with LocalProvider(application.script) as provider, Recorder(store) as recorder:
        return await application.run(recorder.wrap(application.model()), provider.url)


async def replay(application: Application, store: str) -> tuple[Seen, list[str]]:
    """The same application offline; also what it did otherwise than recorded."""
    async with await Recording.open(store) as recording:
        model = ReplayModel(recording, on_divergence="collect", stuck_after=STUCK_AFTER_SECONDS)
        seen = await application.run(model, NOWHERE)
        report = await model.finished()
        return seen, [divergence.summary for divergence in report.divergences]


def main(what: str, bug: str, store: str) -> dict[str, Any]:
    """Record or replay; what there is to tell about it."""
    application: Application = importlib.import_module(f"releases.bugs.{bug}").APPLICATION
    divergences: list[str] = []
    if what == "record":
        seen = asyncio.run(record(application, store))
    else:
        seen, divergences = asyncio.run(replay(application, store))
    return {"release": version("openai-agents"), "seen": asdict(seen), "divergences": divergences}


if __name__ == "__main__":
    logging.getLogger("openai.agents").setLevel(logging.CRITICAL)
    json.dump(main(*sys.argv[1:]), sys.stdout)
