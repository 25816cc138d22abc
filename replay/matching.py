"""When a live send is a recorded one, and which recorded ones must come again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from itertools import zip_longest
from typing import Any, Literal, cast

from ..schema.codec import Codec
from ..schema.encoding import Reference
from ..schema.entries import Entry, Kind

Expectation = Literal["reactions", "all", "none"] | Callable[[Entry], bool]
"""Which recorded calls must come again. `reactions`: those that answer something."""

SETTINGS_TYPES = frozenset({"send_session_update"})
"""Matched by type; their fields are compared one by one, and a difference is a change, no divergence."""


def content_key(codec: Codec, type: str | None, event: Any) -> str:
    """The content of a send, as a text that equals that of every send which matches it.

    Recorded and live events are both encoded with the replaying side's vocabulary: a field that
    one release of the SDK has and another lacks is then the same on both sides.
    """
    if type in SETTINGS_TYPES:
        return str(type)
    digests: list[str] = []

    def put(data: bytes) -> Reference:
        digests.append(hashlib.sha256(data).hexdigest())
        return (0, 0, len(data))

    payload = codec.encode(event, put).payload
    return f"{payload} {' '.join(digests)}"


def must_come(entry: Entry, expect: Expectation) -> bool:
    """Whether the replay waits for this recorded call of the application.

    By type first: audio never must come, for offline nobody speaks; a tool output always must;
    anything else if it was caused by something that the application was given.
    """
    if entry.kind == Kind.CONNECT:
        return True
    if callable(expect):
        return expect(entry)
    if expect == "none" or entry.type == "send_audio":
        return False
    if expect == "all" or entry.type == "send_tool_output":
        return True
    return entry.cause is not None


def differences(recorded: Any, live: Any, path: str = "") -> list[tuple[str, Any, Any]]:
    """Where two JSON-like trees differ: (path, recorded, live), leaves only.

    A key that one side lacks is given as MISSING.
    """
    found: list[tuple[str, Any, Any]] = []
    if isinstance(recorded, dict) and isinstance(live, dict):
        left, right = cast("dict[str, Any]", recorded), cast("dict[str, Any]", live)
        for key in dict.fromkeys([*left, *right]):
            inner = f"{path}.{key}" if path else key
            found += differences(left.get(key, MISSING), right.get(key, MISSING), inner)
        return found
    if isinstance(recorded, list) and isinstance(live, list):
        pairs = zip_longest(cast("list[Any]", recorded), cast("list[Any]", live), fillvalue=MISSING)
        for index, (one, other) in enumerate(pairs):
            found += differences(one, other, f"{path}[{index}]")
        return found
    same = type(recorded) is type(live) and bool(recorded == live)  # pyright: ignore[reportUnknownArgumentType]
    return found if same else [(path, recorded, live)]


class _Missing:
    def __repr__(self) -> str:
        return "(absent)"


MISSING = _Missing()
"""Stands in `differences` for a key or an item that one side lacks."""
