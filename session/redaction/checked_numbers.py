"""Numbers that a check digit, or a strict form, tells from others: IBANs, and numbers of persons.

By python-stdnum, which knows each country's rules. It comes with the extra `redaction`; who exports without
it is told what was not looked for.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module

GAP = r"[ \t\u00a0\u202f.–-]{0,3}"
_WIDE_GAP = r"[ \t\r\n\u00a0\u202f.,/_|:;+()~*'–-]{0,5}"
"""An account's number has a country's letters and a check: what stands between its groups does not matter."""

_ALONE = r"(?<![A-Za-z0-9])"
_END = r"(?![A-Za-z0-9])"

_IBAN = re.compile(
    rf"{_ALONE}[A-Z]{GAP}[A-Z]{_WIDE_GAP}\d{GAP}\d(?:{_WIDE_GAP}[A-Z0-9]){{11,30}}{_END}",
    re.ASCII | re.IGNORECASE,
)
_PLAUSIBLE = re.compile(r"[A-Za-z].{0,3}[A-Za-z].{0,5}\d", re.DOTALL)

_SIGNS = re.compile(r"[^A-Za-z0-9]+")

_PERSONS = tuple(
    (module, re.compile(f"{_ALONE}{pattern}{_END}", re.ASCII | re.IGNORECASE))
    for module, pattern in (
        ("it.codicefiscale", r"[A-Z]{6}[0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z]"),
        ("es.dni", rf"\d{{8}}{GAP}[A-Z]"),
        ("es.nie", rf"[XYZ]{GAP}\d{{7}}{GAP}[A-Z]"),
        ("fr.nir", rf"[12]{GAP}\d\d{GAP}\d\d{GAP}\d[\dAB]{GAP}\d{{3}}{GAP}\d{{3}}{GAP}\d\d"),
        ("br.cpf", r"\d{3}\.\d{3}\.\d{3}-\d\d"),
        ("us.ssn", r"\d{3}-\d\d-\d{4}"),
        ("in_.aadhaar", r"\d{4}[ -]\d{4}[ -]\d{4}"),
    )
)
"""The rules for the numbers of a country, and how they are written. Not those that are digits alone: every
tenth order's number has a right check digit."""


@cache
def can_check() -> bool:
    """Whether python-stdnum is there."""
    return importlib.util.find_spec("stdnum") is not None


def find_ibans(text: str) -> Iterator[tuple[int, int]]:
    """Where numbers of bank accounts stand: (start, end)."""
    if not _PLAUSIBLE.search(text):
        return
    at = 0
    while found := _IBAN.search(text, at):
        at = found.start() + 1  # what looks like the beginning of one may reach into another
        # A word behind it may look like a group of it: the longest that is one counts.
        for end in range(found.end(), found.start() + 14, -1):
            whole = text[end - 1].isalnum() and (end == len(text) or not text[end].isalnum())
            number = _SIGNS.sub("", found[0][: end - found.start()])
            if whole and _is_valid("iban")(number):
                yield found.start(), end
                at = end
                break


def find_person_numbers(text: str) -> Iterator[tuple[int, int]]:
    """Where numbers of persons stand, of countries whose numbers have a strict form: (start, end)."""
    for module, pattern in _PERSONS:
        for found in pattern.finditer(text):
            if _is_valid(module)(found[0]):
                yield found.span()


@cache
def _is_valid(module: str) -> Callable[[str], bool]:
    check: Callable[[str], bool] = import_module(f"stdnum.{module}").is_valid
    return check
