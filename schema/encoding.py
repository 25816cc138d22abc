"""Values into payloads: a JSON tree in which everything that JSON lacks is a tagged object.

A tagged object has the key `$`, the name of its type; `docs/format.md` lists the tags. Bytes never
stay in the payload: they are handed to a `put`, and the payload holds the reference it answers.
No code of the recorded classes runs: no `repr`, no property, no `__reduce__`. Only what was
registered is asked: `to_state`, a describer, and the attributes of a registered dataclass.
"""

from __future__ import annotations

import enum
import gc
import types
from collections.abc import Callable
from typing import Any, cast

from pydantic import BaseModel

from .described import Described, RecordedError
from .errors import EncodingError
from .inspection import dict_get, dict_items, field_values, instance_dict, is_a, label, qualified
from .plain import BASE64_KEYS, BASES, PlainEncoding, Reference
from .raised import attributes, constructor_arguments, notes, origin, text_of
from .vocabulary import Vocabulary, Word


class Encoding(PlainEncoding):
    """One value on its way into a payload.

    Args:
        vocabulary: which classes have names.
        put: stores bytes, answers where.
    """

    def __init__(self, vocabulary: Vocabulary, put: Callable[[bytes], Reference]) -> None:
        super().__init__(put)
        self._vocabulary = vocabulary

    def payload_tree(self, value: Any) -> Any:
        """The whole value, as a tree that `to_json` writes.

        Raises:
            EncodingError: nested too deep, too large, or changed by another thread meanwhile.
        """
        tree = self.tree(value)
        self.spend(0, 0)
        return tree

    def _object(self, cls: type[Any], value: Any) -> Any:
        word = self._vocabulary.word_for(cls)
        if word is not None:
            return self._registered(word, value)
        # Made with something else than texts, they are no more than any other value.
        if cls is Described and type(value.name) is str:
            return self.described(value.name, value.value)
        if cls is RecordedError and _is_whole(value):
            return self._recorded_error(value)
        return self._unregistered(cls, value)

    # --- registered classes -------------------------------------------------------------------

    def _registered(self, word: Word, value: Any) -> Any:
        tree: dict[str, Any] = {"$": word.name}
        if word.version > 1:
            tree["$v"] = word.version
        if word.shape == "dataclass":
            self._fields(tree, word.fields, value)
        elif word.shape == "model":
            self._model(tree, word.fields, value)
        elif word.shape == "exception":
            self._exception(tree, value, word)
        elif word.shape == "enum":
            # A member by its name; of flags, a combination by its value.
            if value._name_ in cast("Any", type(value)).__members__:
                tree["member"] = value._name_
            else:
                tree["value"] = self.tree(value._value_)
        else:
            state = _state(word, value)
            if state is None:
                return self.mark(word.name, None)
            self.spend(1 + len(state), 0)
            for name, item in state.items():
                if name.startswith("$"):
                    raise EncodingError(f"{word.name}: its state names {name!r}, and `$` is reserved")
                tree[name] = self.tree(item)
        return tree

    def _fields(self, tree: dict[str, Any], fields: tuple[str, ...], value: Any) -> None:
        self._count += len(fields)
        for name in fields:
            try:
                item = getattr(value, name)
            except AttributeError:
                continue  # a field that was never set stays unset
            tree[name] = item if item is None else self.tree(item)

    def _model(self, tree: dict[str, Any], fields: tuple[str, ...], value: BaseModel) -> None:
        state = value.__dict__  # holds cached properties, too
        self._count += len(fields)
        recorded: set[str] = set()
        for name in fields:
            if name in state:
                item = state[name]
                recorded.add(name)
                base64 = name in BASE64_KEYS and type(item) is str
                tree[name] = self.base64(item) if base64 else self.tree(item)
        extra = value.__pydantic_extra__ or {}
        recorded.update(extra)
        if value.__pydantic_fields_set__ != recorded:
            tree["$set"] = sorted(value.__pydantic_fields_set__)
        if extra:
            tree["$extra"] = self.tree(extra)
        private = value.__pydantic_private__
        if private:
            declared = value.__private_attributes__
            told = {name: item for name, item in private.items() if not _is_default(declared.get(name), item)}
            if told:
                tree["$private"] = self.tree(told)

    # --- unknown classes ----------------------------------------------------------------------

    def _unregistered(self, cls: type[Any], value: Any) -> Any:
        describer = self._vocabulary.describer_for(cls)
        if describer is not None:
            name, describe = describer
            try:
                description = describe(value)
            except Exception:  # noqa: BLE001 - the rest of the payload is worth more
                description = None
            return self.described(name, description)
        if is_a(cls, BaseException):
            return self._exception({"$": "recorded_error", "name": qualified(cls)}, value, None)
        if is_a(cls, BaseModel):
            return self.described(qualified(cls), _model_values(value))
        fields = field_values(value)
        if fields is not None:
            return self.described(qualified(cls), fields)
        if is_a(cls, enum.Enum):
            return self.described(qualified(cls), dict_get(instance_dict(value), "_value_"))
        for base, method in BASES:
            if is_a(cls, base):
                return self.mark(qualified(cls), method(self, value))
        if cls is types.MappingProxyType:
            (mapping,) = gc.get_referents(value)  # past what the mapping itself may define
            return self.described(qualified(cls), mapping if type(mapping) is dict else None)
        return self.described(label(value), None)

    # --- exceptions ---------------------------------------------------------------------------

    def _exception(self, tree: dict[str, Any], error: BaseException, word: Word | None) -> Any:
        text = self._text_of(error)
        self.spend(1, len(text))
        # Whoever does not know the name knows by its text that it was an exception.
        tree["text" if word is None else "$text"] = text
        if word is None:
            self.lossy = True
        if word is not None and word.to_state is not None:
            state = _state(word, error)
            self.lossy = self.lossy or state is None
        else:
            tree["args"] = self.sequence(constructor_arguments(error))
            state = attributes(error)
        return self._told(tree, error, state)

    def _recorded_error(self, error: RecordedError) -> Any:
        self.lossy = True
        self.spend(1, len(error.name) + len(error.text))
        tree: dict[str, Any] = {"$": "recorded_error", "name": error.name, "text": error.text}
        tree["args"] = self.items(error.args[2:])
        return self._told(tree, error, error.state)

    def _told(self, tree: dict[str, Any], error: BaseException, state: Any) -> Any:
        """What every exception has: its attributes, its notes, and where it came from."""
        if state:
            tree["state"] = self.tree(state)
        told = notes(error)
        if told is not None:
            tree["notes"] = self.tree(told)
        for key, item in origin(error, self._told_of).items():
            tree[key] = self.tree(item)
        return tree

    def _told_of(self, error: BaseException) -> dict[str, str]:
        cls = type(error)
        word = self._vocabulary.word_for(cls)
        return {"name": word.name if word is not None else qualified(cls), "text": self._text_of(error)}

    def _text_of(self, error: BaseException) -> str:
        word = self._vocabulary.word_for(type(error))
        # What `to_state` leaves out may be private.
        return text_of(error) if word is None or word.to_state is None else ""


def _is_default(attribute: Any, item: Any) -> bool:
    return attribute is not None and item is attribute.default


def _state(word: Word, value: Any) -> dict[str, Any] | None:
    """What the registered `to_state` answers; None if it raised."""
    assert word.to_state is not None
    try:
        return dict(word.to_state(value))
    except Exception:  # noqa: BLE001 - the rest of the payload is worth more
        return None


def _is_whole(error: RecordedError) -> bool:
    own = instance_dict(error)
    expected = {"name": str, "text": str, "state": dict}
    return all(type(dict_get(own, name)) is cls for name, cls in expected.items())


def _model_values(value: Any) -> dict[Any, Any]:
    """The fields of a model of an unknown class; not its private attributes."""
    try:
        extra: Any = vars(BaseModel)["__pydantic_extra__"].__get__(value)
    except AttributeError:
        extra = None
    values = dict(dict_items(instance_dict(value)))
    if type(extra) is dict:
        values.update(cast("dict[Any, Any]", extra))
    return values
