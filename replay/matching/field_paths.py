"""Paths to fields of a payload: `tool_call.arguments`, `message.other_data.item.content[*].text`.

A path has names, joined by dots, and places in lists: `[0]`, or `[*]` for every one. A name may hold
`*` and `?`, as file names do: `metadata.*client*`; `*` alone is every field, and every place in a list.
Paths see through what the codec writes around values: tuples, models' extra fields, and texts that a
matcher reads as JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, cast

from ...schema.errors import UsageError

JSON_TAG = "json"
NORMALISED_TAG = "normalised"
_WRAPPERS = frozenset({JSON_TAG, NORMALISED_TAG, "described"})
_COLLECTIONS = frozenset({"py:tuple", "py:set", "py:frozenset"})
_PART = re.compile(r"([^.\[\]]+)|\[(\d+|\*)\]")
_WHOLE = re.compile(r"[^.\[\]]+(\[(\d+|\*)\])*(\.[^.\[\]]+(\[(\d+|\*)\])*)*")

Name = str | int


@dataclass(frozen=True, slots=True)
class AnyPlace:
    """Every place in a list."""


@dataclass(frozen=True, slots=True)
class FoundField:
    """A place in a tree where a value stands: `holder[key]`.

    Attributes:
        path: the names that lead there.
    """

    holder: Any
    key: Any
    path: tuple[Name, ...]

    @property
    def value(self) -> Any:
        """What stands there."""
        return self.holder[self.key]

    def put(self, value: Any) -> None:
        """Replace it."""
        self.holder[self.key] = value

    def remove(self) -> None:
        """Take a field away, so that it is as if it had never been there; a list keeps its length."""
        if not isinstance(self.holder, dict):
            self.put({"$": "ignored"})
            return
        holder = cast("dict[str, Any]", self.holder)
        del holder[self.key]
        given = holder.get("$set")
        if "$" in holder and isinstance(given, list) and self.key in given:
            holder["$set"] = [name for name in cast("list[Any]", given) if name != self.key]


@dataclass(frozen=True, slots=True)
class FieldPath:
    """A path, read once.

    Attributes:
        text: as it was written.
        parts: names, patterns and places.
    """

    text: str
    parts: tuple[str | int | AnyPlace, ...]

    @classmethod
    def read(cls, text: str) -> FieldPath:
        """Read a path.

        Raises:
            UsageError: it is none.
        """
        if not _WHOLE.fullmatch(text):
            raise UsageError(
                f"{text!r} is no path to a field: write names.with.dots, and [0] or [*] in lists"
            )
        parts: list[str | int | AnyPlace] = []
        for name, place in _PART.findall(text):
            parts.append(name or (AnyPlace() if place == "*" else int(place)))
        return cls(text, tuple(parts))

    @property
    def last_name(self) -> str | None:
        """The last name in it, if it has a name that is more than a wildcard."""
        names = [part for part in self.parts if isinstance(part, str) and part.strip("*?")]
        return names[-1] if names else None

    def find(self, tree: Any) -> list[FoundField]:
        """Where in a tree it leads."""
        return list(_find(tree, self.parts, ()))


def shown(path: tuple[Name, ...]) -> str:
    """The names of a path as a text."""
    text = "".join(f"[{name}]" if isinstance(name, int) else f".{name}" for name in path)
    return text.removeprefix(".")


def unwrapped(tree: Any) -> Any:
    """A tree without what stands around values: as the user wrote them, as far as JSON can show it."""
    if isinstance(tree, list):
        return [unwrapped(item) for item in cast("list[Any]", tree)]
    if not isinstance(tree, dict):
        return tree
    facts = cast("dict[str, Any]", tree)
    tag = facts.get("$")
    if tag in _WRAPPERS:
        return unwrapped(facts["value"])
    if tag in _COLLECTIONS:
        return unwrapped(facts["items"])
    plain = {unescaped(key): unwrapped(item) for key, item in facts.items()}
    extra: Any = plain.pop("$extra", None) if tag is not None else None
    return plain | cast("dict[str, Any]", extra) if isinstance(extra, dict) else plain


def escaped(key: str) -> str:
    """A key of a JSON text, so that `$` stays the mark of a type."""
    return f"{key}$" if key and not key.strip("$") else key


def unescaped(key: str) -> str:
    """The reverse of `escaped`."""
    return key[:-1] if len(key) > 1 and not key.strip("$") else key


def _find(tree: Any, parts: tuple[str | int | AnyPlace, ...], path: tuple[Name, ...]) -> Iterator[FoundField]:
    for name, holder, key in _children(tree):
        if not _fits(parts[0], name):
            continue
        inner = (*path, name)
        if len(parts) == 1:
            yield FoundField(holder, key, inner)
        else:
            yield from _find(holder[key], parts[1:], inner)


def _fits(part: str | int | AnyPlace, name: Name) -> bool:
    if isinstance(part, str):
        if isinstance(name, int):
            return part == "*"
        return part == name or (("*" in part or "?" in part) and fnmatchcase(name, part))
    return isinstance(name, int) and (isinstance(part, AnyPlace) or part == name)


def _children(tree: Any) -> Iterator[tuple[Name, Any, Any]]:
    if isinstance(tree, list):
        items = cast("list[Any]", tree)
        for index in range(len(items)):
            yield index, items, index
        return
    if not isinstance(tree, dict):
        return
    facts = cast("dict[str, Any]", tree)
    tag = facts.get("$")
    if tag in _WRAPPERS:
        yield from _children(facts["value"])
    elif tag in _COLLECTIONS:
        yield from _children(facts["items"])
    elif tag == "py:dict":
        for pair in facts["items"]:
            if isinstance(pair[0], str):
                yield pair[0], pair, 1
    else:
        for key in list(facts):
            if tag is None or not key.startswith("$"):
                yield unescaped(key), facts, key
        yield from _children(facts.get("$extra") if tag is not None else None)
