"""The settings of a recorded session: which tools its agents told the model of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self, cast

from agents import FunctionTool
from agents.realtime import RealtimeAgent

from ...schema import Kind
from ...schema.codec import Described
from ...session import Recording

FUNCTION_TOOL = "agents:FunctionTool"
"""The name under which `descriptions.py` describes one."""


@dataclass(frozen=True)
class RecordedSettings:
    """The settings that one agent gave to the model.

    Attributes:
        instructions: as text; None where there were none.
        tools: fields of its function tools by the tools' names, in order; see `descriptions.py`.
    """

    instructions: str | None
    tools: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """The settings of a `connect` or a `send_session_update`, as they are decoded."""
        tools = {str(fields.get("name")): fields for fields in _function_tools(settings.get("tools"))}
        return cls(settings.get("instructions"), tools)

    @property
    def asking(self) -> set[str]:
        """Names of the tools that ask, always or sometimes, whether they may run."""
        return {name for name, fields in self.tools.items() if fields.get("needs_approval")}

    def fit(self, agent: RealtimeAgent[Any]) -> bool:
        """Whether these can be the settings of this agent: its instructions, and none of its tools
        but those which are enabled by the moment is missing."""
        if isinstance(agent.instructions, str) and agent.instructions != self.instructions:
            return False
        own = {tool.name: tool for tool in agent.tools if isinstance(tool, FunctionTool)}
        always = {name for name, tool in own.items() if tool.is_enabled is True}
        return always <= self.tools.keys() and (bool(agent.mcp_servers) or self.tools.keys() <= own.keys())


async def recorded_settings(recording: Recording) -> list[RecordedSettings]:
    """The settings of every agent that the recorded session had, in order.

    Raises:
        CorruptRecordError: a payload cannot be decoded.
    """
    found: list[RecordedSettings] = []
    async for entry in recording.entries():
        if entry.kind == Kind.CONNECT:
            settings = _within(await recording.decode(entry), "options", "initial_model_settings")
        elif entry.kind == Kind.SENT and entry.type == "send_session_update":
            settings = getattr(await recording.decode(entry), "session_settings", None)
        else:
            continue
        if isinstance(settings, Mapping):
            found.append(RecordedSettings.of(cast("Mapping[str, Any]", settings)))
    return found


def _within(value: Any, *keys: str) -> Any:
    """What stands under these keys; None where something else than a mapping is on the way."""
    for key in keys:
        value = cast("Mapping[str, Any]", value).get(key) if isinstance(value, Mapping) else None
    return value


def _function_tools(tools: Any) -> Iterator[Mapping[str, Any]]:
    for tool in cast("list[Any]", tools) if isinstance(tools, list) else []:
        if isinstance(tool, Described) and tool.name == FUNCTION_TOOL and isinstance(tool.value, Mapping):
            yield cast("Mapping[str, Any]", tool.value)
