"""Texts that must never reach the log, whatever carries them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from .json_text import SPLIT_STRING, to_json

MIN_SECRET_LENGTH = 6
"""Shorter texts are no secrets, and scrubbing them would take ordinary words out of the log."""

REDACTED = "[redacted]"
"""What stands where a secret stood."""

_SPLIT = re.compile("[\ud800-\udbff][\udc00-\udfff]")


class _Known:
    """What is sought, in all its forms; made anew for every secret that is added."""

    def __init__(self, texts: tuple[str, ...]) -> None:
        # The longest first: a token that begins with another must not be left in half.
        self.forms = sorted({form for text in texts for form in _forms(text)}, key=len, reverse=True)
        self.count = len(texts)
        self.bytes = [form.encode("utf-8", "surrogatepass") for form in self.forms]
        self.escaped = [to_json(form)[1:-1] for form in self.forms if not _SPLIT.search(form)]
        self._pattern: re.Pattern[str] | None = None

    @property
    def pattern(self) -> re.Pattern[str]:
        if self._pattern is None:
            self._pattern = re.compile("|".join(map(re.escape, self.forms)))
        return self._pattern


class Secrets:
    """A growing set of secrets, each sought by value.

    A secret is also sought as JSON writes it inside a text: a frame that carries it is such a text.
    Safe from any thread, and without a lock: a signal handler or a finalizer may record at any
    moment, and a process that forks leaves its other threads' locks held.

    Args:
        others: their own are sought, too, also those that are added there later.
    """

    def __init__(self, *others: Secrets) -> None:
        self._texts: dict[str, None] = {}
        self._others = [other._texts for other in others]
        self._made = _Known(())

    def add(self, texts: Iterable[str]) -> None:
        """Remember texts; what is shorter than MIN_SECRET_LENGTH is not taken for a secret."""
        if isinstance(texts, str):
            texts = (texts,)
        for text in texts:
            if len(text) >= MIN_SECRET_LENGTH:
                self._texts.setdefault(text)

    @property
    def _known(self) -> _Known:
        # Whoever replaces what a faster thread made sees that it is behind, and does it again.
        while self._made.count < len(self._texts) + sum(map(len, self._others)):
            self._made = _Known((*self._texts, *(text for texts in self._others for text in texts)))
        return self._made

    def within(self, payload: str) -> bool:
        """Whether a payload (JSON text) may hold any of them; False is certain."""
        known = self._known
        for text in known.escaped:
            if text in payload:
                return True
        return bool(known.count) and SPLIT_STRING in payload

    def scrub(self, text: str) -> str:
        """The text without them."""
        known = self._known
        return known.pattern.sub(REDACTED, text) if known.count else text

    def scrub_bytes(self, data: bytes) -> bytes:
        """The bytes without them, of the same length: audio arithmetic must survive."""
        for secret in self._known.bytes:
            if secret in data:
                data = data.replace(secret, b"*" * len(secret))
        return data


def _forms(text: str) -> set[str]:
    """A secret as it is, and as it stands in a text that is itself JSON."""
    return {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
