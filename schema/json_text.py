"""JSON trees as text that any database holds, and that reads back as the same tree."""

from __future__ import annotations

import json
import re
from typing import Any, cast

from .errors import EncodingError

SPLIT_STRING = '"$":"py:str"'
"""In a text that holds a string in parts: JSON would read two lone surrogates in a row as one
character, so they are kept apart."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_PAIR = re.compile("(?<=[\ud800-\udbff])(?=[\udc00-\udfff])")

written = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), allow_nan=False, check_circular=False
).encode
"""A JSON tree as text, as `to_json` writes it, if all of it is ASCII."""

to_ascii = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False).encode
"""A JSON tree as ASCII: to compare trees, and to sort them."""


def to_json(tree: Any) -> str:
    """A JSON tree as text: lone surrogates are escaped, what else is not ASCII stands as it is.

    So a character is written in one way wherever it stands, and a text can be sought in a payload.

    Raises:
        EncodingError: a tagged object has a field whose name JSON would read back as another.
    """
    return escaped(tree, written(tree))


def escaped(tree: Any, text: str) -> str:
    """What `to_json` makes of a tree that was `written`."""
    if text.isascii() or _SURROGATE.search(text) is None:
        return text
    if _PAIR.search(text) is not None:
        text = written(_split(tree))
    return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _split(tree: Any) -> Any:
    if isinstance(tree, str):
        return {"$": "py:str", "parts": _PAIR.split(tree)} if _PAIR.search(tree) else tree
    if isinstance(tree, list):
        return [_split(item) for item in cast("list[Any]", tree)]
    if not isinstance(tree, dict):
        return tree
    facts = cast("dict[str, Any]", tree)
    if not any(map(_PAIR.search, facts)):
        return {key: _split(item) for key, item in facts.items()}
    if "$" in facts:
        raise EncodingError("the name of a field holds surrogates: rename it")
    return {"$": "py:dict", "items": [[_split(key), _split(item)] for key, item in facts.items()]}
