"""What the environment holds of secrets, of whatever vendor: its variables say so by their names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

MIN_LENGTH = 8

MIN_KEY_LENGTH = 16

_SECRET = re.compile(
    r"(?:.*_)?(?:API_?KEYS?|TOKEN|SECRETS?|PASSWORD|PASSWD|(?:SECRET|ACCESS|PRIVATE|AUTH)_KEY)|.+_(?:PASS|PWD)",
    re.IGNORECASE,
)
_KEY = re.compile(r".+_KEY", re.IGNORECASE)
_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/]*@", re.IGNORECASE)
_WORD = re.compile(r"[a-z]{0,15}|[A-Z]{0,15}|[A-Z]?[a-z]{0,14}|\d{0,7}|[/~.].*", re.DOTALL)


def secrets_of_environment() -> Iterator[str]:
    """The values of `OPENAI_API_KEY`, of all variables that are called like it, and of accounts in URLs."""
    yield os.environ.get("OPENAI_API_KEY", "")
    for name, value in os.environ.items():
        if _SECRET.fullmatch(name):
            if is_no_word(value):
                yield value
        elif _KEY.fullmatch(name):  # `AZURE_OPENAI_KEY`; or `SORT_KEY`
            if len(value) >= MIN_KEY_LENGTH and is_no_word(value) and any(map(str.isdigit, value)):
                yield value
        elif _URL.match(value):
            try:
                parts = urlsplit(value)
                account = [parts.username or "", parts.password or ""]
            except ValueError:
                yield value
            else:
                # websockets quotes a proxy's when it is invalid. `postgres:postgres@localhost` says nothing.
                proxy = name.lower().endswith("_proxy")
                for part in (*account, *map(unquote, account)):
                    if proxy or is_no_word(part):
                        yield part


def is_no_word(text: str) -> bool:
    """Whether a text may be sought everywhere: not so `disabled`, `4096`, the path of a file."""
    return len(text) >= MIN_LENGTH and _WORD.fullmatch(text) is None
