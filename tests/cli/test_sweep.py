"""`realtape sweep` finds what an interruption at the wrong moment breaks, and keeps it."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from realtape.cli import sweep_command
from realtape.cli.sweep_command import keep
from realtape.cli.sweep_job import Job, prepare
from realtape.integrations.branching import Grown
from realtape.integrations.soundness import Failure, observe
from realtape.lab import promising, ranges, swept, varied
from realtape.lab.edits import Boundary, Heard
from realtape.lab.invariants import Found, rule
from realtape.schema import Entry, UsageError
from realtape.schema.log import locate
from realtape.session import Recording, interruptions
from realtape.session.drafts import Draft, write_drafts
from realtape.session.fixture import read_fixture
from realtape.session.structure import Structure
from support import voice
from support.command_line import Ran
from support.depths import framed
from support.golden import DEMO
from support.short_session import followed_by, shortened

pytestmark = pytest.mark.usefixtures("imported_ahead")

_DEMO = asyncio.run(Recording.open(DEMO)).drafts()[0]
_FIRST = interruptions(Structure(_DEMO))[0]
_DEMO_CALL = Structure(_DEMO).calls[0]

Realtape = Callable[..., Ran]


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short session: one answer, interrupted at 120 ms of it."""
    store = tmp_path_factory.mktemp("short") / "short.db"
    write_drafts(locate(store), [shortened(_DEMO)])
    return store


def test_a_bug_is_found_kept_and_gone_once_it_is_mended(
    short: Path, tmp_path: Path, realtape: Realtape
) -> None:
    kept = tmp_path / "kept"
    options = ("--every", 40, "--keep", kept, "--jobs", 1)
    ran = realtape("sweep", short, "--app", "support.voice:cuts_early", *options)
    assert ran.code == 1, ran
    assert ran.lines[0].startswith("truncated never beyond the audio received: at ")
    assert "  at 0 to 80 ms of item_0002" in ran.lines
    assert "1 kind of failure" in ran.lines[-1]
    assert "replays a second" in ran.lines[-1]
    (fixture,) = kept.iterdir()
    assert fixture.name == "1-truncated-never-beyond-the-audio-received"
    assert f"  kept as {fixture}" in ran.lines
    (draft,) = read_fixture(fixture)
    assert draft.header.source.startswith("varied: ")
    again = ("sweep", fixture, "--as-is", "--keep", kept)
    assert realtape(*again, "--app", "support.voice:cuts_early").code == 1
    told = realtape(*again, "--app", "support.voice:sound", "--json")
    assert (told.code, json.loads(told.out)["failures"]) == (0, [])
    assert len(list(kept.iterdir())) == 1  # what is kept already is not kept again


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The short session, and then another as short."""
    store = tmp_path_factory.mktemp("chain") / "chain.db"
    write_drafts(locate(store), followed_by(shortened(_DEMO), shortened(_DEMO)))
    return store


def test_each_session_of_a_chain_has_its_places(
    chain: Path, tmp_path: Path, realtape: Realtape, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that connected again: its first connection is played as it was, and the second is varied."""

    def in_this_process(sweeping: sweep_command.Sweeping, jobs: Sequence[Job]) -> Iterator[int]:
        swing = prepare(sweeping._setup)
        for job in jobs:
            swing(dataclasses.replace(job, together=False), sweeping.take)
            yield from (branch.number for branch in job.branches)

    monkeypatch.setattr(sweep_command.Sweeping, "results", in_this_process)
    arguments = ("--every", 100, "--keep", tmp_path, "--jobs", 1)
    bug = ("sweep", chain, "--app", "support.voice:cuts_early_again", *arguments)
    ran = realtape(*bug, "--from", "2/20", "--to", "2/40")
    assert (ran.code, "had to be replayed" in ran.err) == (1, False), ran
    assert "  session 2, at 0 ms of item_0002" in ran.lines
    assert any(line.startswith("  such as session 2, the interruption of #") for line in ran.lines)
    (fixture,) = tmp_path.iterdir()
    first, second = read_fixture(fixture)
    assert second.header.previous_session == first.header.id
    again = ("sweep", fixture, "--as-is", "--keep", tmp_path, "--app")
    assert realtape(*again, "support.voice:cuts_early_again").code == 1
    assert realtape(*again, "support.voice:twice").code == 0
    ran = realtape(*bug, "--interruption", "3/20")
    assert (ran.code, "there is no session 3: the model had 2" in ran.err) == (2, True)
    assert realtape(*bug, "--interruption", "1s").code == 2


