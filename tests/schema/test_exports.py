"""The front door of the schema: sorted, complete, documented."""

import ast
import inspect
import sys
import typing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from realtape import schema

SOURCE = Path(schema.__file__)


def imported_names() -> list[str]:
    tree = ast.parse(SOURCE.read_text())
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module != "__future__"]
    assert all(node.level == 1 for node in imports)
    return [alias.asname or alias.name for node in imports for alias in node.names]


def sort_key(name: str) -> tuple[int, str]:
    """As ruff sorts `__all__`: constants, then classes, then the rest."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name


def test_what_is_imported_is_exported_and_nothing_else():
    assert sorted(imported_names()) == sorted(schema.__all__)
    assert len(set(schema.__all__)) == len(schema.__all__)
    assert schema.__all__ == sorted(schema.__all__, key=sort_key)


def documented_names(module: Any) -> set[str]:
    """Names of constants and aliases that a string literal follows."""
    body = ast.parse(inspect.getsource(module)).body
    found: set[str] = set()
    for node, after in pairwise(body):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


@pytest.mark.parametrize("name", schema.__all__)
def test_every_name_has_a_docstring(name: str):
    value = getattr(schema, name)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert value.__doc__
        assert not value.__doc__.startswith(f"{name}(")  # a dataclass's own: nobody wrote one
        return
    ours = [module for path, module in sys.modules.items() if path.startswith(f"{schema.__name__}.")]
    assert any(name in documented_names(module) for module in ours) or typing.get_args(value)
