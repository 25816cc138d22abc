"""Where in a text something stands that must not leave the house."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ...schema.codec import Secrets, is_no_word, place_under
from ...schema.errors import UsageError
from ..patterns import OwnPattern
from .cards import DIGIT_SIGNS, find_cards
from .checked_numbers import can_check, find_ibans, find_person_numbers
from .emails import find_emails, may_have_emails
from .numbering_plans import NumberingPlans
from .phones import find_phones
from .spans import Spans
from .stand_ins import CARD, CREDENTIAL, EMAIL, IBAN, NUMBERS, PERSON, PHONE, StandIns
from .views import ESCAPE, Folded, Unescaped, View, folds

KINDS = (EMAIL, PHONE, CARD, CREDENTIAL, IBAN, PERSON)
"""The kinds that are found by themselves."""

DEFAULT = KINDS if can_check() else KINDS[:4]
"""Those that are redacted unless others are asked for."""

WORD = "word"
MAX_ESCAPES = 4
"""JSON in JSON in JSON: so deep is looked into."""

MIN_KNOWN_DIGITS = 9
"""Digits that are known to be a number are found from this length on even within longer ones."""

_CHECKED = re.compile(r"(?:\d\D{0,5}){4}", re.ASCII)
"""So many digits, not far apart, has each of them."""

_DIGITS = re.compile(r"(?:\d\D{0,5}){7}", re.ASCII)
_RUN = re.compile(rf"\d(?:{DIGIT_SIGNS}{{0,9}}\d){{6,}}", re.ASCII)
_GROUP = re.compile(r"\d+", re.ASCII)


class Match(NamedTuple):
    """A value in a text.

    Attributes:
        kind: of the value.
        view: the text in which it is read, without its escapes.
        start, end: in that text.
    """

    kind: str
    view: View
    start: int
    end: int

    @property
    def value(self) -> str:
        """As it is written there."""
        return self.view.text[self.start : self.end]


class Finder:
    """Finds values of some kinds.

    Args:
        kinds: of `KINDS`.
        extra: further kinds: name → regular expression.
        words: to be found in any case and spelling.
        regions: countries by whose plans telephone numbers are found, too.
        keep: values that stay, in any case and spelling, whatever they look like; but no credentials.

    Raises:
        UsageError: a kind is not known, or a regular expression is none, or matches nothing at all.
    """

    def __init__(
        self,
        kinds: Iterable[str] = DEFAULT,
        extra: Mapping[str, str | re.Pattern[str]] | None = None,
        words: Iterable[str] = (),
        regions: Sequence[str] = (),
        keep: Iterable[str] = (),
    ) -> None:
        self.kinds = tuple(dict.fromkeys(kinds))
        for kind in self.kinds:
            if kind not in KINDS:
                raise UsageError(
                    f"nothing finds {kind!r}: known are {', '.join(KINDS)}; name others as `extra`"
                )
            if kind not in DEFAULT:
                raise UsageError(f"{kind}s are found by python-stdnum: pip install 'realtape[redaction]'")
        self._plans = NumberingPlans(regions)
        self.own: dict[str, OwnPattern] = {}
        for name, pattern in (extra or {}).items():
            self.own[name] = _compiled(name, pattern)
        sought = sorted({word.strip() for word in words}, key=lambda word: (-len(word), word))
        if not all(sought):
            raise UsageError("an empty word would be everywhere: name another")
        if sought:
            self.own[WORD] = OwnPattern(WORD, "|".join(map(_spellings, sought)), re.IGNORECASE)
        kept = sorted({word.strip() for word in keep} - {""})
        self._kept = re.compile("|".join(map(_spellings, kept)) or "(?!)", re.IGNORECASE)
        self._kept_digits = {digits for word in kept if (digits := _digits_of(word))}
        self._secrets = Secrets.of_environment() if CREDENTIAL in self.kinds else None
        self._known: dict[str, re.Pattern[str]] = {}
        self._known_digits: dict[str, str] = {}  # digits → kind

    @property
    def names(self) -> tuple[str, ...]:
        """All kinds."""
        return (*self.own, *self.kinds)

    def know(self, stand_ins: StandIns) -> None:
        """From now on these values are also found where nothing but themselves tells what they are."""
        for kind in self.names:
            values = sorted(stand_ins.values(kind), key=lambda value: (-len(value), value))
            if kind in NUMBERS:
                self._known_digits.update((value, kind) for value in values)
                values = [value for value in values if len(value) >= MIN_KNOWN_DIGITS]
            elif kind == CREDENTIAL:  # what stood in a password's place may be anybody's word
                values = [value for value in values if is_no_word(value)]
            if values:
                self._known[kind] = re.compile("|".join(map(re.escape, values)), re.IGNORECASE)

    def find(self, view: View, key: str = "", *, numbers: bool = True) -> list[Match]:
        """What is in a text, without overlaps. Where it has escapes, what is behind them comes first.

        Args:
            key: under which the text stands.
            numbers: whether it may hold any; not so an id.
        """
        text = view.text
        escapes = "\\" in text or "%" in text
        plain = not self.own and not escapes and not folds(text)
        plain = plain and not may_have_emails(text) and not (numbers and _CHECKED.search(text))
        if plain and CREDENTIAL not in self._known and not self._credentials(text, key):
            return []
        levels: list[View] = [view]
        while escapes and len(levels) <= MAX_ESCAPES and ESCAPE.search(levels[-1].text):
            levels.append(Unescaped(levels[-1]))
        if folds(levels[-1].text):
            levels.append(Folded(levels[-1]))
        taken = Spans()
        found: list[Match] = []
        for depth in range(len(levels) - 1, -1, -1):
            # The longest first: an address wins over a name in it.
            spans = sorted(self._spans(levels[depth].text, key, numbers), key=lambda span: span[1] - span[2])
            for kind, start, end in spans:
                place = (start, end)
                for level in levels[depth:0:-1]:
                    assert isinstance(level, Unescaped | Folded)
                    place = (level.start_of(place[0]), level.start_of(place[1]))
                if start < end and taken.take(place) and not self._stays(kind, levels[depth].text[start:end]):
                    found.append(Match(kind, levels[depth], start, end))
        return found

    def _stays(self, kind: str, value: str) -> bool:
        if kind in self.own or kind == CREDENTIAL:
            return False
        is_number = kind in NUMBERS and _digits_of(value) in self._kept_digits
        return is_number or self._kept.fullmatch(value) is not None

    def _spans(self, text: str, key: str, numbers: bool) -> Iterator[tuple[str, int, int]]:
        for kind, own in self.own.items():
            for start, end in own.spans(text):
                yield kind, start, end
        for start, end in self._credentials(text, key):
            yield CREDENTIAL, start, end
        if numbers and _CHECKED.search(text):
            if IBAN in self.kinds:
                for start, end in find_ibans(text):
                    yield IBAN, start, end
            if PERSON in self.kinds:
                for start, end in find_person_numbers(text):
                    yield PERSON, start, end
        if EMAIL in self.kinds:
            for start, end in find_emails(text):
                yield EMAIL, start, end
        for kind, pattern in self._known.items():
            if kind not in NUMBERS:
                for match in pattern.finditer(text):
                    yield kind, *match.span()
        if numbers and _DIGITS.search(text):
            yield from self._numbers(text, key)

    def _credentials(self, text: str, key: str) -> list[tuple[int, int]]:
        return [] if self._secrets is None else self._secrets.spans(text, place_under(*key.split()))

    def _numbers(self, text: str, key: str) -> Iterator[tuple[str, int, int]]:
        if CARD in self.kinds:
            for start, end in find_cards(text):
                yield CARD, start, end
        if PHONE in self.kinds:
            for start, end in find_phones(text, key):
                yield PHONE, start, end
            for start, end in self._plans.find(text):
                yield PHONE, start, end
        if self._known_digits:
            yield from self._known_runs(text)
            for kind, pattern in self._known.items():
                if kind in NUMBERS:
                    for match in pattern.finditer(text):
                        yield kind, *match.span()

    def _known_runs(self, text: str) -> Iterator[tuple[str, int, int]]:
        """Groups of digits that make up a known number, whatever stands between them."""
        longest = max(map(len, self._known_digits))
        for run in _RUN.finditer(text):
            groups = [group.span() for group in _GROUP.finditer(text, run.start(), run.end())]
            for first, (start, _) in enumerate(groups):
                digits = ""
                for begin, end in groups[first:]:
                    digits += text[begin:end]
                    if len(digits) > longest:
                        break
                    if digits in self._known_digits:
                        yield self._known_digits[digits], start, end


def _digits_of(text: str) -> str:
    return "".join(_GROUP.findall(text))


_PARTS = re.compile(r"[\s_-]+")
_BETWEEN = r"[\s_.,+&;-]{0,3}"
_IDEOGRAPHS = re.compile("[\u3040-\u30ff\u3400-\u9fff]+")


def _spellings(word: str) -> str:
    """A pattern of the ways in which a word is spelled: its parts together, apart, or with other signs
    between them, with and without its apostrophes, and as capitals make of it (`STRAUSS`)."""
    looks = (unicodedata.normalize("NFKC", word), unicodedata.normalize("NFC", word))
    cased = {one for look in looks for one in (look, look.lower(), look.upper(), look.casefold())}
    return "|".join(sorted({_BETWEEN.join(map(_part, _PARTS.split(one))) for one in cased}))


def _part(part: str) -> str:
    if _IDEOGRAPHS.fullmatch(part):
        return r"\s?".join(part)
    return re.sub(r"['’ʼ]", "['’ʼ]?", re.escape(part))


def _compiled(name: str, pattern: str | re.Pattern[str]) -> OwnPattern:
    if re.fullmatch(r"[\w-]+", name) is None or name in (*KINDS, WORD):
        raise UsageError(f"{name!r} cannot name an own kind: take letters and digits, and none of ours")
    compiled = OwnPattern(name, pattern)
    if compiled.matches_nothing():
        raise UsageError(f"{name}: {pattern!r} matches nothing at all: let it match a character at least")
    return compiled