def test_who_does_not_connect_again_is_not_judged_there(
    chain: Path, tmp_path: Path, realtape: Realtape
) -> None:
    ran = realtape("sweep", chain, "--as-is", "--app", "support.voice:sound", "--keep", tmp_path)
    told = "realtape: 1 place was not reached: the application did not connect again\n"
    assert (ran.code, ran.err) == (3, told)


def test_what_is_kept_gets_a_new_number(short: Path, tmp_path: Path) -> None:
    drafts = asyncio.run(Recording.open(short)).drafts()
    (tmp_path / "7-of-another-day").mkdir()
    (tmp_path / "notes.txt").write_text("mine")
    first, second = (keep(tmp_path / "new" / "..", "Stuck! (again)", drafts) for _ in range(2))
    assert (first.name, second.name) == ("8-stuck-again", "9-stuck-again")
    assert read_fixture(first) == drafts
    with pytest.raises(UsageError, match="name a folder"):
        keep(tmp_path / "notes.txt", "stuck", drafts)


def test_an_answer_after_the_close_is_found_where_a_tool_is_at_work() -> None:
    asked = _DEMO_CALL.seq
    places = [one for one in swept(_DEMO) if isinstance(one.where, Boundary) and asked < one.where.seq < 236]
    place = next(one for one in places if one.edit is not None)
    assert place.edit is not None
    made = [varied(_DEMO, [place.edit])]
    assert [one.what for one in observe(made, voice.hangs_up)] == ["nothing is sent after the close"]
    assert observe(made, voice.sound) == []


def test_an_application_that_raises_or_hangs_has_failed() -> None:
    async def raises(model: object) -> None:
        raise ValueError("out of order")

    async def hangs(model: object) -> None:
        await voice.sound(model)
        await asyncio.Event().wait()

    async def never(model: object) -> None:
        """It does nothing at all."""

    assert [(one.what, one.text) for one in observe([_DEMO], raises)] == [
        *(("the application raised ValueError", "ValueError: out of order"),)
    ]
    assert [one.what for one in observe([_DEMO], hangs)] == ["the application got stuck"]
    assert [one.what for one in observe([_DEMO], never)] == ["the application never connected"]
    assert observe([_DEMO], voice.sound) == []


def test_the_places_of_a_sweep() -> None:
    places = swept(_DEMO)
    assert [one.number for one in places] == list(range(len(places)))
    assert places[0].edit is None
    assert ranges(places[:1]) == ["as recorded"]
    heard = [one.where for one in places if isinstance(one.where, Heard)]
    assert [one.ms for one in heard if one.item_id == "item_0006"] == list(range(0, 581, 20))
    at_its_own = [one.where for one in places[1:] if one.edit is None]
    assert at_its_own == [Boundary(_FIRST.seq), Heard("item_0002", 1360)]
    assert ranges([places[1], places[2], places[4]]) == ["before #4 to #6", "before #10"]
    both = swept([_DEMO, _DEMO], interruption=316, session=2)
    assert [one.number for one in both] == list(range(2 * len(places) - 1))
    first, second = ([one for one in both if one.nth == nth] for nth in (1, 2))
    assert [one.edit for one in first] == [one.edit for one in places[1:]]
    assert Boundary(316) in [one.where for one in second if one.edit is None]
    assert ranges([first[0], second[0]]) == ["session 1, before #4", "session 2, before #4"]
    order = promising([_DEMO, _DEMO], both, lambda at: at.nth == 2 and at.seq < 60)
    assert {one.nth for one in order} == {None, 2}


def test_what_cannot_be_swept_is_refused(realtape: Realtape, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="this session's are: #155, #316"):
        swept(_DEMO, interruption=3)
    silent = Draft(_DEMO.header, _DEMO.status, _DEMO.entries[:2], _DEMO.segments)
    with pytest.raises(UsageError, match="says nothing"):
        swept(silent)
    with pytest.raises(UsageError, match="frames alone"):
        swept(framed(_DEMO))
    assert realtape("sweep", tmp_path / "none.db", "--app", "support.voice:sound").code == 2


