"""One replay of the recorded switchboard, on virtual time: `replay_once.py STORE SESSION`.

Prints the lines of `support/switchboard_run.py`, each with the virtual instant, in microseconds, at
which it was told; and at last what the replay found. Every listener, every tool and every guardrail, and
the reader of the log, are held up by up to 5 ms of the wall's time, here and there.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys

from realtape.integrations.openai_agents import ReplayModel
from realtape.replay import run
from support.noise import Noise, NoisyRecording
from support.switchboard_run import Switchboard

NOWHERE = "ws://127.0.0.1:9/nobody-listens-here"
SHARE = 0.1
"""Of the calls, entries and events that are held up; all of them would take minutes."""

REPORTED = ("delivered", "diverged", "early", "finished", "late", "matched", "notes", "unsent", "unplayed")
"""What of the report must be the same in every process: not how long it took."""


async def main(store: str, session: str) -> None:
    """Replay it."""
    noise = NoisyRecording.noise = Noise(SHARE)
    clock = asyncio.get_running_loop().time

    def write(line: str) -> None:
        sys.stdout.write(f"{round(clock() * 1e6)} {line}\n")

    async with await NoisyRecording.open(store, session) as recording:
        model = ReplayModel(recording)
        await Switchboard(model, NOWHERE, write, noise).run()
        report = await model.finished()
    facts = {name: value for name, value in report.as_json().items() if name in REPORTED}
    write(json.dumps({"what": "report", **facts}, sort_keys=True))


if __name__ == "__main__":
    logging.getLogger("openai.agents").setLevel(logging.CRITICAL)
    run(main(*sys.argv[1:]))
