"""What stands in a payload's places: a credential, headers, what belongs to a tool, or anybody's words."""

from __future__ import annotations

import enum
import itertools
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, cast

from .credentials import NAMES, REDACTED
from .vocabulary import FRAME

HARMLESS_HEADERS = frozenset(
    {
        *(
            "accept",
            "accept-encoding",
            "accept-language",
            "connection",
            "content-length",
            "content-type",
            "date",
        ),
        *("host", "openai-beta", "openai-processing-ms", "openai-version", "origin", "retry-after", "server"),
        *("upgrade", "user-agent", "via", "x-request-id", "request-id", "apim-request-id", "cf-ray"),
        *("sec-websocket-accept", "sec-websocket-extensions", "sec-websocket-version", "www-authenticate"),
    }
)
"""Headers whose values are nobody's secret."""

WEAK_NAMES = ("token", "auth", "pass", "signature")
"""Names of other things, too: under them stands a credential only if it looks like one."""

_SAYS_NOTHING = frozenset({"", "given", "callable", "none", "null", REDACTED})
_SECRET = re.compile(
    rf"(?i:(?:[a-z0-9]+[-_]){{0,6}}(?:{NAMES}|secrets?|jwt|pwd)|{'|'.join(WEAK_NAMES)})"
    r"|[A-Za-z][A-Za-z0-9]{0,40}"
    r"(?:A(?:pi|PI)Key|Secret|SecretKey|AccessKey|(?:Access|Api|Auth|Bearer|Bot|Refresh|Session)Token|Password)"
)
"""Whole names: `…_tokens` are counts."""
_HEADERS = re.compile(r"(?i:(?:\w+_)?headers)|[a-z]\w{0,40}Headers")
_URL = re.compile(r"(?i:(?:server|webhook|callback)_?url)")
_OF_TOOLS = frozenset(
    {
        *("arguments", "args", "functionResponses", "function_responses"),
        *("parameters", "properties", "inputSchema", "input_schema", "params_json_schema"),
    }
)
"""Under these stands what a tool is given, or what its arguments are called."""
_MAX_NAME = 80


class TextPlace(enum.Enum):
    """What a text is by where it stands.

    `FREE`: anybody's words; `SECRET`: a credential; `HEADERS`: the headers of a connection; `TOOL`: the
    arguments or the output of a tool, where a name is the application's and means nothing to us; `FRAME`: a
    piece of a message on a socket, which is JSON text; `URL`: one that may hold a token.
    """

    FREE = 0
    SECRET = 1
    HEADERS = 2
    TOOL = 3
    FRAME = 4
    URL = 5


@lru_cache(maxsize=4096)
def place_of(name: str) -> TextPlace | None:
    """What stands under a name; None where the name says nothing of it."""
    if len(name) > _MAX_NAME:
        return None
    if _SECRET.fullmatch(name) is not None:
        return TextPlace.SECRET
    if _HEADERS.fullmatch(name) is not None:
        return TextPlace.HEADERS
    return TextPlace.URL if _URL.fullmatch(name) is not None else None


def place_under(*names: str) -> TextPlace:
    """Where a text stands that has these names before it, the outermost first."""
    if not names or not _OF_TOOLS.isdisjoint(names) or names[-1] == "output":
        return TextPlace.TOOL if names else TextPlace.FREE
    if names[-1] in WEAK_NAMES:
        return TextPlace.FREE
    place = place_of(names[-1])
    if place is TextPlace.SECRET or (len(names) > 1 and _is_within(names[-2], names[-1])):
        return TextPlace.SECRET
    return place if place is TextPlace.URL else TextPlace.FREE


def _is_within(outer: str, name: str) -> bool:
    place = place_of(outer)
    if place is TextPlace.SECRET:
        return name == "value"
    return place is TextPlace.HEADERS and _of_header(name) is TextPlace.SECRET


def is_telling(text: str) -> bool:
    """Whether a text in a credential's place is one, and not a word that says that there is one."""
    return text.lower() not in _SAYS_NOTHING


