"""What `until` and `break` take: `type=function_call tool=weather text~Prague playback=1.5s`."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field

from ..replay import Breakpoint, Moment
from ..schema import UsageError
from .bounds import parse_bound

FIELDS = "type=NAME, item=ID, tool=NAME, playback=1500ms"


@dataclass(frozen=True)
class Condition:
    """What is to be met, all of it.

    Attributes:
        wanted: what a breakpoint can say.
        texts: parts of the short content.
    """

    wanted: Breakpoint
    texts: list[str] = field(default_factory=list[str])

    def is_met(self, moment: Moment) -> bool:
        """Whether this moment meets it."""
        return self.wanted.is_met(moment) and all(text in moment.text for text in self.texts)


def parse_condition(command: str, text: str) -> Condition:
    """The words after a command.

    Raises:
        UsageError: no condition, one that is not known, or quotes that are not closed.
    """
    possible = FIELDS + ("" if command == "break" else ", text~WORD")
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"{command} {text}: {error}") from error
    if not words:
        raise UsageError(f"{command}: say what to stop at: {possible}")
    found: dict[str, str] = {}
    texts: list[str] = []
    playback_ms: float | None = None
    for word in words:
        name, sign, value = word.partition("=")
        if command != "break" and word.startswith("text~"):
            texts.append(word.removeprefix("text~"))
        elif name == "playback" and value:
            at_ns = parse_bound("playback", value).at_ns
            if at_ns is None:
                raise UsageError(f"{word}: give a unit: 1500ms or 1.5s")
            playback_ms = at_ns / 1e6
        elif name in ("type", "item", "tool") and sign and value:
            found[name] = value
        else:
            raise UsageError(f"{command}: {word} is no condition; there are {possible}")
    wanted = Breakpoint(0, found.get("type"), found.get("item"), found.get("tool"), playback_ms)
    return Condition(wanted, texts)
