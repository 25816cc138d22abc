"""The front door of the SDK's integration: all that a user of the SDK needs, and nothing else."""

from __future__ import annotations

import inspect

import pytest

openai_agents = pytest.importorskip("realtape.integrations.openai_agents")


def test_what_is_exported() -> None:
    assert openai_agents.__all__ == [
        "VOCABULARY",
        "Played",
        "Recorder",
        "Recording",
        "RecordingModel",
        "ReplayModel",
        "drive",
        "replay",
        "run",
        "stub_tools",
    ]
    assert all(hasattr(openai_agents, name) for name in openai_agents.__all__)


def test_what_cancelling_does_is_said() -> None:
    for name in openai_agents.__all__:
        one = getattr(openai_agents, name)
        if inspect.iscoroutinefunction(one):
            assert "ancel" in (inspect.getdoc(one) or ""), name
