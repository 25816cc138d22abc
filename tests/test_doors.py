"""The front doors: a package's `__init__` exports what it imports and nothing else, sorted and documented."""

from __future__ import annotations

import ast
import compileall
import functools
import importlib
import inspect
import sys
import typing
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support.packages import PACKAGES, ROOT

FOLDERS = {
    ".".join(path.parent.relative_to(ROOT).parts): path
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("__init__.py"))
}
NO_DOORS = {
    "integrations",
    *(f"replay.{part}" for part in ("core", "loop", "matching", "reporting", "terms")),
}
"""A namespace, and the inner parts of the replayer."""
DOORS = sorted(FOLDERS.keys() - NO_DOORS)


def door(name: str) -> ModuleType:
    return importlib.import_module(f"realtape.{name}")


def exported(name: str) -> Iterator[tuple[str, Any]]:
    module = door(name)
    return ((one, getattr(module, one)) for one in module.__all__)


LAZY = "open_lazily"
"""What a door calls that imports a module when a name of it is asked for."""


def public_names(body: list[ast.stmt]) -> Iterator[str]:
    """What of ours a door imports at once or, for the type checker, says that it has; and what it defines."""
    for node in body:
        if isinstance(node, ast.ImportFrom) and node.level:
            yield from (alias.asname or alias.name for alias in node.names if alias.name != LAZY)
        elif isinstance(node, ast.If):
            yield from public_names(node.body)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and node.name[0] != "_":
            yield node.name


def sort_key(name: str) -> tuple[int, str]:
    """As ruff sorts `__all__`: constants, then classes, then the rest."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name


@functools.cache
def documented_names() -> set[str]:
    """Names of our constants and aliases that a string literal follows."""
    found: set[str] = set()
    for path in (path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        for node, after in pairwise(ast.parse(path.read_text()).body):
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


@pytest.mark.parametrize("name", DOORS)
def test_what_is_imported_is_exported_and_nothing_else(name: str) -> None:
    names = list(public_names(ast.parse(FOLDERS[name].read_text()).body))
    assert door(name).__all__ == sorted(set(names), key=sort_key)
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", sorted(NO_DOORS))
def test_what_is_no_door_exports_nothing(name: str) -> None:
    assert not list(public_names(ast.parse(FOLDERS[name].read_text()).body))


@pytest.mark.parametrize("name", [name for name in DOORS if LAZY in FOLDERS[name].read_text()])
def test_a_lazy_door_leads_to_the_very_things_and_says_what_it_has(name: str) -> None:
    """To what the import beside it, for the type checker, names; also where a module has the same name."""
    module = door(name)
    assert set(module.__all__) <= set(dir(module))
    for node in ast.walk(ast.parse(FOLDERS[name].read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module != "lazy_doors":
            home = importlib.import_module(f"realtape.{name}.{node.module}")
            for alias in node.names:
                assert getattr(module, alias.asname or alias.name) is getattr(home, alias.name)
    with pytest.raises(AttributeError, match="has no attribute 'nothing_of_the_kind'"):
        _ = module.nothing_of_the_kind


def test_a_lazy_door_of_compiled_files_alone_finds_its_names(tmp_path: Path) -> None:
    """Without the source there are no lines that say where."""
    package = tmp_path / "sourceless"
    package.mkdir()
    (package / "one.py").write_text("Thing = 1\n")
    (package / "__init__.py").write_text(
        "from realtape.schema.lazy_doors import open_lazily\n__all__ = ['Thing']\nopen_lazily(__name__)\n"
    )
    compileall.compile_dir(package, quiet=1, legacy=True)
    for source in package.glob("*.py"):
        source.unlink()
    sys.path.insert(0, str(tmp_path))
    try:
        assert importlib.import_module("sourceless").Thing == 1
    finally:
        sys.path.remove(str(tmp_path))


def lacks(name: str, value: Any) -> str:
    """What its documentation does not say, or ""."""
    if not inspect.isclass(value) and not inspect.isfunction(value):
        return "" if name in documented_names() or typing.get_args(value) else "what it is"
    said = value.__doc__ or ""
    if not said or said.startswith(f"{name}("):  # a dataclass's own: nobody wrote one
        return "what it is"
    return "what cancelling does" if inspect.iscoroutinefunction(value) and "ancel" not in said else ""


@pytest.mark.parametrize("name", DOORS)
def test_what_is_exported_is_documented(name: str) -> None:
    values = dict(exported(name))
    assert values
    assert not {one: lack for one, value in values.items() if (lack := lacks(one, value))}
