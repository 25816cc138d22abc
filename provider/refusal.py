"""What the provider will not do, and why."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import JsonValue, ValidationError


class Refused(Exception):
    """A client message that is answered by an `error` event; never leaves this package.

    Attributes:
        message: what is wrong, for a person.
        code: what is wrong, for a program, or None.
        param: the path of the field that is wrong, or None.
    """

    def __init__(self, message: str, *, code: str | None = "invalid_value", param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.param = param

    @classmethod
    def because(cls, error: ValidationError, value: JsonValue, *, within: str = "") -> Refused:
        """The first thing that pydantic found wrong with `value`, which stands at the path `within`."""
        first = error.errors(include_url=False, include_input=False)[0]
        missing = first["type"] == "missing"
        param = _path(first["loc"], value, within, missing=missing)
        # Which field tells the members of a union apart; pydantic names it in quotes.
        tag = str(first.get("ctx", {}).get("discriminator", "")).strip("'")
        match first["type"]:
            case "missing":
                return cls(f"'{param}' is missing.", code="missing_required_parameter", param=param)
            case "union_tag_not_found":
                param = _join(param, tag)
                return cls(f"'{param}' is missing.", code="missing_required_parameter", param=param)
            case "union_tag_invalid":
                param = _join(param, tag)
                return cls(f"'{param}' has a value that is not known here.", param=param)
            case _:
                return cls(f"'{param}' does not fit: {first['msg']}.", param=param or None)


def _path(location: Sequence[str | int], value: JsonValue, within: str, *, missing: bool) -> str:
    """The location as `item.content[0].text`.

    Pydantic names the member of a union as one more step, which the message does not have. So a step
    that is absent there is left out, unless it is the last one and what is missing.
    """
    path = within
    for number, step in enumerate(location, start=1):
        if isinstance(value, list) and isinstance(step, int) and 0 <= step < len(value):
            path, value = f"{path}[{step}]", value[step]
        elif isinstance(value, dict) and isinstance(step, str) and step in value:
            path, value = _join(path, step), value[step]
        elif missing and number == len(location):
            path = _join(path, str(step))
    return path


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
