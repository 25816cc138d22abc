"""`replay(recording, app)`: how an application may end, what is said of it, and what is left behind:
nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import Callable, Coroutine
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from realtape.replay import IGNORE, DivergenceError, Play, Played, StuckLoopError, replay, run
from realtape.schema import (
    CorruptRecordError,
    RealtimeModelListener,
    RealtimeModelSendUserInput,
    SessionNotFoundError,
    UsageError,
)
from realtape.session import Recording
from support import telephone
from support.impatient_loop import run_impatiently

Runs = Callable[[Coroutine[Any, Any, Any]], Any]
ON_BOTH = pytest.mark.parametrize("loop_of", [run, asyncio.run], ids=["virtual", "plain"])


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("recorded") / "calls.db"
    telephone.record(store)
    return store


async def hears_and_waits(model: Any) -> None:
    """It does what was recorded but closing, and never returns."""
    await telephone.holding(model)


@ON_BOTH
def test_the_application_that_was_recorded_is_the_same(recorded: Path, loop_of: Runs) -> None:
    played: Played = loop_of(replay(recorded, telephone.app))
    assert (played.verdict, played.ending, played.error, played.problem) == ("same", "returned", None, "")
    assert (played.connected, played.lacks) == (True, ())
    assert str(played).startswith(str(played.report))
    assert played.report.delivered == 16


@ON_BOTH
def test_without_one_the_recording_answers_itself(recorded: Path, loop_of: Runs) -> None:
    played = loop_of(replay(recorded))
    assert (played.verdict, played.ending, played.report.unplayed) == ("same", "returned", 0)


@ON_BOTH
def test_another_one_diverges_and_its_own_exception_is_the_replays(recorded: Path, loop_of: Runs) -> None:
    played = loop_of(replay(recorded, telephone.other))
    assert played.verdict == "diverged"
    assert played.failure is None
    assert (
        played.problem
        == "changed: send_tool_output departure of call_1 (#25): output: 'platform 4' → 'platform 5'"
    )
    collected = loop_of(replay(recorded, telephone.other, on_divergence="collect"))
    assert (collected.verdict, collected.ending, collected.report.finished) == ("diverged", "returned", True)


@ON_BOTH
def test_what_it_raises_is_told_and_not_raised(recorded: Path, loop_of: Runs) -> None:
    played = loop_of(replay(recorded, telephone.failing))
    assert (played.verdict, played.ending) == ("failed", "raised")
    assert isinstance(played.failure, ValueError)
    assert played.problem == "the application raised ValueError: this is my own fault"
    assert str(played).endswith(played.problem)

    async def leaves(model: Any) -> None:
        raise SystemExit(3)

    assert isinstance(loop_of(replay(recorded, leaves)).error, SystemExit)


@ON_BOTH
def test_what_it_raised_before_it_closed_too_early_is_told(recorded: Path, loop_of: Runs) -> None:
    """And not the close alone, which comes of it."""

    async def gives_up(model: Any) -> None:
        try:
            await model.connect({})
            raise LookupError("no such train")
        finally:
            await model.send_event(RealtimeModelSendUserInput(user_input="sorry"))

    collected = loop_of(replay(recorded, gives_up, on_divergence="collect"))
    assert isinstance(collected.failure, LookupError)
    assert collected.problem.startswith(
        "the application raised LookupError: no such train; extra: send_user_input"
    )
    assert "the application raised LookupError: no such train" in str(collected).splitlines()
    raised = loop_of(replay(recorded, gives_up))
    assert (raised.verdict, raised.failure) == ("diverged", None)
    assert isinstance(raised.handled, LookupError)
    assert raised.problem.endswith(", while the application handled LookupError: no such train")
    told = "the application handled LookupError: no such train when it diverged"
    assert told in str(raised).splitlines()


def test_one_that_never_listens_has_not_heard_what_the_recorded_one_heard(recorded: Path) -> None:
    async def deaf(model: Any) -> None:
        await model.connect({})
        await asyncio.sleep(10)
        await model.close()

    played = run(replay(recorded, deaf, expect="none", on_divergence="collect"))
    assert played.verdict == "diverged"
    assert "unheard" in [one.kind for one in played.report.divergences]


@ON_BOTH
def test_what_it_sends_when_all_is_over_is_a_finding(recorded: Path, loop_of: Runs) -> None:
    async def talks_on(model: Any) -> None:
        await telephone.app(model)
        with contextlib.suppress(UsageError):
            await model.send_event(RealtimeModelSendUserInput(user_input="one more thing"))

    played = loop_of(replay(recorded, talks_on, on_divergence="collect"))
    assert (played.verdict, played.report.extra) == ("diverged", 1)
    assert played.problem == "extra: send_user_input 'one more thing', after the close"


def test_what_a_replay_does_not_run_is_told_and_why_the_recorded_one_closed(recorded: Path) -> None:
    played = run(replay(recorded, telephone.app))
    lines = str(played).splitlines()
    reason = "for a reason that the recording does not tell"
    assert lines[-2] == f"close: when recorded, the application closed (#43) {reason}"
    assert lines[-1].startswith("not run: what is below the model's interface, its own code; recorded and")
    facts = json.loads(json.dumps(played.as_json()))
    assert facts["not_run"] == "what is below the model's interface, its own code"
    assert facts["recorded_with"] == facts["replayed_with"]
    assert {"python", "realtape"} <= set(facts["recorded_with"])
    older = replace(played, recorded_with={"x": "1", "y": "2"}, replayed_with={"x": "1", "y": None})
    assert str(older).endswith("recorded with x 1, y 2; replayed with x 1, y not installed")


def test_what_comes_of_a_divergence_is_no_failure_of_its_own(recorded: Path) -> None:
    async def wrapping(model: Any) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(unrecorded(model))

    async def unrecorded(model: Any) -> None:
        await model.connect({})
        await model.send_event(RealtimeModelSendUserInput(user_input="never said"))

    played = run(replay(recorded, wrapping))
    assert isinstance(played.error, ExceptionGroup)
    assert (played.verdict, played.failure) == ("diverged", None)


@ON_BOTH
def test_an_application_that_never_connects_has_failed(recorded: Path, loop_of: Runs) -> None:
    played = loop_of(replay(recorded, telephone.unconnected))
    assert (played.verdict, played.connected) == ("failed", False)
    assert played.problem == "the application returned without connecting"


def test_one_that_holds_on_is_cancelled(recorded: Path) -> None:
    ended: list[float] = []

    async def holding(model: Any) -> None:
        try:
            await hears_and_waits(model)
        finally:
            ended.append(asyncio.get_running_loop().time())

    played = run(replay(recorded, holding, patience=7.0))
    assert (played.ending, played.verdict) == ("cancelled", "failed")
    assert "did not return within 7 s" in played.problem
    assert str(played).startswith("failed, but 1 send and 1 close of unknown origin were not checked: ")
    assert played.as_json()["verdict"] == "failed"
    assert ended
    assert 7 <= ended[0] < 9
    plain = run_impatiently(replay(recorded, holding, stuck_after=0.1))
    assert (plain.ending, plain.verdict) == ("cancelled", "failed")
    held = run(replay(recorded, holding, at_end="hold"))  # as it was asked to
    assert (held.ending, held.verdict) == ("cancelled", "same")


def test_one_that_does_not_care_about_being_cancelled_is_given_up(recorded: Path) -> None:
    released = asyncio.Event()

    async def stubborn(model: Any) -> None:
        model.add_listener(telephone.Application(model))
        await model.connect({})
        while not released.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await released.wait()

    async def main() -> Played:
        played = await replay(recorded, stubborn, patience=2.0)
        released.set()
        return played

    played = run(main())
    assert (played.ending, played.verdict) == ("cancelled", "failed")
    assert played.problem.endswith("did not return within 2 s: cancelled, which it ignored")


def test_tasks_that_do_not_care_about_being_cancelled_are_told(recorded: Path) -> None:
    released = asyncio.Event()

    async def stubborn() -> None:
        while not released.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await released.wait()

    async def leaving(model: Any) -> None:
        kept.append(asyncio.create_task(stubborn()))
        await telephone.app(model)

    async def main() -> Played:
        played = await replay(recorded, leaving)
        released.set()
        await asyncio.gather(*kept)
        return played

    kept: list[asyncio.Task[None]] = []
    played = run(main())
    assert (played.ending, played.verdict) == ("returned", "failed")
    assert played.problem == "a task that the application has started did not end when cancelled"


def test_one_that_waits_for_what_can_never_happen_is_stuck(recorded: Path) -> None:
    async def stuck(model: Any) -> None:
        await asyncio.Event().wait()

    played = run(replay(recorded, stuck))
    assert (played.ending, played.verdict) == ("stuck", "failed")
    assert played.problem.startswith("nothing is left that could ever happen: ")
    with pytest.raises(StuckLoopError):  # as ever, where nobody plays
        run(stuck(None))


@ON_BOTH
def test_what_the_application_leaves_behind_is_ended_and_nothing_else(recorded: Path, loop_of: Runs) -> None:
    ended: list[str] = []

    async def lasting(name: str) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append(name)
            asyncio.create_task(again(name))  # noqa: RUF006 - whoever cancels it must find it
            raise

    async def again(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(f"{name} again")

    async def leaving(model: Any) -> None:
        tasks = [asyncio.create_task(lasting("mine"))]
        await telephone.app(model)
        assert len(tasks) == 1

    async def main() -> Played:
        other = asyncio.create_task(asyncio.Event().wait())
        factory = asyncio.get_running_loop().get_task_factory()
        both = await asyncio.gather(replay(recorded, leaving), replay(recorded, telephone.app))
        assert asyncio.get_running_loop().get_task_factory() is factory
        assert asyncio.all_tasks() == {other, asyncio.current_task()}
        other.cancel()
        assert both[1].verdict == "same"
        return both[0]

    assert loop_of(main()).verdict == "same"
    assert ended == ["mine", "mine again"]


@ON_BOTH
def test_cancelled_it_takes_the_application_along(recorded: Path, loop_of: Runs) -> None:
    ended: list[str] = []
    begun = asyncio.Event()

    async def lasting(model: Any) -> None:
        begun.set()
        task = asyncio.create_task(asyncio.Event().wait())
        task.add_done_callback(lambda done: ended.append("its task"))
        try:
            await hears_and_waits(model)
        finally:
            await asyncio.sleep(0.001)
            ended.append("it")

    async def main() -> None:
        playing = asyncio.create_task(replay(recorded, lasting))
        await begun.wait()
        playing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await playing
        assert asyncio.all_tasks() == {asyncio.current_task()}

    loop_of(main())
    assert ended == ["it", "its task"]


@ON_BOTH
def test_what_cannot_be_played_raises(recorded: Path, tmp_path: Path, loop_of: Runs) -> None:
    with pytest.raises(SessionNotFoundError, match="no session"):
        loop_of(replay(_empty(recorded, tmp_path), telephone.app))
    with closing(sqlite3.connect(_copy(recorded, tmp_path / "torn.db"))) as store, store:
        store.execute("DROP TRIGGER entries_no_update")
        store.execute("UPDATE entries SET payload = '{torn' WHERE seq = 24")
    for app in (telephone.app, telephone.careless, None):
        with pytest.raises(CorruptRecordError, match="entry 24"):
            loop_of(replay(tmp_path / "torn.db", app))
    with pytest.raises(UsageError):
        loop_of(replay(recorded, telephone.app, matchers={"no_such_type": {"output": IGNORE}}))


def test_a_recording_that_is_given_stays_open_and_may_be_played_again(recorded: Path) -> None:
    async def main() -> list[str]:
        async with await Recording.open(recorded) as recording:
            found = [(await replay(recording, app)).verdict for app in (telephone.app, None, telephone.other)]
            assert len([entry async for entry in recording.entries()]) == recording.length
            return [*found, (await replay(recording, telephone.app)).verdict]

    assert run(main()) == ["same", "same", "diverged", "same"]


def test_a_recording_that_lacks_its_end_is_incomplete(recorded: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(_copy(recorded, tmp_path / "dead.db"))) as store, store:
        store.execute("UPDATE sessions SET status = 'interrupted'")
    played = run(replay(tmp_path / "dead.db", telephone.app))
    assert (played.verdict, len(played.lacks)) == ("incomplete", 1)
    assert "was interrupted" in played.problem


def test_whoever_holds_the_play_may_leave_it(recorded: Path) -> None:
    async def main() -> tuple[Played, tuple[int, int]]:
        async with await Recording.open(recorded) as recording, Play(recording) as play:
            play.transport.pause()
            play.transport.on_stop = lambda stop: play.leave()
            await play.perform(telephone.app)
            return play.played(), play.read

    played, (read, length) = run(main())
    assert (played.ending, played.verdict) == ("left", "not finished")
    assert 0 < read <= length


def test_whoever_is_the_application_himself_finishes_it(recorded: Path) -> None:
    async def main() -> Played:
        async with await Recording.open(recorded) as recording, Play(recording) as play:
            await telephone.app(play.model)
            await play.finish()
            return play.played()

    assert run(main()).report.verdict == "same"


def test_a_divergence_may_be_raised_from_what_is_returned(recorded: Path) -> None:
    played = run(replay(recorded, telephone.other))
    with pytest.raises(DivergenceError):
        played.report.raise_for_divergence()


def _copy(store: Path, to: Path) -> Path:
    to.write_bytes(store.read_bytes())
    return to


def _empty(store: Path, folder: Path) -> Path:
    copy = _copy(store, folder / "empty.db")
    with closing(sqlite3.connect(copy)) as connection, connection:
        for trigger in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {trigger[0]}")
        for table in ("entries", "segments", "sessions"):
            connection.execute(f"DELETE FROM {table}")
    return copy


@ON_BOTH
def test_a_tests_verdict_in_a_listener_is_what_the_application_raised(recorded: Path, loop_of: Runs) -> None:
    async def app(model: Any) -> None:
        class Strict(RealtimeModelListener):
            async def on_event(self, event: Any) -> None:
                if event.type == "function_call":
                    pytest.fail("no tool was to be called")

        model.add_listener(Strict())
        await model.connect({})
        await asyncio.sleep(3600)

    played = loop_of(replay(recorded, app))
    assert (played.verdict, played.ending) == ("failed", "cancelled")
    assert played.problem == "the application raised Failed: no tool was to be called"
    assert not played.report.divergences
