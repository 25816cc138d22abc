"""Generated sessions: the name that `realtape.lab.strategies` had."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    return getattr(import_module("realtape.lab.strategies"), name)
