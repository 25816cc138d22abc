"""A test whose models were just recorded is run again, on what was recorded, to learn what the application
does by itself: what it sends again in each run, without a cause in the recording, is a reaction from then on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from _pytest.runner import runtestprotocol

from ...replay import ReplayReport
from ...schema import RealtapeError
from ...session import RUNS, unknown_calls
from ...session.fixture import read_fixture, rewrite_origins
from ..learning import learned_from
from .recording_plan import RecordingPlan

Reports = dict[Path, ReplayReport]
"""What the replays of one run have found, by the places of their recordings."""


def learn(
    item: pytest.Item,
    nextitem: pytest.Item | None,
    places: list[Path],
    run_with: Callable[[RecordingPlan | None], Reports | None],
) -> str:
    """Run a test again, and keep what was learned beside its recordings; returns why nothing was, or nothing.

    Args:
        places: of the recordings that it has made.
        run_with: sets the plan of its next run, and takes what that has found; None: it has not passed.
    """
    drafts = {place: read_fixture(place) for place in places}
    drafts = {
        place: chain for place, chain in drafts.items() if any(unknown_calls(one.entries) for one in chain)
    }
    if not drafts:
        return ""
    plan = RecordingPlan.of(item).replayed()
    runs: list[Reports] = []
    around = cast("pytest.Item", item.parent)  # between two runs all but the test itself stays set up
    for number in range(RUNS):
        run_with(plan)
        runtestprotocol(item, log=False, nextitem=nextitem if number == RUNS - 1 else around)
        found = run_with(None)
        if found is None or any(found[place].diverged for place in drafts if place in found):
            return "replayed right after it was recorded, the test does not do the same"
        runs.append(found)
    source = hashlib.sha256(item.path.read_bytes()).hexdigest()
    for place, chain in drafts.items():
        if all(place in run for run in runs):
            try:
                rewrite_origins(learned_from(chain, [run[place] for run in runs], item.nodeid, source), place)
            except (RealtapeError, OSError) as error:
                return str(error)
    return ""
