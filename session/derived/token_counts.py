"""`TokenCounts`: what responses cost, by modality."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ..fields import mapping


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """Tokens of one response, or of several together. None is not reported, which differs from 0.

    Attributes:
        input, output, total: as reported.
        cached: of the input, how many came from the provider's cache.
        input_text, input_audio, input_image: the input by modality, cached ones too.
        cached_text, cached_audio, cached_image: the cached ones by modality.
        output_text, output_audio: the output by modality.
    """

    input: int | None = None
    output: int | None = None
    total: int | None = None
    cached: int | None = None
    input_text: int | None = None
    input_audio: int | None = None
    input_image: int | None = None
    cached_text: int | None = None
    cached_audio: int | None = None
    cached_image: int | None = None
    output_text: int | None = None
    output_audio: int | None = None

    @classmethod
    def told(cls, usage: Mapping[str, Any]) -> TokenCounts:
        """Those of a response's `usage`, as the server tells it."""
        taken, given = mapping(usage.get("input_token_details")), mapping(usage.get("output_token_details"))
        cached = mapping(taken.get("cached_tokens_details"))
        counts = (
            *(usage.get(f"{name}_tokens") for name in ("input", "output", "total")),
            taken.get("cached_tokens"),
            *(taken.get(f"{name}_tokens") for name in ("text", "audio", "image")),
            *(cached.get(f"{name}_tokens") for name in ("text", "audio", "image")),
            *(given.get(f"{name}_tokens") for name in ("text", "audio")),
        )
        names = (one.name for one in fields(cls))
        return cls(**dict(zip(names, map(_count, counts), strict=True)))

    def __add__(self, other: TokenCounts) -> TokenCounts:
        """The sum; what only one of them reports counts."""
        pairs = ((getattr(self, one.name), getattr(other, one.name)) for one in fields(self))
        return TokenCounts(*(b if a is None else a if b is None else a + b for a, b in pairs))


def _count(told: object) -> int | None:
    return told if type(told) is int else None
