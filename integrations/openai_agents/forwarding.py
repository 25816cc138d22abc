"""What stands before a model of the SDK's: all that it does not do itself is the inner model's."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any, TypeVar

from agents.realtime import RealtimeModel, RealtimeModelListener

_Class = TypeVar("_Class", bound=type[Any])


class _InnerMember:
    """A member of the SDK's class that we do not change: the inner model's own."""

    def __init__(self, name: str, inner: Callable[[Any], Any]) -> None:
        self._name = name
        self._inner = inner

    def __get__(self, instance: Any, owner: type[Any]) -> Any:
        return self if instance is None else getattr(self._inner(instance), self._name)


def forward_the_rest(ours: type[Any], inner: Callable[[Any], Any]) -> Callable[[_Class], _Class]:
    """A decorator: forward whatever else the SDK's class defines, private hooks and those of later releases
    too; its defaults would hide the inner model's.

    Args:
        ours: the members that are not forwarded.
        inner: the inner model of an instance.
    """

    def decorate(cls: _Class) -> _Class:
        for base in RealtimeModel.__mro__[:-1]:
            for name in vars(base):
                if not hasattr(ours, name) and not name.startswith(("__", "_abc_")):
                    setattr(cls, name, _InnerMember(name, inner))
        abc.update_abstractmethods(cls)
        return cls

    return decorate


class Relay(RealtimeModelListener):
    """The listener at the inner model; the handler is its method, without a step between them."""

    def __init__(self, handler: Callable[[Any], Any]) -> None:
        vars(self)["on_event"] = handler

    async def on_event(self, event: Any) -> None:
        """Replaced by the handler."""
