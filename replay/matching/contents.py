"""The content of a send, as it is compared; and where two contents differ."""

from __future__ import annotations

import hashlib
import json
from itertools import zip_longest
from typing import Any, cast

from ...schema.codec import Codec
from ...schema.encoding import Reference
from ...schema.errors import EncodingError
from .audio_tape import Audio
from .client_ids import Minted
from .matchers import Apart


class Content(str):
    """The content of a send: a text that equals that of every send which matches it exactly; and what
    cannot be told from a text.

    Attributes:
        payload: as the codec writes it, before matchers and ids make another text of it.
        apart: fields that a matcher judges, given both sides.
        minted: ids that the client minted.
        audio: of a `send_audio` that is matched by its bytes.
    """

    __slots__ = ("apart", "audio", "minted", "payload")

    payload: str
    apart: tuple[Apart, ...]
    minted: Minted
    audio: Audio | None

    def __new__(
        cls,
        text: str,
        payload: str | None = None,
        *,
        apart: tuple[Apart, ...] = (),
        minted: Minted = (),
        audio: Audio | None = None,
    ) -> Content:
        """See the attributes."""
        content = super().__new__(cls, text)
        content.payload = text if payload is None else payload
        content.apart, content.minted, content.audio = apart, minted, audio
        return content


def tree_of(key: str) -> Any:
    """The payload's tree in a content; a text that is none as it is."""
    try:
        return json.JSONDecoder().raw_decode(key)[0]
    except ValueError:
        return key


def parts_of(key: str) -> list[Any]:
    """The payload's tree in a content, and what is written behind it."""
    try:
        tree, end = json.JSONDecoder().raw_decode(key)
    except ValueError:
        return [key]
    return [tree, key[end:]]


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


def encoded(
    codec: Codec, event: Any, digests: list[str], *, numbered: bool, lengths_only: bool = False
) -> str:
    """A payload, with its bytes by their digests.

    Args:
        numbered: each reference says which digest is its own.
        lengths_only: nothing but the length of bytes is compared.
    """

    def put(data: bytes) -> Reference:
        digests.append(f"{len(data)} bytes" if lengths_only else hashlib.sha256(data).hexdigest())
        return (0, len(digests) - 1 if numbered else 0, len(data))

    try:
        return codec.encode(event, put).payload
    except EncodingError as error:  # as the recorder does: a send is not refused for it
        digests.clear()
        reason = str(error) if error.__cause__ is None else type(error.__cause__).__name__
        cls = cast("type[Any]", type(event))
        substitute = {"name": f"{cls.__module__}.{cls.__qualname__}", "error": reason}
        return Codec(codec.vocabulary).encode({"unrecordable": substitute}, put).payload


def put_digests(tree: Any, digests: list[str]) -> None:
    """Put digests in the place of references: what a matcher takes out takes its bytes along."""
    if isinstance(tree, list):
        for item in cast("list[Any]", tree):
            put_digests(item, digests)
    elif isinstance(tree, dict):
        facts = cast("dict[str, Any]", tree)
        if "$" in facts and "at" in facts and isinstance(facts["at"], list):
            facts["at"] = digests[facts["at"][1]]
        for item in facts.values():
            put_digests(item, digests)
