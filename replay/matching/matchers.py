"""Matchers: the user's word on when a field that was sent live is the recorded one, though it differs.

    ReplayModel(recording, matchers=[
        Matcher("send_tool_output", "output", JSON_TEXT),
        Matcher("send_tool_output", "output.looked_up_at", IGNORE),
        Matcher("send_raw_message", "message.other_data.temperature", Tolerance(absolute=0.01)),
        Matcher("*", "tool_call.arguments", lambda recorded, live: recorded.lower() == live.lower()),
    ])

or, the same as a mapping, `{"send_tool_output": {"output": JSON_TEXT, ...}}`. What no matcher names
must be exactly as it was recorded. Where several name one field the one declared last counts.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

from ...schema.codec import Vocabulary, require_flatness, to_json
from ...schema.errors import CodecError, RealtapeError, UsageError
from .field_paths import NORMALISED_TAG, FieldPath, FoundField, Name, shown, unwrapped
from .json_values import json_tree, number_of

Custom = Callable[[Any, Any], bool]
"""(recorded, live) → whether they are the same."""


@dataclass(frozen=True, slots=True)
class Ignore:
    """The field is not looked at, and may be missing on either side."""


@dataclass(frozen=True, slots=True)
class JsonText:
    """The field is a text that holds JSON: the order of keys, white space and 1 or 1.0 do not matter.

    Paths lead on into it. A text that is no JSON must be exactly as recorded.
    """


@dataclass(frozen=True, slots=True)
class Normalised:
    """Both sides are given to a function first, and what it answers must be equal.

    Attributes:
        function: takes the field's value, answers texts, numbers, lists and dicts.
    """

    function: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Numbers (or texts that are numbers) that are close to each other: by `absolute`, or by
    `relative` times the recorded one. What is no number must be exactly as recorded.

    Raises:
        UsageError: a tolerance is negative, or no number.
    """

    absolute: float = 0.0
    relative: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.absolute < math.inf and 0 <= self.relative < math.inf):
            raise UsageError(f"{self}: a tolerance is a finite number from 0 on")

    def holds(self, recorded: Any, live: Any) -> bool:
        """Whether two values are close enough."""
        one, other = number_of(recorded), number_of(live)
        if one is None or other is None:
            return to_json(recorded) == to_json(live)
        # As fractions: the difference of two large integers must not be rounded away.
        return abs(one - other) <= max(Fraction(self.absolute), Fraction(self.relative) * abs(one))


IGNORE = Ignore()
"""The rule that takes whatever is there, or nothing."""
JSON_TEXT = JsonText()
"""The rule that compares texts as the JSON that they hold."""

Rule = Ignore | JsonText | Normalised | Tolerance | Custom


class MatcherError(RealtapeError):
    """A function of a matcher raised, or answered what it must not; `__cause__` has the reason.

    Attributes:
        matcher: whose function it is.
    """

    def __init__(self, matcher: Matcher, problem: str) -> None:
        super().__init__(matcher, problem)
        self.matcher = matcher
        self.problem = problem

    def __str__(self) -> str:
        return f"the matcher of {self.matcher}: {self.problem}; mend the function, or take the matcher out"


@dataclass(frozen=True, slots=True)
class Matcher:
    """A rule for one field of one type.

    Attributes:
        type: a registered name (`send_tool_output`, `send_raw_message` …), or `*`.
        field: where the field stands; see `field_paths.py`.
        rule: IGNORE, JSON_TEXT, a `Tolerance`, a `Normalised`, or a function (recorded, live) → bool.
    """

    type: str
    field: str
    rule: Rule

    def agrees(self, recorded: Any, live: Any) -> bool:
        """Whether two values of the field are the same, for rules that look at both.

        Raises:
            MatcherError: the function raised.
        """
        if isinstance(self.rule, Tolerance):
            return self.rule.holds(unwrapped(recorded), unwrapped(live))
        rule = cast("Custom", self.rule)
        try:
            return bool(rule(unwrapped(recorded), unwrapped(live)))
        except Exception as error:
            raise MatcherError(self, f"{_named(rule)} raised {type(error).__name__}") from error

    def normalised(self, value: Any) -> Any:
        """What the function of a `Normalised` makes of a value.

        Raises:
            MatcherError: it raised, or answered what JSON cannot hold.
        """
        function = cast("Normalised", self.rule).function
        try:
            answer = function(unwrapped(value))
            require_flatness(answer)
            to_json(answer)
        except (CodecError, TypeError, ValueError) as error:
            problem = f"{_named(function)} raised, or answered what is no JSON ({type(error).__name__})"
            raise MatcherError(self, problem) from error
        except Exception as error:
            raise MatcherError(self, f"{_named(function)} raised {type(error).__name__}") from error
        return {"$": NORMALISED_TAG, "value": copy.deepcopy(answer)}

    def __str__(self) -> str:
        return f"{self.type} {self.field}"


