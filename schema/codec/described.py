"""Stand-ins for what no type can hold: values and exceptions that nobody registered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ORIGIN = "_realtape_origin"
"""Attribute of a decoded exception: where the recorded one came from, so that recording a replay
writes that again and not the lines of the replay."""

ORIGIN_KEYS = ("trace", "behind")


@dataclass(frozen=True)
class Described:
    """A value of a class that the vocabulary does not know, kept as a description.

    Attributes:
        name: what it was: a class's qualified name at the time of recording, or a registered name
            that the vocabulary in use lacks. A label only: nothing is imported by it.
        value: what could be kept of it: its fields, the plain value below a subclass, or None.
    """

    name: str
    value: Any = None

    def __hash__(self) -> int:
        return hash(self.name)  # the value may be a list, and what it stands for was a key


class RecordedError(Exception):
    """Stands for a recorded exception of a class that the vocabulary does not know.

    Attributes:
        name: the qualified name of the class that was raised. A label only.
        text: what `str()` of the exception gave; where that would have run code of its class,
            its arguments and attributes; empty where those are kept in a form of their own.
        state: the attributes that the exception had.
    """

    def __init__(self, name: str, text: str, *arguments: Any, state: Mapping[Any, Any] | None = None) -> None:
        super().__init__(name, text, *arguments)
        self.name = name
        self.text = text
        self.state = dict(state or {})

    def __str__(self) -> str:
        return f"{self.name}: {self.text}" if self.text else self.name
