"""Virtual environments with other releases of the SDK, made when a test first asks for one, and kept."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
RELEASES = REPOSITORY / "build" / "releases"


def python_with(release: str) -> Path:
    """The interpreter of an environment with that release of openai-agents and this checkout.

    An environment is made once, in `build/releases`, which takes pip some twenty seconds, and made
    anew where `pyproject.toml` or the interpreter has changed.

    Raises:
        subprocess.CalledProcessError: pip could not install it; what it said is on stderr.
    """
    home = RELEASES / release
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    ready = home / ".ready"
    made_of = _made_of(release)
    if ready.exists() and ready.read_text() == made_of:
        return python
    venv.create(home, clear=True)
    # Our own pip installs into it: an environment without one is made five seconds sooner.
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "--python", str(python)]
    wanted = [f"openai-agents=={release}", "--editable", str(REPOSITORY)]
    subprocess.run([*pip, "install", "--no-compile", *wanted], check=True)
    ready.write_text(made_of)
    return python


def _made_of(release: str) -> str:
    settings = (REPOSITORY / "pyproject.toml").read_bytes()
    return f"{release} {sys.version} {hashlib.sha256(settings).hexdigest()}"
