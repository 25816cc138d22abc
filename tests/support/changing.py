"""Changing values behind the back of who holds them."""

from __future__ import annotations

from typing import Any, cast


def changed(value: Any, seen: set[int] | None = None) -> None:
    """Change every field and every container in it, as far as they let us."""
    seen = set() if seen is None else seen
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, dict | list | tuple | set | frozenset):
        container = cast("Any", value)
        for item in list(container.values() if isinstance(value, dict) else container):
            changed(item, seen)
        if isinstance(value, dict):
            container.clear()
            container["changed"] = "changed"
        elif isinstance(value, list):
            container[:] = ["changed"]
        elif isinstance(value, set):
            container.clear()
    elif isinstance(value, bytearray):
        value[:] = b"changed"
    elif isinstance(value, BaseException):
        value.args = ("changed",)
        vars(value)["changed"] = True
    elif hasattr(value, "__dict__") and not isinstance(value, type):
        fields = cast("dict[str, Any]", vars(value))
        for name, item in list(fields.items()):
            changed(item, seen)
            fields[name] = "changed"
