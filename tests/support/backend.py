"""An application whose tools reach a backend, which is out of bounds in a replay."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from agents import function_tool
from agents.mcp import MCPServer
from agents.realtime import RealtimeAgent, RealtimeSession, realtime_handoff
from mcp.types import CallToolResult, TextContent
from mcp.types import Tool as RemoteTool
from pydantic import BaseModel
from realtape.integrations.openai_agents import stub_tools
from realtape.provider import FunctionCall, Reply, Script
from realtape.session import Recording
from support.conversation import Told, record


class Backend:
    """What the tools reach: real when it is recorded, and out of bounds in a replay."""

    def __init__(self, *, reachable: bool) -> None:
        self.reachable = reachable
        self.asked: list[str] = []

    def ask(self, what: str) -> None:
        assert self.reachable, f"the backend was asked for {what}"
        self.asked.append(what)


class Departure(BaseModel):
    platform: int
    at: str


class RemoteTools(MCPServer):
    """An MCP server without a process."""

    def __init__(self, backend: Backend) -> None:
        super().__init__()
        self.backend = backend

    @property
    def name(self) -> str:
        return "weather"

    async def connect(self) -> None: ...

    async def cleanup(self) -> None: ...

    async def list_tools(self, run_context: Any = None, agent: Any = None) -> list[RemoteTool]:
        self.backend.ask("its tools")
        schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
        return [
            RemoteTool.model_validate(
                {"name": "weather", "description": "The weather.", "inputSchema": schema}
            )
        ]

    async def call_tool(self, tool_name: str, arguments: Any, meta: Any = None) -> CallToolResult:
        self.backend.ask(tool_name)
        return CallToolResult(content=[TextContent(type="text", text=f"Rain in {arguments['city']}")])

    async def list_prompts(self) -> Any:
        raise NotImplementedError

    async def get_prompt(self, name: str, arguments: Any = None) -> Any:
        raise NotImplementedError


def application(backend: Backend, *, remote: bool = False) -> RealtimeAgent[Any]:
    """A host who hands off to a clerk, who hands back."""

    @function_tool
    async def departure(destination: str) -> Departure:
        """When the next train leaves."""
        backend.ask(destination)
        await asyncio.sleep(0.02)
        return Departure(platform=4, at="9:15 – früh")

    @function_tool
    def fare(seats: int) -> dict[str, Any]:
        """What it costs."""
        backend.ask(f"{seats} seats")
        return {"seats": seats, "euro": 12.5, "class": None}

    @function_tool(strict_mode=False)
    async def fails() -> str:
        """It fails."""
        backend.ask("nothing")
        raise ValueError("no such thing")

    @function_tool(needs_approval=True, timeout=5.0)
    async def book(seats: int) -> list[int]:
        """Book seats."""
        backend.ask(f"{seats} booked")
        return [seats]

    clerk = RealtimeAgent[Any](name="Clerk", instructions="Book.", tools=[book, fare])
    host = RealtimeAgent[Any](
        name="Host",
        instructions="Greet.",
        tools=[departure, fare, fails],
        handoffs=[realtime_handoff(clerk)],
        mcp_servers=[RemoteTools(backend)] if remote else [],
    )
    clerk.handoffs = [host]  # a cycle
    return host


def script(*calls: FunctionCall) -> Script:
    return Script(replies=(*[Reply(outputs=(call,)) for call in calls], Reply.text("Good-bye.")))


async def stubbed(store: Path, agent: RealtimeAgent[Any], **options: Any) -> RealtimeAgent[Any]:
    async with await Recording.open(store) as recording:
        return await stub_tools(agent, recording, **options)


async def a_recording(tmp_path: Path) -> Path:
    """One call of `departure`, two of `fare`, and one that was not answered in time."""
    calls = (
        FunctionCall("departure", {"destination": "Brno"}),
        FunctionCall("fare", {"seats": 2}),
        FunctionCall("fare", {"seats": 3}),
    )

    async def asks(session: RealtimeSession, told: Told) -> None:
        await session.send_message("To Brno!")
        await told.until_turn(4)

    store = tmp_path / "log.db"
    await record(store, script(*calls), application(Backend(reachable=True)), asks)
    return store
