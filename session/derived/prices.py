"""`Prices`: what tokens cost, as a file of the user's says. None are built in: they change, and are not ours
to say."""

from __future__ import annotations

import fnmatch
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

from ...schema.errors import UsageError
from .token_counts import TokenCounts

PRICED = (
    *("input", "input_text", "input_audio", "input_image"),
    *("cached", "cached_text", "cached_audio", "cached_image"),
    *("output", "output_text", "output_audio"),
)
"""What may have a price: of tokens of any modality, or of one. `input` is what was not cached."""

_MODALITIES = ("text", "audio", "image")


@dataclass(frozen=True)
class Prices:
    """Prices by model.

    Attributes:
        currency: a name for what they are in.
        per: so many tokens a price is for.
        models: a pattern of the model's name (`gpt-realtime*`) → what → the price; the first that fits
            counts.
    """

    currency: str
    per: int
    models: Mapping[str, Mapping[str, Decimal]]

    @classmethod
    def read(cls, path: Path) -> Prices:
        """Those of a TOML file.

        Raises:
            UsageError: it cannot be read, or is none; says where.
        """
        try:
            facts = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise UsageError(f"{path}: no prices can be read: {error}") from error
        return cls.told(facts, str(path))

    @classmethod
    def told(cls, facts: Mapping[str, Any], name: str) -> Prices:
        """Those that a file's fields say.

        Raises:
            UsageError: they are none.
        """
        unknown = facts.keys() - {"currency", "per", "models"}
        if unknown:
            raise UsageError(f"{name}: no such key: {min(unknown)}; there are currency, per and models")
        currency, per, models = facts.get("currency"), facts.get("per", 1_000_000), facts.get("models")
        if not isinstance(currency, str) or not currency:
            raise UsageError(f'{name}: say what the prices are in: currency = "USD"')
        if type(per) is not int or per < 1:
            raise UsageError(f"{name}: per is a number of tokens, not {per!r}")
        if not isinstance(models, dict) or not models:
            raise UsageError(f'{name}: no prices: [models."gpt-realtime*"], and under it input_text = 4.00')
        named = cast("dict[str, Any]", models)
        return cls(currency, per, {model: _prices(f"{name}: {model}", told) for model, told in named.items()})

    def cost(self, model: str, tokens: TokenCounts | None) -> Decimal | None:
        """What these tokens cost; None: that is not told, or a price is lacking."""
        fitting = (one for pattern, one in self.models.items() if fnmatch.fnmatchcase(model, pattern))
        prices = next(fitting, None)
        if prices is None or tokens is None:
            return None
        costs = [*_input(prices, tokens), *_output(prices, tokens)]
        known = [one for one in costs if one is not None]
        return sum(known, Decimal(0)) / self.per if len(known) == len(costs) else None


def _prices(name: str, told: Any) -> dict[str, Decimal]:
    if not isinstance(told, dict):
        raise UsageError(f"{name}: a table of prices")
    found: dict[str, Decimal] = {}
    for what, price in cast("dict[str, Any]", told).items():
        if what not in PRICED:
            raise UsageError(f"{name}: nothing has a price for {what}; there are {', '.join(PRICED)}")
        number = price if isinstance(price, int | Decimal) and not isinstance(price, bool) else Decimal("nan")
        if not Decimal(number).is_finite() or number < 0:
            raise UsageError(f"{name}: {what} is no price: {price}")
        found[what] = Decimal(number)
    return found


def _input(prices: Mapping[str, Decimal], tokens: TokenCounts) -> list[Decimal | None]:
    counts = [getattr(tokens, f"input_{one}") for one in _MODALITIES]
    cached = [getattr(tokens, f"cached_{one}") for one in _MODALITIES]
    split = not tokens.cached or sum(filter(None, cached)) == tokens.cached
    if all(one is None for one in counts) or not split:  # the modalities are not told
        taken = tokens.cached or 0
        return [
            _times(prices, "input", None, (tokens.input or 0) - taken),
            _times(prices, "cached", None, taken),
        ]
    found: list[Decimal | None] = []
    for modality, count, stored in zip(_MODALITIES, counts, cached, strict=True):
        found.append(_times(prices, "input", modality, (count or 0) - (stored or 0)))
        found.append(_times(prices, "cached", modality, stored or 0))
    return found


def _output(prices: Mapping[str, Decimal], tokens: TokenCounts) -> list[Decimal | None]:
    if tokens.output_text is None and tokens.output_audio is None:
        return [_times(prices, "output", None, tokens.output or 0)]
    pairs = (("text", tokens.output_text), ("audio", tokens.output_audio))
    return [_times(prices, "output", modality, count or 0) for modality, count in pairs]


def _times(prices: Mapping[str, Decimal], what: str, modality: str | None, count: int) -> Decimal | None:
    """So many tokens at their price; nothing costs nothing."""
    if count <= 0:
        return Decimal(0)
    price = None if modality is None else prices.get(f"{what}_{modality}")
    price = prices.get(what) if price is None else price
    return None if price is None else price * count
