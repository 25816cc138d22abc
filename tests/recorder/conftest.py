"""What the tests of the recorder share."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest


@pytest.fixture
def reachable() -> Generator[Path]:
    """A folder that other users may look into: pytest's own lie in one that only we may enter, and another
    test may be changing that."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)
