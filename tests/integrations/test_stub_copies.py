"""The copy of an agent whose tools are stubbed: what is another in it, and what a tool of it answers."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from agents import FunctionTool, ToolGuardrailFunctionOutput, ToolOutputGuardrail, function_tool
from agents.realtime import RealtimeAgent
from agents.tool_context import ToolContext
from realtape.schema import Kind
from realtape.session import Recording
from support.backend import Backend, a_recording, application, stubbed


def context(name: str, arguments: str, call_id: str = "live_1") -> ToolContext[Any]:
    return ToolContext(None, tool_name=name, tool_call_id=call_id, tool_arguments=arguments)


async def call(agent: RealtimeAgent[Any], name: str, arguments: str, call_id: str = "live_1") -> Any:
    tools = await agent.get_all_tools(context(name, arguments))
    [tool] = [tool for tool in tools if tool.name == name]
    assert isinstance(tool, FunctionTool)
    return await tool.on_invoke_tool(context(name, arguments, call_id), arguments)


async def test_nothing_but_the_functions_is_another(tmp_path: Path) -> None:
    store = await a_recording(tmp_path)

    async def sometimes(context: Any, arguments: dict[str, Any], call_id: str) -> bool:
        return False

    async def check(data: Any) -> ToolGuardrailFunctionOutput:
        return ToolGuardrailFunctionOutput.allow()

    original = application(Backend(reachable=False))
    tool = original.tools[0]
    assert isinstance(tool, FunctionTool)
    tool.needs_approval = sometimes
    tool.tool_output_guardrails = [ToolOutputGuardrail(guardrail_function=check)]
    tools, before = list(original.tools), copy.copy(tool)
    stub = await stubbed(store, original)
    assert original.tools == tools  # it is left as it was
    assert stub is not original
    assert isinstance(stub.tools[0], FunctionTool)
    for field in dataclasses.fields(FunctionTool):
        if field.name not in ("on_invoke_tool", "timeout_seconds"):
            assert getattr(stub.tools[0], field.name) == getattr(before, field.name)
    assert stub.tools[0].on_invoke_tool is not tool.on_invoke_tool
    # The handoffs lead round in a circle of copies.
    handoff: Any = stub.handoffs[0]
    clerk = await handoff.on_invoke_handoff(context("transfer_to_clerk", ""), "")
    assert clerk.handoffs == [stub]
    assert await handoff.on_invoke_handoff(context("transfer_to_clerk", ""), "") is clerk
    assert (handoff.tool_name, handoff.agent_name) == ("transfer_to_clerk", "Clerk")
    with pytest.raises(AttributeError):
        _ = stub.tools[0].__wrapped__


async def test_tools_that_are_added_later_are_stubbed_too(tmp_path: Path) -> None:
    store = await a_recording(tmp_path)
    backend = Backend(reachable=False)

    @function_tool
    async def late() -> str:
        """Added later."""
        backend.ask("late")
        return ""

    original = application(backend)
    stub = await stubbed(store, original)
    stub.tools.append(late)
    assert "no call late" in await call(stub, "late", "{}")
    stub.tools.remove(late)
    original.tools.append(late)
    assert "no call late" in await call(stub, "late", "{}")
    original.tools.remove(late)
    names = [tool.name for tool in await stub.get_all_tools(context("fare", "{}"))]
    assert names == ["departure", "fare", "fails"]


async def test_calls_of_unknown_ids_are_matched_by_their_content(tmp_path: Path) -> None:
    store = await a_recording(tmp_path)
    stub = await stubbed(store, application(Backend(reachable=False)), pace=None)
    assert json.loads(await call(stub, "fare", '{"seats":3}'))["seats"] == 3
    assert json.loads(await call(stub, "fare", '{"seats": 2}'))["seats"] == 2
    unknown = await call(stub, "fare", '{"seats": 2}')
    assert unknown.startswith('the recording holds no call fare({"seats": 2}) that is left to answer')
    assert 'the nearest is fare({"seats": 2}), call call_' in unknown


async def test_an_answer_takes_the_recorded_time(tmp_path: Path) -> None:
    store = await a_recording(tmp_path)

    async def seconds(**options: Any) -> float:
        stub = await stubbed(store, application(Backend(reachable=False)), **options)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await call(stub, "departure", '{"destination": "Brno"}')
        return loop.time() - began

    async with await Recording.open(store) as recording:
        [draft] = recording.drafts()
    called, answered = (
        next(entry.at_ns for entry in draft.entries if (entry.kind, entry.type) == what)
        for what in ((Kind.RECEIVED, "function_call"), (Kind.SENT, "send_tool_output"))
    )
    assert await seconds() == pytest.approx((answered - called) / 1e9)  # pyright: ignore[reportUnknownMemberType]
    assert await seconds(pace=None) == 0


async def test_mcp_servers_of_an_unknown_agent_are_left_out_with_a_note(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = await a_recording(tmp_path)
    agent = application(Backend(reachable=False), remote=True)
    agent.instructions = "Something else."
    with caplog.at_level("WARNING", "realtape"):
        stub = await stubbed(store, agent)
    assert "MCP servers are left out" in caplog.text
    assert (stub.mcp_servers, len(stub.tools)) == ([], 3)
