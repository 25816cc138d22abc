"""The voice application's suite, in a folder of its own for each test."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from support.voice_suite import VoiceSuite

_OURS = ("REALTAPE_DISABLED", "PYTEST_ADDOPTS", "PYTEST_PLUGINS")


@pytest.fixture(scope="session")
def cached_recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recorded") / "test_booking"


@pytest.fixture
def suite(pytester: pytest.Pytester, cached_recording: Path, monkeypatch: pytest.MonkeyPatch) -> VoiceSuite:
    for name in _OURS:
        monkeypatch.delenv(name, raising=False)
    # What was compiled of a module would be taken for another one as long, written in the same second.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    # What the inner runs leave there must not reach the next test.
    monkeypatch.setenv("PROVIDER_URL", os.environ.get("PROVIDER_URL", "ws://127.0.0.1:9/"))
    return VoiceSuite(pytester, cached_recording)
