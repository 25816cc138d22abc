"""The pages tell the truth: files that they name exist, and so do the targets of `make`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
_FILE = re.compile(r"`([\w./-]+/[\w.-]*|[\w-]+\.(?:md|toml|py))`")
_LINK = re.compile(r"\]\(([^)#:]+)\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text()
    named = [name for name in _FILE.findall(text) if not name.startswith(("/", "audio/", "bytes/"))]
    missing = [name for name in named if not (ROOT / name).exists() and not list(ROOT.glob(f"*/{name}"))]
    assert not missing
    assert not [link for link in _LINK.findall(text) if not (page.parent / link).exists()]


def test_every_make_target_that_a_page_names_exists() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        for target in re.findall(r"make ([a-z][\w-]*)", page.read_text()):
            assert target in targets, f"{page.name} names `make {target}`"


def test_the_pythons_that_are_claimed_are_those_that_are_tried() -> None:
    """The Makefile takes them from the classifiers."""
    named = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', (ROOT / "pyproject.toml").read_text())
    assert f"Python {named[0]} to {named[-1]}," in (ROOT / "README.md").read_text()
    assert [int(version.split(".")[1]) for version in named] == list(range(11, 11 + len(named)))
    assert f'requires-python = ">={named[0]}"' in (ROOT / "pyproject.toml").read_text()
    assert f"{sys.version_info[0]}.{sys.version_info[1]}" in named, "a Python that we do not name"
