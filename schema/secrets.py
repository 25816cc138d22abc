"""Texts that must never reach the log, whatever carries them."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable

from .json_text import SPLIT_STRING, to_json

MIN_SECRET_LENGTH = 6
"""Shorter texts are no secrets, and scrubbing them would take ordinary words out of the log."""

REDACTED = "[redacted]"
"""What stands where a secret stood."""

_SPLIT = re.compile("[\ud800-\udbff][\udc00-\udfff]")


class Secrets:
    """A growing set of secrets, each sought by value. Safe from any thread.

    A secret is also sought as JSON writes it inside a text: a frame that carries it is such a text.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._texts: frozenset[str] = frozenset()
        self._forms: tuple[str, ...] = ()
        self._escaped: tuple[str, ...] = ()
        self._bytes: tuple[bytes, ...] = ()
        self._pattern: re.Pattern[str] | None = None

    def add(self, texts: Iterable[str]) -> None:
        """Remember texts; what is shorter than MIN_SECRET_LENGTH is not taken for a secret."""
        if isinstance(texts, str):
            texts = (texts,)
        with self._lock:
            fresh = {text for text in texts if len(text) >= MIN_SECRET_LENGTH} - self._texts
            if not fresh:
                return
            self._texts |= fresh
            forms = {form for text in fresh for form in _forms(text)}
            # The longest first: a token that begins with another must not be left in half.
            self._forms = tuple(sorted(forms.union(self._forms), key=len, reverse=True))
            self._bytes = tuple(form.encode("utf-8", "surrogatepass") for form in self._forms)
            self._pattern = None
            self._escaped += tuple(to_json(form)[1:-1] for form in forms if not _SPLIT.search(form))

    def within(self, payload: str) -> bool:
        """Whether a payload (JSON text) may hold any of them; False is certain."""
        for text in self._escaped:
            if text in payload:
                return True
        return bool(self._texts) and SPLIT_STRING in payload

    def scrub(self, text: str) -> str:
        """The text without them."""
        pattern = self._pattern
        if pattern is None:
            if not self._forms:
                return text
            with self._lock:
                pattern = self._pattern = re.compile("|".join(map(re.escape, self._forms)))
        return pattern.sub(REDACTED, text)

    def scrub_bytes(self, data: bytes) -> bytes:
        """The bytes without them, of the same length: audio arithmetic must survive."""
        for secret in self._bytes:
            if secret in data:
                data = data.replace(secret, b"*" * len(secret))
        return data


def _forms(text: str) -> set[str]:
    """A secret as it is, and as it stands in a text that is itself JSON."""
    return {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
