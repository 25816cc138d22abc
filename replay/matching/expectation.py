"""Which recorded calls of the application must come again, and which of those that need not are left
unchecked where they do not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias, cast

from ...schema.codec import Vocabulary
from ...schema.entries import Entry, Kind
from ...schema.errors import UsageError
from ...session.learned import Origins
from ...session.origins import Origin, origin_of

Decision: TypeAlias = Literal["reaction", "user"]
"""What somebody says of a recorded call: it must come again; or the user made it, who is not there."""

Expectation: TypeAlias = (
    Literal["reactions", "all", "none"] | Mapping[int | str, Decision] | Callable[[Entry], bool | None]
)
"""Which recorded calls must come again. `reactions`: those that answer something. A mapping decides of single
ones, by their number or their type (`close` is one), the rest are `reactions`; so does a function of the
entry, which may answer None."""

_DECISIONS: tuple[Decision, ...] = ("reaction", "user")
_WORDS = ("reactions", "all", "none")


class Expected:
    """What is expected of a replayed application.

    Args:
        expect: what somebody says.
        learned: of the recording's calls.
        vocabulary: of the replaying side, which knows the types; None: whatever somebody names is one.

    Raises:
        UsageError: that is no expectation, or there is no such type.
    """

    def __init__(
        self,
        expect: Expectation = "reactions",
        learned: Origins | None = None,
        vocabulary: Vocabulary | None = None,
    ) -> None:
        self._learned = learned
        self._decide: Callable[[Entry], bool | None] | None = None
        self._all = expect == "all"
        self._none = expect == "none"
        if isinstance(expect, Mapping):
            self._decide = _decided(cast("Mapping[object, object]", expect), vocabulary)
        elif callable(expect):
            self._decide = expect
        elif expect not in _WORDS:
            raise UsageError(f"expect={expect!r}: one of {', '.join(_WORDS)}, a mapping, or a function")

    def requires(self, entry: Entry) -> bool:
        """Whether the replay waits for this recorded call of the application.

        Connecting always must come, and audio never; a reaction must, if these are expected.
        """
        if entry.kind == Kind.CONNECT:
            return True
        decision = None if self._decide is None else self._decide(entry)
        if decision is not None:
            return decision
        origin = origin_of(entry, self._learned)
        if self._none or origin is Origin.USER:
            return False
        return self._all or origin in (Origin.CAUSE, Origin.LEARNED)

    def leaves_open(self, entry: Entry) -> bool:
        """Whether nobody knows if this call must come: if it does not, it was not checked."""
        if entry.kind == Kind.CONNECT or (self._decide is not None and self._decide(entry) is not None):
            return False
        return not self._all and origin_of(entry, self._learned) is Origin.UNKNOWN

    def waives(self, entry: Entry) -> bool:
        """Whether this call is known to be a reaction, and need not come: nothing is expected."""
        if not self._none or (self._decide is not None and self._decide(entry) is not None):
            return False
        return origin_of(entry, self._learned) in (Origin.CAUSE, Origin.LEARNED)


def _decided(told: Mapping[object, object], vocabulary: Vocabulary | None) -> Callable[[Entry], bool | None]:
    decisions: dict[int | str, bool] = {}
    for key, decision in told.items():
        if decision not in _DECISIONS:
            raise UsageError(f"expect: {key} = {decision!r}: one of {', '.join(_DECISIONS)}")
        if isinstance(key, str) and key.isdecimal():
            decisions[int(key)] = decision == "reaction"
        elif isinstance(key, int | str):
            if isinstance(key, str) and vocabulary is not None and key != Kind.CLOSE:
                _require_sent(key, vocabulary)
            decisions[key] = decision == "reaction"
        else:
            raise UsageError(f"expect: {key!r} is neither the number of an entry nor a type")

    def decide(entry: Entry) -> bool | None:
        by_number = decisions.get(entry.seq)
        name = str(entry.kind) if entry.type is None else entry.type
        return decisions.get(name) if by_number is None else by_number

    return decide


def _require_sent(type: str, vocabulary: Vocabulary) -> None:
    """Nothing that is of no meaning passes unnoticed: what was meant would go on being unchecked, or awaited.

    Raises:
        UsageError: nothing that is sent has this type.
    """
    if type.startswith("send_") and vocabulary.word_named(type) is not None:
        return
    names = [name for name in vocabulary.names() if name.startswith("send_")]
    raise UsageError(
        f"expect: {type}: neither a number nor what an application sends; there are close, {', '.join(names)}"
    )
