"""The pytest plugin: `@pytest.mark.realtape` and the fixture `realtape`; see `docs/pytest.md`.

pytest loads it in every suite of an environment where Realtape is installed. So nothing of Realtape is
imported before a test asks for the fixture, and all hooks that cost anything are in `hooks.py`, which pytest
imports once such a test was collected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .fixture import Realtape

__all__ = ["Realtape"]


def __getattr__(name: str) -> Any:
    if name == "Realtape":
        from .fixture import Realtape

        return Realtape
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
