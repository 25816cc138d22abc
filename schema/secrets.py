"""Texts that must never reach the log, whatever carries them."""

from __future__ import annotations

from collections.abc import Iterable

from .encoding import to_json

MIN_SECRET_LENGTH = 6
"""Shorter texts are no secrets, and scrubbing them would take ordinary words out of the log."""

REDACTED = "[redacted]"
"""What stands where a secret stood."""


class Secrets:
    """A growing set of secrets, each sought by value. Immutable parts: safe from any thread."""

    def __init__(self) -> None:
        self._texts: tuple[str, ...] = ()
        self._escaped: tuple[str, ...] = ()
        self._bytes: tuple[bytes, ...] = ()

    def add(self, texts: Iterable[str]) -> None:
        """Remember texts; what is shorter than MIN_SECRET_LENGTH is not taken for a secret."""
        fresh = {text for text in texts if len(text) >= MIN_SECRET_LENGTH}
        # The longest first: a token that begins with another must not be left in half.
        known = sorted(fresh.union(self._texts), key=len, reverse=True)
        self._texts = tuple(known)
        self._escaped = tuple(to_json(text)[1:-1] for text in known)
        self._bytes = tuple(text.encode("utf-8", "surrogatepass") for text in known)

    def within(self, payload: str) -> bool:
        """Whether a payload (JSON text) holds any of them."""
        return any(text in payload for text in self._escaped)

    def scrub(self, text: str) -> str:
        """The text without them."""
        for secret in self._texts:
            text = text.replace(secret, REDACTED)
        return text

    def scrub_bytes(self, data: bytes) -> bytes:
        """The bytes without them, of the same length: audio arithmetic must survive."""
        for secret in self._bytes:
            if secret in data:
                data = data.replace(secret, b"*" * len(secret))
        return data
