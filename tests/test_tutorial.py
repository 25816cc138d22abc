"""`docs/tutorial.md` does what it says: its files are written, its commands run, their output is compared.

A `…` in an output stands for anything on that line; alone on a line, for any number of lines.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent / "docs" / "tutorial.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def is_as_told(expected: str, output: str) -> bool:
    """Whether an output is what the page has, but for blanks."""
    wanted, lines = ([" ".join(line.split()) for line in text.splitlines()] for text in (expected, output))
    reached = {0}  # how many lines of the output may be told so far
    for line in wanted:
        if line == "…":
            reached = set(range(min(reached, default=len(lines) + 1), len(lines) + 1))
        else:
            told = re.compile(".*".join(re.escape(piece.strip()) for piece in line.split("…")))
            reached = {n + 1 for n in reached if n < len(lines) and told.fullmatch(lines[n])}
    return len(lines) in reached


def commands(block: str) -> list[tuple[str, str]]:
    """The commands of a console block, each with its output."""
    found = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    return [(one.partition("\n")[0], one.partition("\n")[2]) for one in found]


def patch(folder: Path, block: str) -> None:
    """Apply a diff: lines that go and that stay are found in the file, as they are."""
    name, _, body = block.partition("\n")
    path = folder / name.removeprefix("# ")
    lines = body.splitlines(keepends=True)
    before = "".join(line[1:] for line in lines if line[0] in "- ")
    after = "".join(line[1:] for line in lines if line[0] in "+ ")
    assert path.read_text().count(before) == 1, f"{path.name} holds this not once:\n{before}"
    path.write_text(path.read_text().replace(before, after))


@pytest.mark.timeout(900)
def test_the_tutorial_is_as_it_says(tmp_path: Path) -> None:
    ini = "[pytest]\nasyncio_default_fixture_loop_scope = function\n"
    (tmp_path / "pytest.ini").write_text(ini)  # of the suite around, which has a plugin more
    bin_ = Path(sys.executable).parent
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("REALTAPE", "PYTEST"))},
        "PATH": f"{bin_}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": "",
        "OPENAI_AGENTS_DISABLE_TRACING": "1",
    }
    ran = 0
    for kind, block in BLOCK.findall(PAGE.read_text()):
        if kind == "python":
            name = block.partition("\n")[0].removeprefix("# ")
            (tmp_path / name).write_text(block)
        elif kind == "diff":
            patch(tmp_path, block)
        else:
            assert kind == "console", f"a block of {kind} does nothing"
            for command, expected in commands(block):
                done = subprocess.run(
                    command,
                    shell=True,
                    cwd=tmp_path,
                    env=environment,
                    capture_output=True,
                    text=True,
                    timeout=300,
                    check=False,
                )
                told = f"$ {command}\n{done.stdout}{done.stderr}"
                assert is_as_told(expected, done.stdout), f"not what the page says:\n{told}"
                ran += 1
    assert ran == 11
