"""Session events as lines of text, for comparing runs byte for byte.

One JSON object a line, keys sorted, UTF-8. What stands in it, by what is in the event:

| in the event | in the line |
|---|---|
| a session event, a model event | its `type` and all its fields, but for `info` (the context) |
| item ids, call ids, response ids, texts, arguments, outputs, indexes | as they are |
| a conversation item, a usage, any other dataclass or pydantic model | its fields |
| the history, in a session event | the ids of its items, and the beginning of its digest |
| an agent, a tool, a handoff, a guardrail | its name |
| a guardrail's result | its name, whether it tripped, and what it told about it |
| bytes; audio in base64 | their length, and the beginning of their digest |
| an exception | its class and its message |
| an empty `previous_item_id` | null: SDK 0.18 writes the former into what it has emitted already |
| anything else | the name of its class |

There is no address in it, no `repr`, and no text of a traceback.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any, cast

from agents import FunctionTool, OutputGuardrailResult
from agents.realtime import RealtimeAgent, RealtimeHistoryUpdated
from pydantic import BaseModel

AUDIO_DELTA = "response.output_audio.delta"
"""The server's message that carries audio as base64, in `delta`."""


def line(told: Mapping[str, Any]) -> str:
    """One line, without its end."""
    return json.dumps(plain(dict(told)), sort_keys=True, ensure_ascii=True)


def plain(value: Any) -> Any:
    """A value as JSON shows it; see the table above."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes):
        return {"bytes": len(value), "sha256": _digest(value)}
    if isinstance(value, BaseException):
        return {"class": type(value).__name__, "message": str(value)}
    if isinstance(value, OutputGuardrailResult):
        output = value.output
        return {
            "guardrail": value.guardrail.get_name(),
            "tripped": output.tripwire_triggered,
            "told": plain(output.output_info),
        }
    if isinstance(value, RealtimeAgent | FunctionTool):
        return str(cast("Any", value).name)
    if isinstance(value, RealtimeHistoryUpdated):
        ids = [item.item_id for item in value.history]
        return {
            "type": value.type,
            "items": ids,
            "sha256": _digest(line({"history": value.history}).encode()),
        }
    return _composed(value)


def _digest(octets: bytes) -> str:
    return hashlib.sha256(octets).hexdigest()[:12]


def _composed(value: Any) -> Any:
    if isinstance(value, Mapping):
        mapping = {str(key): plain(one) for key, one in cast("Mapping[Any, Any]", value).items()}
        if mapping.get("previous_item_id") == "":
            mapping["previous_item_id"] = None
        return _without_audio(mapping)
    if isinstance(value, list | tuple):
        return [plain(one) for one in cast("list[Any]", value)]
    if isinstance(value, BaseModel):
        return plain(value.model_dump())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value) if field.name != "info"]
        return {name: plain(getattr(value, name)) for name in names}
    return {"class": type(value).__name__}


def _without_audio(message: dict[str, Any]) -> dict[str, Any]:
    if message.get("type") == AUDIO_DELTA and isinstance(message.get("delta"), str):
        try:
            return {**message, "delta": plain(base64.b64decode(message["delta"], validate=True))}
        except binascii.Error:
            return message
    return message
