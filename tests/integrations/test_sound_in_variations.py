"""A sound application is never blamed: whatever an edit makes of a session could have happened, and what a
rule finds in its replay is not what the recording says by itself."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from realtape.integrations.soundness import observe
from realtape.integrations.testing import tool_seconds
from realtape.lab import varied
from realtape.lab.edits import Edit, FailTool, SlowTool
from realtape.lab.strategies import sessions, variations
from realtape.lab.strategies.variations import ALL, Kind
from realtape.recorder import InMemory
from realtape.replay import Application, run
from realtape.session import Draft, Recording
from support import front_desk, two_tools, voice
from support.golden import DEMO, FIXTURES
from support.releases import of_today
from support.voice_desk import VoiceDesk

SEARCH = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


@dataclass(frozen=True)
class Sound:
    """A sound application.

    Attributes:
        healthy: its session.
        application: for sessions.
        bears: losing its connection, too. (The demo raises what ends its session.)
    """

    healthy: Callable[[], Draft]
    application: Callable[[list[Draft]], Application]
    bears: bool = True


@functools.cache
def fixture(place: Path) -> Draft:
    return asyncio.run(Recording.open(place)).drafts()[0]


@functools.cache
def recorded(application: Application, model: Callable[[], Any]) -> Draft:
    recorder = InMemory("in memory")
    run(taken(application, recorder.wrap(model())))
    recorder.close_blocking()
    return recorder.drafts()[0]


async def taken(application: Application, model: Any) -> None:
    await application(model)


async def converses(model: Any) -> None:
    from realtape.cli.demo_conversation import NOWHERE, converse

    await converse(model, NOWHERE)


def sits(drafts: list[Draft]) -> Application:
    seconds = tool_seconds(drafts)
    return lambda model: two_tools.Desk(model, {**two_tools.HEALTHY, **seconds}, hasty=False).run()


def voices(drafts: list[Draft]) -> Application:
    return voice.sound


def desks(drafts: list[Draft]) -> Application:
    return lambda model: VoiceDesk(model).run()


def plays(drafts: list[Draft]) -> Application:
    return lambda model: VoiceDesk(model, plays=True).run()


def waits(drafts: list[Draft]) -> Application:
    return front_desk.mended


SOUND = {
    "the demo": Sound(lambda: fixture(DEMO), lambda drafts: converses, bears=False),
    "a voice that truncates": Sound(lambda: fixture(DEMO), voices),
    "a player that is ahead": Sound(lambda: fixture(DEMO), plays),
    "the kiosk": Sound(lambda: fixture(FIXTURES / "kiosk"), desks),
    "the front desk": Sound(lambda: recorded(front_desk.mended, front_desk.model), waits),
    "two tools": Sound(lambda: recorded(sits([]), two_tools.model), sits),
}


def blamed(name: str, examples: int, max_edits: int) -> None:
    sound = SOUND[name]
    kinds: list[Kind] = [kind for kind in ALL if sound.bears or kind != "disconnect"]

    @settings(SEARCH, max_examples=examples)
    @given(variations(sound.healthy(), kinds=kinds, max_edits=max_edits))
    def never(variation: Any) -> None:
        drafts = variation.drafts()
        assert observe(drafts, sound.application(drafts)) == []

    never()


@of_today
@pytest.mark.parametrize("name", SOUND)
def test_a_sound_application_is_not_blamed_in_a_few(name: str) -> None:
    blamed(name, 3, 2)


@of_today
@pytest.mark.deep
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", SOUND)
def test_a_sound_application_is_not_blamed_in_thousands(name: str) -> None:
    blamed(name, 2000, 3)


@pytest.mark.deep
@pytest.mark.timeout(3600)
@settings(SEARCH, max_examples=2000)
@given(st.data())
def test_nor_in_variations_of_generated_sessions(data: st.DataObject) -> None:
    healthy = data.draw(sessions(max_connections=1))
    drafts = data.draw(variations(healthy)).drafts()
    before = {one.what for one in observe(healthy.drafts(), lambda model: VoiceDesk(model).run())}
    assert [
        one for one in observe(drafts, lambda model: VoiceDesk(model).run()) if one.what not in before
    ] == []


@pytest.mark.parametrize(
    "edits", [[SlowTool("call_find", 41)], [SlowTool("call_find", 41), FailTool("call_find")]]
)
def test_who_waits_for_a_send_before_he_closes_is_not_stuck(edits: list[Edit]) -> None:
    """Its place is behind the recorded close, for the tool is slower now; and it may say something else."""
    sound = SOUND["two tools"]
    drafts = [varied(sound.healthy(), edits)]
    kinds = [entry.kind for entry in drafts[0].entries if entry.kind in ("close", "sent")]
    assert kinds == ["sent", "close", "sent"]
    assert observe(drafts, sound.application(drafts)) == []
