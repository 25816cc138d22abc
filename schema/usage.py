"""Tokens that responses cost. All numbers are counts of tokens, except where a name says requests."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class InputTokensDetails:
    """Input tokens by what the prompt cache did with them.

    Attributes:
        cache_write_tokens: stored for later requests.
        cached_tokens: read from the cache instead of computed.
        cache_write_tokens_details: the provider's split by retention time, in its own form.
    """

    cache_write_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens_details: Any | None = None


@dataclass
class OutputTokensDetails:
    """Output tokens that were spent on reasoning, and are not part of the answer."""

    reasoning_tokens: int = 0


@dataclass
class RequestUsage:
    """What a single request cost."""

    input_tokens: int
    output_tokens: int
    total_tokens: int
    input_tokens_details: InputTokensDetails
    output_tokens_details: OutputTokensDetails


@dataclass
class Usage:
    """What one or more requests cost together.

    A plain value: it validates, normalises and adds nothing, unlike the SDK's class of this name,
    which refuses our details in its own `add`. Convert before handing one to the SDK.

    Attributes:
        requests: number of requests in the sums.
        total_tokens: as reported, not computed from input and output.
        request_usage_entries: the single requests, where they are known.
    """

    requests: int = 0
    input_tokens: int = 0
    input_tokens_details: InputTokensDetails = field(default_factory=InputTokensDetails)
    output_tokens: int = 0
    output_tokens_details: OutputTokensDetails = field(default_factory=OutputTokensDetails)
    total_tokens: int = 0
    request_usage_entries: list[RequestUsage] = field(default_factory=list[RequestUsage])


@dataclass
class RealtimeModelCachedTokensDetails:
    """Cached input tokens by modality; None is not reported, which differs from 0."""

    text_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None


@dataclass
class RealtimeModelInputTokensDetails:
    """Input tokens by modality; None is not reported.

    Attributes:
        cached_tokens: how many of all of them came from the cache.
        cached_tokens_details: those, by modality.
    """

    text_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None
    cached_tokens: int | None = None
    cached_tokens_details: RealtimeModelCachedTokensDetails | None = None


@dataclass
class RealtimeModelOutputTokensDetails:
    """Output tokens by modality; None is not reported."""

    text_tokens: int | None = None
    audio_tokens: int | None = None


USAGE_TYPES: tuple[type[object], ...] = (
    InputTokensDetails,
    OutputTokensDetails,
    RequestUsage,
    Usage,
    RealtimeModelCachedTokensDetails,
    RealtimeModelInputTokensDetails,
    RealtimeModelOutputTokensDetails,
)
