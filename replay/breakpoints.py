"""Where a replay is to stop: conditions on what is about to happen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ..schema.entries import Entry
from ..schema.errors import UsageError
from ..session.fields import event_fields, mapping
from ..session.state import State
from ..session.words import content

What = Literal["deliver", "return", "play", "cancel"]


class Moment:
    """What the model's side is about to do.

    Attributes:
        what: `deliver` an event, let a call `return`, `play`: call the playback tracker, `cancel` the
            handling of an event.
        entry: the recorded entry of it; of a return, that of the call: the send, not its end.
        seq: of the entry that happens.
    """

    def __init__(self, what: What, entry: Entry, seq: int, state: Callable[[], State]) -> None:
        self.what: What = what
        self.entry = entry
        self.seq = seq
        self._state = state

    @property
    def state(self) -> State:
        """What is true before it; computed when it is asked for."""
        return self._state()

    @property
    def type(self) -> str:
        """Of a delivery, the event's type; of a return, what was sent, or `connect`, `close`; of a call
        on the tracker, its method; of a cancellation, `cancel`."""
        if self.what in ("deliver", "return"):
            return self.entry.type or self.entry.kind
        return (self.entry.method or "playback") if self.what == "play" else "cancel"

    @property
    def item(self) -> str | None:
        """The item of the conversation that the event is about."""
        event = event_fields(self.entry)
        found = event.get("item_id") or mapping(event.get("item")).get("item_id")
        return found if isinstance(found, str) else None

    @property
    def tool(self) -> str | None:
        """The tool that is asked for, or whose output was sent."""
        event = event_fields(self.entry)
        if self.entry.type == "send_tool_output":
            event = mapping(event.get("tool_call"))
        elif self.entry.type != "function_call":
            return None
        found = event.get("name")
        return found if isinstance(found, str) else None

    @property
    def text(self) -> str:
        """A short content, as `realtape show` gives it."""
        return content(self.entry)


Predicate = Callable[[Moment], bool]


@dataclass(frozen=True)
class Breakpoint:
    """Stop before what meets all that is said here.

    Attributes:
        number: from 1, in the order in which they were made.
        type: of the event: `function_call`, `send_tool_output`.
        item: id of the conversation's item.
        tool: name of the tool.
        playback_ms: the user has heard so many milliseconds of an item (of `item`, where that is
            given); stops once an item, where it comes about.
    """

    number: int
    type: str | None = None
    item: str | None = None
    tool: str | None = None
    playback_ms: float | None = None

    def __str__(self) -> str:
        told = [f"{name}={value}" for name, value in vars(self).items() if value is not None]
        return f"{self.number}: {' '.join(told[1:])}"

    def is_met(self, moment: Moment) -> bool:
        """Whether this moment meets it; of playback, whether so much was heard."""
        if self.type is not None and self.type != moment.type:
            return False
        if self.tool is not None and self.tool != moment.tool:
            return False
        if self.playback_ms is None:
            return self.item is None or self.item == moment.item
        played = moment.state.played
        return (
            played is not None
            and played.elapsed_ms is not None
            and played.elapsed_ms >= self.playback_ms
            and self.item in (None, played.item_id)
        )


class Breakpoints:
    """Those that are set."""

    def __init__(self) -> None:
        self._set: dict[int, Breakpoint] = {}
        self._made = 0
        self._heard: dict[int, str] = {}  # at which item each stopped last

    def __bool__(self) -> bool:
        return bool(self._set)

    def all(self) -> tuple[Breakpoint, ...]:
        """All of them, in the order in which they were made."""
        return tuple(self._set.values())

    def add(
        self,
        type: str | None,
        item: str | None,
        tool: str | None,
        playback_ms: float | None,
    ) -> Breakpoint:
        """Set one.

        Raises:
            UsageError: it says nothing.
        """
        if type is None and item is None and tool is None and playback_ms is None:
            raise UsageError("a breakpoint needs a type, an item, a tool or a playback position")
        self._made += 1
        made = self._set[self._made] = Breakpoint(self._made, type, item, tool, playback_ms)
        return made

    def set(self, breakpoints: tuple[Breakpoint, ...]) -> None:
        """Set those that were set elsewhere, with their numbers."""
        self._set = {one.number: one for one in breakpoints}
        self._made = max(self._set, default=0)

    def remove(self, number: int) -> None:
        """Take one away.

        Raises:
            UsageError: there is none of that number.
        """
        if self._set.pop(number, None) is None:
            known = ", ".join(map(str, self._set)) or "none"
            raise UsageError(f"no breakpoint {number}; set are {known}")
        self._heard.pop(number, None)

    def met(self, moment: Moment) -> Breakpoint | None:
        """The first that this moment meets."""
        found: Breakpoint | None = None
        for one in self._set.values():
            met = one.is_met(moment)
            if met and one.playback_ms is not None:  # where it comes about, and not as long as it lasts
                played = moment.state.played
                item = "" if played is None else played.item_id
                met = self._heard.get(one.number) != item
                self._heard[one.number] = item
            if met and found is None:
                found = one
        return found

    def forget(self) -> None:
        """Another session begins: nothing was heard yet."""
        self._heard.clear()
