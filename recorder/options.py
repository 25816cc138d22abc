"""Connection options: what of them goes into the log, and which secrets they hold.

Of the key only whether there was one, of headers the names, of a URL the host, the path without what
looks like a token, and the query keys that are known to be harmless.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from ..schema.codec import (
    HARMLESS_HEADERS,
    Codec,
    Secrets,
    credentials_in,
    from_json,
    harmless_url,
    is_no_word,
    secrets_of_environment,
    url_secrets,
)

HARMLESS_OPTIONS = frozenset({"initial_model_settings"})
READ_OPTIONS = frozenset({"api_key", "call_id", "headers", "url", "subprotocols", "playback_tracker"})
"""Those of which it is known what they are. Of others, settings are sought in them."""
SUBPROTOCOL_KEY = "openai-insecure-api-key."
"""Browser-style clients put the key behind this, in a subprotocol."""


def known_options(options: Any) -> dict[str, Any]:
    """Connection options as far as they are a mapping, for a transport may take anything: read once, for they
    are the application's, and may say something else the next time."""
    return dict(cast("Mapping[str, Any]", options)) if isinstance(options, Mapping) else {}


def describe(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options as they are recorded."""
    described: dict[str, Any] = {}
    for name, value in options.items():
        if name == "api_key":
            described[name] = "callable" if callable(value) else "given"
        elif name == "headers" and isinstance(value, Collection) and not isinstance(value, bytes):
            described[name] = sorted(header for header, _ in headers_in(value))
        elif name == "url" and isinstance(value, str | bytes):
            described[name] = harmless_url(_text(value))
        elif name == "playback_tracker":
            described[name] = type(value).__qualname__
        elif name in HARMLESS_OPTIONS or value is None or isinstance(value, bool | int | float):
            described[name] = value
        else:
            # Of `call_id`: whoever knows it may attach to the call. Of options that we do not know:
            # they may be anything.
            described[name] = "given"
    return described


def headers_in(headers: Any) -> Iterator[tuple[str, str]]:
    """Names and values of headers, given as a mapping, as pairs, as lines, or as objects with a name and a
    value. What can be read only once is left to who connects."""
    if isinstance(headers, Mapping):
        # Of several of one name the libraries' own mappings give the first, or raise.
        mapping = cast("Mapping[Any, Any]", headers)
        several = getattr(mapping, "raw_items", None) or getattr(mapping, "multi_items", None)
        items = several() if callable(several) else mapping.items()
    elif isinstance(headers, str):
        items = headers.splitlines()
    else:
        items = cast("Collection[Any]", headers) if isinstance(headers, Collection) else ()
    for item in cast("Iterable[Any]", items):
        if isinstance(item, list | tuple) and len(cast("Sequence[Any]", item)) == 2:
            name, values = cast("Sequence[Any]", item)
            for value in cast("Sequence[Any]", values if isinstance(values, list | tuple) else [values]):
                yield _text(name), _text(value)
        elif isinstance(item, Mapping):
            named = cast("Mapping[str, Any]", item)
            yield _text(named.get("name", named.get("key", ""))), _text(named.get("value", ""))
        elif isinstance(item, str):
            name, _, value = item.partition(":")
            yield name.strip(), value.strip()


def _text(part: Any) -> str:
    return part.decode("latin-1") if isinstance(part, bytes) else str(part)


def secrets_in(options: Mapping[str, Any]) -> Iterator[str]:
    """Every secret that the options, or the environment, hold by themselves."""
    yield from secrets_of_environment()
    for name, value in options.items():
        if name == "api_key" or name == "call_id":
            if isinstance(value, str | bytes):
                yield _text(value)
        elif name == "headers":
            for header, text in headers_in(value):
                yield from _header_secrets(header, text)
        elif name == "url":
            if value is not None:
                yield from url_secrets(_text(value))
        elif name == "subprotocols" and isinstance(value, list | tuple):
            for protocol in cast("Sequence[Any]", value):
                yield from _subprotocol_secrets(_text(protocol))


def settings_secrets(settings: Any, codec: Codec) -> Iterator[str]:
    """What settings hold that is sought wherever it stands: tools on other servers (MCP) are called with
    an authorization and with headers of their own.

    Raises:
        EncodingError: they cannot be recorded.
    """
    for text in credentials_in(from_json(codec.encode(settings, lambda data: (0, 0, 0)).payload)):
        for part in (text, *text.split()):  # `Bearer …`
            if is_no_word(part):
                yield part


def observe_key(options: Any, known: Mapping[str, Any], secrets: Secrets) -> Any:
    """The options to connect with: where the key is a callable, what it returns is remembered as a
    secret; else the very same options.

    Args:
        known: what was read of them.
    """
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


def _header_secrets(name: str, value: str) -> Iterator[str]:
    lower = name.lower()
    if lower == "sec-websocket-protocol":
        yield from _subprotocol_secrets(value)
    elif lower in ("cookie", "set-cookie"):
        yield value
        yield from _cookie_secrets(value, one=lower == "set-cookie")
    elif lower not in HARMLESS_HEADERS:
        yield value
        for part in value.replace(",", " ").split():  # `Bearer …`
            if len(part) >= 8:
                yield part


def _cookie_secrets(value: str, *, one: bool) -> Iterator[str]:
    """The values of cookies, but for mere words (`theme=dark`). Where it is one that is set, what follows are
    its attributes (RFC 6265, section 4.1)."""
    pairs = value.split(";")
    for pair in pairs[:1] if one else pairs:
        text = pair.partition("=")[2].strip().strip('"')
        if is_no_word(text):
            yield text


def _subprotocol_secrets(value: str) -> Iterator[str]:
    """Only the key: the other subprotocols are words such as `realtime`."""
    for part in value.replace(",", " ").split():
        if part.startswith(SUBPROTOCOL_KEY):
            yield part.removeprefix(SUBPROTOCOL_KEY)
