"""The law, in two halves.

Identity: a session recorded under virtual time, replayed with the same application and recorded again,
gives the same log. Fixpoint: of any recording, the second recording of a replay equals the first, and
the first agrees with the recording in all that the application was given, did and got back. There the
first recording is made in real time: so the provider has but a read loop, as the model of a socket has,
and the application does not race against time: among the many, a session that it ends while listeners
are at work does not count. (Where several tasks of a model act in one round of the loop, a recording in
real time does not tell in what order they and the application's did.)
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, seed, settings
from realtape.recorder import Recorder
from realtape.replay import ReplayModel, ReplayReport, run
from realtape.schema import Kind
from realtape.session import Recording
from support.generated import (
    REST_MS,
    GeneratedModel,
    Program,
    Provider,
    Running,
    Step,
    programs,
    providers,
)
from support.stored import Stored, only

SPEED = 100.0
"""How many times faster sessions are recorded that are recorded in real time."""

QUICKER = 1.07
"""How many times quicker the application is when it is replayed."""


async def record(
    store: Path, provider: Provider, program: Program, speed: float = 1.0, *, patient: bool = False
) -> list[Any]:
    async with Recorder(store) as recorder:
        model = recorder.wrap(GeneratedModel(provider, speed))
        return await Running(program, model, speed, patient=patient).run()


async def replay(
    store: Path, program: Program, into: Path, speed: float = 1.0, *, patient: bool = False
) -> tuple[list[Any], ReplayReport]:
    async with await Recording.open(store) as recording:
        model = ReplayModel(recording, at_end="hold")
        async with Recorder(into) as recorder:
            notes = await Running(program, recorder.wrap(model), speed, patient=patient).run()
        return notes, await model.finished()


def exchanged(stored: Stored) -> tuple[list[str], Counter[tuple[Any, ...]]]:
    """What the application was given, in order; and what it sent, with what came of it."""
    given_to_it: list[str] = []
    sent: dict[int, tuple[Any, ...]] = {}
    for entry in stored.entries:
        payload = stored.content(entry.payload)
        if entry.kind == Kind.RECEIVED:
            given_to_it.append(payload)
        elif entry.kind in (Kind.SENT, Kind.CONNECT, Kind.CLOSE):
            sent[entry.seq] = (entry.kind, entry.type, payload)
        elif entry.of in sent:
            sent[entry.of] += (entry.kind, payload)
    return given_to_it, Counter(sent.values())


def was_cut_off(stored: Stored) -> bool:
    """Whether listeners were still at it when the application ended: what they had come to by then is a
    matter of microseconds, where it is recorded in real time."""
    return any(
        entry.kind == Kind.HANDLED and '"open"' in stored.content(entry.payload) for entry in stored.entries
    )


def stood_still(stored: Stored) -> bool:
    """Whether the machine did, so that something came when the application should have ended long before: its
    replay ends in time, and never gets that."""
    ends_ns = REST_MS / SPEED * 1e6
    return any(entry.kind == Kind.RECEIVED and entry.at_ns >= ends_ns for entry in stored.entries)


def check_identity(provider: Provider, program: Program) -> None:
    with tempfile.TemporaryDirectory() as folder:
        first, second = Path(folder, "first.db"), Path(folder, "second.db")
        recorded = run(record(first, provider, program))
        replayed, report = run(replay(first, program, second))
        assert not report.diverged, report
        assert replayed == recorded
        assert asyncio.run(only(second)).rows() == asyncio.run(only(first)).rows()


def check_fixpoint(
    provider: Provider, program: Program, *, rested: bool = False, patient: bool = False
) -> None:
    """Of any recording; of those that end while no listener is at work (`rested`); or of one whose
    application waits until none is (`patient`), however busy the machine."""
    with tempfile.TemporaryDirectory() as folder:
        real, once, twice = (Path(folder, name) for name in ("real.db", "once.db", "twice.db"))
        asyncio.run(record(real, provider, program, SPEED, patient=patient))
        if rested:
            recorded = asyncio.run(only(real))
            assume(not was_cut_off(recorded) and not stood_still(recorded))
        for store, into in ((real, once), (once, twice)):
            _, report = run(replay(store, program, into, SPEED, patient=patient))
            assert not report.diverged, report
        stored = [asyncio.run(only(store)) for store in (real, once, twice)]
        assert exchanged(stored[1]) == exchanged(stored[0])
        assert stored[2].rows() == stored[1].rows()


@seed(1)
@settings(database=None, max_examples=settings().max_examples // 2)
@given(providers(), programs())
def test_identity(provider: Provider, program: Program) -> None:
    check_identity(provider, program)


@pytest.mark.parametrize("second", ["audio", "text"])
def test_fixpoint_of_audio_that_listeners_send(second: str) -> None:
    """They take longer than the rounds of a recording in real time say; all of it happens inside audio."""
    provider = Provider((Step(3.3, "turn_started"),), {}, {"audio": (Step(3.3, "turn_started"),)})
    reaction = (Step(1.0, "audio"), Step(0.0, second))
    program = Program(({"turn_started": reaction},), (), closes=False, tracks=False)
    check_fixpoint(provider, program, patient=True)


def check_settles(provider: Provider, program: Program) -> None:
    """The application is quicker than when it was recorded: its replay settles at once."""
    with tempfile.TemporaryDirectory() as folder:
        slow, once, twice = (Path(folder, name) for name in ("slow.db", "once.db", "twice.db"))
        run(record(slow, provider, program))
        for store, into in ((slow, once), (once, twice)):
            _, report = run(replay(store, program, into, QUICKER))
            assert not report.diverged, report
        assert asyncio.run(only(twice)).rows() == asyncio.run(only(once)).rows()


@seed(1)
@settings(database=None, max_examples=settings().max_examples // 2)
@given(providers(far=True), programs(calm=True))
def test_fixpoint_of_a_quicker_application(provider: Provider, program: Program) -> None:
    check_settles(provider, program)


def test_fixpoint_of_a_quicker_application_that_sends_the_same_twice() -> None:
    """Its main task interrupts sooner than it did, and is not taken for the listener that does so later."""
    provider = Provider((Step(3.3, "turn_started"),), {}, {})
    reaction = (Step(400.0, "play"), Step(400.0, "interrupt"))
    main = (Step(400.0, "interrupt"),)
    check_settles(provider, Program(({"turn_started": reaction},), main, closes=False, tracks=True))


@pytest.mark.deep
@settings(max_examples=2000)
@given(providers(), programs())
def test_identity_of_many(provider: Provider, program: Program) -> None:
    check_identity(provider, program)


@pytest.mark.deep
@settings(max_examples=2000)
@given(providers(far=True), programs(calm=True))
def test_fixpoint_of_many(provider: Provider, program: Program) -> None:
    check_fixpoint(provider, program, rested=True)
