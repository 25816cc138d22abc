"""What of a URL may be a secret: the account, values in the query, the fragment, and what in the path nobody
wrote by hand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit

from .credentials import REDACTED, find_credentials

HARMLESS_QUERY_KEYS = frozenset({"model", "api-version", "deployment", "intent", "language"})

_NAME_OR_NUMBER = re.compile(
    r"(?:[A-Za-z]{1,11}|[A-Z]?[a-z]+(?:[A-Z][a-z]+){0,4}|[A-Z]+)\d{0,4}[a-z]?"
    r"|\d+[a-z]?|[0-9a-f]{4}|[0-9a-f]{8}|[0-9a-f]{12}|"
)


def harmless_url(url: str) -> str:
    """A URL without user information, without what looks like a token in its path, and without the values of
    query keys that we do not know; of those that look like a token themselves, without the key."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        query = [
            (REDACTED if _is_token(key) else key, value if key.lower() in HARMLESS_QUERY_KEYS else REDACTED)
            for key, value in parse_qsl(parts.query, keep_blank_values=True)
        ]
    except ValueError:
        return REDACTED
    path = "/".join(REDACTED if _is_token(unquote(part)) else part for part in parts.path.split("/"))
    harmless = SplitResult(parts.scheme, host, path, urlencode(query, safe="[]"), "")
    return harmless.geturl()


def url_secrets(url: str) -> Iterator[str]:
    """What of a URL may be a secret, as it is written and as it is meant."""
    try:
        parts = urlsplit(url)
        query = parse_qsl(parts.query, keep_blank_values=True)
        account = [parts.username or "", parts.password or ""]
    except ValueError:
        yield url
        return
    for key, value in query:
        if key.lower() not in HARMLESS_QUERY_KEYS:
            yield value
        if _is_token(key):
            yield key
    for pair in parts.query.split("&"):  # as it is written, which other tools may quote differently
        key, _, value = pair.partition("=")
        if key.lower() not in HARMLESS_QUERY_KEYS:
            yield value
    for part in parts.path.split("/"):
        if _is_token(unquote(part)):
            yield part
            yield unquote(part)
    yield from account
    yield from map(unquote, account)
    yield parts.fragment


def find_in_url(url: str) -> Iterator[tuple[int, int]]:
    """Where that stands in it: (start, end), in no order."""
    for secret in {*url_secrets(url)} - {"", REDACTED}:
        start = url.find(secret, url.find("//") + 2)
        if start >= 0:
            yield start, start + len(secret)


def _is_token(part: str) -> bool:
    """Whether a part of a URL is no name, version, date or UUID, but something that nobody wrote by hand."""
    if any(find_credentials(part)):
        return True
    pieces = re.split(r"[-_.:~=@ ]", part)
    return len(part) >= 12 and not all(map(_NAME_OR_NUMBER.fullmatch, pieces))
