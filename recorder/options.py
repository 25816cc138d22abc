"""Connection options: what of them goes into the log, and which secrets they hold.

Credentials never reach the log: of the key only whether there was one, of headers the names, of a
URL the host, the path and the query keys that are known to be harmless.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urlsplit

from ..schema.secrets import REDACTED, Secrets

HARMLESS_QUERY_KEYS = frozenset({"model", "api-version", "deployment", "intent", "language"})
HARMLESS_HEADERS = frozenset({"openai-beta", "user-agent", "content-type", "accept", "origin"})


def describe(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options as they are recorded."""
    described: dict[str, Any] = {}
    for name, value in options.items():
        if name == "api_key":
            described[name] = "callable" if callable(value) else "given"
        elif name == "headers" and isinstance(value, Mapping):
            described[name] = sorted(str(header) for header in value)
        elif name == "url" and isinstance(value, str):
            described[name] = harmless_url(value)
        elif name == "playback_tracker":
            described[name] = type(value).__qualname__
        elif name == "call_id":
            described[name] = "given"  # whoever knows it may attach to the call
        else:
            described[name] = value
    return described


def secrets_in(options: Mapping[str, Any]) -> Iterator[str]:
    """Every secret that the options, or the environment, hold by themselves."""
    key = options.get("api_key")
    if isinstance(key, str):
        yield key
    environment = os.environ.get("OPENAI_API_KEY")
    if environment:
        yield environment
    headers = options.get("headers")
    if isinstance(headers, Mapping):
        for name, value in headers.items():
            if str(name).lower() not in HARMLESS_HEADERS:
                yield from _header_secrets(str(value))
    url = options.get("url")
    if isinstance(url, str):
        yield from _url_secrets(url)
    call_id = options.get("call_id")
    if isinstance(call_id, str):
        yield call_id


def observe_key(options: Mapping[str, Any], secrets: Secrets) -> Mapping[str, Any]:
    """The options to connect with: where the key is a callable, what it returns is remembered as a
    secret; else the very same options."""
    key = options.get("api_key")
    if not callable(key):
        return options
    return {**options, "api_key": _observed(key, secrets)}


def _observed(key: Callable[[], Any], secrets: Secrets) -> Callable[[], Any]:
    def call() -> Any:
        result = key()
        if inspect.isawaitable(result):

            async def wait() -> Any:
                value = await result
                _remember(value)
                return value

            return wait()
        _remember(result)
        return result

    def _remember(value: Any) -> None:
        if isinstance(value, str):
            secrets.add([value])

    return call


def harmless_url(url: str) -> str:
    """A URL without user information, and without the values of query keys that we do not know."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        query = [
            (key, value if key.lower() in HARMLESS_QUERY_KEYS else REDACTED)
            for key, value in parse_qsl(parts.query, keep_blank_values=True)
        ]
    except ValueError:
        return REDACTED
    harmless = SplitResult(parts.scheme, host, parts.path, urlencode(query, safe="[]"), "")
    return harmless.geturl()


def _url_secrets(url: str) -> Iterator[str]:
    try:
        parts = urlsplit(url)
        query = parse_qsl(parts.query)
        password = parts.password
    except ValueError:
        yield url
        return
    for key, value in query:
        if key.lower() not in HARMLESS_QUERY_KEYS:
            yield value
            yield quote(value, safe="")
    if password:
        yield password
    if parts.fragment:
        yield parts.fragment


def _header_secrets(value: str) -> Iterator[str]:
    yield value
    for part in value.replace(",", " ").split():  # `Bearer …`; keys inside Sec-WebSocket-Protocol
        if len(part) >= 8:
            yield part
