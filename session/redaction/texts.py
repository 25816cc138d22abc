"""The texts of a payload, each with what it is called there; and which of them are pieces of one."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, NamedTuple, cast

from ...schema.codec import Reference
from ..drafts import reference_in
from ..fields import frame_pieces
from .phones import HINT_CHARS
from .views import Cell, Fixed, Joined, Numbered, Slice, View
from .written import Written, written_message

Stream = tuple[Any, ...]
"""What deltas of one text have in common."""

_NAMES = frozenset({"$", "$set", "$v", "type", "object", "role", "status", "trace"})
"""Never values of the user's, but in what he recorded himself."""

_STRUCTURAL = re.compile(
    r"id|ns|ms|.*_ids?|.*Id|type|object|role|status|model|voice|modalit\w*|rate|level|version|obfuscation|timestamp|usage"
    r"|created\w*|expires\w*|.*_(?:at|ns|ms|index|tokens|seconds|details)|logprobs|signature|digest|hash|token|trace"
)
"""Keys of ids, times, amounts: no numbers of people stand there."""

_AUDIO_TYPE = re.compile(r".*audio\.delta|input_audio_buffer\.append")
_TRANSCRIPTION = re.compile(r".*[tT]ranscription")
_OF_STREAM = re.compile(r"type|(?!event_id|previous_item_id).*_id|.*_index")
_IDENTIFIER = re.compile(r"[A-Za-z$_](?:[A-Za-z_.-]|\d(?!\d{3})){0,39}")
_LETTER = re.compile(r"[^\W\d_]")
_SPACE = re.compile(r"\s")


_SCALARS = frozenset(
    f"py:{name}" for name in ("int", "float", "complex", "datetime", "date", "time", "timedelta", "UUID")
)


MIN_NUMBER = 1_000_000
"""Smaller ones are nobody's."""

_EXACT_FLOAT = 8.9e15
_ARGUMENTS = frozenset({"args", "arguments", "metadata", "variables"})
"""Under these keys an object is the user's own, whatever is around it."""

_SPOKEN = frozenset({"content", "punctuated_word", "text", "token", "transcript", "value", "word"})
"""Under these keys a word stands that has its times beside it."""

_TIME = re.compile(
    r"(?:audio_|char_)?(?:start|begin|end|offset|duration|timestamp|time|from|to)"
    r"(?:_?(?:time|offset|at|s|sec|seconds|ms|ns)|Time|Offset|At|Ms|Sec|Seconds)*",
)
_KEY = re.compile("[0-9A-Da-d*#]")
_WHOLE_RESULT = 4
"""A list of so many words is a result of its own; fewer go on where those before ended."""

_SHORT = 24
"""Characters of a text that may be a word, in a list of texts."""

_serial = itertools.count(1)


class SearchedText(NamedTuple):
    """A text of a payload.

    Attributes:
        view: the text, where it lies.
        key: under which it stands.
        numbers: it may hold numbers of people; not so an id.
    """

    view: View
    key: str
    numbers: bool


class Bytes(NamedTuple):
    """A reference to bytes.

    Attributes:
        reference: to what.
        audio: whether that is sound.
        change: takes another reference.
    """

    reference: Reference
    audio: bool
    change: Callable[[Reference], None]


