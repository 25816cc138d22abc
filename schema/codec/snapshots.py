"""Snapshots: values as they are now, taken in the time that an event loop can spare.

Nobody can change what a snapshot holds, so another thread makes the payload of it, later. Of what is
plain it holds the immutable parts themselves: the fields of a registered dataclass, a flat dictionary's copy.
What is nested is copied by `marshal`: whole, in one step of the interpreter, and as one object for the
garbage collector. Everything else (exceptions, models, classes that nobody registered, buffers) is looked at
at once, by `Encoding`: what it makes of it is a tree of its own.
"""

from __future__ import annotations

import marshal
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from ..errors import EncodingError
from .encoding import MAX_DEPTH, MAX_SIZE, MAX_VALUES, Encoding
from .inspection import qualified
from .vocabulary import Vocabulary

PLAIN, FIELDS, TREE, TEXT = 0, 1, 2, 3
"""Forms of a snapshot: a plain value, written by `marshal`; the same of a registered dataclass: its identity,
and its fields; a tree that was made at once; a payload that is finished. Any other form is the identity of a
registered dataclass, whose fields are held; inverted (`~`), where the first of them is a flat dictionary."""

_class_of: Callable[[Any], type[Any]] = type
_ATOMS = frozenset({int, type(None), bool, float})
_MARSHAL = 2  # the last version that writes everything where it stands, and looks for nothing twice
_VALUE_COST = MAX_SIZE // MAX_VALUES


Snapshot = tuple[int, int, dict[str, Any] | None, tuple[Any, ...]]
"""A value as it was: its form; how much it holds, in characters and bytes; the flat dictionary that is its
first field, or None; and its other fields, or the one thing that is held: bytes that `marshal` wrote, a
`Tree`, or a text. The dictionary is apart, for no garbage collector ever forgets a tuple that holds one."""


class Tree(NamedTuple):
    """What `Encoding` made of a value at once.

    Attributes:
        tree: as a payload holds it, but for the places of its bytes.
        blanks: the lists in it that are to be filled in with a place, each with the bytes that go there.
        lossy: a value of an unknown class was kept as a description.
        cls: the value's class.
    """

    tree: Any
    blanks: list[tuple[list[int], bytes]]
    lossy: bool
    cls: type[Any]


class Snapshots:
    """Takes snapshots. Safe from any thread.

    Args:
        vocabulary: which classes have names.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._words = vocabulary.by_class

    def take(self, value: Any) -> Snapshot:
        """A value as it is now.

        Raises no `EncodingError`: of what cannot be encoded, the snapshot says so.
        """
        form = id(_class_of(value))
        word = self._words.get(form)
        if word is None:
            return self._marshalled(PLAIN, value, value)
        if word.getter is None:
            return self._at_once(value)
        try:
            held = word.getter(value)
        except Exception:  # noqa: BLE001 - a field that was never set, or one that is no plain attribute
            return self._at_once(value)
        size, first, flat = 0, held[0], None
        if _class_of(first) is dict:
            flat = first.copy()  # in one step, whatever other threads do to it
            for key, item in flat.items():
                cls = _class_of(item)
                if cls is str:
                    size += len(item)
                elif cls is not int and item is not None and cls is not bool:
                    return self._marshalled(FIELDS, (form, held), value)
                if type(key) is not str:
                    return self._marshalled(FIELDS, (form, held), value)
            held, form = held[1:], ~form
        for item in held:
            cls = _class_of(item)
            if cls is str or cls is bytes:
                size += len(item)
            elif cls not in _ATOMS:
                if flat is not None:
                    held, form = (flat, *held), ~form
                return self._marshalled(FIELDS, (form, held), value)
        return form, size, flat, held

    def class_of(self, snapshot: Snapshot) -> type[Any]:
        """The class of the value that a snapshot was taken of."""
        form, _, _, held = snapshot
        if form == TREE:
            return held[0].cls
        if form in (PLAIN, TEXT):
            value: Any = marshal.loads(held[0]) if form == PLAIN else held[0]
            return _class_of(value)
        return self._words[fields_of(snapshot)[0]].cls

    def _marshalled(self, form: int, held: Any, value: Any) -> Snapshot:
        try:
            _measured(held if form == FIELDS else (held,), 0, 0)
            data = marshal.dumps(held, _MARSHAL)
        except (RuntimeError, ValueError):  # not plain, or another thread is changing it
            return self._at_once(value)
        return form, len(data), None, (data,)

    def _at_once(self, value: Any) -> Snapshot:
        cls = _class_of(value)
        encoding = Encoding(self._vocabulary)
        try:
            tree = encoding.payload_tree(value)
        except Exception as error:  # noqa: BLE001 - the value is the application's, and may do anything
            return TREE, _VALUE_COST, None, (Tree(unrecordable(cls, error), [], True, cls),)
        return TREE, encoding.weight, None, (Tree(tree, encoding.blanks, encoding.lossy, cls),)


def fields_of(snapshot: Snapshot) -> tuple[int, tuple[Any, ...]]:
    """The identity of the dataclass of which a snapshot holds the fields, and these."""
    form, _, flat, held = snapshot
    if form == FIELDS:
        return marshal.loads(held[0])
    return (form, held) if flat is None else (~form, (flat, *held))


def _measured(items: Iterable[Any], total: int, depth: int) -> int:
    """How large plain values are, beyond `total`.

    Raises:
        ValueError: one of them is not plain, is nested too deep, or they are too large.
    """
    if total > MAX_SIZE or depth > MAX_DEPTH:
        raise ValueError("too large")
    for item in items:
        kind = _class_of(item)
        if kind is str or kind is bytes:
            total += len(item)
        elif kind is dict:
            total = _measured(item, total + _VALUE_COST * len(item), depth + 1)
            total = _measured(item.values(), total, depth + 1)
        elif kind is list or kind is tuple:
            total = _measured(item, total + _VALUE_COST * len(item), depth + 1)
        elif kind is not int and item is not None and kind is not bool and kind is not float:
            raise ValueError("not plain")
    if total > MAX_SIZE:
        raise ValueError("too large")
    return total


def unrecordable(cls: type[Any], error: Exception) -> dict[str, Any]:
    """What stands for a value of this class that cannot be encoded."""
    if isinstance(error, EncodingError) and error.__cause__ is None:
        reason = str(error)
    elif isinstance(error, RecursionError):  # the caller's stack is nearly used up
        reason = "nested too deep for what is left of this thread's stack"
    else:
        # Of what a redactor or a describer raised only the name: its text may quote the value.
        reason = type(error.__cause__ or error).__name__
    return {"unrecordable": {"name": qualified(cls), "error": reason}}
