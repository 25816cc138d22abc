"""E-mail addresses in texts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .spans import Spans

# Not Chinese or Japanese letters: there no space stands between an address and the words around it.
_LETTERS = r"A-Za-z0-9_\u00c0-\u024f\u0370-\u03ff\u0400-\u052f"
# But behind the @ they are a domain's.
_LABELS = rf"{_LETTERS}\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3"
_DOMAIN = rf"(?:[{_LABELS}](?:[{_LABELS}-]{{0,62}})\.){{1,8}}"
_END = rf"(?![{_LETTERS}-])"
_TLD = (
    r"(?:com|org|net|edu|gov|mil|info|biz|io|ai|dev|app|co"
    r"|eu|de|at|ch|fr|uk|es|it|nl|be|pl|ru|cn|jp|kr|in|br|us)"
)
# A name may be in a script whose words stand apart, too; what follows an address need not.
_NAME = rf"{_LETTERS}\u0590-\u06ff\u0900-\u097f\uac00-\ud7a3"
# A sentence may go on without a space, `ada@example.org.Then`: the last label is of one case if it can be.
_EMAIL = re.compile(
    rf"[{_NAME}](?:[{_NAME}.+'&~-]{{0,127}}?)@"
    rf"(?:{_DOMAIN}(?:[a-z\u00df-\u00ff\u0430-\u045f]{{2,24}}|[A-Z]{{2,24}}|xn--[a-z0-9-]{{2,40}}){_END}"
    rf"|{_DOMAIN}[A-Za-z]{{2,24}}{_END}"
    rf"|(?:(?!\d)[{_LETTERS}][{_LETTERS}.-]{{0,80}})?\Z)"  # cut short: the model was interrupted
)
# Where it was read out, typed with blanks, or hidden: only such as end in a domain of the best known.
_AT = r"(?:\s?@\s?|\s?[\[({<] ?(?i:at) ?[\])}>]\s?)"
_DOT = r"(?:\s?\.\s?|\s?[\[({<] ?(?i:dot) ?[\])}>]\s?)"
_SPACED = re.compile(
    rf"[{_NAME}](?:[{_NAME}.+'&~-]{{0,127}}?){_AT}"
    rf"(?:[{_LETTERS}](?:[{_LETTERS}-]{{0,62}}){_DOT}){{1,4}}{_TLD}{_END}"
)
_HIDDEN_AT = re.compile(r"[\[({<] ?at ?[\])}>]", re.IGNORECASE)


def may_have_emails(text: str) -> bool:
    """Whether it is worth while to look for addresses."""
    return "@" in text or _HIDDEN_AT.search(text) is not None


def find_emails(text: str) -> Iterator[tuple[int, int]]:
    """Where addresses stand: (start, end)."""
    if may_have_emails(text):
        taken = Spans()
        for pattern in (_EMAIL, _SPACED):
            for found in pattern.finditer(text):
                if taken.take(found.span()):
                    yield found.span()
