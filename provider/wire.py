"""Messages as they travel: JSON objects in text frames."""

from __future__ import annotations

import json
import math
from typing import TypeAlias, cast

from pydantic import JsonValue

from .refusal import Refused

Message: TypeAlias = dict[str, JsonValue]
"""A message of the protocol, either way. Once given away it is never changed."""

MAX_DEPTH = 64
"""Containers within containers; the protocol itself needs a dozen, and recursion has an end."""


def encode(message: Message) -> str:
    """The message as JSON text, ASCII only, so that lone surrogates travel too."""
    return json.dumps(message, separators=(",", ":"), allow_nan=False)


def decode(text: str | bytes) -> Message:
    """The JSON object in a frame.

    Raises:
        Refused: a binary frame, no JSON, no object, nested deeper than MAX_DEPTH, or a number that
            JSON could not carry back.
    """
    if isinstance(text, bytes):
        raise Refused("Messages must be sent as text frames.", code="invalid_json")
    try:
        value = cast(JsonValue, json.loads(text, parse_constant=_number, parse_float=_number))
    # A number of thousands of digits is a ValueError too; a thousand brackets are a RecursionError.
    except (ValueError, RecursionError):
        raise Refused("The message is not valid JSON.", code="invalid_json") from None
    if not isinstance(value, dict):
        raise Refused("The message must be a JSON object.", code="invalid_json")
    if _deeper_than(value, MAX_DEPTH):
        raise Refused(f"The message is nested deeper than {MAX_DEPTH} levels.", code="invalid_json")
    return value


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _deeper_than(value: JsonValue, depth: int) -> bool:
    level: list[JsonValue] = [value]
    for _ in range(depth):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return False
    return True


def _children(value: JsonValue) -> list[JsonValue]:
    match value:
        case dict():
            return [child for child in value.values() if isinstance(child, dict | list)]
        case list():
            return [child for child in value if isinstance(child, dict | list)]
        case _:
            return []