class PayloadTexts:
    """All texts of one payload. What is put into them changes its tree, by `write`.

    Args:
        tree: the payload's.
        free: the user's own words: no key means anything to us.
        frame: it is a frame, in pieces.

    Attributes:
        tree: with what was written.
        texts: those that stand for themselves.
        pieces: those that are parts of one, with what they are parts of.
        bytes: references.
        encoded: base64 of sound that stands in the payload itself.
    """

    def __init__(self, tree: Any, *, free: bool = False, frame: bool = False) -> None:
        self.texts: list[SearchedText] = []
        self.pieces: list[tuple[Stream, View]] = []
        self.bytes: list[Bytes] = []
        self.encoded: list[View] = []
        self._free: bool = free
        self._message: View | None = None  # the text of the frame that is looked into
        self._list = 0  # the list of words that is
        self._cells: list[Cell] = []
        self._renamed: list[tuple[dict[str, Any], dict[str, str]]] = []
        self._holder = [tree]
        if frame:
            self._frame(tree)
        else:
            self._value(tree, "", False, partial(self._holder.__setitem__, 0), ())

    @property
    def tree(self) -> Any:
        """The payload's tree."""
        return self._holder[0]

    @property
    def changed(self) -> bool:
        """Whether another character was put into it."""
        return any(cell.changed for cell in self._cells)

    def write(self) -> None:
        """Change the tree; keys last, for the texts are found by them."""
        for cell in self._cells:
            cell.write()
        for facts, names in self._renamed:
            if names:
                items = list(facts.items())
                facts.clear()
                facts.update((names.get(key, key), item) for key, item in items)

    # --- trees ----------------------------------------------------------------------------------------

    def _cell(self, text: str, change: Callable[[Any], None]) -> View:
        if isinstance(text, Written):
            assert self._message is not None, "it is of a frame"
            return Slice(self._message, text.start, text.end)
        cell = Cell(text, change)
        self._cells.append(cell)
        return cell

    def _value(
        self, value: Any, key: str, structural: bool, change: Callable[[Any], None], path: tuple[str, ...]
    ) -> None:
        if isinstance(value, str):
            if value:
                numbers = _may_hold_numbers(value, structural)
                self.texts.append(SearchedText(self._cell(value, change), key, numbers))
        elif isinstance(value, dict):
            self._object(cast("dict[str, Any]", value), key, path)
        elif isinstance(value, list):
            self._items(cast("list[Any]", value), key, structural, path)
        else:
            digits = None if structural else digits_of(value)
            if digits is not None:
                number = float if isinstance(value, float) else int
                cell = self._cell(digits, lambda text: change(number(int(text))))
                self.texts.append(SearchedText(cell, key, True))

    def _items(self, items: list[Any], key: str, structural: bool, path: tuple[str, ...]) -> None:
        whole = len(items) >= _WHOLE_RESULT
        outer, self._list = self._list, next(_serial) if whole else 0
        in_pieces = whole and all(isinstance(item, str) and len(item) <= _SHORT for item in items)
        for index, item in enumerate(items):
            change: Callable[[Any], None] = partial(items.__setitem__, index)
            self._value(item, key, structural, change, path)
            if in_pieces and item:  # words or letters, of which each may stand for itself, too
                self.pieces.append(((WORDS, self._list), self.texts[-1].view))
        self._list = outer

    def _object(self, facts: dict[str, Any], key: str, path: tuple[str, ...]) -> None:
        reference = None if self._message is not None else reference_in(facts)
        tag = None if self._message is not None else facts.get("$")
        if reference is not None:

            def refer(to: Reference) -> None:
                facts["at"] = list(to)

            self.bytes.append(Bytes(reference, tag in ("base64", "base64url"), refer))
            return
        if tag is not None and (tag in _SCALARS or facts.keys() == {"$", "member"}):
            return  # with another text they would be none
        names: dict[str, str] = {}
        if tag is None:
            self._renamed.append((facts, names))
        kind = facts.get("type") or tag
        for name, item in facts.items():
            if tag is not None and name in ("$", "$set"):
                continue
            if tag is None and (self._free or not _is_identifier(name)):
                self.texts.append(SearchedText(self._cell(name, partial(names.__setitem__, name)), key, True))
            set_item = partial(facts.__setitem__, name)
            if not self._free and name in _NAMES and (isinstance(item, str) or name == "trace"):
                continue
            if isinstance(item, str) and name in ("delta", "audio") and not self._free:
                if isinstance(kind, str) and _AUDIO_TYPE.fullmatch(kind):
                    self.encoded.append(self._cell(item, set_item))
                    continue
                if name == "delta":
                    self.pieces.append((_stream_of(path, facts), self._cell(item, set_item)))
                    continue
            if isinstance(item, str) and name == "text" and not self._free and _is_piece(kind, path):
                self.pieces.append(((*path, name), self._cell(item, set_item)))
                continue
            stream = self._one_by_one(facts, name, item, path) if isinstance(item, str) else None
            if stream is not None:
                self.pieces.append((stream, self._cell(item, set_item)))
                continue
            if name == "logprobs" and isinstance(item, list):
                self._tokens((*_stream_of(path, facts), name), cast("list[Any]", item))
                continue
            free, self._free = self._free, self._free or (name in _ARGUMENTS and isinstance(item, dict))
            inner = not self._free and _is_structural(name)
            self._value(item, f"{key} {name}"[-HINT_CHARS:], inner, set_item, (*path, name))
            self._free = free
        if tag in ("audio", "send_audio") and self.bytes:
            self.bytes[-1] = self.bytes[-1]._replace(audio=True)

    def _tokens(self, stream: Stream, tokens: list[Any]) -> None:
        """A transcript once more, a token at a time, each also as bytes."""

        def changing(facts: dict[str, Any]) -> Callable[[str], None]:
            def change(text: str) -> None:
                facts["token"] = text
                if isinstance(facts.get("bytes"), list):
                    facts["bytes"] = list(text.encode(errors="surrogatepass"))

            return change

        for token in tokens:
            facts = cast("dict[str, Any]", token) if isinstance(token, dict) else {}
            text = facts.get("token")
            if not isinstance(text, str):
                continue
            view = self._cell(text, changing(facts))
            if isinstance(text, Written) and isinstance(facts.get("bytes"), list):
                numbers = [self._cell(one, _unwritten) for one in facts["bytes"] if isinstance(one, Written)]
                view = Numbered(view, numbers)
            self.pieces.append((stream, view))

    def _one_by_one(
        self, facts: dict[str, Any], name: str, item: str, path: tuple[str, ...]
    ) -> Stream | None:
        """Of which text a value is a key or a word, where each stands alone."""
        kind = facts.get("type")
        kind = kind if isinstance(kind, str) else ""
        if self._free:
            return None
        if _KEY.fullmatch(item) and any("dtmf" in one for one in (kind, *path[-1:])):
            return (KEYED,)
        if name not in _SPOKEN or not any(map(_is_time, facts)):
            return (WORDS,) if name == "text" and kind.endswith("timestamp.delta") else None
        return (WORDS, self._list, name) if self._list else (WORDS, name, *_stream_of(path, facts))

    # --- frames ---------------------------------------------------------------------------------------

    def _frame(self, tree: Any) -> None:
        """A frame is JSON text, in pieces: its texts are changed without writing it anew."""
        pieces = frame_pieces(tree) or self._holder
        views: list[View] = []
        for index, piece in enumerate(pieces):
            change: Callable[[Any], None] = partial(pieces.__setitem__, index)
            if isinstance(piece, str):
                views.append(self._cell(piece, change))
            else:
                views.append(Fixed(""))
                self._value(piece, "", False, change, ())
        whole = Joined(views)
        message = written_message(whole.text)
        if message is None:
            self.texts.append(SearchedText(whole, "", True))
            return
        self._message = whole
        self._value(message, "", False, _unwritten, ())


