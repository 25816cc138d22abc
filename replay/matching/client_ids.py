"""Ids that the client mints: fresh in every run, so recorded and live ones are mapped to each other.

The core learns a pair (recorded, live) when a live send matches a recorded one but for such ids.
From then on live sends that refer to the live id compare as if they named the recorded one, and
events that name the recorded id are delivered with the live one.
"""

from __future__ import annotations

import copy
import dataclasses
import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any, cast

from pydantic import BaseModel

from .field_paths import FieldPath, shown

CLIENT_IDS: Mapping[str, tuple[str, ...]] = {
    "send_raw_message": (
        "message.event_id",
        "message.other_data.event_id",
        "message.other_data.item.id",  # conversation.item.create
        "message.other_data.response.metadata.*client*",  # LiveKit: client_event_id
    ),
}
"""Type → the fields in which a client may mint an id. More are given as `client_ids=` of the same form."""

REFERENCES = ("id", "*_id", "*_ids")
"""Names of the fields in which a minted id may turn up again, sent or received; and the last names
of the fields above."""

MAX_IDS = 65536
"""So many ids of each sort are remembered; then the oldest are forgotten."""

Minted = tuple[tuple[str, str], ...]
"""(path, id) for each id that was minted in one send."""

_RECEIVED_ID = re.compile(r'"(?!event_id")(?:\w*_)?id":"([^"\\]+)"')


class ClientIds:
    """The ids of one connection. What it keeps is a bijection.

    Args:
        more: fields beyond CLIENT_IDS in which the application's client mints ids.
    """

    def __init__(self, more: Mapping[str, Iterable[str]] | None = None) -> None:
        self._fields: dict[str, list[FieldPath]] = {}
        for table in (CLIENT_IDS, more or {}):
            for type, paths in table.items():
                mine = self._fields.setdefault(type, [])
                mine += [FieldPath.read(path) for path in ([paths] if isinstance(paths, str) else paths)]
        last = [path.last_name for paths in self._fields.values() for path in paths]
        self._names = (*REFERENCES, *dict.fromkeys(name for name in last if name))
        self._refers: dict[str, bool] = {}
        self._received: dict[str, None] = {}  # ids that were first seen in received events
        self._minted: dict[str, None] = {}  # recorded ids that were first seen in sends
        self._live_of: dict[str, str] = {}
        self._recorded_of: dict[str, str] = {}
        self._renamed: dict[str, str] = {}  # those of `_live_of` that differ
        self.renames = False

    @property
    def pairs(self) -> dict[str, str]:
        """Recorded id → live id."""
        return dict(self._live_of)

    @property
    def minting_types(self) -> frozenset[str]:
        """Types of sends that may mint ids."""
        return frozenset(self._fields)

    # --- learning -------------------------------------------------------------------------------------

    def received(self, payload: str) -> None:
        """A recorded event: what it names first is the server's, whoever repeats it."""
        for name in _RECEIVED_ID.findall(payload):
            if name not in self._received and name not in self._minted:
                _remember(self._received, name, None)

    def take_out(self, type: str | None, tree: Any, *, recorded: bool) -> Minted:
        """Put one and the same mark in the place of each id that the client minted; returns the ids."""
        minted: list[tuple[str, str]] = []
        for path in self._fields.get(type or "", ()):
            for found in path.find(tree):
                name = found.value
                if not isinstance(name, str) or name in self._received:
                    continue
                minted.append((shown(found.path), name))
                found.put({"$": "minted"})
                if recorded:
                    _remember(self._minted, name, None)
        return tuple(minted)

    def agree(self, recorded: Minted, live: Minted) -> bool:
        """Whether the live ids may stand for the recorded ones: none stands for another already."""
        if [path for path, _ in recorded] != [path for path, _ in live]:
            return False
        forth: dict[str, str] = {}
        back: dict[str, str] = {}
        for (_, theirs), (_, ours) in zip(recorded, live, strict=True):
            if self._live_of.get(theirs, ours) != ours or self._recorded_of.get(ours, theirs) != theirs:
                return False
            if forth.setdefault(theirs, ours) != ours or back.setdefault(ours, theirs) != theirs:
                return False
        return True

    def learn(self, recorded: Minted, live: Minted) -> None:
        """A live send matched a recorded one, and they agree."""
        for (_, theirs), (_, ours) in zip(recorded, live, strict=True):
            if theirs in self._live_of:
                continue
            _remember(self._live_of, theirs, ours)
            self._recorded_of[ours] = theirs
            if theirs != ours:
                self._renamed[theirs] = ours
            while len(self._recorded_of) > len(self._live_of):
                oldest = next(iter(self._recorded_of))
                self._renamed.pop(self._recorded_of.pop(oldest), None)
        self.renames = bool(self._renamed)

    # --- replacing ------------------------------------------------------------------------------------

    def as_recorded(self, tree: Any) -> Any:
        """A live payload's tree with the recorded ids in the place of the live ones."""
        return _Replacing(self._recorded_of, self._is_reference).of(tree, refers=False)

    def live_value(self, value: Any) -> Any:
        """A recorded value with the live ids in the place of the recorded ones: the value itself, if it
        names none; else a copy of what has to be another. The recorded value stays as it is."""
        if not self._renamed:
            return value
        return _Replacing(self._renamed, self._is_reference).of(value, refers=False)

    def _is_reference(self, name: Any) -> bool:
        if not isinstance(name, str):
            return False
        known = self._refers.get(name)
        if known is None:
            known = any(fnmatchcase(name, pattern) for pattern in self._names)
            _remember(self._refers, name, known)
        return known


