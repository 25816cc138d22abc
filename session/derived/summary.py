"""`Summary`: what many sessions come to together: counts, sums and distributions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from .derivation import Derived
from .prices import Prices
from .token_counts import TokenCounts

PERCENTILES = (50, 90, 95, 99)
"""Those that are told of each distribution."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """How values are spread. A percentile is the least of them that so many per cent are not above.

    Attributes:
        count: how many there are.
        least, most: None: there are none.
        percentiles: by `PERCENTILES`.
        total: their sum.
    """

    count: int
    least: float | None
    percentiles: tuple[float | None, ...]
    most: float | None
    total: float

    def percentile(self, rank: int) -> float | None:
        """One of `PERCENTILES`; None: there are no values."""
        return self.percentiles[PERCENTILES.index(rank)]

    @classmethod
    def of(cls, values: Iterable[float]) -> Distribution:
        """That of some values."""
        ordered = sorted(values)
        if not ordered:
            return cls(0, None, (None,) * len(PERCENTILES), None, 0.0)
        ranks = (max(math.ceil(len(ordered) * one / 100), 1) for one in PERCENTILES)
        found = tuple(ordered[rank - 1] for rank in ranks)
        return cls(len(ordered), ordered[0], found, ordered[-1], math.fsum(ordered))


@dataclass
class Summary:
    """Is given sessions, one after another, and adds them up.

    Attributes:
        prices: what tokens cost; None: nobody says.
        counts: what there was of what, such as `responses cancelled`.
        tokens: of all.
        cost: of all; None: there are no prices, or not of all that was used.
        unpriced: responses of which the cost is not known.
    """

    prices: Prices | None = None
    counts: Counter[str] = field(default_factory=Counter[str])
    tokens: TokenCounts | None = None
    cost: Decimal | None = None
    unpriced: int = 0
    _values: dict[str, list[float]] = field(default_factory=dict[str, list[float]])

    def add(self, derived: Derived) -> None:
        """One more session."""
        self.counts.update(counts_of(derived))
        for name, value in measures_of(derived):
            self._values.setdefault(name, []).append(value)
        if derived.tokens is not None:
            self.tokens = derived.tokens if self.tokens is None else self.tokens + derived.tokens
        if self.prices is not None:
            cost, unpriced = cost_of(derived, self.prices)
            self.cost = (self.cost or Decimal(0)) + cost
            self.unpriced += unpriced

    def distributions(self) -> dict[str, Distribution]:
        """By the name of what was measured."""
        return {name: Distribution.of(values) for name, values in self._values.items()}


def counts_of(derived: Derived) -> Iterator[str]:
    """What there was, by name, once for each."""
    yield "sessions"
    yield f"sessions {derived.status}"
    yield from ("connections" for _ in derived.connections)
    for turn in derived.turns:
        yield "turns"
        yield f"turns {turn.kind}"
    for response in derived.responses:
        yield "responses"
        yield f"responses {response.status}"
        yield f"responses asked by {response.asked_by or 'nobody known'}"
    for tool in derived.tools:
        yield "tool calls"
        if tool.ended_ns is None:
            yield "tool calls unanswered"
    for one in derived.interruptions:
        yield "interruptions"
        yield f"interruptions by {one.by}"
    for part in derived.heard:
        yield from (f"heard: {one}" for one in part.discrepancies)


def measures_of(derived: Derived) -> Iterator[tuple[str, float]]:
    """What was measured, by name, once for each: milliseconds, but for what is named otherwise."""
    yield "session", derived.duration_ns / 1e6
    for wait in derived.latency:
        for name in ("first_byte", "first_sound", "played"):
            value = getattr(wait, f"{name}_ms")
            if value is not None:
                yield name, value
        if wait.tool_ms:
            yield "waited_for_tools", wait.tool_ms
    for response in derived.responses:
        if response.ended_ns is not None:
            yield "response", (response.ended_ns - response.began_ns) / 1e6
    for tool in derived.tools:
        if tool.duration_ms is not None:
            yield "tool", tool.duration_ms
            yield f"tool {tool.name}", tool.duration_ms
    for one in derived.interruptions:
        if one.silence_ms is not None:
            yield "silence", one.silence_ms
        if one.lost_ms is not None:
            yield "lost", one.lost_ms


def cost_of(derived: Derived, prices: Prices) -> tuple[Decimal, int]:
    """What a session cost, as far as that is known, and of how many responses it is not."""
    costs = [prices.cost(one.model, one.tokens) for one in derived.responses if one.ended_ns is not None]
    known = [one for one in costs if one is not None]
    return sum(known, Decimal(0)), len(costs) - len(known)
