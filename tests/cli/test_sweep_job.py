"""Places of a sweep that are tried together: what they have in common is replayed once; nobody can tell."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from realtape.cli.sweep_job import Job, Swing, jobs_of, prepare
from realtape.cli.workers import PartlyDone, Workers
from realtape.integrations.branching import Branch, Died, Grown, Unbranched
from realtape.integrations.openai_agents import VOCABULARY
from realtape.integrations.soundness import observe
from realtape.lab import Swept, swept, varied
from realtape.lab.edits import Boundary, branches_at
from realtape.lab.strategies.plans import Plan, plans
from realtape.lab.strategies.sessions import acted
from realtape.schema import UsageError
from realtape.session import Draft, Recording, Structure
from support import voice
from support.golden import DEMO
from support.short_session import followed_by, shortened

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux"),
    pytest.mark.usefixtures("imported_ahead"),
]

_DEMO = asyncio.run(Recording.open(DEMO)).drafts()[0]
_STRUCTURE = Structure(_DEMO)

Answers = dict[int, Grown | Unbranched | Died | Exception]


def branch(place: Swept, turns: int | None = None, structure: Structure = _STRUCTURE) -> Branch:
    assert place.edit is not None
    return Branch(place.number, place.edit, branches_at(structure, place), turns)


def answers(app: str, jobs: Sequence[Job], *drafts: Draft) -> list[Answers]:
    """What comes of the places of each job, in processes of their own."""
    found: list[Answers] = [{} for _ in jobs]
    setup = (app, drafts or (_DEMO,), ())
    with Workers[Job, None](prepare, setup, 1, lambda job: job.limit, pieces=True) as workers:
        for at, result in workers.results(jobs):
            if isinstance(result, PartlyDone):
                number, answer = result.value
                found[at][number] = answer
            elif isinstance(result, Exception):
                raise result
    return found


def together_and_one_by_one(app: str, branches: Sequence[Branch], *drafts: Draft) -> list[Answers]:
    before = max(0, len(drafts) - 1)
    one, other = (
        Job(tuple(branches), 30.0, 60.0, together=together, before=before) for together in (True, False)
    )
    return answers(app, [one, other], *drafts)


def test_together_is_found_what_is_found_one_by_one() -> None:
    places = [one for one in swept(_DEMO, every_ms=40) if one.edit is not None]
    early = [one for one in places if str(one.where).startswith("at ") and one.where.ms < 80]  # type: ignore[union-attr]
    branches = [branch(one, (None, 2)[one.number % 2]) for one in [*places[::60], *early[:3]]]
    chain = followed_by(shortened(_DEMO), _DEMO)  # of the second
    together, one_by_one = together_and_one_by_one("support.voice:cuts_early_again", branches, *chain)
    assert together == one_by_one
    assert all(isinstance(one, Grown) for one in together.values())
    grown: dict[int, Any] = together
    assert {one.is_cut for one in grown.values()} == {True, False}
    assert any(one.failures for one in grown.values())
    place = next(one for one in early if grown[one.number].failures)
    assert place.edit is not None
    made = varied(chain[1], [place.edit], previous_session=chain[0].header.id)
    assert tuple(observe([chain[0], made], voice.cuts_early_again)) == grown[place.number].failures


@pytest.mark.deep
@pytest.mark.timeout(2400)
@pytest.mark.parametrize(
    "app", ["voice:sound", "voice:cuts_early", "voice:hangs_up", "moody:deaf", "moody:aside"]
)
@pytest.mark.parametrize("turns", [None, 1, 3])
def test_at_every_place(app: str, turns: int | None) -> None:
    branches = [branch(one, turns) for one in swept(_DEMO) if one.edit is not None]
    together, one_by_one = together_and_one_by_one(f"support.{app}", branches)
    assert together == one_by_one


@pytest.mark.deep
@pytest.mark.timeout(2400)
@settings(
    max_examples=10,  # each with processes of its own
    database=None,
    phases=(Phase.generate,),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(plans(max_connections=1))
def test_of_any_session(plan: Plan) -> None:
    (draft,) = acted(plan, VOCABULARY)
    try:
        places = [one for one in swept(draft, every_ms=200) if one.edit is not None]
    except UsageError:  # nothing could be interrupted
        return
    structure = Structure(draft)
    branches = [
        branch(one, (None, 1, 2)[one.number % 3], structure) for one in places[:: len(places) // 12 + 1]
    ]
    together, one_by_one = together_and_one_by_one("support.voice:hangs_up", branches, draft)
    for number, answer in one_by_one.items():
        # Where the edit changes what came before the place, it is not branched off.
        assert isinstance(together[number], Unbranched) or together[number] == answer


def test_a_place_that_ends_its_process_or_does_not_end_costs_itself_alone() -> None:
    places = [one for one in swept(_DEMO, every_ms=150) if str(one.where).startswith("at ")]
    chosen = {str(one.where): one for one in places if one.edit is not None}
    branches = [branch(chosen[f"at {ms} ms of item_0002"]) for ms in (0, 150, 300)]
    (found,) = answers("support.moody:moody", [Job(tuple(branches), 30.0, 1.0, together=True)])
    ends, hangs, bears = (found[one.number] for one in branches)
    assert ends == Died("its process ended with code 7", in_time=True)
    assert hangs == Died("not done within 1 s; its process was ended", in_time=False)
    assert isinstance(bears, Grown)


@pytest.mark.parametrize(
    ("app", "why"), [("threaded", "has a thread: at work"), ("connected", "has open: a socket")]
)
def test_what_a_fork_does_not_copy_is_not_forked(app: str, why: str) -> None:
    (call,) = _STRUCTURE.calls
    places = [one for one in swept(_DEMO) if isinstance(one.where, Boundary)]
    before = branch(next(one for one in places if one.edit is not None))
    inside = branch(next(one for one in reversed(places) if one.edit is not None))
    assert before.seq < call.seq < call.outputs[0] < inside.seq
    (found,) = answers(f"support.moody:{app}", [Job((before, inside), 30.0, 60.0, together=True)])
    told = found[inside.number]
    assert isinstance(told, Unbranched)
    assert why in told.why
    assert isinstance(found[before.number], Grown if app == "threaded" else Unbranched)


def test_the_first_places_are_tried_to_the_end_and_few_are_tried_one_by_one() -> None:
    places = swept(_DEMO)
    jobs = jobs_of(
        [_DEMO], places, turns=lambda at: None if at < 64 else 3, patience=30.0, timeout=60.0, number=2
    )
    assert jobs[0].branches == ()
    tried = [one.number for job in jobs for one in job.branches]
    assert sorted(tried) == [one.number for one in places if one.edit is not None]
    assert [job.together for job in jobs[1:3]] == [True, True]
    assert {one.turns for job in jobs[1:3] for one in job.branches} <= {None, 3}
    few = jobs_of([_DEMO], places[:4], turns=lambda at: None, patience=30.0, timeout=60.0, number=2)
    assert [len(job.branches) for job in few if not job.together] == [0, 1, 1, 1][: len(few)]
    assert Swing((), 3).is_cut is False
