"""Texts that hold JSON, and numbers, in the one form that all their spellings have in common."""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any, cast

from ...schema.codec import MAX_DEPTH, require_nesting
from .field_paths import JSON_TAG, escaped

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?\s*")
_EXACT_FLOAT = 2**53


def json_tree(text: str) -> Any:
    """What a text holds, if it is JSON: marked as such, its keys sorted; else the text itself. So is what is
    nested deeper than MAX_DEPTH."""
    try:
        require_nesting(text, MAX_DEPTH)
        return {"$": JSON_TAG, "value": _canonical(_DECODER.decode(text))}
    except ValueError:
        return text


def number_of(value: Any) -> Fraction | None:
    """The number that a value of a payload is, exactly; None if it is none. Texts may be numbers."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return Fraction(value)
    if isinstance(value, float):
        return Fraction(value) if math.isfinite(value) else None
    if isinstance(value, str):
        return Fraction(value.strip()) if len(value) < 400 and _NUMBER.fullmatch(value) else None
    if not isinstance(value, dict):
        return None
    facts = cast("dict[str, Any]", value)
    if facts.get("$") == "py:int":
        return Fraction(int(facts["hex"], 16))
    if facts.get("$") in ("py:float", "py:Decimal"):
        try:
            number = Decimal(facts["text"])
        except InvalidOperation:  # a redactor may have been here
            return None
        return Fraction(number) if number.is_finite() and abs(number.adjusted()) < 400 else None
    return None


def _canonical(value: Any) -> Any:
    if isinstance(value, float):
        if math.isinf(value):
            raise ValueError("larger than any number that we compare")
        return int(value) if value.is_integer() and abs(value) < _EXACT_FLOAT else value
    if isinstance(value, list):
        return [_canonical(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        facts = cast("dict[str, Any]", value)
        return {escaped(key): _canonical(facts[key]) for key in sorted(facts)}
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)
