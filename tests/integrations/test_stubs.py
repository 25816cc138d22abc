"""Stubbed tools answer as recorded: the replay matches, and the user's functions are never called.

Recorded over a socket, in real time; replayed on virtual time, where it is known at once that nobody
closes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agents import function_tool
from agents.realtime import RealtimeAgent, RealtimeSession
from realtape.integrations.openai_agents import ReplayModel, drive
from realtape.provider import FunctionCall
from realtape.replay import run
from realtape.schema import same
from support.backend import Backend, application, script, stubbed
from support.conversation import Told, record, replaying

COURSE = (
    FunctionCall("departure", {"destination": "Brno"}),
    FunctionCall("fare", {"seats": 2}),
    FunctionCall("fails", {}),
    FunctionCall("transfer_to_clerk", {}),
    FunctionCall("book", {"seats": 2}),
    FunctionCall("transfer_to_host", {}),
    FunctionCall("departure", {"destination": "Wien"}),
)


async def user(session: RealtimeSession, told: Told) -> None:
    await session.send_message("To Brno and back, please!")
    await told.until_turn(len(COURSE) + 1)


async def approve(session: RealtimeSession, event: Any) -> None:
    await session.approve_tool_call(event.call_id)


def driven(store: Path, agent: RealtimeAgent[Any], told: Told) -> ReplayModel:
    """A replay of it, with the tools stubbed, in which the user does as he did."""

    async def drives() -> ReplayModel:
        async with replaying(store, await stubbed(store, agent), told) as (session, model):
            await drive(session, model)
        return model

    return run(drives())


def test_a_replay_without_the_backend_matches(tmp_path: Path) -> None:
    store, told, backend = tmp_path / "log.db", Told(), Backend(reachable=True)
    recorded = asyncio.run(record(store, script(*COURSE), application(backend), user, answer=approve))
    assert backend.asked == ["Brno", "2 seats", "nothing", "2 booked", "Wien"]
    model = driven(store, application(Backend(reachable=False)), told)
    report = model.report
    assert (report.unsent, report.changes, report.divergences) == (0, (), ())
    assert same(told.history, recorded.history)
    ended = [one["output"] for one in told.events if one["type"] == "tool_end"]
    assert ended[:2] == ['{"platform": 4, "at": "9:15 – früh"}', '{"seats": 2, "euro": 12.5, "class": null}']
    assert ended[2].startswith("An error occurred")
    before = [one for one in recorded.heard if one["type"] != "tool_end"]
    assert sorted(map(str, (one for one in told.heard if one["type"] != "tool_end"))) == sorted(
        map(str, before)
    )


def test_the_tools_of_mcp_servers_are_made_from_the_recorded_settings(tmp_path: Path) -> None:
    calls = (FunctionCall("weather", {"city": "Oslo"}), FunctionCall("fare", {"seats": 1}))

    async def asks(session: RealtimeSession, told: Told) -> None:
        await session.send_message("And the weather?")
        await told.until_turn(3)

    store, told, backend = tmp_path / "log.db", Told(), Backend(reachable=True)
    recorded = asyncio.run(record(store, script(*calls), application(backend, remote=True), asks))
    assert backend.asked[-2:] == ["weather", "1 seats"]
    model = driven(store, application(Backend(reachable=False), remote=True), told)
    assert (model.report.changes, model.report.divergences) == ((), ())
    assert same(told.history, recorded.history)


def test_a_call_that_was_never_answered_is_not_answered(tmp_path: Path) -> None:
    async def leaves(session: RealtimeSession, told: Told) -> None:
        await session.send_message("To Brno!")
        while not any(one["type"] == "tool_start" for one in told.events):
            await asyncio.sleep(0.001)

    store, told = tmp_path / "log.db", Told()
    asyncio.run(record(store, script(COURSE[0]), application(Backend(reachable=True)), leaves))
    model = driven(store, application(Backend(reachable=False)), told)
    assert not model.report.divergences
    assert [one["type"] for one in told.events].count("tool_start") == 1
    assert not [one for one in told.events if one["type"] == "tool_end"]


def test_a_policy_of_approval_sees_the_arguments_that_it_saw(tmp_path: Path) -> None:
    """The SDK does not ask a policy about arguments that validation changes: it wants an approval."""
    asked: list[Any] = []

    def agent(backend: Backend) -> RealtimeAgent[Any]:
        async def policy(context: Any, arguments: dict[str, Any], call_id: str) -> bool:
            asked.append(arguments)
            return False

        @function_tool(needs_approval=policy)
        async def fare(seats: int = 1) -> str:
            """What it costs."""
            backend.ask("a fare")
            return "12.50"

        return RealtimeAgent(name="Clerk", tools=[fare])

    async def asks(session: RealtimeSession, told: Told) -> None:
        await session.send_message("How much?")
        await told.until_turn(3)

    calls = (FunctionCall("fare", {"seats": 1}), FunctionCall("fare", {"seats": "2"}))
    store, told = tmp_path / "log.db", Told()
    real = agent(Backend(reachable=True))
    recorded = asyncio.run(record(store, script(*calls), real, asks, answer=approve))
    seen, asked[:] = list(asked), []
    model = driven(store, agent(Backend(reachable=False)), told)
    assert asked == seen
    count: Callable[[Told], int] = lambda one: str(one.events).count("'tool_approval_required'")  # noqa: E731
    assert count(told) == count(recorded)
    assert not model.report.divergences
