"""One run of an application on the SDK's own model: `python -m releases.below record|replay BUG STORE`.

Recorded on an ordinary loop, where the model's clock passes; replayed below the interface ten times on
virtual time and ten times on an ordinary loop. Prints what came of it as JSON.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from importlib.metadata import version
from typing import Any

from agents.realtime import OpenAIRealtimeWebSocketModel
from realtape.integrations.openai_agents import Recorder
from realtape.replay import Played, run
from support.below import Sent, played_below, recorded_frames
from support.cued_socket import cued

from .model_bugs import MODEL_BUGS, ModelBug

TIMES = 10


async def record(bug: ModelBug, store: str) -> None:
    async with Recorder(store) as recorder:
        model = cued(OpenAIRealtimeWebSocketModel(), *bug.connections)
        await bug.app(recorder.wrap(model, depth="wire"))


def told(played: Played, sent: Sent, recorded: Sent) -> dict[str, Any]:
    report: Any = played.report
    return {
        "verdict": played.verdict,
        "equal": sent == recorded,
        "frames": [str(one) for one in report.divergences],
        "events": [str(one) for one in report.events],
        "remark": report.remark,
    }


def main(what: str, name: str, store: str) -> dict[str, Any]:
    bug = MODEL_BUGS[name]
    found: list[dict[str, Any]] = []
    if what == "record":
        asyncio.run(record(bug, store))
    else:
        recorded = run(recorded_frames(store))
        for loop in (run, asyncio.run):
            for _ in range(TIMES):
                found.append(told(*loop(played_below(store, bug.app)), recorded))
    return {"release": version("openai-agents"), "replays": found}


if __name__ == "__main__":
    logging.getLogger("openai.agents").setLevel(logging.CRITICAL)
    json.dump(main(*sys.argv[1:]), sys.stdout)
