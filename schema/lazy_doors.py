"""Doors that import a module when a name of it is asked for.

`realtape ls` needs a tenth of what the doors of `schema` and `session` lead to: pydantic, the event classes
and SQLAlchemy's ORM cost more than all that it does. Such a door tells the type checker what it exports, and
ends with `open_lazily(__name__)`:

    if TYPE_CHECKING:
        from .entries import Entry, Kind

    __all__ = ["Entry", "Kind"]

    open_lazily(__name__)

Where each name lives is read in these very lines, so no name stands in the door a third time.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

_IMPORT = re.compile(r"^    from (\.[\w.]+) import (?:\(([^)]*)\)|(.+))$", re.MULTILINE)
_NAME = re.compile(r"(\w+)(?: as (\w+))?\s*(?:,|$)")


class _Door(ModuleType):
    """A package whose names are imported when they are asked for; `__homes__` has their modules."""

    __homes__: dict[str, tuple[str, str]]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name not in self.__all__:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        value = self._value(name)
        super().__setattr__(name, value)
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        """The import system puts a submodule here when it was imported: not over what has that name."""
        if isinstance(value, ModuleType) and name in self.__homes__:
            return
        super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.__all__})

    def _value(self, name: str) -> Any:
        for module, there in [self.__homes__[name]] if name in self.__homes__ else self._everywhere(name):
            found = importlib.import_module(module, self.__name__)
            if hasattr(found, there):
                return getattr(found, there)
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")

    def _everywhere(self, name: str) -> Iterator[tuple[str, str]]:
        """Who ships compiled files only has no lines to read them in."""
        return ((f".{one.name}", name) for one in pkgutil.iter_modules(self.__path__))


def open_lazily(package: str) -> None:
    """Make a door of this package, which is being imported."""
    door = sys.modules[package]
    loader: Any = door.__loader__
    source: str = (loader.get_source(package) if hasattr(loader, "get_source") else None) or ""
    homes: dict[str, tuple[str, str]] = {}
    for module, several, single in _IMPORT.findall(source):
        for name, alias in _NAME.findall(several or single):
            homes[alias or name] = (module, name)
    door.__dict__["__homes__"] = homes
    door.__class__ = _Door
