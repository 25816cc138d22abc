"""An environment with this checkout for another Python, made when a test first asks for it, and kept."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


def python_of(version: str) -> Path:
    """The interpreter of an environment in `build/`, with the same releases as here; skips the test
    where there is no such Python, or where it is the one that runs.

    Args:
        version: `3.13`, for instance.

    Raises:
        subprocess.CalledProcessError: pip could not install; what it said is on stderr.
    """
    if sys.version_info[:2] == tuple(map(int, version.split("."))):
        pytest.skip(f"this is Python {version} already")
    base = next(_interpreters(version), None)
    if base is None:
        pytest.skip(f"there is no Python {version} on this machine")
    home = REPOSITORY / "build" / f"python{version}"
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    same = "\n".join(sorted(_releases()))
    ready, made_of = home / ".ready", _made_of(base, same)
    if not ready.exists() or ready.read_text() != made_of:
        subprocess.run([base, "-m", "venv", "--clear", "--without-pip", home], check=True)
        constraints = home / "constraints.txt"
        constraints.write_text(same)
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "--python", python]
        wanted = ["--constraint", constraints, "--editable", f"{REPOSITORY}[openai-agents,testing]"]
        subprocess.run([*pip, "install", "--no-compile", *wanted], check=True)
        ready.write_text(made_of)
    return python


def _interpreters(version: str) -> Iterator[str]:
    """Those that run: on the path, or beside the one that runs here, as pyenv keeps them."""
    name = f"python{version}"
    roots = [Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"]
    found = [shutil.which(name), *(str(one) for root in roots for one in root.glob(f"{version}*/bin/{name}"))]
    for candidate in found:
        if candidate is None:
            continue
        told = subprocess.run([candidate, "--version"], capture_output=True, text=True, check=False)
        if told.returncode == 0 and told.stdout.startswith(f"Python {version}."):
            yield candidate


def _releases() -> Iterator[str]:
    for distribution in distributions():
        name = distribution.metadata["Name"]
        if name.lower() not in ("realtape", "pip", "setuptools"):
            yield f"{name}=={distribution.version}"


def _made_of(base: str, same: str) -> str:
    settings = (REPOSITORY / "pyproject.toml").read_bytes()
    return f"{base} {hashlib.sha256(settings + same.encode()).hexdigest()}"
