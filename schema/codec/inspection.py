"""Looking at a value without running code of its class: no property, no `__getattr__`, no `repr`.

`isinstance` asks `__class__`, `getattr` asks `__getattribute__`, and a metaclass may answer for a
class: any of them may raise, wait or never return, in the middle of the application's event loop.
What stands here goes to the slots that C fills in, past all that a class can override.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable
from typing import Any, cast

mro = cast("Callable[[type[Any]], tuple[type[Any], ...]]", type.__dict__["__mro__"].__get__)
"""The classes that a class is made of, itself first."""

own_attributes = cast("Callable[[type[Any]], dict[str, Any]]", type.__dict__["__dict__"].__get__)
"""What a class defines itself; to be read only."""

# The methods of the plain types themselves, for instances of subclasses that may override them.
dict_items = dict[Any, Any].items
dict_get = dict[Any, Any].get
dict_len = dict[Any, Any].__len__
list_len = list[Any].__len__
list_iter = list[Any].__iter__
tuple_iter = tuple[Any, ...].__iter__

_module = cast("Callable[[type[Any]], Any]", type.__dict__["__module__"].__get__)
_qualname = cast("Callable[[type[Any]], str]", type.__dict__["__qualname__"].__get__)
_ABSENT = object()
_FIELD: object = vars(dataclasses)["_FIELD"]  # what tells a field from a ClassVar and an InitVar


def is_a(cls: type[Any], base: type[Any]) -> bool:
    """Whether `cls` really derives from `base`: what an ABC takes for its own does not count."""
    return type.__subclasscheck__(base, cls)


def qualified(cls: type[Any]) -> str:
    """The module and name of a class, as a label."""
    name = str.__str__(_qualname(cls))
    try:
        module = _module(cls)
    except AttributeError:
        return name
    return f"{module}.{name}" if type(module) is str else name


def label(value: Any) -> str:
    """What to call a value of which nothing else is kept."""
    cls = cast("type[Any]", type(value))
    if cls is types.MethodType:
        value = value.__func__
        cls = cast("type[Any]", type(value))
    if is_a(cls, type):
        return f"callable {qualified(value)}"
    if cls is types.FunctionType or cls is types.BuiltinFunctionType:
        module = value.__module__
        # A builtin method would ask the class of its object for the rest of the name.
        name = str.__str__(value.__qualname__ if cls is types.FunctionType else value.__name__)
        return f"callable {module}.{name}" if type(module) is str else f"callable {name}"
    return f"callable {qualified(cls)}" if callable(value) else qualified(cls)


def instance_dict(value: Any) -> dict[str, Any]:
    """The attributes of the instance itself; to be read by `dict`'s own methods only.

    Empty where there is none, and where the class shadows its `__dict__`.
    """
    for cls in mro(cast("type[Any]", type(value))):
        descriptor = own_attributes(cls).get("__dict__")
        if type(descriptor) is types.GetSetDescriptorType and descriptor.__objclass__ is cls:
            return cast("dict[str, Any]", descriptor.__get__(value))
        if descriptor is not None:
            break
    return {}


def field_values(value: Any) -> dict[str, Any] | None:
    """The fields of a dataclass's instance as far as they are set; None if it is no dataclass."""
    classes = mro(cast("type[Any]", type(value)))
    declared = "__dataclass_fields__"
    fields = next((own[declared] for cls in classes if declared in (own := own_attributes(cls))), None)
    if type(fields) is not dict:
        return None
    attributes = instance_dict(value)
    values: dict[str, Any] = {}
    for field in cast("dict[str, Any]", fields).values():
        if type(field) is dataclasses.Field and field._field_type is _FIELD:  # pyright: ignore
            item: Any = dict_get(attributes, field.name, _ABSENT)
            if item is _ABSENT:
                item = _slot(classes, field.name, value)
            if item is not _ABSENT:
                values[field.name] = item
    return values


def _slot(classes: tuple[type[Any], ...], name: str, value: Any) -> Any:
    for cls in classes:
        descriptor = own_attributes(cls).get(name)
        if type(descriptor) is types.MemberDescriptorType:
            try:
                return descriptor.__get__(value)
            except AttributeError:  # never set
                return _ABSENT
        if descriptor is not None:
            break
    return _ABSENT
