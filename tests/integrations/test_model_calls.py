"""The calls that bring about bugs of the SDK's model (`tests/releases`), on the release that is installed:
whatever it makes of them, a replay below the interface makes it again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from agents.realtime import OpenAIRealtimeWebSocketModel
from realtape.integrations.openai_agents import Recorder
from realtape.replay import run
from releases.model_bugs import MODEL_BUGS, ModelBug
from support.below import played_below, recorded_frames
from support.cued_socket import cued


async def record(bug: ModelBug, store: Path) -> None:
    async with Recorder(store) as recorder:
        model = cued(OpenAIRealtimeWebSocketModel(), *bug.connections)
        await bug.app(recorder.wrap(model, depth="wire"))


@pytest.mark.parametrize("name", MODEL_BUGS)
def test_a_replay_makes_again_what_the_model_made(name: str, tmp_path: Path) -> None:
    bug, store = MODEL_BUGS[name], tmp_path / "call.db"
    run(record(bug, store))
    recorded = run(recorded_frames(store))
    played, sent = run(played_below(store, bug.app, strict=True))
    report: Any = played.report

    assert (played.verdict, report.events, played.report.weaker) == ("same", (), ())
    assert sent == recorded
