"""The import arrows hold: schema ← session ← recorder, replay, provider ← wire ← lab ← integrations ← cli;
and there is no circle, neither of modules nor of sub-packages."""

import ast
import functools
import gc
import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
_READERS = {"schema", "session"}
MAY_IMPORT: dict[str, set[str]] = {
    "schema": set(),
    "session": {"schema"},
    "recorder": _READERS,
    "replay": _READERS,
    "provider": _READERS,
    "wire": _READERS | {"recorder", "replay"},
    "lab": _READERS | {"replay", "provider", "wire"},
    "viewer": _READERS | {"lab"},
    "integrations": _READERS | {"recorder", "replay", "provider", "wire", "lab", "viewer"},
    "cli": _READERS | {"recorder", "replay", "provider", "wire", "lab", "viewer", "integrations"},
}
WITHIN_REPLAY: dict[str, set[str]] = {
    "terms": set(),
    "reporting": {"terms"},
    "matching": {"terms", "reporting"},
    "core": {"terms", "reporting", "matching"},
    "loop": {"terms"},
}
"""What plays a session stands above these, in `replay/` itself."""
FRONT_DOORS = ("schema.codec", "schema.log", "lab", "lab.comparing", "lab.edits", "lab.shrinking")
"""Packages into which nobody from outside reaches further than to what their `__init__` exports."""
OWN_DOORS = ("lab.invariants", "lab.strategies", "lab.client")
"""And what in these has a door of its own."""
BY_DOORS_ALONE = ("cli", "integrations")
"""These enter the other packages by a folder's `__init__` alone, and by these modules:"""
MODULES_AS_DOORS = (
    "session.fields",  # what one entry's payload says, asked as `fields.text_of(…)`
    "session.words",  # an entry in words
    "recorder.causes",  # the extent that we are in; who wraps a queue carries it across
    "lab.client",  # hypothesis' half of a conversation; `lab.strategies` needs hypothesis, this does not
    "integrations.accepting",  # as those that follow
    "integrations.classes",  # `integrations` is a namespace: each of its parts needs other extras
    "integrations.learning",
    "integrations.project",
    "integrations.replay_settings",
    "integrations.branching",
    "integrations.soundness",
    "integrations.openai_agents.scripted",  # the SDK's testing module, which is not loaded for anything else
)
WITHOUT_IO = (
    "dialects",
    "recorded",
    "frame_rules",
    "gates",
    "implied",
    "outbound",
    "pictures",
    "server_side",
    "client_run",
    "faults",
    "spoken",
)
"""The core of `wire/`: these import no recorder, no loop and no socket."""
SDK = {"agents", "openai"}
SDK_USERS = ("integrations/openai_agents/", "cli/demo_")
MOVED = ("replay/invariants.py", "replay/strategies.py")
"""Names of old, which lead to where things are now, once they are asked for; nobody of ours asks them."""
FILES = sorted(
    path
    for folder in MAY_IMPORT
    for path in (ROOT / folder).rglob("*.py")
    if str(path.relative_to(ROOT)) not in MOVED
)


class Import(NamedTuple):
    """The full name of a module, relative ones resolved, and a name in it or ""; whether it is written so."""

    module: str
    name: str = ""
    in_full: bool = True


@functools.cache
def imports(path: Path) -> tuple[Import, ...]:
    # CPython 3.11 does not parse ("recursion depth mismatch") where the garbage collector runs meanwhile and
    # finds what an earlier test left: a task whose exception nobody retrieved, which is logged then.
    collects = gc.isenabled()
    gc.disable()
    try:
        return tuple(_imports(path))
    finally:
        if collects:
            gc.enable()


