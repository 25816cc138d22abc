"""Outbound matching: which recorded frame of the client's a live one is, by its JSON and whatever the ids
are called.

By content, not by a cursor: two tasks of a client may send in either order.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from ..replay import Apart, ClientIds, Difference, differing
from ..schema.codec import MAX_DEPTH, REDACTED, to_json
from ..schema.frames import Frame
from ..session.fields import mapping, sequence, text_of
from .dialects import Dialect, Message, message_in
from .frame_rules import AS_RECORDED, FrameRules, agree
from .pictures import by_digest
from .recorded import RecordedConnection, WireFrame

KEY = "frame"
"""The type under which the map of ids knows the client's frames."""

CANDIDATES = 8
"""Recorded frames of one type that are held against a live one which is none of them."""


def ids_for(dialect: Dialect, rules: FrameRules = AS_RECORDED) -> ClientIds:
    """A map of ids for one run."""
    return ClientIds({KEY: (*dialect.client_ids, *rules.ids)})


@dataclass(frozen=True, slots=True)
class Normal:
    """A client's message in the form in which two are compared.

    Attributes:
        key: equal where the messages are, but for the ids that the client minted.
        minted: those.
        tree: what `key` was written of.
        apart: what a matcher judges.
    """

    key: str
    minted: tuple[tuple[str, str], ...]
    tree: Any
    apart: tuple[Apart, ...] = ()


def first_difference(connection: RecordedConnection, frame: Frame | None) -> float:
    """In how many fields the first frame of a recorded client differs from a live one; infinite where it is
    of another type, 0 where nothing can be said: one of them sent none, or it is not known as such."""
    first = next((one for one in connection.frames if not one.inbound and not one.hidden), None)
    if frame is None or first is None or first.implied:
        return 0
    message = message_in(frame.text)
    if connection.dialect.type_of(message) != first.type or (message is None) != (first.message is None):
        return math.inf
    ids = ids_for(connection.dialect)
    trees = [
        _form(ids, data.data, facts, recorded=is_first).tree
        for data, facts, is_first in ((first.data, first.message, True), (frame, message, False))
    ]
    found = [one for one in differing(*trees) if REDACTED not in one.recorded]
    return len(found)


@dataclass(frozen=True, slots=True)
class FrameMatch:
    """What a live frame is.

    Attributes:
        place: of the recorded frame; None: there is none.
        differences: fields in which it is another.
        freed: the live frame that had been taken for this recorded one, and was one too many after all.
        minted: ids that the client minted in it.
    """

    place: int | None
    differences: tuple[Difference, ...] = ()
    freed: int | None = None
    minted: tuple[tuple[str, str], ...] = ()


class Outbound:
    """The recorded client's frames of one connection, audio aside.

    Args:
        frames: of the connection.
        audio: places of those that append audio.
        ids: of the run.
        rules: how frames are compared.

    Raises:
        MatcherError: a function of a matcher raised; so does `match`.
    """

    def __init__(
        self,
        frames: Sequence[WireFrame],
        audio: set[int],
        ids: ClientIds,
        rules: FrameRules = AS_RECORDED,
    ) -> None:
        self._ids = ids
        self._rules = rules
        self._normal: dict[int, Normal] = {}
        self._waiting: dict[str, list[int]] = {}
        self._frames = frames
        self._taken: dict[int, int] = {}  # recorded place → number of the live frame that differs from it
        self.unmatched: dict[int, None] = {}
        for place, frame in enumerate(frames):
            if frame.inbound:
                if frame.message is not None:
                    ids.received(to_json(frame.message))
            elif place not in audio and not frame.hidden:
                normal = self._normal[place] = self._form(
                    frame.data.data, frame.type, frame.message, recorded=True
                )
                self._waiting.setdefault(normal.key, []).append(place)
                self.unmatched[place] = None

    def match(self, number: int, data: str | bytes, type: str, message: Message | None) -> FrameMatch:
        """The recorded frame that a live one is; it is nobody else's from now on.

        Args:
            number: of the live frame.
        """
        live = self._form(data, type, message, recorded=False)
        for place in self._waiting.get(live.key, ()):
            recorded = self._normal[place]
            if place in self.unmatched or place in self._taken:
                if not agree(recorded.apart, live.apart) or not self._learn(recorded, live):
                    continue
                freed = self._taken.pop(place, None)
                self.unmatched.pop(place, None)
                self._waiting[live.key].remove(place)
                return FrameMatch(place, (), freed, live.minted)
        nearest = self._nearest(type, message, live)
        if nearest is None:
            return FrameMatch(None)
        place, told = nearest
        found = tuple(one for one in told if REDACTED not in one.recorded)  # of these nobody knows
        self.unmatched.pop(place)
        recorded = self._normal[place]
        if self._frames[place].implied or not found:  # of the former only this much is known
            self._learn(recorded, live)
            self._waiting[recorded.key].remove(place)
            return FrameMatch(place, minted=live.minted)
        self._taken[place] = number
        self._learn(recorded, live)
        return FrameMatch(place, found, minted=live.minted)

    def _form(self, data: str | bytes, type: str, message: Message | None, *, recorded: bool) -> Normal:
        if message is not None and not recorded:
            message = self._rules.live(message)
        return _form(self._ids, data, message, recorded=recorded, type=type, rules=self._rules)

    def _learn(self, recorded: Normal, live: Normal) -> bool:
        """The ids that both minted stand for one another from now on, unless they stand for others
        already."""
        ours = dict(live.minted)
        both = [(path, name) for path, name in recorded.minted if path in ours]
        pairs = tuple(both), tuple((path, ours[path]) for path, _ in both)
        if not self._ids.agree(*pairs):
            return False
        self._ids.learn(*pairs)
        return True

    def _nearest(
        self, type: str, message: Message | None, live: Normal
    ) -> tuple[int, tuple[Difference, ...]] | None:
        """Of the frames of the same type that nothing has matched: the one that differs least."""
        if not type:
            return None
        same = [place for place in self.unmatched if self._frames[place].type == type]
        if type == "conversation.item.create":
            same = [place for place in same if _sort(self._frames[place].message) == _sort(message)]
        best: tuple[int, tuple[Difference, ...]] | None = None
        for place in same[:CANDIDATES]:
            recorded = self._normal[place]
            found = (*differing(recorded.tree, live.tree), *_apart(recorded, live))
            if best is None or len(found) < len(best[1]):
                best = place, found
        return best

    def bind(self, place: int, minted: tuple[tuple[str, str], ...], item_id: str) -> None:
        """A live frame names an item for which the server had minted an id when this was recorded."""
        theirs = dict(self._normal[place].minted)
        ours = next((name for path, name in minted if path == "item.id" and path not in theirs), None)
        pair = (("item.id", item_id),), (("item.id", ours or ""),)
        if ours is not None and self._ids.agree(*pair):
            self._ids.learn(*pair)


