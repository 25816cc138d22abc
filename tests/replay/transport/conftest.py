"""The call that is replayed."""

from __future__ import annotations

from pathlib import Path

import pytest
from realtape.recorder import Recorder
from realtape.replay import run
from support.controlled import entries
from support.telephone import Telephone, app


@pytest.fixture(scope="package")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The telephone call, recorded under virtual time."""
    path = tmp_path_factory.mktemp("transport") / "call.db"

    async def main() -> None:
        async with Recorder(path) as recorder:
            await app(recorder.wrap(Telephone()))

    run(main())
    assert len(entries(path)) > 40
    return path
