"""The import arrows hold: schema ← session ← recorder, replay, provider ← lab ← integrations ← cli."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
_READERS = {"schema", "session"}
MAY_IMPORT: dict[str, set[str]] = {
    "schema": set(),
    "session": {"schema"},
    "recorder": _READERS,
    "replay": _READERS,
    "provider": _READERS,
    "lab": _READERS | {"replay", "provider"},
    "integrations": _READERS | {"recorder", "replay", "provider", "lab"},
    "cli": _READERS | {"recorder", "replay", "provider", "lab", "integrations"},
}
WITHIN_REPLAY: dict[str, set[str]] = {
    "terms": set(),
    "reporting": {"terms"},
    "matching": {"terms", "reporting"},
    "core": {"terms", "reporting", "matching"},
    "explaining": {"terms", "reporting", "matching", "core"},
    "loop": {"terms"},
}
"""What plays a session stands above these, in `replay/` itself."""
SDK = {"agents", "openai"}
SDK_USERS = ("integrations/openai_agents/", "cli/demo_")
FILES = sorted(path for folder in MAY_IMPORT for path in (ROOT / folder).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """The full names of the modules that a file imports anywhere, relative ones resolved."""
    package = ["realtape", *path.relative_to(ROOT).parent.parts]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            beyond = package[: len(package) - node.level + 1] if node.level else []
            assert not node.level or beyond, f"{path}: imports from above the packages"
            base = ".".join([*beyond, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("import_module", "__import__") and isinstance(node.args[0].value, str):
                yield node.args[0].value


def packages_of_ours(names: Iterator[str]) -> set[str]:
    parts = (name.split(".") for name in names)
    return {part[1] for part in parts if part[0] == "realtape" and len(part) > 1}


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_there_is_something_to_look_at():
    assert {path.relative_to(ROOT).parts[0] for path in FILES} == MAY_IMPORT.keys()
    found = set(imported(ROOT / "schema" / "codec.py"))
    assert {"json", "itertools", "realtape.schema.decoding", "realtape.schema.decoding.Decoding"} & found


@pytest.mark.parametrize("path", FILES, ids=named)
def test_imports_point_one_way(path: Path):
    folder = path.relative_to(ROOT).parts[0]
    assert packages_of_ours(imported(path)) <= MAY_IMPORT[folder] | {folder}


@pytest.mark.parametrize("path", FILES, ids=named)
def test_inside_the_packages_imports_are_relative(path: Path):
    folders = {name.split(".")[0] for name in imported(path)} & MAY_IMPORT.keys()
    assert not folders, "a bare folder is a package of somebody else's"
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            assert not any(alias.name.split(".")[0] == "realtape" for alias in node.names)
        if isinstance(node, ast.ImportFrom) and not node.level:
            assert (node.module or "").split(".")[0] != "realtape"


@pytest.mark.parametrize("path", [path for path in FILES if not named(path).startswith(SDK_USERS)], ids=named)
def test_the_sdk_is_imported_by_its_integration_and_the_demo_alone(path: Path):
    assert not {name.split(".")[0] for name in imported(path)} & SDK


@pytest.mark.parametrize("folder", WITHIN_REPLAY)
def test_imports_within_replay_point_one_way(folder: str):
    files = sorted((ROOT / "replay" / folder).glob("*.py"))
    parts = [name.split(".") for path in files for name in imported(path)]
    found = {part[2] for part in parts if part[:2] == ["realtape", "replay"] and len(part) > 2}
    assert len(files) > 2
    assert found <= WITHIN_REPLAY[folder] | {folder}
