"""One root for every error: its docstring shows the whole tree, and names what stands beside it."""

from __future__ import annotations

import importlib
import pkgutil
import re
import tomllib
from pathlib import Path

from realtape.schema import RealtapeError, errors


def defined() -> set[type[BaseException]]:
    """The exception classes of all our modules, but for those that are private."""
    found: set[type[BaseException]] = set()
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())
    for package in project["tool"]["setuptools"]["packages"]:
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
            if module.name.endswith("__main__"):
                continue
            for name, value in vars(importlib.import_module(module.name)).items():
                if isinstance(value, type) and issubclass(value, BaseException) and not name.startswith("_"):
                    found.add(value)
    return {cls for cls in found if cls.__module__.startswith("realtape.")}


def drawn() -> dict[str, str | None]:
    """Of each class in the docstring's tree, the one that it stands under."""
    parents: dict[str, str | None] = {}
    above: list[str] = []
    for line in str(errors.__doc__).splitlines():
        match = re.match(r"    ([│├└─ ]*)(\w+)(?:  |$)", line)
        if match is not None:
            depth = len(match[1]) // 4
            parents[match[2]] = above[depth - 1] if depth else None
            above[depth:] = [match[2]]
    return parents


def test_the_docstring_shows_the_whole_tree() -> None:
    below = {cls for cls in defined() if issubclass(cls, RealtapeError)}
    assert drawn() == {
        cls.__name__: None if cls is RealtapeError else cls.__bases__[0].__name__ for cls in below
    }


def test_what_stands_beside_it_is_named() -> None:
    beside = {cls.__name__ for cls in defined() if not issubclass(cls, RealtapeError)}
    assert set(re.findall(r"`(\w+)`", str(errors.__doc__))) == beside
