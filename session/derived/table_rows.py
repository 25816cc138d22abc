"""What a session comes to, as rows of the tables in a store."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from typing import Any

from .derivation import Derived

_COLUMNS = {"by": "by_whom"}
"""Names that SQL keeps for itself → those of the columns."""


def table_rows(derived: Derived) -> dict[str, list[dict[str, Any]]]:
    """By the name of the table; what is several texts is a JSON array."""
    return {
        "turns": _rows(derived.turns),
        "heard": _rows(derived.heard),
        "interruptions": _rows(derived.interruptions),
        "latency": _rows(derived.latency),
    }


def _rows(records: Iterable[Any]) -> list[dict[str, Any]]:
    return [
        {_COLUMNS.get(name, name): _plain(value) for name, value in dataclasses.asdict(one).items()}
        for one in records
    ]


def _plain(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, tuple) else value