def test_the_most_promising_places_come_first() -> None:
    places = swept(_DEMO)
    order = promising(_DEMO, places)
    assert order[0].where is None
    assert sorted(order, key=lambda one: one.number) == places
    first = [one.number for one in order[1:20]]
    assert all(number % 16 == 0 for number in first)
    numbered = promising(_DEMO, places, lambda one: 60 <= one.seq <= 80)
    assert {one.where.seq for one in numbered if isinstance(one.where, Boundary)} <= set(range(60, 81))
    assert any(isinstance(one.where, Heard) for one in numbered)
    some = promising(_DEMO, places, lambda one: 0.2e9 <= one.at_ns <= 0.4e9)
    assert some[0].where is None
    assert 0 < len(some) < len(places) / 2
    assert all(
        0.2e9 <= _DEMO.entries[one.where.seq].at_ns <= 0.4e9
        for one in some
        if isinstance(one.where, Boundary)
    )


@rule("nobody is ever interrupted")
def never_interrupted(entries: Sequence[Entry]) -> Iterator[Found]:
    for entry in entries:
        if entry.type == "audio_interrupted":
            yield Found("somebody was", (entry.seq,))


def test_a_rule_of_ones_own_and_a_few_places(
    realtape: Realtape, short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [str(Path(__file__).parent), *sys.path])
    arguments = ("--app", "support.voice:sound", "--keep", tmp_path / "kept", "--jobs", 1)
    assert "3 places: nothing failed" in realtape("sweep", short, *arguments, "--max", 3).out
    own = (*arguments, "--rule", f"{__name__}:never_interrupted")
    # Of the variation itself, and no doing of the application's: not told.
    assert "nothing failed" in realtape("sweep", short, *own, "--max", 3).out
    ran = realtape("sweep", short, *arguments, "--time", 0.001)
    assert (ran.code, "ended before all was tried: 1 of " in ran.err) == (3, True)
    ran = realtape("sweep", short, *arguments, "--rule", "support.voice:sound")
    assert (ran.code, "no rule; make one with realtape.lab.invariants.rule" in ran.err) == (2, True)


def test_ended_by_a_signal_it_tells_and_keeps_what_it_found(
    realtape: Realtape, short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And in a pipe it says how far it is."""

    def some(sweeping: sweep_command.Sweeping, jobs: Sequence[Job]) -> Iterator[int]:
        first, second, *_ = (branch.number for job in jobs for branch in job.branches)
        sweeping.take((first, Grown((Failure("it hangs", "for ever"),), 3, is_cut=False)))
        yield first
        sweeping.take((second, Grown((), 3, is_cut=False)))
        os.kill(os.getpid(), signal.SIGTERM)
        yield second

    monkeypatch.setattr(sweep_command, "LINE_SECONDS", -1.0)
    monkeypatch.setattr(sweep_command.Sweeping, "results", some)
    before = signal.getsignal(signal.SIGTERM)
    ran = realtape("sweep", short, "--app", "support.voice:sound", "--keep", tmp_path / "kept", "--jobs", 1)
    assert signal.getsignal(signal.SIGTERM) is before
    assert ran.code == 1
    assert ran.lines[0] == "it hangs: at 1 of 2 places"
    assert [one.name for one in (tmp_path / "kept").iterdir()] == ["1-it-hangs"]
    assert re.search(r"1 of \d+ places: 1 kind of failure", ran.err)
    assert re.search(r"ended before all was tried: 2 of \d+ places", ran.err)


def test_places_that_cannot_be_tried_together_are_tried_one_by_one(
    realtape: Realtape, short: Path, tmp_path: Path
) -> None:
    arguments = ("--app", "support.moody:connected", "--keep", tmp_path, "--jobs", 1, "--max", 6)
    ran = realtape("sweep", short, *arguments)
    assert "6 places: nothing failed" in ran.out
    assert "5 places had to be replayed from the beginning: the application has open: a socket\n" in ran.err