def _unwritten(now: Any) -> None:
    """What is changed in a message is changed where it is written."""


@lru_cache(maxsize=1024)
def _is_structural(key: str) -> bool:
    return _STRUCTURAL.fullmatch(key) is not None


@lru_cache(maxsize=1024)
def _is_identifier(key: str) -> bool:
    """Whether a key is one of a protocol's, and nobody's word."""
    return _IDENTIFIER.fullmatch(key) is not None


def digits_of(value: Any) -> str | None:
    """A number that may be somebody's, as it is written; None for all other values."""
    if type(value) is int:
        return str(value) if abs(value) >= MIN_NUMBER else None
    if type(value) is float and value.is_integer() and MIN_NUMBER <= abs(value) < _EXACT_FLOAT:
        return str(int(value))
    return None


def _stream_of(path: tuple[str, ...], facts: dict[str, Any]) -> Stream:
    tag = facts.get("$")
    return (
        path,
        tag,
        *(facts[key] for key in sorted(facts) if _OF_STREAM.fullmatch(key) and _is_plain(facts[key])),
    )


KEYED = "keyed"
"""Begins the stream of digits that the user keys on his telephone, an event each."""

WORDS = "words"
"""Begins a stream of words that come one by one, in a list or an event each: with the times at which they are
spoken, or alone."""


@lru_cache(maxsize=1024)
def _is_time(key: str) -> bool:
    return _TIME.fullmatch(key) is not None


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int)


def _is_piece(kind: Any, path: tuple[str, ...]) -> bool:
    """Whether a text without any id is a piece all the same: so some providers transcribe."""
    return kind is None and bool(path) and _TRANSCRIPTION.fullmatch(path[-1]) is not None


def _may_hold_numbers(text: str, structural: bool) -> bool:
    """Not so an id; but digits alone, or words, are none, whatever the key says: `caller_id`."""
    if structural and _LETTER.search(text) and not _SPACE.search(text):
        return False
    return not _is_data(text)


def _is_data(text: str) -> bool:
    """A picture in an address: letters and digits, and no words."""
    return text.startswith("data:") and ";base64," in text[:100]
