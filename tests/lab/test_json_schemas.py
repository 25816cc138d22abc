"""What fits a tool's schema: held against pydantic, which made it; what is not known in one is refused."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field
from realtape.lab.strategies import fitting
from realtape.schema import UsageError


class Guest(BaseModel):
    """One of them."""

    name: str = Field(min_length=1, max_length=8)
    friends: list[Guest] = Field(default_factory=list, max_length=1)


class Booking(BaseModel):
    """All that a tool's arguments are made of."""

    guests: int = Field(ge=1, le=9)
    at: Literal["noon", "night"]
    table: int | None = None
    euros: float = Field(gt=0, lt=100)
    steps: int = Field(multiple_of=5, ge=-3, le=12)
    code: str = Field(pattern=r"^[A-Z]{2}\d$")
    who: Guest
    tags: list[str] = Field(min_length=1, max_length=3)
    window: bool
    shape: Literal["round"] = "round"


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(fitting(Booking.model_json_schema()))
def test_it_is_what_the_model_takes(value: Any) -> None:
    Booking.model_validate_json(json.dumps(value))


@pytest.mark.parametrize(
    "schema", [{"not": {}}, {"type": "object", "patternProperties": {}}, {"$ref": "#/no"}]
)
def test_what_it_does_not_know_it_says(schema: dict[str, Any]) -> None:
    @settings(max_examples=1, database=None)
    @given(st.deferred(lambda: fitting(schema)))
    def ask(value: Any) -> None:
        raise AssertionError(value)

    with pytest.raises(UsageError, match="schema"):
        ask()
