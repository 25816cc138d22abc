"""Values into payloads and back, with the SDK's vocabulary."""

from __future__ import annotations

from typing import Any

from realtape.integrations.openai_agents import VOCABULARY
from realtape.schema import Codec

CODEC = Codec(VOCABULARY)


def payload_of(value: Any, store: list[bytes]) -> str:
    """The payload; the bytes that it refers to are appended to `store`."""

    def put(data: bytes) -> tuple[int, int, int]:
        store.append(data)
        return (0, len(store) - 1, len(data))

    return CODEC.encode(value, put).payload


def round_trip(value: Any) -> Any:
    """The value after a round trip in which nothing was left out."""
    store: list[bytes] = []
    decoded = CODEC.decode(payload_of(value, store), lambda segment, offset, length: store[offset])
    assert not decoded.notes
    return decoded.value
