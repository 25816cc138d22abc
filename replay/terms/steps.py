"""A recording as the core sees it: entries with their values decoded, one step each."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Literal

from ...schema.entries import Entry, Kind
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
    """One entry of the recording, and how far it has happened again.

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
        call: which begins or ends here, or inside which an event is to be given; None: in its own place.

    Of a `received`, all that there is to know of its delivery:

    Attributes:
        approached: the model's side has set out on it.
        at_work: it was given, and the listeners have not returned.
        taken: how they took it, as long as that is still to be compared.
        ended_at: where in the replay they returned, as long as the `handled` is ahead.
        cancelling: they were cancelled, as recorded.
    """

    __slots__ = (
        "approached",
        "at_work",
        "call",
        "cancelling",
        "ended_at",
        "ends",
        "entry",
        "key",
        "kind",
        "outcome",
        "performed",
        "place",
        "seq",
        "taken",
        "task",
        "value",
    )

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
        self.call: RecordedCall | None = None
        self.approached = False
        self.at_work = False
        self.taken: Outcome | None = None
        self.ended_at: Place | None = None
        self.cancelling = False


@dataclass(slots=True, eq=False)
class RecordedCall:
    """A call that the application made on the model: `connect`, a send, or `close`.

    Attributes:
        step: its entry.
        required: the replay waits for it.
        unknown: whether it must come is not known; see `docs/replay.md`, "Origins".
        waived: it is known to be a reaction, and nothing is expected.
        awaited: it has waited for it, required or not: see `docs/replay.md`.
        end: the entry that ended it; None where the log has none (yet).
        nested: events that the listeners get inside the call, and have not got yet.
        running: the one of them that they are handling.
        asked: who stands in for the user was asked to make it.
        matched: the live application has made it.
        skipped: it was not made in time; what happened in it is delivered in its place.
        late: it was made after that.
        ahead: it was made before the application had got what caused it when this was recorded.
        early: it was let go before its place.
        done: the live call has been completed, or was cancelled.
        made: where in the replay the application made it.
        seq: its place in the log.
        alike: kind, type and content: a live call that has the same may be this one.
    """

    step: Step
    required: bool
    unknown: bool = False
    waived: bool = False
    awaited: bool = False
    end: Step | None = None
    nested: deque[Step] = field(default_factory=deque[Step])
    running: Step | None = None
    asked: bool = False
    matched: bool = False
    skipped: bool = False
    late: bool = False
    ahead: bool = False
    early: bool = False
    done: bool = False
    made: Place | None = None
    seq: int = field(init=False)
    alike: tuple[str, str | None, str] = field(init=False)

    def __post_init__(self) -> None:
        step = self.step
        self.seq = step.seq
        self.alike = (step.kind, step.entry.type, step.key)

    @property
    def is_users(self) -> bool:
        """Whether it is known of this send that the user made it: no event has caused it."""
        known = not (self.required or self.unknown or self.waived)
        return known and self.step.kind == Kind.SENT and self.step.entry.cause is None


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
