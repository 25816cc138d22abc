"""E-mail addresses in texts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .spans import Spans

# Not Chinese or Japanese letters: there no space stands between an address and the words around it.
_LETTERS = r"A-Za-z0-9_\u00c0-\u024f\u0370-\u03ff\u0400-\u052f"
# But behind the @ they are a domain's.
_ASIAN = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3"
_OTHERS = r"\u0590-\u06ff\u0900-\u097f\u0e00-\u0e7f"
"""Hebrew, Arabic, Devanagari, Thai."""
_LABELS = rf"{_LETTERS}{_ASIAN}{_OTHERS}"
_DOMAIN = rf"(?:[{_LABELS}](?:[{_LABELS}-]{{0,62}})\.){{1,8}}"
_END = rf"(?![{_LETTERS}-])"
_TLD = (
    r"(?:com|org|net|edu|gov|mil|info|biz|io|ai|dev|app|co"
    r"|eu|de|at|ch|fr|uk|es|it|nl|be|pl|ru|cn|jp|kr|in|br|us|se|dk|fi|pt|ie|cz|sk|hu|ro|gr|tr|ua|il|ca|mx|au|nz|za"
    r"|xyz|online|shop|site|store|tech|cloud|travel|museum)"
)
# A name may be in a script whose words stand apart, too; what follows an address need not.
_NAME = rf"{_LETTERS}\u0590-\u06ff\u0900-\u097f\uac00-\ud7a3"
# A sentence may go on without a space, `ada@example.org.Then`: the last label is of one case if it can be.
_EMAIL = re.compile(
    rf"[{_NAME}](?:[{_NAME}.+'&~-]{{0,127}}?)@"
    rf"(?:{_DOMAIN}(?:[a-z\u00df-\u00ff\u0430-\u045f]{{2,24}}|[A-Z]{{2,24}}|xn--[a-z0-9-]{{2,40}}){_END}"
    rf"|{_DOMAIN}[A-Za-z]{{2,24}}{_END}"
    rf"|{_DOMAIN}(?:[{_OTHERS}]{{2,24}}|[{_ASIAN}]{{2,4}})"
    rf"|(?:(?!\d)[{_LETTERS}][{_LETTERS}.-]{{0,80}})?\Z)"  # cut short: the model was interrupted
)
# Where it was read out, typed with blanks, or hidden: only such as end in a domain of the best known.
_WORD_AT = r"[\[({<]{1,2} ?(?i:at|ät|a) ?[\])}>]{1,2}"
_WORD_DOT = r"[\[({<]{1,2} ?(?i:dot|punkt|point|punto) ?[\])}>]{1,2}"
_AT = rf"\s{{0,3}}(?:@|{_WORD_AT})\s{{0,3}}"
_DOT = rf"\s{{0,3}}(?:\.|{_WORD_DOT})\s{{0,3}}"
_SPACED = re.compile(
    rf"[{_NAME}](?:[{_NAME}.+'&~-]{{0,127}}?){_AT}"
    rf"(?:[{_LETTERS}](?:[{_LETTERS}-]{{0,62}}){_DOT}){{1,4}}{_TLD}{_END}"
)
_HIDDEN_AT = re.compile(_WORD_AT)
_SIGNS = re.compile(rf"@|{_WORD_AT}|{_WORD_DOT}")
_LAST_DOT = re.compile(rf"(?:\.|{_WORD_DOT})[^.]*\Z")


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


def letters_of_address(address: str) -> list[int]:
    """Which characters of an address are its own: not the signs, however they are written, nor the domain's
    ending."""
    signs = [found.span() for found in _SIGNS.finditer(address)]
    ending = _LAST_DOT.search(address, signs[0][1]) if signs else None
    end = len(address) if ending is None else ending.start()
    within = {at for start, stop in signs for at in range(start, stop)}
    return [at for at in range(end) if address[at].isalnum() and at not in within]
