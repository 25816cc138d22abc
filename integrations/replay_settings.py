"""What settings say of a replay: which sends must come, and how they are compared."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from ..replay import IGNORE, JSON_TEXT, Expected, Tolerance
from ..schema import UsageError
from .project import Project, named

_RULES: Mapping[str, Any] = {"ignore": IGNORE, "json": JSON_TEXT}


def replay_options(project: Project) -> dict[str, Any]:
    """What of a project's settings are arguments of a `ReplayModel`.

    Raises:
        UsageError: one of them says what there is not.
    """
    options: dict[str, Any] = {}
    for name, value in project.shared.items():
        if name == "expect":
            options[name] = expect_of(value)
        elif name == "stuck-after":
            options["patience"] = value
        elif name in ("audio", "strict", "playback"):
            options[name] = value
        elif name == "playback-ms":
            options["playback_ms"] = value
        elif name == "matchers":
            options[name] = matchers_of(value)
        elif name == "redactor":
            options["redactors"] = redactors_of([value] if isinstance(value, str) else value)
        elif name == "client-ids":
            options["client_ids"] = client_ids_of(value)
    return options


def expect_of(told: Any) -> Any:
    """Which sends must come again, as a setting says it: in a word, by a table of decisions, or by the name
    of a function of an entry (`module:name`).

    Raises:
        UsageError: that is no expectation, or nothing of that name.
    """
    expect: Any = named("expect", told) if isinstance(told, str) and ":" in told else told
    Expected(expect)  # which says what is wrong with it
    return expect


def matchers_of(told: Any) -> Any:
    """Matchers as a setting says them: by the name of a mapping (`module:NAME`), as JSON text, or as a table
    of types, fields and rules: `ignore`, `json`, a tolerance (`{relative = 0.01}`), or a function's name.

    Raises:
        UsageError: there is no such rule, or nothing of that name.
    """
    told = _told("matchers", told)
    if not isinstance(told, Mapping):
        return told
    types = cast("Mapping[str, Any]", told)
    return {type: _rules(type, fields) for type, fields in types.items()}


def redactors_of(names: Sequence[str]) -> tuple[Any, ...]:
    """The redactors of these names.

    Raises:
        UsageError: nothing has one of them.
    """
    return tuple(named("redactor", name) for name in names)


def client_ids_of(told: Any) -> Any:
    """Fields with ids that the client mints, by type; or the name of such a mapping, or JSON text.

    Raises:
        UsageError: nothing has that name.
    """
    return _told("client-ids", told)


def _told(setting: str, told: Any) -> Any:
    if not isinstance(told, str):
        return told
    if told.lstrip().startswith("{"):
        try:
            return json.loads(told)
        except ValueError as error:
            raise UsageError(f"{setting}: no JSON ({error})") from error
    return named(setting, told)


def _rules(type: str, fields: Any) -> dict[str, Any]:
    if not isinstance(fields, Mapping):
        raise UsageError(f"matchers: {type} = {fields!r}: fields with their rules")
    return {
        one: _rule(f"matchers: {type}.{one}", rule) for one, rule in cast("Mapping[str, Any]", fields).items()
    }


def _rule(where: str, rule: Any) -> Any:
    if isinstance(rule, str):
        if rule in _RULES:
            return _RULES[rule]
        if ":" in rule:
            return named(where, rule)
    elif isinstance(rule, Mapping):
        try:
            return Tolerance(**cast("Mapping[str, Any]", rule))
        except TypeError as error:
            raise UsageError(f"{where} = {rule!r}: no tolerance ({error})") from error
    else:
        return rule  # of who calls, and not of a file
    raise UsageError(f"{where} = {rule!r}: one of {', '.join(_RULES)}, a tolerance, or module:function")
