"""What the user said of sends, as it is of frames: matchers, ids that the client mints, redactors.

A send of the interface becomes one frame, or several: of those that everybody has, it is known here which
field stands where. A frame's own type can be named, too: `conversation.item.create`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from ..replay import Apart, Declared, Matcher, Matchers
from ..schema.codec import STANDARD, Codec, TextFilter
from ..schema.errors import EncodingError, UsageError
from .dialects import Message

_RAW = "send_raw_message"
_FIELDS: Mapping[tuple[str, str], tuple[str, str]] = {
    ("send_tool_output", "output"): ("conversation.item.create", "item.output"),
    ("send_user_input", "user_input"): ("conversation.item.create", "item.content[*].text"),
}
"""(type of a send, field) → (type of its frame, where that stands)."""


class FrameRules:
    """How the frames of a live client are held against the recorded ones.

    Args:
        matchers: as of a replay at the interface; types of frames can be named as well.
        client_ids: type → fields in which the client mints ids; `send_raw_message`, or a frame's type.
        redactors: of the recorder.

    Attributes:
        ids: fields in which ids are minted, of any frame.
        without: of the matchers those that mean nothing here, in words.

    Raises:
        UsageError: a rule is none, or the ids are of a send that has no frame of its own.
    """

    def __init__(
        self,
        matchers: Declared = (),
        client_ids: Mapping[str, Iterable[str]] | None = None,
        redactors: Sequence[TextFilter] = (),
    ) -> None:
        self.without: list[str] = []
        self.ids = tuple(_ids(client_ids or {}))
        self._matchers = Matchers([one for each in _listed(matchers) for one in self._of_frames(each)])
        self._codec = Codec(STANDARD, tuple(redactors)) if redactors else None

    def live(self, message: Message) -> Message:
        """A live message without what the redactors take out."""
        if self._codec is None:
            return message
        try:
            return self._codec.filtered(message)
        except EncodingError:
            return message  # and so it differs

    def normalise(self, type: str, tree: Any) -> tuple[Apart, ...]:
        """Make one of all trees that are the same, in place; what is to be judged apart.

        Raises:
            MatcherError: a function raised.
        """
        return self._matchers.normalise(type, tree) if self._matchers.of(type) else ()

    def _of_frames(self, matcher: Matcher) -> Iterable[Matcher]:
        type, field, rule = matcher.type, matcher.field, matcher.rule
        if type == _RAW and field.startswith("message."):
            yield Matcher("*", _of_message(field), rule)
        elif not type.startswith("send_"):
            yield matcher
        else:
            first, dot, rest = field.partition(".")
            found = _FIELDS.get((type, first))
            if found is None:
                self.without.append(f"the matcher of {matcher}: such a field is in no frame")
            else:
                yield Matcher(found[0], f"{found[1]}{dot}{rest}", rule)


def agree(recorded: Sequence[Apart], live: Sequence[Apart]) -> bool:
    """Whether what stands apart is the same on both sides.

    Raises:
        MatcherError: a function raised.
    """
    if [one.path for one in recorded] != [one.path for one in live]:
        return False
    return all(one.matcher.agrees(one.value, other.value) for one, other in zip(recorded, live, strict=True))


def _listed(matchers: Declared) -> list[Matcher]:
    if isinstance(matchers, Mapping):
        by_type = cast("Mapping[str, Mapping[str, Any]]", matchers)
        return [Matcher(type, *rule) for type, rules in by_type.items() for rule in rules.items()]
    return list(matchers)


def _ids(client_ids: Mapping[str, Iterable[str]]) -> Iterable[str]:
    for type, paths in client_ids.items():
        if type.startswith("send_") and type != _RAW:
            raise UsageError(
                f"client_ids of {type}: below the interface they are of frames: name {_RAW}, or a frame's"
            )
        for path in [paths] if isinstance(paths, str) else paths:
            yield _of_message(path) if type == _RAW else path


def _of_message(path: str) -> str:
    """Where in a frame stands what stands there in a `send_raw_message`."""
    return path.removeprefix("message.").removeprefix("other_data.")


AS_RECORDED = FrameRules()
"""Nothing but what the dialect says."""
