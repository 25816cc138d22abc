"""`docs/derived.md` names every field of every record, and its code does what it says."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import pytest
from realtape.lab.invariants import InvariantError
from realtape.session import derived as door
from realtape.session.derived import Discrepancy, Prices, TokenCounts, derive_draft
from support.fixtures import drafts_in
from support.golden import DEMO

PAGE = (Path(__file__).parents[3] / "docs" / "derived.md").read_text()
RECORDS: dict[str, type[Any]] = {
    "responses": door.ResponseRecord,
    "turns": door.TurnRecord,
    "heard": door.HeardRecord,
    "tools": door.ToolRecord,
    "interruptions": door.InterruptionRecord,
    "latency": door.LatencyRecord,
    "connections": door.ConnectionRecord,
}


def section(name: str) -> str:
    found = re.search(rf"^## {name}$(.*?)^## ", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("name", RECORDS)
def test_every_field_has_a_row_and_every_row_a_field(name: str) -> None:
    table = section(name).split("| discrepancy |")[0]
    rows = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    named = [one for row in rows for one in re.findall(r"`(\w+)`", row)]
    assert sorted(named) == sorted(one.name for one in dataclasses.fields(RECORDS[name]))


def test_every_discrepancy_is_told() -> None:
    table = section("heard").split("| discrepancy |")[1]
    rows = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    assert sorted(re.findall(r"`([\w ]+)`", "".join(rows))) == sorted(get_args(Discrepancy))


def test_every_count_of_tokens_is_told() -> None:
    told = re.search(r"\*\*Tokens\*\*(.*?)\n\n", PAGE, re.DOTALL)
    assert told is not None
    assert set(re.findall(r"`(\w+)`", told[1])) - {"tokens"} == {
        one.name for one in dataclasses.fields(TokenCounts)
    }


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_rule_of_the_page_finds_who_waits_too_long() -> None:
    *_, rule = blocks("python")
    assert sum(bool(line.strip()) for line in rule.split("@dataclass")[1].splitlines()) <= 25
    (draft,) = drafts_in(DEMO)
    waits = [wait.first_byte_ms for wait in derive_draft(draft).latency]
    assert None not in waits
    namespace = {"__name__": "__main__", "recording": draft}
    exec(compile(rule, "docs/derived.md", "exec", dont_inherit=True), namespace)
    strict = compile(rule.replace("(800)", "(0)"), "docs/derived.md", "exec", dont_inherit=True)
    with pytest.raises(InvariantError, match=f"turn 1 was answered after {waits[0]:,.0f} ms") as raised:
        exec(strict, namespace)
    assert len(raised.value.violations) == len(waits)


def test_the_prices_of_the_page_are_prices() -> None:
    (text,) = blocks("toml")
    prices = Prices.told(tomllib.loads(text, parse_float=Decimal), "docs/derived.md")
    tokens = TokenCounts(input_text=1_000, input_audio=500, cached=100, cached_audio=100, output_audio=10)
    assert prices.cost("gpt-realtime-2.1", tokens) == Decimal("0.01748")
    assert prices.cost("another", tokens) is None
