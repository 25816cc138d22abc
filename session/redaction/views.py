"""Texts that can be changed where they lie: whole, joined of pieces, cut out of others, or unescaped.

A character is only ever replaced by another one that is written in the same length. So nothing moves:
a text that is found across ten deltas, or behind escapes in a JSON text, is overwritten in place.
"""

from __future__ import annotations

import html
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Protocol

ESCAPE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|\\u[0-9a-fA-F]{4}|\\[\\\"/bfnrt]|%[0-7][0-9a-fA-F]"
)
"""How JSON writes a character, or a URL."""

_SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_ASTRAL_LETTERS = 0x1D5BA
"""Letters a to z, where only a pair of surrogates has the length."""


class View(Protocol):
    """A text, as it was; what is put into it is seen by whoever owns it."""

    @property
    def text(self) -> str:
        """The text before anything was put."""
        ...

    def put(self, at: int, char: str) -> None:
        """Write one character over another."""
        ...


class Cell:
    """A text of a tree.

    Args:
        change: takes the changed text.
    """

    def __init__(self, text: str, change: Callable[[str], None]) -> None:
        self.text = text
        self._change = change
        self._chars: list[str] | None = None

    @property
    def changed(self) -> bool:
        """Whether the text is another by now."""
        return self._chars is not None and self.now != self.text

    @property
    def now(self) -> str:
        """The text with what was put."""
        return self.text if self._chars is None else "".join(self._chars)

    def put(self, at: int, char: str) -> None:
        """See `View`."""
        if self._chars is None:
            self._chars = list(self.text)
        self._chars[at] = char

    def write(self) -> None:
        """Give the changed text to its owner."""
        if self._chars is not None:
            self._change(self.now)


class Fixed:
    """A text that stands between others, and belongs to nobody."""

    def __init__(self, text: str) -> None:
        self.text = text

    def put(self, at: int, char: str) -> None:
        """Nothing is there to be changed."""


class Joined:
    """Pieces, one after another."""

    def __init__(self, parts: Sequence[View]) -> None:
        self._parts = parts
        self._starts = [0, *accumulate(len(part.text) for part in parts)]
        self.text = "".join(part.text for part in parts)

    def put(self, at: int, char: str) -> None:
        """See `View`."""
        index = bisect_right(self._starts, at) - 1
        self._parts[index].put(at - self._starts[index], char)


class Slice:
    """A part of another."""

    def __init__(self, whole: View, start: int, end: int) -> None:
        self._whole = whole
        self._start = start
        self.text = whole.text[start:end]

    def put(self, at: int, char: str) -> None:
        """See `View`."""
        self._whole.put(self._start + at, char)


_FILLER = {1: "9", 2: "88", 3: "120"}
"""A tabulator, an X or an x, where the number of a stand-in's letter is longer or shorter."""


class Numbered:
    """A text that stands there once more as the numbers of its bytes, which keep their lengths, too.

    Args:
        text: of it; without escapes, or no number tells which letter is whose.
        numbers: one for each byte.
    """

    def __init__(self, text: View, numbers: Sequence[View]) -> None:
        self._text = text
        self._numbers = numbers
        self._each = len(numbers) == len(text.text) and text.text.isascii() and "\\" not in text.text
        self.text = text.text

    def put(self, at: int, char: str) -> None:
        """See `View`."""
        self._text.put(at, char)
        for number in self._numbers[at : at + 1] if self._each else self._numbers:
            code = str(ord(char)) if self._each else ""
            fits = len(code) == len(number.text)
            for offset, digit in enumerate(code if fits else _FILLER.get(len(number.text), "")):
                number.put(offset, digit)


class Unescaped:
    """What a text with escapes means. Escapes are kept: a letter that was written as one stays one."""

    def __init__(self, escaped: View) -> None:
        self._escaped = escaped
        text, chars, starts, done = escaped.text, list[str](), list[int](), 0
        for found in ESCAPE.finditer(text):
            chars.append(text[done : found.start()])
            starts.extend(range(done, found.start()))
            chars.append(_meant(found[0]))
            starts.append(found.start())
            done = found.end()
        chars.append(text[done:])
        starts.extend(range(done, len(text) + 1))
        self.text = "".join(chars)
        self._starts = starts

    def start_of(self, at: int) -> int:
        """Where a character begins in the escaped text; also of the end."""
        return self._starts[at]

    def put(self, at: int, char: str) -> None:
        """See `View`."""
        start, end = self._starts[at], self._starts[at + 1]
        for offset, escaped in enumerate(_written(char, end - start, self._escaped.text[start])):
            self._escaped.put(start + offset, escaped)


class Folded:
    """What a text looks like to a reader: digits, letters, signs and spaces of any width and script in plain
    ones, without characters that nobody sees.

    Args:
        written: the text as it is written.
    """

    def __init__(self, written: View) -> None:
        self._written = written
        chars, starts = list[str](), list[int]()
        for start, char in _seen(written.text):
            chars.append(char)
            starts.append(start)
        self.text = "".join(chars)
        self._starts = [*starts, len(written.text)]

    def start_of(self, at: int) -> int:
        """Where a character begins in the written text; also of the end."""
        return self._starts[at]

    def put(self, at: int, char: str) -> None:
        """See `View`."""
        start = self._starts[at]
        entity = _ENTITY.match(self._written.text, start)
        as_written = char if entity is None else _as_entity(char, len(entity[0]))
        for offset, one in enumerate(as_written):
            self._written.put(start + offset, one)


