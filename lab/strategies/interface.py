"""`Interface`: the classes of a vocabulary by the names that a log knows them by."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

from pydantic import BaseModel

from ...schema.errors import UsageError
from ...schema.vocabulary import Vocabulary


class Interface:
    """Makes events and items in the classes of a vocabulary: ours, or the SDK's.

    Args:
        vocabulary: which has the interface's names.

    Attributes:
        vocabulary: the same.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary

    def find(self, name: str) -> type[Any] | None:
        """The class, or None where this vocabulary (an older release of the SDK) has none."""
        word = self.vocabulary.word_named(name)
        return None if word is None else word.cls

    def fields(self, name: str) -> tuple[str, ...]:
        """The names of the fields that the class has here."""
        cls = self._class(name)
        if issubclass(cls, BaseModel):
            return tuple(cls.model_fields)
        if dataclasses.is_dataclass(cls):
            return tuple(field.name for field in dataclasses.fields(cls))
        return ()

    def make(self, name: str, /, **fields: Any) -> Any:
        """An instance with those of the fields that the class has here; of a model, with all of them.

        Raises:
            UsageError: the vocabulary has no such name.
        """
        cls = self._class(name)
        if not issubclass(cls, BaseModel):
            known = self.fields(name)
            fields = {field: value for field, value in fields.items() if field in known}
        return cast("Any", cls)(**fields)

    def _class(self, name: str) -> type[Any]:
        cls = self.find(name)
        if cls is None:
            raise UsageError(f"the vocabulary has no {name!r}: give one of a realtime interface")
        return cls
