"""`variations` finds what an interruption breaks, and shrinks to that alone."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from realtape.integrations.openai_agents import ReplayModel
from realtape.lab import variation_settings
from realtape.lab.edits import Heard, Interrupt
from realtape.lab.strategies.variations import Variation, variations
from realtape.replay import run
from realtape.schema import UsageError
from realtape.session import Recording
from support.golden import DEMO
from support.releases import of_today
from support.short_session import followed_by, shortened
from support.voice import Voice

_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]

_DEMO = asyncio.run(Recording.open(DEMO)).drafts()[0]


def bears(variation: Variation) -> bool:
    """Whether an application bears it that has a bug: an interruption of its first words after 300 ms."""

    async def main() -> bool:
        model = ReplayModel(Recording.of(*variation.drafts()), **variation_settings())
        try:
            await Voice(model, raises=True).run()
        except RuntimeError:
            return False
        finally:
            await model.abandon()
        return True

    return run(main())


@of_today
def test_a_bug_that_needs_an_interruption_shrinks_to_one_edit() -> None:
    quiet = _DEMO.derived("up to the first interruption", _DEMO.entries[:152])
    assert bears(Variation.of(quiet))
    found = find(
        variations(quiet),
        lambda variation: not bears(variation),
        settings=settings(max_examples=400, deadline=None, suppress_health_check=_SLOW),
    )
    (edit,) = found.edits
    assert isinstance(edit, Interrupt)
    # The first millisecond, or the first message, at which so much had been heard.
    first = next(entry.seq for entry in quiet.entries if (entry.elapsed_ms or 0) >= 300)
    if isinstance(edit.where, Heard):
        assert edit.where == Heard("item_0002", 300)
    else:
        assert edit.where.seq <= first + 5
    assert repr(found).startswith("Variation(Interrupt(where=")


@settings(max_examples=5, deadline=None)
@given(variations(_DEMO, max_edits=0))
def test_without_an_edit_it_is_the_recording(variation: Variation) -> None:
    assert variation.drafts() == [_DEMO]
    assert repr(variation) == "Variation()"


def test_of_a_chain_any_session_is_varied() -> None:
    short = shortened(_DEMO)
    chain = followed_by(short, short)
    strategy = variations(Recording.of(*chain), kinds=["interrupt"], max_edits=1)
    phases = (Phase.generate,)  # the smallest is not asked for
    options = settings(max_examples=100, phases=phases, database=None, suppress_health_check=_SLOW)
    second = find(strategy, lambda one: bool(one.edits) and one.nth == 2, settings=options)
    before, varied = second.drafts()
    assert (before, varied.header.previous_session) == (chain[0], chain[0].header.id)
    assert varied.entries != chain[1].entries
    assert repr(second).startswith("Variation(session 2: ")
    first = find(strategy, lambda one: bool(one.edits) and one.nth == 1, settings=options)
    assert [one.header.previous_session for one in first.drafts()] == [None]
    assert find(strategy, lambda one: True, settings=options).drafts() == chain


def test_kinds_that_there_are_not_are_refused() -> None:
    with pytest.raises(UsageError, match="name some of delay, drop"):
        variations(_DEMO, kinds=["explode"])  # type: ignore[list-item]
    with pytest.raises(UsageError, match="from 0 up"):
        variations(_DEMO, max_edits=-1)
