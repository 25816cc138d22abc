"""Events that the model made of a frame: those of now held against those of the recording, also where another
release of the SDK made them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from ..replay import Difference, differing
from ..schema.codec import REDACTED, Codec, Vocabulary, from_json
from ..schema.errors import EncodingError
from ..session.fields import RAW, mapping

_AS_ITS_FRAME = frozenset({RAW, "exception"})
"""Their fields are not compared: what is in the first is the frame's; the other's are the exception's own."""


_MARKS = frozenset({"$set", "$private"})
"""Of a pydantic model, which the codec needs to make it anew."""


@dataclass(frozen=True, slots=True)
class GivenEvent:
    """An event in a few words, by which two releases can be compared.

    Attributes:
        type: as in the log.
        about: the call, the item or the response; or what else it tells; or nothing.
        differences: of one of now, fields in which it is not what was recorded.
    """

    type: str
    about: str = ""
    differences: tuple[Difference, ...] = ()

    @classmethod
    def of(cls, type: str, event: Any, differences: tuple[Difference, ...] = ()) -> GivenEvent:
        """The words of an event."""
        names = ("call_id", "item_id", "response_id", "status", "context")
        found = (getattr(event, name, None) for name in names)
        about = next((one for one in found if isinstance(one, str)), "")
        item = getattr(getattr(event, "item", None), "item_id", "")
        return cls(type, about or (item if isinstance(item, str) else ""), differences)

    def __str__(self) -> str:
        return f"{self.type} {self.about}".rstrip()


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """An event that was recorded.

    Attributes:
        given: its words.
        value: the event, decoded.
        payload: as it stands in the log.
    """

    given: GivenEvent
    value: Any
    payload: str


class EventComparison:
    """Compares events in the fields that were recorded: what a later release adds is no difference.

    Args:
        vocabulary: of the events.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._codec = Codec(vocabulary)

    def differences(self, recorded: RecordedEvent, type: str, live: Any) -> tuple[Difference, ...]:
        """The fields in which an event of now is not the recorded one; none where it is of another type."""
        if type != recorded.given.type or type in _AS_ITS_FRAME or _equal(recorded.value, live):
            return ()
        then = from_json(recorded.payload)
        trees = [_within(self._tree(one), then) for one in (recorded.value, live)]
        return tuple(one for one in differing(*trees) if REDACTED not in one.recorded)

    def _tree(self, event: Any) -> Any:
        try:
            return from_json(self._codec.encode(event, _by_digest).payload)
        except EncodingError:
            return None


def are_alike(recorded: Sequence[GivenEvent], live: Sequence[GivenEvent], *, same_ids: bool) -> bool:
    """Whether these are the same events, of the same things where both releases say of which."""
    if [one.type for one in recorded] != [one.type for one in live] or any(one.differences for one in live):
        return False
    pairs = [(one.about, other.about) for one, other in zip(recorded, live, strict=True)]
    return not same_ids or all(not one or not other or one == other for one, other in pairs)


def _by_digest(data: bytes) -> Any:
    """Where bytes are, as the codec wants to know it: the same for the same bytes."""
    return int.from_bytes(hashlib.sha256(data).digest()[:6]), 0, len(data)


def _within(tree: Any, recorded: Any) -> Any:
    """What of a tree the recorded one has, too."""
    if isinstance(tree, dict) and isinstance(recorded, dict):
        facts, then = mapping(cast("Any", tree)), mapping(cast("Any", recorded))
        names = [name for name in facts if name in then and name not in _MARKS]
        return {name: _within(facts[name], then[name]) for name in names}
    if isinstance(tree, list) and isinstance(recorded, list):
        items, others = cast("list[Any]", tree), cast("list[Any]", recorded)
        if len(items) == len(others):
            return [_within(item, other) for item, other in zip(items, others, strict=True)]
    return cast("Any", tree)


def _equal(recorded: Any, live: Any) -> bool:
    try:
        return bool(recorded == live)
    except Exception:  # noqa: BLE001 - an event holds what it likes; then it is compared as it is written
        return False
