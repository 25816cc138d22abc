"""`same`: the equality that a round trip through the log must keep."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import zoneinfo
from typing import Any, cast

from pydantic import BaseModel

from .raised import beside_arguments

_ABSENT = object()


def same(left: Any, right: Any) -> bool:
    """Whether two values are equal, type by type.

    Stricter than `==`: 1 is not 1.0 and not True, a list is no tuple, 0.0 is not -0.0, 1.0 and 1.00
    are two decimals, a dictionary has an order, a datetime a zone and a fold. Looser in two points:
    NaN equals NaN, and exceptions are equal by class, arguments (file names and the like with them)
    and notes. Values that compare in no other way than by a `==` that raises are not the same.
    """
    if left is right:
        return True
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        return left.hex() == right.hex() or (left != left and right != right)
    if isinstance(left, complex):
        return same(left.real, right.real) and same(left.imag, right.imag)
    if isinstance(left, decimal.Decimal):
        return left.as_tuple() == right.as_tuple()  # to compare a signalling NaN raises
    if isinstance(left, datetime.datetime | datetime.time):
        return _same_moments(left, right)
    if isinstance(left, BaseException):
        return (
            same(left.args, right.args)
            and same(beside_arguments(left), beside_arguments(right))
            and same(getattr(left, "__notes__", None), getattr(right, "__notes__", None))
        )
    if isinstance(left, list | tuple):
        return _same_sequences(list(cast("Any", left)), list(right))
    if isinstance(left, dict):
        # In order: an application that iterates sees the difference.
        a, b = cast("dict[Any, Any]", left), cast("dict[Any, Any]", right)
        return _same_sequences(list(a), list(b)) and _same_sequences(list(a.values()), list(b.values()))
    if isinstance(left, set | frozenset):
        return _same_sets(list(cast("Any", left)), list(right))
    if isinstance(left, memoryview):
        return bytes(cast("Any", left)) == bytes(right)
    if isinstance(left, BaseModel):
        return _same_models(left, right)
    if dataclasses.is_dataclass(left):
        return all(_same_attribute(left, right, field.name) for field in dataclasses.fields(left))
    try:
        return bool(left == right)
    except Exception:  # noqa: BLE001 - an application's own `__eq__` may do anything
        return False


def _same_attribute(left: Any, right: Any, name: str) -> bool:
    return same(getattr(left, name, _ABSENT), getattr(right, name, _ABSENT))


def _same_moments(left: Any, right: Any) -> bool:
    if left.replace(tzinfo=None) != right.replace(tzinfo=None) or left.fold != right.fold:
        return False
    if isinstance(left.tzinfo, zoneinfo.ZoneInfo) and isinstance(right.tzinfo, zoneinfo.ZoneInfo):
        return left.tzinfo.key == right.tzinfo.key
    return left.tzinfo == right.tzinfo and left.tzname() == right.tzname()


def _same_sequences(left: list[Any], right: list[Any]) -> bool:
    return len(left) == len(right) and all(map(same, left, right))


def _same_sets(left: list[Any], right: list[Any]) -> bool:
    if len(left) != len(right):
        return False
    equals = {item: item for item in right}
    unmatched = [item for item in left if not same(item, equals.get(item, _ABSENT))]
    matched = {id(equals[item]) for item in left if item in equals and same(item, equals[item])}
    rest = [item for item in right if id(item) not in matched]
    for item in unmatched:  # NaN, and what has no equality but its identity
        match = next((index for index, other in enumerate(rest) if same(item, other)), None)
        if match is None:
            return False
        del rest[match]
    return not rest


def _same_models(left: BaseModel, right: BaseModel) -> bool:
    a, b = left.__dict__, right.__dict__
    return (
        left.model_fields_set == right.model_fields_set
        and all(same(a.get(name, _ABSENT), b.get(name, _ABSENT)) for name in type(left).model_fields)
        and same(left.__pydantic_extra__ or {}, right.__pydantic_extra__ or {})
        and same(left.__pydantic_private__ or {}, right.__pydantic_private__ or {})
    )
