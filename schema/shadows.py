"""Standing before the methods of somebody else's object, and giving it back as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

Interception = Callable[[str, Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]
"""(name, method, args, kwargs) → result; calls the method, or does not."""


class Shadow:
    """Stands before one method of one instance; everything but the call reaches the method."""

    def __init__(self, name: str, method: Callable[..., Any], before: Any, call: Interception) -> None:
        self.before = before
        self._name = name
        self._method = method
        self._call: Interception | None = call

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._call is None:
            return self._method(*args, **kwargs)
        return self._call(self._name, self._method, args, kwargs)

    def lift(self) -> None:
        """Whoever still holds this reaches the method directly from now on."""
        self._call = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._method, name)


class Shadows:
    """Shadows on some methods of an object, by attributes of the instance: its class is untouched.

    Args:
        target: the object.
        names: of the methods; those that it lacks are passed over.
        call: called instead of the method.

    Attributes:
        missing: methods that could not be shadowed (the class has slots).
    """

    def __init__(self, target: Any, names: Iterable[str], call: Interception) -> None:
        self._target = target
        self._shadows: dict[str, Shadow] = {}
        self.missing: list[str] = []
        for name in names:
            method = getattr(target, name, None)
            if method is None:
                continue
            shadow = Shadow(name, method, getattr(target, "__dict__", {}).get(name), call)
            try:
                setattr(target, name, shadow)
            except AttributeError:
                self.missing.append(name)
                continue
            self._shadows[name] = shadow

    def lift(self) -> None:
        """Give the object back as it was; shadows that others laid over ours stay."""
        for name, shadow in self._shadows.items():
            shadow.lift()
            if vars(self._target).get(name) is not shadow:
                continue
            if shadow.before is None:
                delattr(self._target, name)
            else:
                setattr(self._target, name, shadow.before)
        self._shadows = {}
