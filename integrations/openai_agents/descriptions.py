"""Live objects as descriptions: tools and handoffs hold callables, contexts hold the user's own data."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, get_args

from ...schema.codec import Vocabulary

TOOL_FIELDS = (
    "name",
    "description",
    "params_json_schema",
    "strict_json_schema",
    "namespace",
    "is_enabled",
    "needs_approval",
    "defer_loading",
    "allowed_callers",
)
HANDOFF_FIELDS = (
    "tool_name",
    "tool_description",
    "input_json_schema",
    "strict_json_schema",
    "agent_name",
    "is_enabled",
)
CONFIG_FIELDS = ("type", "server_label", "server_description", "allowed_tools", "require_approval")
"""Of a hosted tool's configuration. The rest may authorise: addresses, headers, tokens."""

NAMED: tuple[tuple[str, str], ...] = (
    ("agents.agent", "AgentBase"),
    ("agents.agent", "Agent"),
    ("agents.realtime.agent", "RealtimeAgent"),
    ("agents.guardrail", "InputGuardrail"),
    ("agents.guardrail", "OutputGuardrail"),
    ("agents.tool_guardrails", "ToolInputGuardrail"),
    ("agents.tool_guardrails", "ToolOutputGuardrail"),
    ("agents.mcp", "MCPServer"),
)
"""Of which only the name is kept."""

NAMELESS: tuple[tuple[str, str], ...] = (("agents.run_context", "RunContextWrapper"),)
"""Of which nothing is kept: what they hold is the application's own."""


def register_descriptions(vocabulary: Vocabulary) -> None:
    """Say of everything live that can stand in an event how it is described."""
    for cls in tool_types():
        vocabulary.describe(cls, f"agents:{cls.__name__}", describe_tool)
    for cls in _found((("agents.handoffs", "Handoff"),)):
        vocabulary.describe(cls, f"agents:{cls.__name__}", _fields(HANDOFF_FIELDS))
    for cls in _found(NAMED):
        vocabulary.describe(cls, f"agents:{cls.__name__}", _name)
    for cls in _found(NAMELESS):
        vocabulary.describe(cls, f"agents:{cls.__name__}", _nothing)


def tool_types() -> Iterator[type[Any]]:
    """Every kind of tool that this release knows."""
    for member in get_args(importlib.import_module("agents.tool").Tool):
        origin = getattr(member, "__origin__", member)  # ComputerTool[Any]
        if isinstance(origin, type):
            yield origin


def describe_tool(tool: Any) -> dict[str, Any]:
    """What the model is told of a tool, never what it does."""
    description = _fields(TOOL_FIELDS)(tool)
    config = _read(tool, "tool_config")
    if isinstance(config, Mapping):
        description["tool_config"] = {name: config[name] for name in CONFIG_FIELDS if name in config}
    return description


def _fields(names: tuple[str, ...]) -> Callable[[Any], dict[str, Any]]:
    def describe(thing: Any) -> dict[str, Any]:
        values = {name: _read(thing, name) for name in names}
        return {
            name: "callable" if callable(value) else value
            for name, value in values.items()
            if value is not None
        }

    return describe


def _name(thing: Any) -> dict[str, Any]:
    name = _read(thing, "name")
    if name is None:
        try:
            name = thing.get_name()  # a guardrail without a name is called like its function
        except Exception:  # noqa: BLE001 - a recorder must not fail where the SDK would not have asked
            name = None
    return {"name": name}


def _nothing(thing: Any) -> None:
    del thing


def _read(thing: Any, name: str) -> Any:
    try:
        return getattr(thing, name, None)
    except Exception:  # noqa: BLE001 - a property of somebody else's tool may do anything
        return None


def _found(names: tuple[tuple[str, str], ...]) -> Iterator[type[Any]]:
    """The classes of these names that this release of the SDK has."""
    for module, name in names:
        try:
            cls = getattr(importlib.import_module(module), name, None)
        except ImportError:
            continue
        if isinstance(cls, type):
            yield cls
