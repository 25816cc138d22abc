"""One Chromium for all tests of the page."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from support.browser import browser


@pytest.fixture(scope="session")
def chromium() -> Generator[Any]:
    with browser() as process:
        yield process
