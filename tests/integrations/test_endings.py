"""How a session of the SDK ends in a replay, also where the release knows no event for that."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from agents.realtime import RealtimeAgent, RealtimeModel, RealtimeRunner
from agents.realtime.model_events import RealtimeModelTurnEndedEvent, RealtimeModelTurnStartedEvent
from realtape.integrations.openai_agents import VOCABULARY, Recorder, replay, run
from realtape.replay import model as replayed_model
from support.scripted import Scripted


class ScriptedModel(Scripted, RealtimeModel):
    """Behind the SDK's interface."""


async def turn(model: Any) -> None:
    await model.emit(RealtimeModelTurnStartedEvent(), RealtimeModelTurnEndedEvent())


async def talks(model: Any, *, turns: int | None = None) -> None:
    """The loop of README; the recorded one leaves it after a turn."""
    runner = RealtimeRunner(RealtimeAgent(name="Ada"), model=model, config={"tracing_disabled": True})
    async with await runner.run() as session:
        async for event in session:
            if event.type == "agent_end" and turns is not None:
                break


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("recorded") / "log.db"

    async def main() -> None:
        async with Recorder(store) as recorder:
            await talks(recorder.wrap(ScriptedModel(turn)), turns=1)

    run(main())
    return store


def test_the_loop_of_a_release_without_the_event_ends(
    recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def knows_none(vocabulary: Any) -> bool:
        return False

    def disconnection(vocabulary: Any) -> Any:
        word = VOCABULARY.word_named("connection_status")
        assert word is not None
        return word.cls(status="disconnected")

    monkeypatch.setattr(replayed_model, "knows_end", knows_none)
    monkeypatch.setattr(replayed_model, "end_event", disconnection)
    played = run(replay(recorded, talks, expect="none"))
    assert (played.ending, played.waited, played.verdict) == ("returned", None, "same")


def test_the_loop_ends(recorded: Path) -> None:
    played = run(replay(recorded, talks, expect="none"))
    assert (played.ending, played.waited, played.verdict) == ("returned", None, "same")


def test_a_close_that_a_turn_caused_is_told_with_that(recorded: Path) -> None:
    played = run(replay(recorded, lambda model: talks(model, turns=1)))
    assert played.verdict == "same"
    (told,) = played.report.closes
    assert "because of #" in told
    assert "turn_ended" in told


async def listens_to_nothing(model: Any) -> None:
    """It enters a session, and never reads what comes."""
    runner = RealtimeRunner(RealtimeAgent(name="Ada"), model=model, config={"tracing_disabled": True})
    async with await runner.run():
        await asyncio.sleep(1)


def test_who_never_reads_the_sessions_events_is_not_simply_the_same(recorded: Path) -> None:
    played = run(replay(recorded, listens_to_nothing, expect="none"))
    assert played.verdict == "same"
    assert played.report.remark.endswith("events of its session was read")
    assert played.report.unread > 0
    assert f"same, but {played.report.remark}" in str(played.report)
    strict = run(replay(recorded, listens_to_nothing, expect="none", strict=True, on_divergence="collect"))
    assert [one.kind for one in strict.report.divergences] == ["unheard"]
    assert run(replay(recorded, talks, expect="none", strict=True)).report.unread == 0