def _apart(recorded: Normal, live: Normal) -> Iterator[Difference]:
    """What a matcher judges, and finds different."""
    others = {one.path: one for one in live.apart}
    for one in recorded.apart:
        other = others.get(one.path)
        if other is not None and not agree((one,), (other,)):
            yield from differing({one.path: one.value}, {one.path: other.value})


def _form(
    ids: ClientIds,
    data: str | bytes,
    message: Message | None,
    *,
    recorded: bool,
    type: str = "",
    rules: FrameRules = AS_RECORDED,
) -> Normal:
    if message is None:
        text = data if isinstance(data, str) else data.decode("latin-1")
        return Normal(f"text {text}", (), text)
    tree: Any = copy.deepcopy(message)
    minted = ids.take_out(KEY, tree, recorded=recorded)
    if not recorded:
        tree = ids.as_recorded(tree)
    tree = _unmarked(tree)
    apart = rules.normalise(type, tree)
    tree = by_digest(tree)
    return Normal(_sorted_json(tree), minted, tree, apart)


def _unmarked(tree: Any) -> Any:
    """Without the marks of minted ids: whether a client mints one is its own affair."""
    if isinstance(tree, list):
        items = sequence(cast("Any", tree))
        return [_unmarked(item) for item in items]
    if not isinstance(tree, dict):
        return tree
    facts = mapping(cast("Any", tree))
    return {key: _unmarked(item) for key, item in facts.items() if item != {"$": "minted"}}


def _sort(message: Message | None) -> tuple[str, str]:
    item = mapping((message or {}).get("item"))
    return text_of(item.get("type")), text_of(item.get("role"))


def _sorted_json(tree: Any) -> str:
    return to_json(_canonical(tree, MAX_DEPTH * 5))


def _canonical(tree: Any, depth: int) -> Any:
    """Keys sorted, and 1.0 the same as 1."""
    if isinstance(tree, dict):
        facts = mapping(cast("Any", tree))
        return {key: _canonical(facts[key], depth - 1) for key in sorted(facts)}
    if isinstance(tree, list):
        items = sequence(cast("Any", tree))
        return [_canonical(item, depth - 1) for item in items]
    if isinstance(tree, float) and tree.is_integer() and abs(tree) < 1 << 53:
        return int(tree)
    return tree


def renamed(frame: WireFrame, ids: ClientIds) -> str | bytes:
    """What is delivered of a recorded frame: the very text, or one in which the live ids stand."""
    message = frame.data.message
    if not ids.renames or frame.message is None:
        return message
    live = ids.live_value(frame.message)
    if live is frame.message:
        return message
    text = to_json(live)
    return text if frame.data.opcode == "text" else text.encode()
