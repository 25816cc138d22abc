"""What was learned of the calls whose cause a recording does not tell (`realtape learn`)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from ..schema.errors import UsageError

RUNS = 5
"""So often the recorded application is replayed to learn what it does by itself."""

MAX_NAME = 1000
"""Characters of an application's name."""

_KEYS = {"head", "app", "source", "runs", "reactions", "user"}
_DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Origins:
    """What was learned of a session: which calls without a cause are reactions, and which are the user's. It
    lies beside the entries, and not in their chain.

    Attributes:
        head: the last digest of the session that this is about, in hex; of any other it says nothing.
        app: `module:callable` of the application with which it was learned.
        source: of the file with its code: a SHA-256, in hex.
        runs: how often it was replayed.
        reactions: calls that came by themselves in each of them.
        user: calls of which somebody has said that the user made them.
    """

    head: str
    app: str
    source: str
    runs: int = RUNS
    reactions: frozenset[int] = frozenset()
    user: frozenset[int] = frozenset()

    def __str__(self) -> str:
        def named(numbers: frozenset[int]) -> str:
            return ", ".join(f"#{seq}" for seq in sorted(numbers)) or "none"

        how = f"learned with {self.app} ({self.source[:8]}) in {self.runs} runs"
        return f"{how}: reactions {named(self.reactions)}; the user's {named(self.user)}"

    def facts(self) -> dict[str, Any]:
        """As JSON shows it."""
        return {
            "head": self.head,
            "app": self.app,
            "source": self.source,
            "runs": self.runs,
            "reactions": sorted(self.reactions),
            "user": sorted(self.user),
        }

    def text(self) -> str:
        """As a store keeps it."""
        return json.dumps(self.facts(), separators=(",", ":"))

    @classmethod
    def of(cls, facts: Any) -> Origins:
        """What JSON says.

        Raises:
            ValueError: that is no such thing.
        """
        if type(facts) is not dict or cast("dict[str, Any]", facts).keys() != _KEYS:
            raise ValueError(f"not an object of {', '.join(sorted(_KEYS))}")
        told = cast("dict[str, Any]", facts)
        digests = (told["head"], told["source"])
        if any(type(one) is not str or _DIGEST.fullmatch(one) is None for one in digests):
            raise ValueError("head or source is not a digest")
        if type(told["app"]) is not str or len(told["app"]) > MAX_NAME:
            raise ValueError("app is not a name")
        if type(told["runs"]) is not int or told["runs"] < 1:
            raise ValueError("runs is not a number of runs")
        reactions, user = (_numbers(name, told[name]) for name in ("reactions", "user"))
        return cls(told["head"], told["app"], told["source"], told["runs"], reactions, user)

    @classmethod
    def of_text(cls, text: str) -> Origins:
        """What `text` wrote.

        Raises:
            ValueError: it did not.
        """
        return cls.of(json.loads(text))


def read_origins(path: Path) -> dict[str, Origins]:
    """What a file keeps that `write_origins` wrote, by the ids of sessions; nothing where there is none yet.

    Raises:
        UsageError: it cannot be read, or is something else.
    """
    try:
        facts = json.loads(path.read_bytes())
        if type(facts) is not dict:
            raise ValueError("not an object of sessions")
        return {id: Origins.of(told) for id, told in cast("dict[str, Any]", facts).items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path}: what was learned cannot be read ({error}); name another file") from error


def kept_of(kept: Mapping[str, Origins], session_id: str, last_digest: bytes) -> Origins | None:
    """What a file keeps of a session, if that is about this very chain."""
    found = kept.get(session_id)
    return found if found is not None and found.head == last_digest.hex() else None


def write_origins(path: Path, found: Mapping[str, Origins]) -> None:
    """Keep what was learned of sessions in a file, beside what it keeps of others: for a store that is only
    read. It is whole at any moment.

    Raises:
        UsageError: it cannot be written, or is something else.
    """
    kept = {id: one.facts() for id, one in sorted({**read_origins(path), **found}.items())}
    beside = path.with_name(f"{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror}); name another file") from error


def _numbers(name: str, value: Any) -> frozenset[int]:
    if type(value) is not list or any(type(one) is not int or one < 0 for one in cast("list[Any]", value)):
        raise ValueError(f"{name} is not a list of numbers of entries")
    return frozenset(cast("list[int]", value))
