"""Sessions without a playback tracker and without raw messages: what was heard there is assumed, and follows
from when the audio comes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from realtape.lab import varied
from realtape.lab.edits import Boundary, Delay, Heard, Interrupt, MoveInterruption
from realtape.lab.edits.variation import Edit
from realtape.lab.shrinking.checks import problems
from realtape.recorder import Recorder
from realtape.replay import run
from realtape.schema import Flag
from realtape.session import Recording
from realtape.session.drafts import Draft
from support.generated import GeneratedModel, Program, Provider, Running, Step

AUDIO = 3
"""The entry that brings 20 ms of audio; 15 ms later the application says something."""


@pytest.fixture(scope="module")
def draft(tmp_path_factory: pytest.TempPathFactory) -> Draft:
    store: Path = tmp_path_factory.mktemp("assumed") / "log.db"
    provider = Provider((Step(0.0, "turn_started"), Step(0.0, "audio")), {}, {})
    program = Program(({},), (Step(15.0, "text"),), closes=False, tracks=False)

    async def main() -> None:
        async with Recorder(store) as recorder:
            await Running(program, recorder.wrap(GeneratedModel(provider))).run()

    run(main())
    return asyncio.run(Recording.open(store)).drafts()[0]


def heard(draft: Draft, *edits: Edit) -> list[tuple[str, float | None, int]]:
    """Of the session as it is then: each entry, what was assumed to be heard, and the instant in ms."""
    made = varied(draft, list(edits)) if edits else draft
    assert not problems(made)
    assert all((entry.item_id is not None) == bool(entry.flags & Flag.ASSUMED) for entry in made.entries)
    return [
        (str(entry.type or entry.kind), entry.elapsed_ms, entry.at_ns // 1_000_000)
        for entry in made.entries[2:]
    ]


def test_what_plays_as_it_comes(draft: Draft) -> None:
    assert draft.entries[AUDIO].type == "audio"
    assert heard(draft) == [
        ("turn_started", None, 0),
        ("audio", 0.0, 0),
        ("send_user_input", 15.0, 15),
        ("sent_done", 15.0, 15),
    ]


def test_audio_that_comes_late_was_not_heard_before(draft: Draft) -> None:
    assert heard(draft, Delay(AUDIO, 10))[1:] == [
        ("audio", 0.0, 10),
        ("send_user_input", 5.0, 15),
        ("sent_done", 5.0, 15),
    ]
    assert heard(draft, Delay(AUDIO, 40))[1:] == [
        ("send_user_input", None, 15),
        ("sent_done", None, 15),
        ("audio", 0.0, 40),
    ]


def test_an_interruption_comes_at_its_millisecond(draft: Draft) -> None:
    assert heard(draft, Interrupt(Heard("item", 12)))[1:] == [
        ("audio", 0.0, 0),
        ("audio_interrupted", None, 12),
        ("send_user_input", None, 15),
        ("sent_done", None, 15),
    ]


def test_before_there_is_a_sound_there_is_nothing_to_interrupt(draft: Draft) -> None:
    moved = MoveInterruption(AUDIO + 1, Boundary(AUDIO))
    left = heard(draft, Interrupt(Heard("item", 12)), moved)
    assert [type for type, _, _ in left] == ["turn_started", "send_user_input", "sent_done"]