class _Replacing:
    """Replaces texts where a field's name says that it is an id; copies only what changes."""

    def __init__(self, names: Mapping[str, str], is_reference: Any) -> None:
        self._names = names
        self._is_reference = is_reference

    def of(self, value: Any, *, refers: bool) -> Any:
        if isinstance(value, str):
            return self._names.get(value, value) if refers else value
        if isinstance(value, dict):
            facts = cast("dict[Any, Any]", value)
            changed = self._changed(facts.items(), refers)
            return {**facts, **changed} if changed else facts
        if type(value) in (list, tuple):
            items = [self.of(item, refers=refers) for item in value]
            same = all(new is old for new, old in zip(items, value, strict=True))
            return value if same else type(value)(items)
        if isinstance(value, BaseModel):
            return self._model(value)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            names = [field.name for field in dataclasses.fields(value) if hasattr(value, field.name)]
            changed = self._changed([(name, getattr(value, name)) for name in names], refers=False)
            twin = copy.copy(value) if changed else value
            for name, item in changed.items():
                object.__setattr__(twin, name, item)  # also where it is frozen
            return twin
        return value

    def _changed(self, fields: Iterable[tuple[Any, Any]], refers: bool) -> dict[Any, Any]:
        """Fields whose value becomes another. In a list of `…_ids`, every text is an id."""
        changed: dict[Any, Any] = {}
        for name, item in fields:
            new = self.of(item, refers=self._is_reference(name) or (refers and name == "items"))
            if new is not item:
                changed[name] = new
        return changed

    def _model(self, value: BaseModel) -> BaseModel:
        fields = self._changed(value.__dict__.items(), refers=False)
        extra = self._changed((value.__pydantic_extra__ or {}).items(), refers=False)
        if not fields and not extra:
            return value
        twin = copy.copy(value)  # which fields were given stays as it was
        vars(twin).update(fields)
        if extra and twin.__pydantic_extra__ is not None:
            twin.__pydantic_extra__.update(extra)
        return twin


def _remember(known: dict[str, Any], name: str, value: Any) -> None:
    known[name] = value
    if len(known) > MAX_IDS:
        del known[next(iter(known))]
