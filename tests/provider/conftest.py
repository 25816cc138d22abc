"""What holds in every test of the local provider."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _quiet_and_valid(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No traces leave the machine, and nothing that was sent failed the SDK's own validation."""
    monkeypatch.setenv("OPENAI_AGENTS_DISABLE_TRACING", "1")
    caplog.set_level(logging.WARNING)
    yield
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
