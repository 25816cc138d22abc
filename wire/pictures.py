"""Pictures, and other large base64, in what a client sends: compared by what they are, and told by size and
digest."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any, cast

import pybase64

from ..session.appended_sound import mime_of
from ..session.fields import mapping, sequence

LARGE = 256
"""Characters from which on base64 is told by its digest."""

_BASE64 = re.compile(r"(?:data:([^;,]*)(?:;[^;,]*)*;base64,)?([A-Za-z0-9+/_-]+={0,2})")
_STANDARD_ALPHABET = str.maketrans("-_", "+/")
"""Google's clients write base64 with `-` and `_`."""


def decoded(base64: str) -> bytes | None:
    """The bytes, in either alphabet, also without what fills it up; None: it is no base64."""
    text = base64.rstrip("=").translate(_STANDARD_ALPHABET)
    try:
        return pybase64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        return None


def in_words(data: bytes, mime: str = "") -> str:
    """Kind, size and digest: equal where the bytes are."""
    digest = hashlib.sha256(data).hexdigest()[:16]
    return f"{mime or 'base64'}, {len(data):,} bytes, sha256 {digest}"


def by_digest(tree: Any, mime: str = "") -> Any:
    """A message with words in the place of its pictures, and of all that is large and base64."""
    if isinstance(tree, str):
        found = _BASE64.fullmatch(tree) if len(tree) >= LARGE else None
        data = None if found is None else decoded(found[2])
        return tree if found is None or data is None else in_words(data, found[1] or mime)
    if isinstance(tree, list):
        items = sequence(cast("Any", tree))
        return [by_digest(item) for item in items]
    if not isinstance(tree, dict):
        return tree
    facts = mapping(cast("Any", tree))
    return {name: by_digest(item, mime_of(facts)) for name, item in facts.items()}


class Pictures:
    """Those that a client appends to one connection, beside the sound.

    Args:
        recorded: base64 and MIME type of those that were recorded.

    Attributes:
        count: how many came.
        unmatched: those that the recording does not hold, in words.
    """

    def __init__(self, recorded: Iterable[tuple[str, str]]) -> None:
        self.count = 0
        self.unmatched: list[str] = []
        self._recorded = recorded
        self._left: Counter[str] | None = None  # made when the client shows something

    def add(self, pictures: Iterable[tuple[str, str]]) -> None:
        """What the client's next frame has of them."""
        for picture in pictures:
            if self._left is None:
                self._left = Counter(map(_in_words, self._recorded))
            self.count += 1
            told = _in_words(picture)
            if self._left[told]:
                self._left[told] -= 1
            else:
                self.unmatched.append(told)


def _in_words(picture: tuple[str, str]) -> str:
    text, mime = picture
    data = decoded(text)
    return in_words(text.encode() if data is None else data, mime)
