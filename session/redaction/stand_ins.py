"""What stands for a value that was taken out: of the same length, of the same form, always the same one.

Letters become `x` and digits 5 (of cards 8), but for the last few, which count. All else stays: the `@`
and the ending of an address, a leading `+` and zeros, separators. So a stand-in is known by its form.
"""

from __future__ import annotations

from collections.abc import Iterable

from .cards import MIN_CARD_DIGITS, passes_luhn
from .emails import letters_of_address

EMAIL, PHONE, CARD, CREDENTIAL = "email", "phone", "card", "credential"
IBAN, PERSON = "iban", "person number"
NUMBERS = frozenset({PHONE, CARD})
GROUPED = frozenset({IBAN, PERSON})
"""Letters and digits, which are written in groups or not."""
COUNTING = 4
"""So many of a stand-in's last letters and digits count."""

_MAX_TRIES = 100_000


def canonical(kind: str, value: str) -> str:
    """What all spellings of a value have in common: digits of a number, else its lower-case letters."""
    if kind in NUMBERS:
        return "".join(char for char in value if "0" <= char <= "9")
    if kind in GROUPED:
        return "".join(char.lower() for char in value if char.isalnum())
    return "".join(char.lower() if len(char.lower()) == 1 else char for char in value)


def places(kind: str, value: str) -> list[int]:
    """Which characters of a value are replaced, of whatever spelling."""
    if kind in NUMBERS:
        digits = [at for at, char in enumerate(value) if "0" <= char <= "9"]
        while len(digits) > 1 and value[digits[0]] == "0" and kind == PHONE:
            del digits[0]  # the zeros by which one dials into a net
        return digits
    if kind == EMAIL:
        return letters_of_address(value)
    return [at for at in range(len(value)) if value[at].isalnum()]


def has_form(kind: str, value: str) -> bool:
    """Whether a value may be a stand-in."""
    fill = "8" if kind == CARD else "5"
    found = places(kind, value)
    if kind == CARD and passes_luhn(canonical(kind, value)):
        return False
    return bool(found) and all(
        value[at] in ("xX" if value[at].isalpha() else fill) for at in found[:-COUNTING]
    )


class StandIns:
    """Those of one export.

    Args:
        stay: kinds of which the source has stand-ins already: those are kept.
    """

    def __init__(self, stay: Iterable[str] = ()) -> None:
        self._stay = frozenset(stay)
        self._values: dict[str, dict[str, str | None]] = {}  # by kind, in the order in which they were found
        self._given: dict[str, set[str]] = {}
        self._numbers: dict[tuple[str, str], int] = {}  # the last number that was given, by form

    def add(self, kind: str, value: str) -> None:
        """A value that must be replaced. All are added before the first is."""
        self._values.setdefault(kind, {}).setdefault(canonical(kind, value), None)

    def values(self, kind: str) -> Iterable[str]:
        """The canonical values of a kind."""
        return self._values.get(kind, {}).keys()

    def count(self, kind: str) -> int:
        """How many different values of a kind are replaced."""
        return sum(not self._stays(kind, value) for value in self.values(kind))

    def replacing(self, kind: str, value: str) -> list[tuple[int, str]]:
        """What a value becomes: (index, character) for each that changes."""
        known = canonical(kind, value)
        stand_in = self._values[kind][known]
        if stand_in is None:
            stand_in = self._values[kind][known] = self._made(kind, known)
        if kind in NUMBERS:
            digits = [at for at, char in enumerate(value) if "0" <= char <= "9"]
            return [(at, char) for at, char in zip(digits, stand_in, strict=True) if value[at] != char]
        changes: list[tuple[int, str]] = []
        for number, at in enumerate(places(kind, value)):
            char = stand_in[number if kind in GROUPED else at]
            char = char.upper() if value[at].isupper() else char
            if char != value[at]:
                changes.append((at, char))
        return changes

    def _stays(self, kind: str, value: str) -> bool:
        if kind in self._stay and has_form(kind, value):
            return True
        # Nobody's card any more, but under a key such as `caller` it may be somebody's telephone.
        is_long = kind == PHONE and len(value) >= MIN_CARD_DIGITS
        return is_long and CARD in self._stay and has_form(CARD, value)

    def _made(self, kind: str, value: str) -> str:
        given = self._given.setdefault(kind, set())
        if self._stays(kind, value):
            given.add(value)
            return value
        found = places(kind, value)
        fill = "8" if kind == CARD else "5"
        chars = list(value)
        for at in found:
            chars[at] = fill if value[at].isdigit() else "x"
        form = (kind, "".join(chars))
        number = self._numbers.get(form, -1)
        stand_in = "".join(chars)
        for _ in range(_MAX_TRIES):
            number += 1
            overflow = number
            for at in reversed(found):
                radix = 10 if chars[at].isdigit() else 26
                overflow, digit = divmod(overflow, radix)
                if not overflow and at in found[:-COUNTING] and not digit:
                    break
                chars[at] = str(digit) if radix == 10 else chr(ord("a") + digit)
            candidate = "".join(chars)
            if overflow or not found:  # of short words there are not enough
                break
            unfit = candidate[found[0]] == "0" or (kind == CARD and passes_luhn(candidate))
            if not unfit and candidate not in given and candidate not in self._values[kind]:
                stand_in = candidate
                break
        self._numbers[form] = number
        given.add(stand_in)
        return stand_in