_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,30});", re.IGNORECASE)
_FOLDS = re.compile(rf"[^\x00-\x7f]|{_ENTITY.pattern}", re.IGNORECASE)
_SIGNS: Mapping[str, str] = {
    sign: plain
    for plain, signs in {
        "'": "\u2018\u2019\u02bc\u02b9\u2032\u00b4\u0060",
        ".": "\u00b7\u2022\u2219\u22c5\u30fb\u3002\u2024",
        ",": "\u060c\u066c\u3001\u1363\u1802",
        "/": "\u2044\u2215\u29f8",
        "-": "\u2212\u2043\u2796\u02d7\u2500\u2501",
        "+": "\u2795",
        " ": "\u2800\u115f\u1160\u3164",  # letters that are blank
    }.items()
    for sign in signs
}
"""What a sign looks like, where its own normal form does not say so."""

_UNSEEN = frozenset(map(chr, (0x34F, *range(0x17B4, 0x17B6), *range(0x180B, 0x1810), *range(0xFE00, 0xFE10))))
"""Marks that nobody sees, beside those of the category Cf (Unicode's `Default_Ignorable_Code_Point`)."""

_AROUND = frozenset(map(chr, range(0x20DD, 0x20E5)))
"""Circles and keys that are drawn around the letter before them."""

_LONG = "\u30fc"
"""Lengthens a Japanese vowel; behind a digit it is a dash: `03ー1234ー5678`."""


def folds(text: str) -> bool:
    """Whether a text looks otherwise than it is written."""
    return _FOLDS.search(text) is not None


def _seen(text: str) -> Iterator[tuple[int, str]]:
    """Each character that is seen: where it begins, and what it looks like."""
    at = 0
    while at < len(text):
        entity = _ENTITY.match(text, at) if text[at] == "&" else None
        end = _end_of_letter(text, at) if entity is None else entity.end()
        seen = html.unescape(text[at:end]) if entity is not None else text[at:end]
        if entity is not None and len(seen) != 1:  # of no such name
            seen, end = "&", at + 1
        dash = (
            seen in (_LONG, "\uff70") and at > 0 and (text[at - 1].isdecimal() or text[at - 1] in ")\uff09")
        )
        for char in "-" if dash else _plain(seen):
            yield at, char
        at = end


def _end_of_letter(text: str, at: int) -> int:
    """Of a letter that is written with its accents behind it, or of a Korean syllable in its parts."""
    end = at + 1
    if text[at] in _JAMO:
        while (
            end < len(text)
            and text[end] in _JAMO
            and len(unicodedata.normalize("NFC", text[at : end + 1])) == 1
        ):
            end += 1
    while end < len(text) and not text[end].isascii() and _goes_with_it(text[end]):
        end += 1
    return end


def _goes_with_it(char: str) -> bool:
    return unicodedata.combining(char) > 0 or char in _UNSEEN or char in _AROUND


_JAMO = frozenset(map(chr, range(0x1100, 0x1200)))


def _as_entity(char: str, length: int) -> str:
    """A letter or a digit as an entity of so many characters, where one is so short."""
    for one in (char, char.upper()):
        if len(str(ord(one))) <= length - 3:
            return f"&#{ord(one):0{length - 3}d};"
    return char * length


@lru_cache(maxsize=4096)
def _plain(char: str) -> str:
    """What a letter looks like; empty: nobody sees it."""
    if char.isascii():
        return char
    if len(char) > 1:
        seen = "".join(one for one in char if one not in _UNSEEN and one not in _AROUND)
        return _plain(seen) if len(seen) < 2 else unicodedata.normalize("NFC", seen)
    if char in _SIGNS:
        return _SIGNS[char]
    category = unicodedata.category(char)
    if category == "Cf" or char in _UNSEEN:
        return ""
    if category == "Zs" or char.isspace():
        return " "
    if category == "Pd":
        return "-"
    if (digit := unicodedata.digit(char, None)) is not None:
        return str(digit)
    normal = unicodedata.normalize("NFKC", char)
    return _SIGNS.get(normal, normal)


def _meant(escape: str) -> str:
    if escape[0] == "%":
        return chr(int(escape[1:], 16))
    if len(escape) == 12:
        return chr(0x10000 + (int(escape[2:6], 16) - 0xD800 << 10) + int(escape[8:], 16) - 0xDC00)
    return chr(int(escape[2:], 16)) if escape[1] == "u" else _SHORT.get(escape[1], escape[1])


def _written(char: str, length: int, first: str) -> str:
    """A letter or a digit in as many characters as the one before it."""
    if length == 12:
        number = _ASTRAL_LETTERS + ord(char.lower()) % 26 - 0x10000
        return f"\\u{0xD800 + (number >> 10):04x}\\u{0xDC00 + (number & 0x3FF):04x}"
    if length == 1:
        return char
    return f"%{ord(char):02X}" if first == "%" else f"\\u{ord(char):04x}"
