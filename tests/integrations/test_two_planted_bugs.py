"""From one healthy call, with rules of one's own: an order that two tools rely on, and a timer that survives
an interruption. Found, shrunk, and pinned: `realtape check` fails before the fix, and passes after."""

from __future__ import annotations

import asyncio
import inspect
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, find, settings
from realtape.cli import main
from realtape.integrations.soundness import observe
from realtape.integrations.testing import assert_sound, observed, tool_seconds
from realtape.lab.invariants import ALL, Invariant
from realtape.lab.shrinking.shrink import smallest
from realtape.lab.strategies import variations
from realtape.recorder import Recorder
from realtape.replay import run
from realtape.session import Draft, Recording
from realtape.session.fixture import write_fixture
from support import front_desk, voice
from support.front_desk import FrontDesk, names_the_room, speaks
from support.golden import DEMO
from support.releases import of_today

SEARCH = settings(
    max_examples=400,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Draft:
    store = tmp_path_factory.mktemp("desk") / "log.db"

    async def record() -> None:
        async with Recorder(store) as recorder:
            await FrontDesk(front_desk.SECONDS)(recorder.wrap(front_desk.model()))

    run(record())
    recording = asyncio.run(Recording.open(store))
    assert_sound(recording, FrontDesk(front_desk.SECONDS), rules=[*ALL, *front_desk.RULES])
    return recording.drafts()[0]


def shows(rule: Invariant, drafts: list[Draft], **mended: bool) -> bool:
    """Whether the application breaks a rule in a session, its tools taking as long as they do there."""
    found = observe(drafts, FrontDesk(tool_seconds(drafts), **mended), rules=[*ALL, rule])
    return any(one.what == rule.name for one in found)


@pytest.mark.parametrize(
    ("rule", "kinds", "mended"),
    [
        pytest.param(names_the_room, ("tools",), {"waits": True}, id="order"),
        pytest.param(speaks, ("interrupt",), {"stops": True}, id="timer"),
        pytest.param(names_the_room, None, {"waits": True}, id="order-anywhere", marks=pytest.mark.deep),
        pytest.param(speaks, None, {"stops": True}, id="timer-anywhere", marks=pytest.mark.deep),
    ],
)
def test_a_planted_bug_is_found_shrunk_and_pinned(
    healthy: Draft, rule: Invariant, kinds: Any, mended: dict[str, bool], tmp_path: Path
) -> None:
    strategy = variations(healthy) if kinds is None else variations(healthy, kinds=kinds, max_edits=1)
    found = find(strategy, lambda variation: shows(rule, variation.drafts()), settings=SEARCH)
    (draft,) = found.drafts()
    small = smallest(draft, lambda smaller: shows(rule, [smaller.sealed()]))
    assert len(small.entries) < 20
    kept = draft.derived("shrunk", small.entries)
    assert shows(rule, [kept])
    assert not shows(rule, [kept], **mended)
    # In a folder of recordings: `check` alone fails before, and passes once the fix was accepted.
    write_fixture([kept], tmp_path / "recordings" / "bug")
    assert main(["check", str(tmp_path / "recordings"), "--app", "support.front_desk:as_recorded"]) == 1
    fixed = ("--app", "support.front_desk:mended")
    assert main(["accept", str(tmp_path / "recordings" / "bug"), *fixed, "--yes"]) == 0
    assert main(["check", str(tmp_path / "recordings"), *fixed]) == 0
    assert main(["check", str(tmp_path / "recordings"), "--app", "support.front_desk:as_recorded"]) == 1


def test_the_rules_are_of_twenty_lines() -> None:
    for rule in ("names_the_room", "speaks"):
        source = inspect.getsource(front_desk)
        body = source[source.index(f"def {rule}(") :].split("\n\n\n")[0]
        assert len(body.splitlines()) < 20


def test_what_an_application_did_in_a_replay(healthy: Draft) -> None:
    did = observed(Recording.of(healthy), FrontDesk(front_desk.SECONDS))
    assert did.played.verdict == "same"
    assert [type(one).__name__ for one in did.sends] == [
        "RealtimeModelSendToolOutput",
        "RealtimeModelSendToolOutput",
        "RealtimeModelSendUserInput",
    ]
    assert [(one.name, one.output, one.seconds) for one in did.calls] == [
        ("reserve", "reserved", 0.1),
        ("confirm", "room 12", 0.4),
    ]
    assert [(one.item_id, one.heard_ms) for one in did.heard] == [("item_3", 2000), ("item_4", 2000)]
    assert did.history == ()  # this model tells of no items


@of_today
def test_the_history_that_an_application_was_told() -> None:
    demo = asyncio.run(Recording.open(DEMO))
    did = observed(demo, voice.sound, on_divergence="collect", expect="none")
    assert {one.role for one in did.history} >= {"assistant", "tool"}
