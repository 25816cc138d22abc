"""Stubs: an agent whose tools answer from a recording, and never reach the user's backend."""

from __future__ import annotations

import asyncio
import copy
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar, cast

from agents import FunctionTool, Handoff
from agents.realtime import RealtimeAgent

from ...session import Recording, ToolAnswers, ToolCall, tool_calls
from .recorded_tools import RecordedSettings, recorded_settings

logger = logging.getLogger("realtape.integrations.openai_agents")

_Agent = TypeVar("_Agent", bound=RealtimeAgent[Any])
_Invoke = Callable[[Any, str], Awaitable[Any]]


async def stub_tools(agent: _Agent, *recordings: Recording, pace: float | None = 1.0) -> _Agent:
    """A copy of an agent, and of all that it hands off to, whose function tools answer as recorded.

    A tool answers the call of the same id with the recorded text, after the recorded time; where the
    recording does not know the id, the first call of that name with those arguments that is left. A
    call that had no answer when the recording ended gets none. A call that the recording does not
    hold is answered with a text that says so; a replay then diverges.

    Names, descriptions, schemas, guardrails and approvals stay: the settings match the recorded ones.
    Tools that the application adds to an agent's list later, of the agent or of its copy, are stubbed
    when they are offered. The tools of MCP servers are made from the recorded settings; the servers
    are not asked. A handoff's own callback is called. Tools that are given in the model's settings
    and not by an agent are beyond our reach, and hosted tools have no function.

    Cancelled while it reads, it has changed nothing.

    Args:
        agent: where the session begins; it is left as it is.
        recordings: open; several where a model was connected several times.
        pace: how many times faster than recorded; None answers at once.

    Raises:
        CorruptRecordError: a recording cannot be read.
    """
    calls: list[ToolCall] = []
    settings: list[RecordedSettings] = []
    for recording in recordings:
        calls += await tool_calls(recording)
        settings += await recorded_settings(recording)
    return _Stubs(ToolAnswers(calls), settings, pace).agent(agent)


class _Stubs:
    """Makes copies, one of each agent, handoff and tool.

    Args:
        answers: the recorded ones.
        settings: the recorded ones, for the tools of MCP servers.
        pace: how many times faster than recorded; None: at once.
    """

    def __init__(
        self, answers: ToolAnswers, settings: Sequence[RecordedSettings], pace: float | None
    ) -> None:
        self._answers = answers
        self._settings = settings
        self._pace = pace
        # By identity, with what was copied: an id is another's once its owner is gone.
        self._copies: dict[int, tuple[Any, Any]] = {}

    def agent(self, original: _Agent) -> _Agent:
        """The copy of an agent."""
        known = self._copies.get(id(original))
        if known is not None:
            return known[1]
        stub = self._keep(original, copy.copy(original))  # before its handoffs, which may lead back
        remote = [] if not original.mcp_servers else self._remote_tools(original)
        stub.mcp_servers = []
        stub.tools = [*remote, *map(self.tool, original.tools)]
        stub.handoffs = [self._handoff(handoff) for handoff in original.handoffs]
        seen = [*original.tools]

        async def get_all_tools(run_context: Any) -> list[Any]:
            if list(map(id, seen)) != list(map(id, original.tools)):
                seen[:] = original.tools
                stub.tools[:] = [*remote, *map(self.tool, original.tools)]
            found = await type(original).get_all_tools(stub, run_context)
            return [self.tool(tool) for tool in found]

        vars(stub)["get_all_tools"] = get_all_tools
        return stub

    def tool(self, original: Any) -> Any:
        """The copy of a function tool; any other tool as it is."""
        if not isinstance(original, FunctionTool):
            return original
        known = self._copies.get(id(original))
        if known is not None:
            return known[1]
        stub = self._keep(original, copy.copy(original))
        stub.timeout_seconds = None  # a tool that ran out of time has that for its recorded output
        stub.on_invoke_tool = _as_invoker(original, stub, self._invocation(original.name))
        return stub

    def _handoff(self, original: Any) -> Any:
        known = self._copies.get(id(original))
        if known is not None:
            return known[1]
        if not isinstance(original, Handoff):
            return self._agent_or(original)
        stub = self._keep(cast("Any", original), copy.copy(cast("Any", original)))

        async def hand_off(context: Any, arguments: str) -> Any:
            return self._agent_or(await original.on_invoke_handoff(context, arguments))

        stub.on_invoke_handoff = hand_off
        return stub

    def _agent_or(self, value: Any) -> Any:
        """The copy of an agent; anything else is the SDK's to judge."""
        return self.agent(cast("RealtimeAgent[Any]", value)) if isinstance(value, RealtimeAgent) else value

    def _keep(self, original: Any, stub: Any) -> Any:
        self._copies[id(original)] = (original, stub)
        self._copies[id(stub)] = (stub, stub)
        return stub

    def _remote_tools(self, agent: RealtimeAgent[Any]) -> list[FunctionTool]:
        """The tools that an agent's MCP servers offered when it was recorded."""
        settings = next((one for one in self._settings if one.fit(agent)), None)
        if settings is None:
            logger.warning(
                "the recording has no settings of agent %s: the tools of its MCP servers are left out",
                agent.name,
            )
            return []
        own = {tool.name for tool in agent.tools}
        return [self._remote(fields) for name, fields in settings.tools.items() if name not in own]

    def _remote(self, fields: Any) -> FunctionTool:
        async def sometimes(context: Any, arguments: Any, call_id: str) -> bool:
            return False  # what decided is not recorded; a tool that may run answers the same

        asks = fields.get("needs_approval", False)
        tool = FunctionTool(
            name=fields["name"],
            description=fields.get("description", ""),
            params_json_schema=fields.get("params_json_schema", {}),
            strict_json_schema=fields.get("strict_json_schema", True),
            needs_approval=asks if isinstance(asks, bool) else sometimes,
            on_invoke_tool=self._invocation(fields["name"]),
        )
        return self._keep(tool, tool)

    def _invocation(self, name: str) -> _Invoke:
        async def invoke(context: Any, arguments: str) -> str:
            call = self._answers.claim(getattr(context, "tool_call_id", None), name, arguments)
            if call is None:
                text = _unknown(name, arguments, self._answers.nearest(name, arguments))
                logger.error(text)
                return text
            if call.output is None:
                await asyncio.Event().wait()  # until the session cancels it
                raise AssertionError("unreachable")
            if self._pace is not None:
                await asyncio.sleep(call.seconds / self._pace)
            return call.output

        return invoke


def _unknown(name: str, arguments: str, nearest: ToolCall | None) -> str:
    resembling = "it holds none at all" if nearest is None else f"the nearest is {nearest}"
    return f"the recording holds no call {name}({arguments}) that is left to answer; {resembling}"


def _as_invoker(original: FunctionTool, stub: FunctionTool, invoke: _Invoke) -> _Invoke:
    """The invocation in the form that the SDK gave the original's.

    A tool whose approval is decided by a function is asked about in other words if its invoker is not
    one that the SDK's decorator made: it looks into the arguments first.
    """
    invoker: Any = original.on_invoke_tool
    prepare = getattr(getattr(invoker, "_invoke_tool_impl", None), "__agents_prepare_arguments__", None)
    if prepare is None or not callable(original.needs_approval):
        return invoke
    vars(invoke)["__agents_prepare_arguments__"] = prepare
    copied: Any = copy.copy(invoker)
    copied._invoke_tool_impl, copied._function_tool = invoke, stub
    return copied
