"""Numbers of payment cards in texts: known ranges, their lengths, and a right check digit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

DIGIT_SIGNS = r"[ \t\r\n\u00a0\u202f.,/_|:;+()~*'–-]"
DIGIT_GAP = f"{DIGIT_SIGNS}{{1,5}}"
"""What may stand between digits that are read out or grouped, in a text as it looks (`views.py`)."""

_RUN = re.compile(rf"(?<!\d)\d(?:(?:{DIGIT_GAP})?\d){{12,}}", re.ASCII)
_PAUSE = re.compile(r"[ \t\r\n\u00a0\u202f,;–-]+")
"""Where one pauses, or begins a line: what is neither a time, nor a date, nor a decimal."""

_GROUP = re.compile(r"\d+", re.ASCII)
_USUAL = ([4, 6, 5], [4, 6, 4])
MAX_GROUPS = 64
MIN_CARD_DIGITS = 13

_RANGES = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})"  # Visa
    r"|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|3(?:0[0-5]|[689]\d)\d{11,16}"  # Diners Club
    r"|35(?:2[89]|[3-8]\d)\d{12,15}"  # JCB
    r"|220[0-4]\d{12,15}"  # Mir
    r"|(?:6011|64[4-9]\d|65\d\d)\d{12,15}"  # Discover
    r"|62\d{14,17}|81\d{14,17}"  # UnionPay
    r"|(?:50|5[6-9]|6[037])\d{11,17}"  # Maestro, RuPay
    r"|9792\d{12}",  # Troy
    re.ASCII,
)


def is_card(digits: str) -> bool:
    """Whether this may be the number of a card."""
    return _RANGES.fullmatch(digits) is not None and passes_luhn(digits)


def passes_luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    total = 0
    for index, digit in enumerate(reversed(digits)):
        number = int(digit) * (index % 2 + 1)
        total += number - 9 if number > 9 else number
    return total % 10 == 0


def find_cards(text: str) -> Iterator[tuple[int, int]]:
    """Where numbers of cards stand: (start, end). Whole groups of digits, the longest first."""
    for run in _RUN.finditer(text):
        groups = [found.span() for found in _GROUP.finditer(text, run.start(), run.end())]
        first = 0
        while first < len(groups):
            end = _end_of_card(text, groups[first : first + MAX_GROUPS])
            if end is None:
                first += 1
                continue
            yield groups[first][0], end
            while first < len(groups) and groups[first][0] < end:
                first += 1


def _end_of_card(text: str, groups: list[tuple[int, int]]) -> int | None:
    digits, found = "", None
    for number, (start, end) in enumerate(groups, 1):
        digits += text[start:end]
        if len(digits) > 19:
            break
        if len(digits) >= MIN_CARD_DIGITS and is_card(digits) and _is_one_number(text, groups[:number]):
            found = end
    return found


def _is_one_number(text: str, groups: list[tuple[int, int]]) -> bool:
    """Whether groups look like those of one number: in lists of times, dates and amounts every tenth row of
    digits has a right check digit."""
    gaps = [text[one[1] : other[0]] for one, other in pairwise(groups)]
    lengths = [end - start for start, end in groups]
    if all(map(_PAUSE.fullmatch, gaps)) or lengths in _USUAL:
        return True
    *front, last = lengths
    even = len(set(front)) == 1 and last <= front[0]
    return even and (front[0] == 4 or len(set(gaps)) == 1)
