"""The pydantic models of the `openai` package that stand in realtime events, and their stable names."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from pydantic import BaseModel

from ...schema.codec import Vocabulary

ROOT = "openai.types."
REALTIME = "realtime."
MODULES = ("openai.types.realtime", "openai.types.responses.response_usage", "openai.types.completion_usage")
"""Where the models are; those in their fields are found from there."""


def register_openai_models(vocabulary: Vocabulary) -> None:
    """Register every model that the realtime types consist of."""
    for cls in realtime_models():
        vocabulary.register(openai_name(cls), cls)


def openai_name(cls: type[Any]) -> str:
    """`openai:<Class>` for the class that its module is named after, and
    `openai:<module>.<Class>` for its parts, such as `openai:realtime_response.AudioOutput`.

    Whether a class's name is unique says nothing: the next release may add another of that name,
    and old logs must be read all the same.
    """
    module = cls.__module__.removeprefix(ROOT).removeprefix(REALTIME)
    folder, _, tail = module.rpartition(".")
    if tail.replace("_", "") == cls.__name__.lower():
        module = folder
    return f"openai:{module}.{cls.__qualname__}" if module else f"openai:{cls.__qualname__}"


def realtime_models() -> Iterator[type[BaseModel]]:
    """All models in MODULES, and in the modules that those get models from."""
    found: set[type[BaseModel]] = set()
    seen: set[str] = set()
    waiting = [module.__name__ for name in MODULES for module in _modules_under(name)]
    while waiting:
        name = waiting.pop(0)
        if name in seen or name not in sys.modules:
            continue
        seen.add(name)
        for cls in models_in(sys.modules[name]):
            waiting.append(cls.__module__)
            if cls.__module__ == name and cls not in found:
                found.add(cls)
                yield cls


def models_in(module: ModuleType) -> Iterator[type[BaseModel]]:
    """The models that a module of `openai.types` defines or imports."""
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, BaseModel) and value.__module__.startswith(ROOT):
            yield value


def _modules_under(name: str) -> Iterator[ModuleType]:
    """A module, and the modules in it if it is a package; none where this release lacks it."""
    try:
        module = importlib.import_module(name)
    except ImportError:
        return
    yield module
    for info in pkgutil.walk_packages(getattr(module, "__path__", []), f"{name}."):
        yield importlib.import_module(info.name)