def changed(
    tree: Any,
    change: Callable[[str, TextPlace], str],
    place: TextPlace = TextPlace.FREE,
    *,
    strict: bool = False,
) -> Any:
    """A payload's tree with each of its texts changed; the names of fields of classes stay.

    Args:
        change: given a text, and where it stands.
        strict: what belongs to a tool stands where it would stand elsewhere.
    """

    def visit(item: Any, place: TextPlace) -> Any:
        if type(item) is str:
            if place is TextPlace.HEADERS:  # as they are written, a line each
                return "".join(map(header, item.splitlines(keepends=True)))
            return change(item, place)
        if type(item) is list or type(item) is tuple:
            return sequence(cast("list[Any]", item), place)
        return mapping(cast("dict[str, Any]", item), place) if type(item) is dict else item

    def sequence(items: list[Any], place: TextPlace) -> list[Any]:
        name = items[0] if len(items) == 2 else None  # a pair, as of a dictionary or of headers
        if type(name) is str and place is not TextPlace.TOOL:
            if place is TextPlace.HEADERS and type(items[1]) is not str:
                return [visit(name, TextPlace.FREE), visit(items[1], place)]
            inner = place_of(name)
            if inner is not None and not _are_names(items):
                return [visit(name, TextPlace.FREE), visit(items[1], inner)]
        if place is TextPlace.HEADERS:
            return [header(item) for item in items]
        return [visit(item, place) for item in items]

    def header(item: Any) -> Any:
        """A line, or a pair."""
        cls: Any = item.__class__
        if cls is dict:
            facts: dict[str, Any] = item
            if facts.get("$") == "py:tuple":
                return {"$": "py:tuple", "items": header(facts["items"])}
            name = facts.get("name", facts.get("key"))
            if "$" in facts or type(name) is not str or "value" not in facts:
                return mapping(facts, TextPlace.FREE)
            return {**mapping(facts, TextPlace.FREE), "value": visit(facts["value"], _of_header(name))}
        if cls is list and len(item) == 2 and type(item[0]) is str:
            return [visit(item[0], TextPlace.FREE), visit(item[1], _of_header(item[0]))]
        if cls is str and ":" in item:
            name, colon, value = item.partition(":")
            space = value[: len(value) - len(value.lstrip())]
            line = visit(value.lstrip(), _of_header(name))
            return f"{visit(name, TextPlace.FREE)}{colon}{space}{line}"
        return visit(item, TextPlace.FREE)

    def mapping(facts: dict[str, Any], place: TextPlace) -> dict[str, Any]:
        if "$" in facts:  # the keys are the fields of a class, which are in its source
            tag = facts["$"]
            through = (
                place if tag in ("py:tuple", "py:dict", "described") or place is TextPlace.FRAME else None
            )
            if tag == FRAME:
                through = TextPlace.FRAME
            return {
                key: item
                if key in ("$", "$set")
                else visit(item, within(key, item, facts, place) if through is None else through)
                for key, item in facts.items()
            }
        done: dict[str, Any] = {}
        for key, item in facts.items():
            name = change(key, TextPlace.FREE)
            if name != key:
                name = _unused(name, facts, done)
            done[name] = visit(item, within(key, item, facts, place))
        return done

    def within(key: str, item: Any, facts: dict[str, Any], place: TextPlace) -> TextPlace:
        if place is TextPlace.TOOL:
            return place
        if place is TextPlace.HEADERS:
            return _of_header(key)
        if place is TextPlace.SECRET:  # `client_secret: {value, expires_at}`
            return place if key == "value" or _may_be_token(item) else TextPlace.FREE
        if not strict and _is_of_tool(key, item, facts):
            return TextPlace.TOOL
        if key == "value" and _names_secret(facts):
            return TextPlace.SECRET
        if key in WEAK_NAMES and (type(item) is str or "logprob" in facts):  # a transcript's is a word
            return TextPlace.FREE if "logprob" in facts or not _may_be_token(item) else TextPlace.SECRET
        return place_of(key) or TextPlace.FREE

    return visit(tree, place)


def _of_header(name: str) -> TextPlace:
    return TextPlace.FREE if name.lower() in HARMLESS_HEADERS else TextPlace.SECRET


def _is_of_tool(key: str, item: Any, facts: dict[str, Any]) -> bool:
    if key == "output":  # a response's is a list of items
        return type(item) is str
    if key == "delta":
        return "arguments" in str(facts.get("type"))
    return key in _OF_TOOLS


def _names_secret(facts: dict[str, Any]) -> bool:
    name = facts.get("name", facts.get("key"))
    return type(name) is str and place_of(name) is TextPlace.SECRET


def _may_be_token(item: Any) -> bool:
    return type(item) is str and len(item) >= 12 and " " not in item and any(map(str.isdigit, item))


def _are_names(items: list[Any]) -> bool:
    """Whether two texts are two names, and not a name and what it stands for: `required` of a schema."""
    return all(type(item) is str and (place_of(item) is not None or _is_word(item)) for item in items)


def _is_word(text: str) -> bool:
    return len(text) < 16 and text.replace("_", "").replace("-", "").isalpha()


def _unused(name: str, *taken: dict[str, Any]) -> str:
    """A key that replaces none: two that differ in nothing but a secret are still two."""
    numbers = itertools.count(2)
    unused = name
    while unused == "$" or any(unused in each for each in taken):
        unused = f"{name} ({next(numbers)})"
    return unused
