"""Telephone numbers in texts. `docs/format.md` has the rules in words.

Not by a library of the world's numbering plans: it would let pass what is not assigned. People mishear
and mistype digits, and those who test use numbers that nobody has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .spans import Span, Spans

_GAP = r"[ \t\u00a0\u202f./_–-]"
_WIDE_GAP = r"[ \t\r\n\u00a0\u202f.,/_|:;~*'–-]{0,5}"
"""Where a word, or the country's number, says what it is: groups may be read out, `415, 555, 0132`."""

_DIGITS = rf"\d(?:{_GAP}{{0,2}}\d)"
_NO_WORD = r"(?<![\w+])"
_NO_NUMBER = r"(?<!\d)(?<!\d[.,:])"
_END = r"(?!\d)(?![.,:]\d)(?! ?[%€$£¥])"

_CERTAIN = tuple(
    re.compile(pattern, re.ASCII)
    for pattern in (
        # +49 151 23456789, +49 (0)151 23456789, +1 (415) 555-0132
        rf"(?<!\d)\+ ?\d{{1,4}}(?:{_GAP}{{0,2}}\(\d{{1,5}}\){_GAP}{{0,2}}\d)?"
        rf"(?:{_GAP}{{0,2}}\d){{5,14}}{_END}",
        # (+49) 151 23456789, +(49) 151 23456789, +49 - 151 - 23456789
        rf"(?<!\d)(?:\(\+ ?\d{{1,4}}\)|\+ ?\(\d{{1,4}}\)|\+ ?\d{{1,4}}(?= - ))"
        rf"(?:{_GAP}{{0,3}}\d){{6,14}}{_END}",
        # +49[151]23456789, +49;151;23456789, +49 151, 234, 567, 89, +49 ... 151 ... 234; plus 49 151 23456789
        rf"(?<!\d)\+ ?\d{{1,4}}(?:[ \t\r\n,;:|_()\[\]./~*'–-]{{0,5}}\d){{8,13}}{_END}",
        rf"(?<!\w)(?i:plus) ?\d{{1,4}}(?:{_GAP}{{0,2}}\d){{7,13}}{_END}",
        # (0049) 151 23456789
        rf"{_NO_WORD}\(00[1-9]\d{{0,3}}\)(?:{_GAP}{{0,3}}\d){{6,12}}{_END}",
        # 415-555-0132, (415) 555-0132, 1 415 555 0132
        rf"{_NO_WORD}{_NO_NUMBER}(?:1{_GAP}?)?(?:\([2-9]\d\d\) ?|[2-9]\d\d[ .-])[2-9]\d\d[ .-]\d{{4}}{_END}",
        # (030) 1234567, (11) 98765-4321
        rf"{_NO_WORD}\(\d{{2,5}}\){_GAP}{{0,2}}{_DIGITS}{{5,9}}{_END}",
        # 98765 43210 (India), 138 1234 5678 (China), 11 98765-4321 (Brazil), 8 912 345-67-89 (Russia)
        rf"{_NO_WORD}{_NO_NUMBER}(?:[6-9]\d{{4}}[ -]\d{{5}}|1[3-9]\d[ -]\d{{4}}[ -]\d{{4}}"
        rf"|[1-9]\d 9\d{{4}}-\d{{4}}|8[ -]\(?9\d\d\)?[ -]\d{{3}}[ -]\d\d[ -]\d\d){_END}",
    )
)
# As they are dialled within a country, or abroad by 00. Not where a word before says what else it is.
_DIALLED = re.compile(
    rf"{_NO_WORD}{_NO_NUMBER}(?<!\d\d\d )"
    rf"(?:00{_GAP}?[1-9](?:{_GAP}{{0,2}}\d){{8,13}}|0[1-9](?:{_GAP}{{0,2}}\d){{7,10}}"
    # 0151 / 2345 6789, 0151 - 2345 - 6789, 0-1-5-1-2-3-4-5-6-7
    r"|0[1-9]\d{1,4} [/–-] (?:\d{5,8}|\d{2,4}(?: | [/–-] )\d{3,5})"
    rf"|0(?:-\d){{8,11}}|0(?:-\d){{6,7}}-\d{{3,4}}){_END}",
    re.ASCII,
)
_ANY = re.compile(
    rf"{_NO_NUMBER}(?<!\d{_GAP})\(?\d(?:[)(]?{_WIDE_GAP}[)(]?\d){{6,14}}(?!{_GAP}\d){_END}", re.ASCII
)

