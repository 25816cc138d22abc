"""`same`: the equality that a round trip through the log must keep."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

from pydantic import BaseModel


def same(left: Any, right: Any) -> bool:
    """Whether two values are equal, type by type.

    Stricter than `==`: 1 is not 1.0 and not True, a list is no tuple, 0.0 is not -0.0. Looser in
    two points: NaN equals NaN, and exceptions are equal by class, arguments and notes.
    """
    if left is right:
        return True
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        return left.hex() == right.hex() or (left != left and right != right)
    if isinstance(left, complex):
        return same(left.real, right.real) and same(left.imag, right.imag)
    if isinstance(left, BaseException):
        return same(left.args, right.args) and same(_notes(left), _notes(right))
    if isinstance(left, list | tuple):
        return _same_sequences(list(cast("Any", left)), list(right))
    if isinstance(left, dict):
        # In order: an application that iterates sees the difference.
        a, b = cast("dict[Any, Any]", left), cast("dict[Any, Any]", right)
        return _same_sequences(list(a), list(b)) and _same_sequences(list(a.values()), list(b.values()))
    if isinstance(left, set | frozenset):
        return _same_sets(list(cast("Any", left)), list(right))
    if isinstance(left, memoryview):
        return bytes(left) == bytes(right)
    if isinstance(left, BaseModel):
        return _same_models(left, right)
    if dataclasses.is_dataclass(left):
        return all(
            same(getattr(left, field.name, None), getattr(right, field.name, None))
            for field in dataclasses.fields(left)
        )
    return bool(left == right) and getattr(left, "tzinfo", None) == getattr(right, "tzinfo", None)


def _notes(error: BaseException) -> list[str]:
    return list(getattr(error, "__notes__", ()))


def _same_sequences(left: list[Any], right: list[Any]) -> bool:
    return len(left) == len(right) and all(map(same, left, right))


def _same_sets(left: list[Any], right: list[Any]) -> bool:
    rest = list(right)
    for item in left:
        match = next((index for index, other in enumerate(rest) if same(item, other)), None)
        if match is None:
            return False
        del rest[match]
    return not rest


def _same_models(left: BaseModel, right: BaseModel) -> bool:
    return (
        left.model_fields_set == right.model_fields_set
        and set(left.__dict__) == set(right.__dict__)
        and all(same(value, right.__dict__[name]) for name, value in left.__dict__.items())
        and same(left.__pydantic_extra__ or {}, right.__pydantic_extra__ or {})
    )
