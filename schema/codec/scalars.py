"""Values of a few numbers or one text that JSON lacks, as tagged objects and back."""

from __future__ import annotations

import datetime
import decimal
import functools
import math
import os
import re
import uuid
import zoneinfo
from collections.abc import Callable
from typing import Any

Tree = dict[str, Any]

# As the tz database names its zones; anything else could leave its folder.
_ZONE_KEY = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)*")


# --- into trees -----------------------------------------------------------------------------------


def _int(value: int) -> Tree:
    # In hexadecimal, which Python reads and writes in any length, and in linear time.
    return {"$": "py:int", "hex": hex(value)}


def float_tree(value: float) -> Tree | float:
    """A float as it is, or tagged where JSON has no number for it."""
    return value if math.isfinite(value) else {"$": "py:float", "text": repr(value)}


def _complex(value: complex) -> Tree:
    return {"$": "py:complex", "parts": [float_tree(value.real), float_tree(value.imag)]}


def _decimal(value: decimal.Decimal) -> Tree:
    return {"$": "py:Decimal", "text": str(value)}


def _uuid(value: uuid.UUID) -> Tree:
    return {"$": "py:UUID", "text": str(value)}


def _timedelta(value: datetime.timedelta) -> Tree:
    return {"$": "py:timedelta", "parts": [value.days, value.seconds, value.microseconds]}


def _date(value: datetime.date) -> Tree:
    return {"$": "py:date", "text": value.isoformat()}


def _moment(value: datetime.datetime | datetime.time) -> Tree | None:
    tree: Tree = {"$": f"py:{type(value).__name__}"}
    zone = value.tzinfo
    if zone is None:
        tree["text"] = value.isoformat()
    elif type(zone) is datetime.timezone:
        tree["text"] = value.isoformat()
        named: Any = zone.__reduce__()[1]  # (offset,) or (offset, name)
        if len(named) > 1:
            tree["zone_name"] = str.__str__(named[1])
    elif type(zone) is zoneinfo.ZoneInfo and type(zone.key) is str:
        tree["text"] = value.replace(tzinfo=None).isoformat()
        tree["zone"] = zone.key
    else:
        return None  # to ask its offset would run the code of a class that we do not know
    if value.fold:
        tree["fold"] = 1
    return tree


TO_TREE: dict[type[Any], Callable[[Any], Any]] = {
    int: _int,
    float: float_tree,
    complex: _complex,
    decimal.Decimal: _decimal,
    uuid.UUID: _uuid,
    datetime.timedelta: _timedelta,
    datetime.date: _date,
    datetime.datetime: _moment,
    datetime.time: _moment,
}
"""Class → what makes the tree; None comes of a datetime or time in a zone of an unknown class."""


# --- and back -------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=256)
def _zone(key: str) -> datetime.tzinfo:
    """The zone of this name in the system's own database.

    `ZoneInfo` alone would look further, and import a package that the name makes part of.
    """
    if _ZONE_KEY.fullmatch(key) is None:
        raise ValueError(f"{key!r} is no name of a time zone")
    if zoneinfo.TZPATH and not any(os.path.isfile(os.path.join(root, key)) for root in zoneinfo.TZPATH):
        raise ValueError(f"this system knows no time zone {key!r}")
    try:
        return zoneinfo.ZoneInfo(key)
    except zoneinfo.ZoneInfoNotFoundError as error:
        raise ValueError(f"there is no time zone {key!r} here") from error


def _placed(value: Any, tree: Tree) -> Any:
    """A datetime or time in its zone."""
    if "zone" in tree:
        value = value.replace(tzinfo=_zone(tree["zone"]))
    if "zone_name" in tree:
        value = value.replace(tzinfo=datetime.timezone(value.utcoffset(), tree["zone_name"]))
    return value.replace(fold=1) if tree.get("fold") else value


FROM_TREE: dict[str, Callable[[Tree], Any]] = {
    "py:int": lambda tree: int(tree["hex"], 16),
    "py:float": lambda tree: float(tree["text"]),
    "py:complex": lambda tree: complex(*tree["parts"]),
    "py:Decimal": lambda tree: decimal.Decimal(tree["text"]),
    "py:UUID": lambda tree: uuid.UUID(tree["text"]),
    "py:timedelta": lambda tree: datetime.timedelta(*tree["parts"]),
    "py:date": lambda tree: datetime.date.fromisoformat(tree["text"]),
    "py:datetime": lambda tree: _placed(datetime.datetime.fromisoformat(tree["text"]), tree),
    "py:time": lambda tree: _placed(datetime.time.fromisoformat(tree["text"]), tree),
    "py:str": lambda tree: "".join(tree["parts"]),
}
