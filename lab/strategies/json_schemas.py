"""Values that fit a JSON schema, as far as tools use schemas.

hypothesis-jsonschema, which knows all of JSON schema, does not run with today's hypothesis: 0.23.1, of 2024,
calls what these have not. The schemas of tools are those that pydantic makes of a function's arguments,
or that somebody has written for a model: objects, arrays, enumerations, unions, references, and bounds.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from typing import Any, cast

from hypothesis import strategies as st

from ...schema.errors import UsageError
from ...session.fields import mapping, sequence

MAX_ITEMS = 5
"""Of an array, or characters of a text, where the schema says no more."""

_TYPES = ("object", "array", "string", "integer", "number", "boolean", "null")
_ANNOTATIONS = {
    *("title", "description", "default", "examples", "$defs", "definitions", "$schema", "$id", "deprecated"),
    *("readOnly", "writeOnly", "strict", "$comment"),
}
_READ = {
    *("type", "enum", "const", "anyOf", "oneOf", "$ref"),
    *("properties", "required", "additionalProperties"),
    *("items", "prefixItems", "minItems", "maxItems", "uniqueItems"),
    *("minLength", "maxLength", "pattern", "format"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}

_FORMATS: Mapping[str, st.SearchStrategy[str]] = {
    "date": st.dates().map(str),
    "date-time": st.datetimes().map(lambda at: f"{at.isoformat()}Z"),
    "time": st.times().map(lambda at: f"{at.isoformat()}Z"),
    "uuid": st.uuids().map(str),
    "email": st.emails(),
}


def fitting(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Values that fit a schema, as JSON has them.

    Raises:
        UsageError: the schema says something that this does not know; name values of your own.
    """
    return _fitting(schema, schema)


def _fitting(schema: Any, root: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    if schema is True or schema == {}:
        return _anything()
    facts = mapping(schema)
    unknown = facts.keys() - _READ - _ANNOTATIONS
    if unknown or not facts:
        what = ", ".join(sorted(unknown)) or repr(schema)
        raise UsageError(
            f"of a tool's schema, {what} is not known here: give values of your own "
            "(SessionMachine.tool_arguments)"
        )
    if "$ref" in facts:
        return st.deferred(lambda: _fitting(_referred(str(facts["$ref"]), root), root))
    if "const" in facts:
        return st.just(facts["const"])
    if "enum" in facts:
        return st.sampled_from(sequence(facts["enum"]))
    for name in ("anyOf", "oneOf"):
        if name in facts:
            return st.one_of([_fitting(one, root) for one in sequence(facts[name])])
    told = facts.get("type", "object" if "properties" in facts else None)
    types = [told] if isinstance(told, str) else sequence(told) or list(_TYPES)
    return st.one_of([_MADE[type](facts, root) for type in types if type in _MADE])


def _referred(reference: str, root: Mapping[str, Any]) -> Any:
    found: Any = root
    for name in reference.removeprefix("#").strip("/").split("/"):
        found = mapping(found).get(name.replace("~1", "/").replace("~0", "~"))
    if found is None:
        raise UsageError(f"a tool's schema refers to {reference}, which is not in it")
    return found


def _object(facts: Mapping[str, Any], root: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    properties = {name: _fitting(one, root) for name, one in mapping(facts.get("properties")).items()}
    required = set(sequence(facts.get("required")))
    for name in required - properties.keys():
        properties[name] = _anything()
    optional = {name: one for name, one in properties.items() if name not in required}
    return st.fixed_dictionaries(
        {name: one for name, one in properties.items() if name in required}, optional=optional
    )


def _array(facts: Mapping[str, Any], root: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    fixed = [_fitting(one, root) for one in sequence(facts.get("prefixItems"))]
    if fixed:
        return st.tuples(*fixed).map(list)
    least = int(facts.get("minItems", 0))
    most = int(facts.get("maxItems", least + MAX_ITEMS))
    unique = repr if facts.get("uniqueItems") else None
    return st.lists(_fitting(facts.get("items", True), root), min_size=least, max_size=most, unique_by=unique)


def _string(facts: Mapping[str, Any], root: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    least = int(facts.get("minLength", 0))
    most = int(facts.get("maxLength", least + MAX_ITEMS))
    if "pattern" in facts:
        matching = st.from_regex(str(facts["pattern"]), alphabet=st.characters(codec="utf-8"))
        matching = matching.filter(
            lambda text: not text.endswith("\n")
        )  # as Python's `$` allows, and no other
        bounded = "minLength" in facts or "maxLength" in facts
        return matching.filter(lambda text: least <= len(text) <= most) if bounded else matching
    told = _FORMATS.get(str(facts.get("format")))
    return told if told is not None else st.text(string.ascii_letters + " é?", min_size=least, max_size=most)


def _number(facts: Mapping[str, Any], root: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    def bound(inclusive: str, exclusive: str) -> tuple[float | None, bool]:
        shut = facts.get(exclusive)
        if isinstance(shut, bool) or shut is None:  # of an older draft: whether the other is
            return facts.get(inclusive), shut is True
        return shut, True

    (least, above), (most, below) = bound("minimum", "exclusiveMinimum"), bound("maximum", "exclusiveMaximum")
    if facts.get("multipleOf") is not None:
        return _integer(facts, root)
    return st.floats(least, most, exclude_min=above, exclude_max=below, allow_nan=False, allow_infinity=False)


def _integer(facts: Mapping[str, Any], root: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    step = facts.get("multipleOf") or 1
    least, most = facts.get("minimum"), facts.get("maximum")
    if isinstance(above := facts.get("exclusiveMinimum"), int | float) and not isinstance(above, bool):
        least = above + 1
    if isinstance(below := facts.get("exclusiveMaximum"), int | float) and not isinstance(below, bool):
        most = below - 1
    low = None if least is None else -(-int(least) // int(step))
    high = None if most is None else int(most) // int(step)
    return st.integers(low, high).map(lambda one: one * int(step))


def _anything() -> st.SearchStrategy[Any]:
    return st.none() | st.booleans() | st.integers(-9, 9) | st.text(string.ascii_letters, max_size=MAX_ITEMS)


_Make = Callable[[Mapping[str, Any], Mapping[str, Any]], st.SearchStrategy[Any]]
_MADE: Mapping[str, _Make] = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": lambda facts, root: st.booleans(),
    "null": lambda facts, root: cast("st.SearchStrategy[Any]", st.none()),
}
