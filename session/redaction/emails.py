"""E-mail addresses in texts."""

from __future__ import annotations

import re
from collections.abc import Iterator

# Not Chinese or Japanese letters: there no space stands between an address and the words around it.
_LETTERS = r"A-Za-z0-9_\u00c0-\u024f\u0370-\u03ff\u0400-\u052f"
_DOMAIN = rf"(?:[{_LETTERS}](?:[{_LETTERS}-]{{0,62}})\.){{1,8}}"
_END = rf"(?![{_LETTERS}-])"
# A sentence may go on without a space, `ada@example.org.Then`: the last label is of one case if it can be.
_EMAIL = re.compile(
    rf"[{_LETTERS}](?:[{_LETTERS}.+'&~-]{{0,127}}?)@"
    rf"(?:{_DOMAIN}(?:[a-z\u00df-\u00ff\u0430-\u045f]{{2,24}}|[A-Z]{{2,24}}|xn--[a-z0-9-]{{2,40}}){_END}"
    rf"|{_DOMAIN}[A-Za-z]{{2,24}}{_END}"
    rf"|(?:(?!\d)[{_LETTERS}][{_LETTERS}.-]{{0,80}})?\Z)"  # cut short: the model was interrupted
)


def find_emails(text: str) -> Iterator[tuple[int, int]]:
    """Where addresses stand: (start, end)."""
    if "@" in text:
        for found in _EMAIL.finditer(text):
            yield found.span()
