"""Fields that the classes of the replaying side have, and those of the recording side lacked: what they
would have held nobody knows, so they match anything."""

from __future__ import annotations

from typing import Any, cast

from ...schema.codec import Vocabulary, from_json
from .field_paths import FoundField


class AbsentFields:
    """Learned from the payloads as they lie in the log, a class at a time: one release wrote them all.

    Args:
        vocabulary: of the replaying side.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._fields: dict[str, frozenset[str]] = {}  # those that were absent, by the name of a class
        self._sound: str | None = None
        self.any = False

    def learn(self, payload: str) -> None:
        """A recorded payload comes in."""
        try:
            self._learn(from_json(payload))
        except ValueError:  # it is told as such where it is decoded
            return

    def take_out(self, tree: Any) -> None:
        """Take the fields out of a payload's tree, in place."""
        if isinstance(tree, list):
            for item in cast("list[Any]", tree):
                self.take_out(item)
        elif isinstance(tree, dict):
            facts = cast("dict[str, Any]", tree)
            for name in self._fields.get(str(facts.get("$")), frozenset()) & facts.keys():
                FoundField(facts, name, (name,)).remove()
            for item in facts.values():
                self.take_out(item)

    def _learn(self, tree: Any) -> None:
        if isinstance(tree, list):
            for item in cast("list[Any]", tree):
                self._learn(item)
        elif isinstance(tree, dict):
            facts = cast("dict[str, Any]", tree)
            name = facts.get("$")
            if isinstance(name, str) and name not in self._fields:
                self._fields[name] = self._absent(name, facts)
                self.any = self.any or bool(self._fields[name])
            for item in facts.values():
                self._learn(item)

    def _absent(self, name: str, facts: dict[str, Any]) -> frozenset[str]:
        word = self._vocabulary.word_named(name)
        if word is None or word.shape not in ("dataclass", "model") or facts.get("$v", 1) != word.version:
            return frozenset()
        extra = facts.get("$extra")
        return word.field_names - facts.keys() - (extra.keys() if isinstance(extra, dict) else set())
