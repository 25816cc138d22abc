"""Bugs of the SDK's own model, found by replays below the interface: reproduced on the last release that has
them, gone on the first that has not, and the difference told in a sentence."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from releases.below import TIMES
from releases.environments import python_with
from releases.model_bugs import MODEL_BUGS

TESTS = Path(__file__).parents[1]

pytestmark = [pytest.mark.deep, pytest.mark.timeout(900)]  # pip may have to make two environments first


def ran(what: str, bug: str, store: Path, *, release: str) -> list[dict[str, Any]]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("REALTAPE_", "PYTHON"))}
    done = subprocess.run(
        [str(python_with(release)), "-m", "releases.below", what, bug, str(store)],
        cwd=store.parent,
        env={**ours, "PYTHONPATH": str(TESTS), "OPENAI_AGENTS_DISABLE_TRACING": "1"},
        stdout=subprocess.PIPE,
        encoding="utf-8",
        timeout=300,
        check=True,
    )
    told = json.loads(done.stdout)
    assert told["release"] == release
    return told["replays"]


@pytest.mark.parametrize("name", MODEL_BUGS)
def test_a_recording_below_the_interface_shows_a_bug_of_the_model(name: str, tmp_path: Path) -> None:
    bug = MODEL_BUGS[name]
    store = tmp_path / "call.db"
    ran("record", name, store, release=bug.old)
    old = ran("replay", name, store, release=bug.old)
    new = ran("replay", name, store, release=bug.new)

    same: dict[str, Any] = {"verdict": "same", "equal": True, "frames": [], "events": [], "remark": ""}
    assert old == [same] * (2 * TIMES), "byte for byte, on both loops"
    assert len(new) == 2 * TIMES
    for one in new:
        assert bug.told in (" ".join(one["frames"]) or one["remark"])
        assert bool(one["frames"]) == (one["verdict"] == "diverged")
