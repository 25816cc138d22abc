"""A pytest plugin: slips a RecordingModel under every RealtimeSession that a test makes."""

from __future__ import annotations

import functools
import os
from typing import Any

import pytest
from agents.realtime import RealtimeSession
from realtape.integrations.openai_agents import Recorder

STORE = "REALTAPE_SUITE_STORE"
"""Environment variable with the path of the store."""

_recorder: Recorder | None = None


def pytest_configure() -> None:
    """Wrap, before any test is collected."""
    global _recorder
    _recorder = recorder = Recorder(os.environ[STORE])
    initialise: Any = RealtimeSession.__init__

    @functools.wraps(initialise)
    def initialise_with_recording(self: RealtimeSession, model: Any, *args: Any, **kwargs: Any) -> None:
        initialise(self, recorder.wrap(model), *args, **kwargs)

    RealtimeSession.__init__ = initialise_with_recording


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """Write what is left."""
    if _recorder is not None:
        _recorder.close_blocking()
