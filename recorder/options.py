"""Connection options: what of them goes into the log, and which secrets they hold.

Credentials never reach the log: of the key only whether there was one, of headers the names, of a
URL the host, the path and the query keys that are known to be harmless.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from ..schema.codec import REDACTED, Secrets

HARMLESS_QUERY_KEYS = frozenset({"model", "api-version", "deployment", "intent", "language"})
HARMLESS_HEADERS = frozenset({"openai-beta", "user-agent", "content-type", "accept", "origin"})
HARMLESS_OPTIONS = frozenset({"initial_model_settings"})
SUBPROTOCOL_KEY = "openai-insecure-api-key."
"""Browser-style clients put the key behind this, in a subprotocol."""


def known_options(options: Any) -> Mapping[str, Any]:
    """Connection options (or headers) as far as they are a mapping: a transport may take anything."""
    return cast("Mapping[str, Any]", options) if isinstance(options, Mapping) else {}


def describe(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options as they are recorded."""
    described: dict[str, Any] = {}
    for name, value in options.items():
        if name == "api_key":
            described[name] = "callable" if callable(value) else "given"
        elif name == "headers" and isinstance(value, Mapping):
            described[name] = sorted(str(header) for header in known_options(value))
        elif name == "url" and isinstance(value, str):
            described[name] = harmless_url(value)
        elif name == "playback_tracker":
            described[name] = type(value).__qualname__
        elif name in HARMLESS_OPTIONS or value is None or isinstance(value, bool | int | float):
            described[name] = value
        else:
            # Of `call_id`: whoever knows it may attach to the call. Of options that we do not know:
            # they may be anything.
            described[name] = "given"
    return described


def secrets_in(options: Mapping[str, Any]) -> Iterator[str]:
    """Every secret that the options, or the environment, hold by themselves."""
    key = options.get("api_key")
    if isinstance(key, str):
        yield key
    yield from _environment_secrets()
    for name, value in known_options(options.get("headers")).items():
        lower = str(name).lower()
        if lower == "sec-websocket-protocol":
            yield from _subprotocol_secrets(str(value))
        elif lower not in HARMLESS_HEADERS:
            yield from _header_secrets(str(value))
    url = options.get("url")
    if isinstance(url, str):
        yield from _url_secrets(url)
    call_id = options.get("call_id")
    if isinstance(call_id, str):
        yield call_id


def _environment_secrets() -> Iterator[str]:
    yield os.environ.get("OPENAI_API_KEY", "")
    for name, value in os.environ.items():
        if name.lower().endswith("_proxy") and "@" in value:  # websockets quotes it when it is invalid
            yield from _url_secrets(value)


def observe_key(options: Any, secrets: Secrets) -> Any:
    """The options to connect with: where the key is a callable, what it returns is remembered as a
    secret; else the very same options."""
    known = known_options(options)
    key = known.get("api_key")
    if not callable(key):
        return options
    return {**known, "api_key": _observed(key, secrets)}


def _observed(key: Callable[[], Any], secrets: Secrets) -> Callable[[], Any]:
    def remember(value: Any) -> Any:
        if isinstance(value, str):
            secrets.add([value])
        return value

    async def wait(pending: Any) -> Any:
        return remember(await pending)

    @functools.wraps(key, updated=())
    def call() -> Any:
        result = key()
        return wait(result) if inspect.isawaitable(result) else remember(result)

    @functools.wraps(key, updated=())
    async def call_async() -> Any:
        return remember(await key())

    return call_async if inspect.iscoroutinefunction(key) else call


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
        account = [parts.username or "", parts.password or ""]
    except ValueError:
        yield url
        return
    for key, value in query:
        if key.lower() not in HARMLESS_QUERY_KEYS:
            yield value
            yield quote(value, safe="")
    for pair in parts.query.split("&"):  # as it is written, which other tools may quote differently
        key, _, value = pair.partition("=")
        if key.lower() not in HARMLESS_QUERY_KEYS:
            yield value
    yield from account
    yield from map(unquote, account)
    yield parts.fragment


def _header_secrets(value: str) -> Iterator[str]:
    yield value
    for part in value.replace(",", " ").split():  # `Bearer …`
        if len(part) >= 8:
            yield part


def _subprotocol_secrets(value: str) -> Iterator[str]:
    """Only the key: the other subprotocols are words such as `realtime`."""
    for part in value.replace(",", " ").split():
        if part.startswith(SUBPROTOCOL_KEY):
            yield part.removeprefix(SUBPROTOCOL_KEY)
