"""JSON trees as text that any database holds, and that reads back as the same tree.

How deep JSON is nested is counted here, before the interpreter comes to it: its own limit is another one
in every version, in every thread, and below every caller.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, cast

from pydantic_core import to_json as _quickly

from ..errors import EncodingError

MAX_NESTING = 410
"""Payloads are nested no deeper: containers within containers. What is written of the deepest value, of
100 levels, stays below, for one of its levels takes four at most."""

SPLIT_STRING = '"$":"py:str"'
"""In a text that holds a string in parts: JSON would read two lone surrogates in a row as one
character, so they are kept apart."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_PAIR = re.compile("(?<=[\ud800-\udbff])(?=[\udc00-\udfff])")

_STRINGS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_decoded = json.JSONDecoder().decode

_NO_BRACKETS = re.compile(r"[^][{}]+")
_STRING_OR_CONSTANT = re.compile(rf"{_STRINGS.pattern}|-?Infinity|NaN", re.DOTALL)
_CONSTANTS = {"Infinity": "1e999", "-Infinity": "-1e999", "NaN": "null"}

written = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), allow_nan=False, check_circular=False
).encode
"""A JSON tree as text, as `to_json` writes it, if all of it is ASCII."""

to_ascii = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False).encode
"""A JSON tree as ASCII: to compare trees, and to sort them."""


def from_json(text: str, nesting: int = MAX_NESTING) -> Any:
    """The JSON tree in a text.

    Args:
        nesting: containers within containers, as many as there may be.

    Raises:
        ValueError: it is no JSON, nested deeper, or holds a number of more digits than Python reads.
    """
    require_nesting(text, nesting)
    if text.startswith("\ufeff"):
        return json.loads(text)  # which says what is wrong
    return _decoded(text)


def from_standard_json(text: str, nesting: int = MAX_NESTING) -> Any:
    """The same of JSON as its standard has it (RFC 8259): Python also reads NaN and Infinity, and takes a
    number for infinite that is too large, which nobody can write again.

    Raises:
        ValueError: as `from_json`; or there is such a number.
    """
    require_nesting(text, nesting)
    return _decoded_finite(text)


def _finite(number: str) -> float:
    value = float(number)
    if math.isinf(value):
        raise ValueError(f"{number[:40]} is no number that Python can hold")
    return value


def _no_number(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


_decoded_finite = json.JSONDecoder(parse_float=_finite, parse_constant=_no_number).decode


def require_nesting(text: str, nesting: int = MAX_NESTING) -> None:
    """Read no text that is nested deeper.

    Raises:
        ValueError: it is, or it would be if it were JSON.
    """
    if len(text) <= nesting or text.count("[") + text.count("{") <= nesting:
        return
    depth = 0
    for bracket in _NO_BRACKETS.sub("", _STRINGS.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > nesting:
            raise ValueError(f"nested deeper than {nesting} levels")


def require_flatness(tree: Any, nesting: int = MAX_NESTING) -> None:
    """Write no tree that is nested deeper, or that holds itself.

    Raises:
        ValueError: it is one.
    """
    parents: list[Iterator[Any]] = [iter((tree,))]
    while parents:
        inner: Any = next(filter(_holds_others, parents[-1]), None)
        if inner is None:
            parents.pop()
            continue
        items: list[Any] = list(cast("Any", inner.values() if isinstance(inner, dict) else inner))
        parents.append(iter(items))
        if len(parents) > nesting + 1:
            raise ValueError(f"nested deeper than {nesting} levels")


def _holds_others(item: Any) -> bool:
    return isinstance(item, dict | list | tuple)


def to_json(tree: Any) -> str:
    """A JSON tree as text: lone surrogates are escaped, what else is not ASCII stands as it is.

    So a character is written in one way wherever it stands, and a text can be sought in a payload.

    Raises:
        EncodingError: a tagged object has a field whose name JSON would read back as another.
    """
    return escaped(tree, written(tree))


def standard_json(tree: Any, *, unicode: bool = False, indent: int | None = None) -> str:
    """A tree as JSON that every language reads: to show it, or for another program.

    A number that no float holds, such as 1e999 in what a peer sent, is such a number again, and what is none
    is null. (Python's own writer puts words there that only Python reads: one spoils a whole page.)

    Args:
        unicode: what is not ASCII stands as it is.
        indent: on several lines; None: on one, without blanks.
    """
    if indent is None and not unicode:
        try:
            return to_ascii(tree)
        except ValueError:  # it holds such a number
            pass
    separators = (",", ":") if indent is None else None
    try:
        return json.dumps(
            tree, ensure_ascii=not unicode, separators=separators, indent=indent, allow_nan=False
        )
    except ValueError:
        text = json.dumps(tree, ensure_ascii=not unicode, separators=separators, indent=indent)
        return _STRING_OR_CONSTANT.sub(lambda found: _CONSTANTS.get(found[0], found[0]), text)


def finite(tree: Any) -> Any:
    """A tree in which numbers that no float holds are tagged, as the codec does it: so it can be written."""
    if isinstance(tree, float):
        return tree if math.isfinite(tree) else {"$": "py:float", "text": repr(tree)}
    if isinstance(tree, list):
        return [finite(item) for item in cast("list[Any]", tree)]
    if isinstance(tree, dict):
        return {key: finite(item) for key, item in cast("dict[str, Any]", tree).items()}
    return tree


def quickly_written(tree: Any) -> str:
    """As `written`, several times as fast, of a shallow tree of texts, integers of 64 bits, truths, None,
    lists and dictionaries: of nothing else."""
    try:
        return str(_quickly(tree), "utf-8")
    except ValueError:  # a lone surrogate
        return written(tree)


def quickly_quoted(text: str) -> str:
    """A text as JSON.

    Raises:
        ValueError: it holds a lone surrogate.
    """
    return str(_quickly(text), "utf-8")


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