_HINT = re.compile(
    "[\u260e\u260f\u2706\U0001f4de\U0001f4f1\U0001f4f2]"
    r"|电话|電話|手机|手機|携帯|전화|телефон|номер|мобильн|هاتف|جوال|טלפון|फ़ोन|phone|telefon|t[ée]l[ée]phone|tel[eé]fono|m[óo]vil|celular|handy|whatsapp|wa\.me|msisdn|anruf|mobil"
    r"|(?<![^\W_])(?:tel|cell|fax|sms|dial|call(?:s|ed|er|ing|back)?|rufe?n?|text (?:me|us)"
    r"|reach (?:me|us|him|her|them)|tlf|fon|gsm|my number|meine nummer|mijn nummer|mon num[ée]ro"
    r"|(?:mi|meu) n[úu]mero|mio numero|m[óo]j numer|numaram)(?![^\W_]|_\Z)",
    re.IGNORECASE,
)
_HINT_BEHIND = re.compile(
    r"[ ,]{0,2}(?:is|ist|est|es|was) (?:my|his|her|our|the|meine?|mon|ma|mi|el) (?:new |old |neue |work )?"
    r"(?:phone|cell|mobile|number|handy|telefon|nummer|num[ée]ro|n[úu]mero|t[ée]l[ée]phone|m[óo]vil)",
    re.IGNORECASE,
)
_OTHER = re.compile(
    r"order|booking|reserv|referenc|confirm|ticket|invoice|account|tracking|flight|parcel|policy|serial|amount|price"
    r"|total|bestell|auftrag|rechnung|buchung|kunden|konto|vorgang|sendung|pedido|factura|commande|facture|iban"
    r"|(?<![^\W_])ids?(?![^\W_])",
    re.IGNORECASE,
)
_MONEY = re.compile(r"[€$£¥]|\b(?:eur|usd|gbp|chf|euros?|dollars?)\b", re.IGNORECASE)
_UNIT = re.compile(
    r"\s?(?:€|\$|£|%|eur|usd|gbp|chf|euro|dollar|km\b|m\b|kg\b|ms\b|s\b|min|hour|stunde|people|items)", re.I
)
_DATE = re.compile(
    r"\D?(?:\d{1,2}[./ -]\d{1,2}[./ -](?:19|20)\d\d|(?:19|20)\d\d[./ -]?\d\d[./ -]?\d\d(?!\d)"
    r"|(?:19|20)\d\d ?[–-] ?(?:19|20)\d\d|\d{1,2}\.\d{1,2}\.\d\d(?![.\d]))",
    re.ASCII,
)
_DECIMAL = re.compile(r"\d+\.\d+", re.ASCII)
_DATE_BEHIND = re.compile(r"(?<=\d) \d{1,2}[./-]\d{1,2}[./-](?:19|20)?\d\d(?!\d)", re.ASCII)
_ALONE_BEHIND = re.compile(r"(?<=\d{3})[ \u00a0]\d$", re.ASCII)
HINT_CHARS = 40
"""How far before a number a word may stand that says what it is."""


def find_phones(text: str, key: str = "") -> Iterator[Span]:
    """Where telephone numbers stand: (start, end), without overlaps; in no order.

    Args:
        key: under which the text stands, if any: it counts as words before it.
    """
    taken = Spans()
    for span in _candidates(text, key):
        if taken.take(span):
            yield span


def _candidates(text: str, key: str) -> Iterator[Span]:
    for pattern in _CERTAIN:
        for found in pattern.finditer(text):
            if not _DATE.match(found[0]):
                yield found.start(), _end_of(text, found)
    for found in _DIALLED.finditer(text):
        if not _DATE.match(found[0]) and not _OTHER.search(_before(text, found.start(), key)):
            yield found.start(), _end_of(text, found)
    for found in _ANY.finditer(text):
        before = _before(text, found.start(), key)
        hints = [hint.end() for hint in _HINT.finditer(before)]
        if _HINT_BEHIND.match(text, found.end()):
            yield found.span()
            continue
        if not hints or _OTHER.search(before, hints[-1]) or _MONEY.search(before, hints[-1]):
            continue
        if not (_DATE.match(found[0]) or _DECIMAL.fullmatch(found[0]) or _UNIT.match(text, found.end())):
            yield found.start() + (found[0][0] == "(" and ")" not in found[0]), found.end()


def _before(text: str, start: int, key: str) -> str:
    return f"{key} {text[:start]}" if start < HINT_CHARS else text[start - HINT_CHARS : start]


def _end_of(text: str, number: re.Match[str]) -> int:
    """Without what stands behind it and is another word: `+44 20 7946 0958 24.12.2024`, `… 0132 2 people`."""
    date = _DATE_BEHIND.search(text, number.start(), number.end() + 8)
    if date is not None and date.start() < number.end():
        return date.start()
    alone = _ALONE_BEHIND.search(number[0])
    return number.end() if alone is None else number.start() + alone.start()
