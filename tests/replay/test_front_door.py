"""The front door of the replayer: sorted, complete, documented."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest
from realtape import replay

SOURCE = Path(replay.__file__)


def imported_names() -> list[str]:
    tree = ast.parse(SOURCE.read_text())
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module != "__future__"]
    return [alias.asname or alias.name for node in imports for alias in node.names]


def test_what_is_imported_is_exported_and_nothing_else() -> None:
    assert sorted(imported_names()) == sorted(replay.__all__)
    order = [(0 if name.isupper() else 1 if name[0].isupper() else 2, name) for name in replay.__all__]
    assert order == sorted(order)


@pytest.mark.parametrize("name", replay.__all__)
def test_every_class_and_function_is_documented(name: str) -> None:
    value = getattr(replay, name)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert value.__doc__
        assert not value.__doc__.startswith(f"{name}(")  # a dataclass's own: nobody wrote one
    if inspect.iscoroutinefunction(value):
        assert "ancel" in str(value.__doc__), "what cancelling it does"
