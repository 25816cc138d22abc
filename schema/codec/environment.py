"""What the environment holds of secrets, of whatever vendor: its variables say so by their names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

MIN_LENGTH = 8

_SECRET = re.compile(
    r"(?:.*_)?(?:API_?KEY|TOKEN|SECRET|PASSWORD|PASSWD|(?:SECRET|ACCESS|PRIVATE|AUTH)_KEY)", re.IGNORECASE
)
_WORD = re.compile(r"[a-z]{0,15}|[A-Z]{0,15}|[A-Z]?[a-z]{0,14}|\d{0,7}|[/~.].*", re.DOTALL)


def secrets_of_environment() -> Iterator[str]:
    """The values of `OPENAI_API_KEY`, of all variables that are called like it, and of proxies' accounts."""
    yield os.environ.get("OPENAI_API_KEY", "")
    for name, value in os.environ.items():
        if _SECRET.fullmatch(name):
            if is_no_word(value):
                yield value
        elif name.lower().endswith("_proxy") and "@" in value:  # websockets quotes it when it is invalid
            try:
                parts = urlsplit(value)
                account = [parts.username or "", parts.password or ""]
            except ValueError:
                yield value
            else:
                yield from account
                yield from map(unquote, account)


def is_no_word(text: str) -> bool:
    """Whether a text may be sought everywhere: not so `disabled`, `4096`, the path of a file."""
    return len(text) >= MIN_LENGTH and _WORD.fullmatch(text) is None
