"""A recording as the core sees it: entries with their values decoded, one step each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ...schema.entries import Entry
from ...session.places import Place


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call, or the listeners' handling of an event, ended.

    Attributes:
        how: `withheld` is a `send_event_if` whose condition was false; `open` are listeners that
            were still at it when the recorder was closed.
        value: what it returned.
        error: what it raised.
    """

    how: Literal["returned", "raised", "withheld", "cancelled", "open"] = "returned"
    value: Any = None
    error: BaseException | None = None


RETURNED = Outcome()
START = Place(0, 0, 0)


class Step:
    """One entry of the recording.

    Attributes:
        entry: as it stands in the log.
        seq, kind, task: the same of it.
        value: the decoded payload: the event of `received` and `sent`, else a dict.
        place: where in time it stands.
        key: of a `sent`: its content, equal to that of a live send that matches it.
        outcome: of an entry that ends another.
        ends: of a `received`: the log holds a `handled` for it; if not, it returned before the
            next entry.
        performed: it has happened again.
    """

    __slots__ = ("ends", "entry", "key", "kind", "outcome", "performed", "place", "seq", "task", "value")

    def __init__(
        self,
        entry: Entry,
        value: Any = None,
        *,
        key: str = "",
        outcome: Outcome = RETURNED,
        ends: bool = False,
    ) -> None:
        self.entry = entry
        self.seq: int = entry.seq
        self.kind: str = entry.kind
        self.task = entry.task
        self.value = value
        self.place = START
        self.key = key
        self.outcome = outcome
        self.ends = ends
        self.performed = False


def outcome_of(value: Any) -> Outcome:
    """The outcome that the payload of an ending entry tells."""
    if not isinstance(value, dict):
        return RETURNED
    facts: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType]
    error = facts.get("raised")
    if isinstance(error, BaseException):
        return Outcome("cancelled" if facts.get("outcome") == "cancelled" else "raised", error=error)
    how = facts.get("outcome")
    if how == "withheld" or how == "open":
        return Outcome(how)
    return Outcome(value=facts.get("value"))
