"""Standing before the methods of somebody else's object, and giving it back as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, cast

Interception = Callable[[str, Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]
"""(name, method, args, kwargs) → result; calls the method, or does not."""


class Shadow:
    """Stands before one method of one instance; everything but the call reaches the method."""

    def __init__(self, name: str, method: Callable[..., Any], before: Any, call: Interception) -> None:
        self.before = before
        self.method = method
        self._name = name
        self._call: Interception | None = call

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._call is None:
            return self.method(*args, **kwargs)
        return self._call(self._name, self.method, args, kwargs)

    def lift(self) -> None:
        """Whoever still holds this reaches the method directly from now on."""
        self._call = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.method, name)


class Shadows:
    """Shadows on some methods of an object, by attributes of the instance: its class is untouched.

    Args:
        target: the object.
        names: of the methods; those that it lacks are passed over.
        call: called instead of the method.

    Attributes:
        missing: methods that could not be shadowed: the class has slots, or refuses it.
    """

    def __init__(self, target: Any, names: Iterable[str], call: Interception) -> None:
        self._target = target
        self._shadows: dict[str, Shadow] = {}
        self.missing: list[str] = []
        for name in names:
            try:
                method = getattr(target, name, None)
                if method is None:
                    continue
                shadow = Shadow(name, method, _own(target, name), call)
                setattr(target, name, shadow)
            except Exception:  # noqa: BLE001 - the object is somebody else's, and may forbid it in any way
                self.missing.append(name)
                continue
            self._shadows[name] = shadow

    def lift(self) -> None:
        """Give the object back as it was; shadows that others laid over ours stay."""
        for name, shadow in self._shadows.items():
            shadow.lift()
            with suppress(Exception):  # then it stays, and reaches the method
                if _own(self._target, name) is not shadow:
                    continue
                if shadow.before is None:
                    delattr(self._target, name)
                else:
                    setattr(self._target, name, shadow.before)
        self._shadows = {}


def bare(method: Any) -> Any:
    """An object's own method, below all shadows: to look at its state is no call."""
    while isinstance(method, Shadow):
        method = method.method
    return method


def _own(thing: Any, name: str) -> Any:
    """An attribute of the instance itself, not of its class."""
    return cast("dict[str, Any]", getattr(thing, "__dict__", {})).get(name)
