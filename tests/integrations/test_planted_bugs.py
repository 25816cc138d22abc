"""Bugs that a healthy recording does not show, and its neighbours do: found, shrunk, kept, mended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, find, settings
from realtape.integrations.soundness import observe
from realtape.integrations.testing import UnsoundError, assert_sound
from realtape.lab import swept, varied
from realtape.lab.edits.interruption import Boundary
from realtape.lab.shrinking.shrink import smallest
from realtape.lab.strategies import variations
from realtape.recorder import Recorder
from realtape.replay import Application, run
from realtape.session import Recording
from realtape.session.drafts import Draft
from realtape.session.fixture import write_fixture
from realtape.session.structure import Structure
from realtape.session.tool_calls import tool_calls
from support import two_tools, voice
from support.golden import DEMO
from support.releases import of_today

FEW_ENTRIES = 30
"""A handful: a connect, an answer with what the provider says around it, an interruption."""


@pytest.fixture(scope="module")
def demo() -> Draft:
    return asyncio.run(Recording.open(DEMO)).drafts()[0]


Applications = Callable[[list[Draft]], Application]
"""The application for a session: its tools take as long as they did there."""


def failing(what: str, applications: Applications) -> Callable[[Draft], bool]:
    """Whether a session, not sealed yet, shows this failure."""

    def fails(draft: Draft) -> bool:
        drafts = [draft.sealed()]
        return any(one.what == what for one in observe(drafts, applications(drafts)))

    return fails


def shrunk_and_kept(
    found: Draft, what: str, broken: Applications, mended: Applications, place: Path
) -> Draft:
    """The smallest session with this failure, kept as a fixture that fails before and passes after."""
    small = smallest(found, failing(what, broken))
    kept = found.derived("shrunk", small.entries)
    write_fixture([kept], place)
    with pytest.raises(UnsoundError, match=what):
        assert_sound(place, broken([kept]))
    assert_sound(place, mended([kept]))
    return kept


def always(application: Application) -> Applications:
    """The same for every session."""
    return lambda drafts: application


def desk(*, hasty: bool) -> Applications:
    """The desk, with tools that take as long as in the session."""

    def application(drafts: list[Draft]) -> Application:
        seconds = run(seconds_of(Recording.of(*drafts)))
        return lambda model: two_tools.Desk(model, seconds, hasty=hasty).run()

    return application


async def seconds_of(recording: Recording) -> dict[str, float]:
    async with recording:
        return {call.call_id: call.seconds for call in await tool_calls(recording)}


def test_the_order_of_two_tools_found_by_variations(tmp_path: Path) -> None:
    """There is one recording, in which the tool that was asked for first is done first."""

    async def record() -> None:
        async with Recorder(tmp_path / "log.db") as recorder:
            model = recorder.wrap(two_tools.model())
            await two_tools.Desk(model, two_tools.HEALTHY, hasty=True).run()

    run(record())
    recording = asyncio.run(Recording.open(tmp_path / "log.db"))
    assert_sound(recording, desk(hasty=True)(recording.drafts()))
    what = "nothing is sent after the close"
    fails = failing(what, desk(hasty=True))
    found = find(
        variations(recording),
        lambda variation: any(fails(draft) for draft in variation.drafts()),
        settings=settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow]),
    )
    assert len(found.edits) == 1
    (draft,) = found.drafts()
    kept = shrunk_and_kept(draft, what, desk(hasty=True), desk(hasty=False), tmp_path / "kept")
    assert len(kept.entries) <= 10


@of_today
def test_a_truncation_past_the_end_found_by_the_sweep(demo: Draft, tmp_path: Path) -> None:
    what = "truncated never beyond the audio received"
    found = first_failing(demo, what, voice.cuts_early)
    kept = shrunk_and_kept(found, what, always(voice.cuts_early), always(voice.sound), tmp_path / "kept")
    assert len(kept.entries) <= FEW_ENTRIES


@of_today
def test_a_send_after_the_close_found_by_the_sweep(demo: Draft, tmp_path: Path) -> None:
    what = "nothing is sent after the close"
    asked = Structure(demo).calls[0].seq
    found = first_failing(demo, what, voice.hangs_up, beyond=asked)
    kept = shrunk_and_kept(found, what, always(voice.hangs_up), always(voice.sound), tmp_path / "kept")
    assert len(kept.entries) <= FEW_ENTRIES


def first_failing(demo: Draft, what: str, application: Application, beyond: int = 0) -> Draft:
    """The first place of a sweep that shows a failure; of those before messages of the server, which come
    to little more than a tenth of a sweep."""
    assert not observe([demo], application)
    for place in swept(demo):
        if place.edit is None or not isinstance(place.where, Boundary) or place.where.seq < beyond:
            continue
        draft = varied(demo, [place.edit])
        if any(one.what == what for one in observe([draft], application)):
            return draft
    raise AssertionError(f"the sweep does not find it: {what}")
