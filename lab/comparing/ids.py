"""Ids, of which each session has its own: named alike where they stand in the same places.

Two live recordings of one call differ in every id that the provider mints, and in the addresses that they
went to. An id of the one is that of the other if it stands where that does, in most places.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from ...schema.entries import Kind

_UNTOLD = "…"

_IN_PAYLOAD = re.compile(r'(?<![\\\w])"(?!event_)(?:\w*_)?id":"(?P<id>[^"\\]+)"')
_IN_FRAME = re.compile(r'(?<!\\)\\"(?!event_)(?:\w*_)?id\\": ?\\"(?P<id>[^"\\]+)\\"')
"""A frame is text in the payload's JSON, and its quotes are escaped once. What is escaped more often is
the text of a tool's arguments or output, whose ids are the user's."""

_METADATA = re.compile(r'\\?"(?:metadata|other_metadata|labels)\\?": ?\{[^{}]*\}')
"""What the application tells of itself, with ids of its own."""

_NOISE = (
    (re.compile(r'(\\?"event_id\\?": ?\\?")[^"\\]*'), r"\1"),  # each once, and nobody refers to them
    (re.compile(r'(\\?"obfuscation\\?": ?\\?")[^"\\]*'), r"\1"),  # padding, so that lengths tell nothing
    (re.compile(r"((?:wss?|https?)://)[^/?#\"\\\s]+"), rf"\1{_UNTOLD}"),
    (re.compile(r"\('[0-9a-fA-F.:]+', \d+(?:, \d+, \d+)?\)"), _UNTOLD),  # as asyncio writes an address
    (re.compile(r'(\\?"(?:expires_at|created_at|created)\\?": ?)\d{9,}'), r"\g<1>0"),
)


def ids_in(text: str, kind: str) -> list[str]:
    """The ids in a payload, in order."""
    return [text[begin:end] for begin, end in _places(text, kind)]


def without_ids(text: str, kind: str, leave_out: Callable[[int], bool] = lambda place: True) -> str:
    """The payload without its ids, and without what else is another in each session.

    Args:
        leave_out: told the place of an id among those of the payload, whether it goes.
    """
    pieces, at = list[str](), 0
    for place, (begin, end) in enumerate(_places(text, kind)):
        if leave_out(place):
            pieces += (text[at:begin], _UNTOLD)
            at = end
    told = "".join((*pieces, text[at:]))
    for pattern, instead in _NOISE:
        told = pattern.sub(instead, told)
    return told


def _places(text: str, kind: str) -> Iterator[tuple[int, int]]:
    if kind == Kind.MARKER:  # the application's own
        return
    pattern = _IN_FRAME if kind in (Kind.FRAME_IN, Kind.FRAME_OUT) else _IN_PAYLOAD
    own = [one.span() for one in _METADATA.finditer(text)] if "metadata" in text or "labels" in text else []
    for one in pattern.finditer(text):
        if not any(begin <= one.start() < end for begin, end in own):
            yield one.span("id")


def id_key(id: str) -> int:
    """An id in 64 bits."""
    return int.from_bytes(hashlib.blake2b(id.encode("utf-8", "surrogatepass"), digest_size=8).digest())


class Partners:
    """Which ids of two recordings mean the same, by their keys: those that stand in the same places of
    entries that are partners, most often."""

    def __init__(self) -> None:
        self._together: Counter[tuple[int, int]] = Counter()
        self._to_b: dict[int, int] = {}
        self._to_a: dict[int, int] = {}

    def count(self, a: Sequence[int], b: Sequence[int]) -> None:
        """The ids of two entries that are the same but for these."""
        if len(a) == len(b):
            self._together.update(zip(a, b, strict=True))

    def settle(self) -> bool:
        """All were counted; returns whether any have partners that are called otherwise."""
        # Of those that stand together as often, the same whichever recording is called A.
        for (a, b), _ in sorted(self._together.items(), key=lambda one: (-one[1], *sorted(one[0]))):
            if a not in self._to_b and b not in self._to_a:
                self._to_b[a], self._to_a[b] = b, a
        self._together.clear()
        return any(a != b for a, b in self._to_b.items())

    def of_b(self, id: int) -> int:
        """The partner of an id of B, or itself where it has none."""
        return self._to_a.get(id, id)

    def are(self, a: int, b: int) -> bool:
        """Whether they are partners; who has none may be anybody's."""
        return self._to_b.get(a, b) == b and self._to_a.get(b, a) == a

    def fit(self, a: Sequence[int], b: Sequence[int]) -> bool:
        """Whether the ids of two entries can be the same."""
        return len(a) == len(b) and all(map(self.are, a, b))
