"""What tokens cost is the user's to say, and never more is claimed than that."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from realtape.schema import UsageError
from realtape.session.derived import Prices, TokenCounts


def prices(**told: Any) -> Prices:
    return Prices.told({"currency": "EUR", "per": 1, "models": {"m*": told}}, "prices.toml")


@pytest.mark.parametrize(
    ("told", "tokens", "cost"),
    [
        ({"input": 2, "output": 3}, TokenCounts(input=10, output=1), 23),
        ({"input": 2, "cached": 1, "output": 3}, TokenCounts(input=10, output=1, cached=4), 19),
        ({"input": 2, "output": 3}, TokenCounts(input=10, output=1, cached=4), None),  # no price of these
        ({"input_text": 2, "output": 3}, TokenCounts(input=10, output=1), None),  # of which modality?
        ({"input_text": 2, "output": 3}, TokenCounts(input_text=10, input_audio=0, output=1), 23),
        ({"input_text": 2, "input": 5, "output": 0}, TokenCounts(input_text=1, input_audio=1), 7),
        # Cached ones that are not told by modality cost what cached ones cost, and the rest what input costs.
        ({"input": 2, "cached": 1}, TokenCounts(input=10, input_text=10, cached=4, output=0), 16),
        ({"input_text": 2, "cached_text": 1}, TokenCounts(input=10, input_text=10, cached=4, output=0), None),
        ({}, TokenCounts(input=0, output=0), 0),
    ],
)
def test_a_cost_is_known_or_it_is_not(told: dict[str, Any], tokens: TokenCounts, cost: int | None) -> None:
    assert prices(**told).cost("m1", tokens) == (None if cost is None else Decimal(cost))
    assert prices(**told).cost("other", tokens) is None
    assert prices(**told).cost("m1", None) is None


def test_the_first_pattern_that_fits_counts() -> None:
    told = {"gpt-mini": {"output": 1}, "gpt-*": {"output": 2}}
    both = Prices.told({"currency": "USD", "per": 1, "models": told}, "prices.toml")
    assert [both.cost(name, TokenCounts(output=1)) for name in ("gpt-mini", "gpt-5", "gemini")] == [
        1,
        2,
        None,
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("currency = ", "prices.toml: no prices can be read"),
        ("", 'say what the prices are in: currency = "USD"'),
        ('currency = "USD"', "no prices"),
        ('currency = "USD"\nper = 0\n[models.m]', "per is a number of tokens, not 0"),
        ('currency = "USD"\nprices = 1', "no such key: prices"),
        ('currency = "USD"\n[models.m]\nvideo = 1', "m: nothing has a price for video; there are input,"),
        ('currency = "USD"\n[models.m]\ninput = -1', "m: input is no price: -1"),
        ('currency = "USD"\n[models.m]\ninput = nan', "m: input is no price"),
        ('currency = "USD"\n[models.m]\ninput = "4"', "m: input is no price: 4"),
        ('currency = "USD"\n[models]\nm = 4', "m: a table of prices"),
    ],
)
def test_a_file_that_is_none_says_what_is_wrong(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as raised:
        Prices.read(path)
    assert str(raised.value).startswith(str(path))
    assert problem in str(raised.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no prices can be read"):
        Prices.read(tmp_path / "none.toml")