@dataclass(frozen=True, slots=True)
class Apart:
    """A field that only its matcher can judge, given both sides: taken out of a payload.

    Attributes:
        path: where it stood.
        value: what stood there.
    """

    matcher: Matcher
    path: str
    value: Any


Declared = Iterable[Matcher] | Mapping[str, Mapping[str, Rule]]


class Matchers:
    """All matchers of a replay.

    Args:
        declared: a list of matchers, or a mapping: type → field → rule.
        vocabulary: of the replaying side, which knows the types and their fields.

    Raises:
        UsageError: there is no such type or field, or a rule is none.
    """

    def __init__(self, declared: Declared = (), vocabulary: Vocabulary | None = None) -> None:
        if isinstance(declared, Mapping):
            by_type = cast("Mapping[str, Mapping[str, Rule]]", declared)
            declared = [Matcher(type, *rule) for type, rules in by_type.items() for rule in rules.items()]
        self._all = [(matcher, _checked(matcher, vocabulary)) for matcher in declared]
        self._of_type: dict[str | None, list[tuple[Matcher, FieldPath]]] = {}

    def of(self, type: str | None) -> list[tuple[Matcher, FieldPath]]:
        """Those that a payload of this type concerns."""
        known = self._of_type.get(type)
        if known is None:
            known = [pair for pair in self._all if pair[0].type in ("*", type)]
            self._of_type[type] = known
        return known

    def normalise(self, type: str | None, tree: Any) -> tuple[Apart, ...]:
        """Make one of all trees that are the same, in place; returns what is to be judged apart.

        Raises:
            MatcherError: a function raised.
        """
        mine = self.of(type)
        for _, path in sorted((one for one in mine if isinstance(one[0].rule, JsonText)), key=_depth):
            for found in path.find(tree):
                if isinstance(found.value, str):
                    found.put(json_tree(found.value))
        places: dict[tuple[Name, ...], tuple[Matcher, FoundField]] = {}
        for matcher, path in mine:
            if not isinstance(matcher.rule, JsonText):
                places.update({found.path: (matcher, found) for found in path.find(tree)})
        apart: list[Apart] = []
        for place in sorted(places, key=len):
            if any(place[:length] in places for length in range(1, len(place))):
                continue  # it is part of one that another matcher judges
            matcher, found = places[place]
            if isinstance(matcher.rule, Ignore):
                found.remove()
            elif isinstance(matcher.rule, Normalised):
                found.put(matcher.normalised(found.value))
            else:
                apart.append(Apart(matcher, shown(place), found.value))
                found.put({"$": "apart"})
        return tuple(apart)


def _depth(pair: tuple[Matcher, FieldPath]) -> int:
    return len(pair[1].parts)


def _named(function: Any) -> str:
    return str(getattr(function, "__qualname__", type(function).__name__))


def _checked(matcher: Matcher, vocabulary: Vocabulary | None) -> FieldPath:
    path = FieldPath.read(matcher.field)
    if not isinstance(matcher.rule, Ignore | JsonText | Normalised | Tolerance) and not callable(
        matcher.rule
    ):
        raise UsageError(f"{matcher}: {matcher.rule!r} is no rule: IGNORE, JSON_TEXT, a function …")
    if vocabulary is None or matcher.type == "*":
        return path
    word = vocabulary.word_named(matcher.type)
    if word is None or not matcher.type.startswith("send_"):
        names = [name for name in vocabulary.names() if name.startswith("send_")]
        raise UsageError(f"{matcher}: no event that is sent has this name; there are {', '.join(names)}")
    first = path.parts[0]
    if word.fields and isinstance(first, str) and first.isidentifier() and first not in word.fields:
        raise UsageError(f"{matcher}: {matcher.type} has no field {first}, but {', '.join(word.fields)}")
    return path