def _imports(path: Path) -> Iterator[Import]:
    """What a file imports anywhere, in functions and for the type checker, too."""
    package = ["realtape", *path.relative_to(ROOT).parent.parts]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            beyond = package[: len(package) - node.level + 1] if node.level else []
            assert not node.level or beyond, f"{path}: imports from above the packages"
            base = ".".join([*beyond, *([node.module] if node.module else [])])
            yield from (Import(base, alias.name, not node.level) for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("import_module", "__import__") and isinstance(node.args[0].value, str):
                yield Import(node.args[0].value, in_full=False)


def imported(path: Path) -> Iterator[str]:
    """The full names of what a file imports anywhere: that of a module, and that of what is named in it."""
    for module, name, _ in imports(path):
        yield module
        if name:
            yield f"{module}.{name}"


def packages_of_ours(names: Iterator[str]) -> set[str]:
    parts = (name.split(".") for name in names)
    return {part[1] for part in parts if part[0] == "realtape" and len(part) > 1}


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def in_full(path: Path) -> set[str]:
    """The packages that a file imports by their full names."""
    return {one.module.split(".")[0] for one in imports(path) if one.in_full}


def files_of(folder: str) -> list[Path]:
    return [path for path in FILES if path.relative_to(ROOT).parts[0] == folder]


def by_file(paths: list[Path], wrong: Callable[[Path], set[str]]) -> dict[str, set[str]]:
    """What is wrong in these files, for each in which something is."""
    assert paths
    return {named(path): found for path in paths if (found := wrong(path))}


def test_there_is_something_to_look_at():
    assert {path.relative_to(ROOT).parts[0] for path in FILES} == MAY_IMPORT.keys()
    found = set(imported(ROOT / "schema" / "entries.py"))
    assert {"dataclasses", "dataclasses.field", "uuid"} <= found


@pytest.mark.parametrize("path", MOVED)
def test_names_of_old_lead_to_the_new_ones(path: str):
    name = path.removesuffix(".py").replace("/", ".")
    old = importlib.import_module(f"realtape.{name}")
    new = importlib.import_module(f"realtape.{name}".replace(".replay.", ".lab."))
    assert all(getattr(old, one) is getattr(new, one) for one in new.__all__)
    assert not any(f"realtape.{name}" in needs for needs in modules().values())


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_imports_point_one_way(folder: str):
    may = MAY_IMPORT[folder] | {folder}
    assert by_file(files_of(folder), lambda path: packages_of_ours(imported(path)) - may) == {}


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_inside_the_packages_imports_are_relative(folder: str):
    """And a bare folder is a package of somebody else's."""
    assert by_file(files_of(folder), lambda path: in_full(path) & {"realtape", *MAY_IMPORT}) == {}


@pytest.mark.parametrize("door", FRONT_DOORS)
def test_packages_are_entered_by_their_front_doors(door: str):
    assert (ROOT / door.replace(".", "/") / "__init__.py").exists()
    outside = [path for path in FILES if not f"{named(path)}/".startswith(f"{door.replace('.', '/')}/")]
    for path in outside:
        further = {
            name.removeprefix("realtape.")
            for name in modules()[module_of(path)]
            if name.startswith(f"realtape.{door}.")
        }
        beyond = {name for name in further if not any(f"{name}.".startswith(f"{own}.") for own in OWN_DOORS)}
        assert beyond <= set(FRONT_DOORS), named(path)


@pytest.mark.parametrize("folder", BY_DOORS_ALONE)
def test_other_packages_are_entered_by_their_doors(folder: str):
    def further(path: Path) -> set[str]:
        entered = {name.removeprefix("realtape.") for name in modules()[module_of(path)]}
        others = {name for name in entered - set(MODULES_AS_DOORS) if name.split(".")[0] != folder}
        return {name for name in others if not (ROOT / name.replace(".", "/")).is_dir()}

    assert by_file(files_of(folder), further) == {}


def test_each_module_that_is_a_door_is_entered():
    entered = {
        name.removeprefix("realtape.")
        for path in FILES
        if named(path).startswith(BY_DOORS_ALONE)
        for name in modules()[module_of(path)]
        if name.split(".")[1] != path.relative_to(ROOT).parts[0]
    }
    assert set(MODULES_AS_DOORS) <= entered


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_the_sdk_is_imported_by_its_integration_and_the_demo_alone(folder: str):
    others = [path for path in files_of(folder) if not named(path).startswith(SDK_USERS)]
    assert by_file(others, lambda path: {name.split(".")[0] for name in imported(path)} & SDK) == {}


@pytest.mark.parametrize("folder", WITHIN_REPLAY)
def test_imports_within_replay_point_one_way(folder: str):
    files = sorted((ROOT / "replay" / folder).glob("*.py"))
    parts = [name.split(".") for path in files for name in imported(path)]
    found = {part[2] for part in parts if part[:2] == ["realtape", "replay"] and len(part) > 2}
    assert len(files) > 2
    assert found <= WITHIN_REPLAY[folder] | {folder}


@pytest.mark.parametrize("module", WITHOUT_IO)
def test_the_core_of_the_wire_has_no_io(module: str):
    found = set(imported(ROOT / "wire" / f"{module}.py"))
    assert not {name.split(".")[0] for name in found} & {"asyncio", "websockets", "socket", "time", "random"}
    assert "recorder" not in packages_of_ours(iter(found))
    within = {name.split(".")[2] for name in found if name.startswith("realtape.wire.")}
    assert within <= set(WITHOUT_IO)


def module_of(path: Path) -> str:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return f"realtape.{name.removesuffix('.__init__')}"


@functools.cache
def modules() -> dict[str, set[str]]:
    """Each module of ours, and those that it imports. (That Python runs the front doors above a module before
    it, is no import of ours. What a door exports is the door's, though a module be of the same name.)"""
    paths = {module_of(path): path for path in FILES}
    doors = {
        (name := module_of(path)): {one for base, one, _ in imports(path) if base != name}
        for path in FILES
        if path.stem == "__init__"
    }
    graph: dict[str, set[str]] = {}
    for name, path in paths.items():
        found = (
            full if (full := f"{base}.{one}") in paths and one not in doors.get(base, ()) else base
            for base, one, _ in imports(path)
        )
        graph[name] = {module for module in found if module in paths} - {name}
    return graph


def with_sub_packages_whole(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """The same with each sub-package, such as `replay.core`, as one thing."""

    def whole(name: str) -> str:
        above = ".".join(name.split(".")[:3])
        return above if (ROOT / Path(*above.split(".")[1:])).is_dir() else name

    merged: dict[str, set[str]] = {whole(name): set() for name in graph}
    for name, needs in graph.items():
        merged[whole(name)] |= {whole(need) for need in needs} - {whole(name)}
    return merged


def in_circles(graph: dict[str, set[str]]) -> set[str]:
    """The modules that import themselves in the end."""
    return {name for name in graph if name in reachable(graph, name)}


def reachable(graph: dict[str, set[str]], name: str) -> set[str]:
    seen, queue = set[str](), [name]
    while queue:
        new = graph[queue.pop()] - seen
        seen |= new
        queue += new
    return seen


def test_there_is_no_circle():
    graph = modules()
    assert in_circles(graph) | in_circles(with_sub_packages_whole(graph)) == set()


def test_circles_are_seen():
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set[str](), "e": {"a", "e"}}
    assert in_circles(graph) == {"b", "c", "e"}
    assert "realtape.schema.codec.decoding" in modules()["realtape.schema.codec.codec"]
    assert "realtape.session.fixture" in with_sub_packages_whole(modules())["realtape.session.recording"]
