"""Stand-ins in a recording that was redacted, and the real values that a live application sends instead.

A stand-in is known by its form. Where the recording holds one, a live send may hold a value of the same
form: as many letters where letters are, digits where digits are, all else the same. The pair is
remembered, and from then on neither stands in another pair.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, cast

from ...session.provenance import Redaction
from ...session.redaction.emails import find_emails
from ...session.redaction.finding import DEFAULT
from ...session.redaction.stand_ins import CARD, EMAIL, PHONE, canonical, has_form
from ...session.redaction.texts import PayloadTexts, digits_of
from ...session.redaction.views import ESCAPE, Unescaped, View

_GAP = r"[ \u00a0\u202f().,/–-]{0,3}"
_NUMBERS = {
    PHONE: re.compile(rf"(?<!\d)(?:0{_GAP})*5(?:{_GAP}5){{2,}}(?:{_GAP}\d){{4}}", re.ASCII),
    CARD: re.compile(rf"(?<!\d)8(?:{_GAP}8){{8,14}}(?:{_GAP}\d){{4}}(?!\d)", re.ASCII),
}
_OWN = re.compile(r"(?<![^\W_])(?:[xX5]+[ .,'@_/-]{1,2})*[xX5]+[a-zA-Z0-9]{4}(?![^\W_])", re.ASCII)
_MAX_ESCAPES = 4


class _Pair(NamedTuple):
    kind: str
    recorded: str
    live: str
    spelled: tuple[str, str]  # the live one, and the recorded, as they are written


class LiveValues:
    """What real values stand for which stand-ins. One to one, as in the export.

    Args:
        redaction: what was taken out of the recording.
    """

    def __init__(self, redaction: Redaction) -> None:
        self._kinds = frozenset(kind for kind in DEFAULT if kind in redaction.counts)
        self._own = any(kind != EMAIL and kind not in _NUMBERS for kind in redaction.counts)
        self._live_of: dict[tuple[str, str], str] = {}
        self._recorded_of: dict[tuple[str, str], str] = {}
        self._spelled: dict[str, str] = {}

    def agree(self, recorded: Any, live: Any) -> bool:
        """Whether two trees differ in nothing but values for stand-ins, and these fit what is known."""
        return self._pairs(recorded, live) is not None

    def learn(self, recorded: Any, live: Any) -> None:
        """Remember the values of two trees that agree."""
        for pair in self._pairs(recorded, live) or ():
            self._live_of[pair.kind, pair.recorded] = pair.live
            self._recorded_of[pair.kind, pair.live] = pair.recorded
            self._spelled.update([pair.spelled])

    def spelled(self) -> list[tuple[str, str]]:
        """Values that are known, and the stand-in of each, as they are written; the longest first."""
        return sorted(self._spelled.items(), key=lambda pair: (-len(pair[0]), pair))

    def _pairs(self, recorded: Any, live: Any) -> list[_Pair] | None:
        ours, theirs = PayloadTexts(recorded, free=True), PayloadTexts(live, free=True)
        if len(ours.texts) != len(theirs.texts):
            return None
        found: list[_Pair] = []
        for one, other in zip(ours.texts, theirs.texts, strict=True):
            if one.view.text != other.view.text:
                pairs = self._pairs_of(one.view, other.view)
                if pairs is None:
                    return None
                found += pairs
        return found if _shape(recorded) == _shape(live) and self._consistent(found) else None

    def _pairs_of(self, recorded: View, live: View) -> list[_Pair] | None:
        """None: they differ in something else."""
        for _ in range(_MAX_ESCAPES):
            if ESCAPE.search(recorded.text) is None:
                break
            recorded, live = Unescaped(recorded), Unescaped(live)
        one, other = recorded.text, live.text
        if len(one) != len(other):
            return None
        found: list[_Pair] = []
        done = 0
        for start, end, kind in sorted(self._stand_ins(one)):
            if start < done or not _alike(one[start:end], other[start:end]):
                continue
            if one[done:start] != other[done:start]:
                return None
            stand_in, value = one[start:end], other[start:end]
            pair = (value, stand_in)
            found.append(_Pair(kind, canonical(kind, stand_in), canonical(kind, value), pair))
            done = end
        return found if one[done:] == other[done:] else None

    def _stand_ins(self, text: str) -> Iterator[tuple[int, int, str]]:
        if EMAIL in self._kinds:
            for start, end in find_emails(text):
                if has_form(EMAIL, text[start:end]):
                    yield start, end, EMAIL
        for kind, pattern in _NUMBERS.items():
            if kind in self._kinds:
                for match in pattern.finditer(text):
                    yield *match.span(), kind
        if self._own:
            for match in _OWN.finditer(text):
                yield *match.span(), "own"

    def _consistent(self, pairs: Iterable[_Pair]) -> bool:
        forth: dict[tuple[str, str], str] = {}
        back: dict[tuple[str, str], str] = {}
        for kind, recorded, live, _ in pairs:
            known = self._live_of.get((kind, recorded), live)
            of = self._recorded_of.get((kind, live), recorded)
            if known != live or of != recorded:
                return False
            if (
                forth.setdefault((kind, recorded), live) != live
                or back.setdefault((kind, live), recorded) != recorded
            ):
                return False
        return True


def _alike(one: str, other: str) -> bool:
    return all(
        left == right or (left.isalpha() and right.isalpha()) or (left.isdigit() and right.isdigit())
        for left, right in zip(one, other, strict=True)
    )


def _shape(tree: Any) -> Any:
    """A tree without its texts and large numbers, which are compared as texts."""
    if isinstance(tree, dict):
        facts = cast("dict[str, Any]", tree)
        return [_shape(item) for item in facts.values()]
    if isinstance(tree, list):
        return [_shape(item) for item in cast("list[Any]", tree)]
    if isinstance(tree, str):
        return ""
    return type(tree), tree if digits_of(tree) is None else 0
