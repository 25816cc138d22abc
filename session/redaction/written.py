"""A message as it is written in a frame: each of its texts and numbers with where it stands."""

from __future__ import annotations

import re
from typing import Any

MAX_LEVELS = 100
"""What is nested deeper is no message of any provider's."""

_TOKEN = re.compile(
    r"""(?P<text>"(?:[^"\\]|\\.)*")(?P<colon>\s*:)?|(?P<bracket>[\[\]{}])|(?P<comma>,)"""
    r"""|(?P<number>-?\d[\d.eE+-]*)|(?P<word>true|false|null)|(?P<space>\s+)|(?P<other>.)""",
    re.DOTALL,
)


class Written(str):
    """A text, with its escapes, or a number, with its digits.

    Attributes:
        start, end: where it is.
    """

    start: int
    end: int


def written_message(text: str) -> Any:
    """The objects and lists of a JSON text, of `Written`; None where it is none, or ambiguous: then its texts
    are to be sought otherwise."""
    root: list[Any] = []
    # What is open, and the key in it that waits for its value.
    stack: list[tuple[Any, list[Written]]] = [(root, [])]
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        if kind in ("space", "comma", "word"):
            continue
        if kind == "other":
            return None
        holder, key = stack[-1]
        value: Any
        if kind == "bracket":
            if token[0] in "]}":
                if len(stack) == 1 or isinstance(holder, dict) != (token[0] == "}"):
                    return None
                stack.pop()
                continue
            value = {} if token[0] == "{" else []
        elif kind == "number":
            value = _written(text, *token.span())
        else:
            value = _written(text, token.start("text") + 1, token.end("text") - 1)
            if kind == "colon":
                key[:] = [value]
                continue
        if isinstance(holder, dict):
            if not key or key[0] in holder:
                return None
            holder[key.pop()] = value
        else:
            holder.append(value)
        if kind == "bracket":
            if len(stack) > MAX_LEVELS:
                return None
            stack.append((value, []))
    whole = len(stack) == 1 and len(root) == 1 and not isinstance(root[0], str)
    return root[0] if whole else None


def _written(text: str, start: int, end: int) -> Written:
    made = Written(text[start:end])
    made.start, made.end = start, end
    return made
