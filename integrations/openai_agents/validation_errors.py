"""`pydantic.ValidationError`: what the SDK emits when a provider's event is not what it expects.

It has no constructor; pydantic rebuilds it from its lines. What cannot be rebuilt as the same kind of
line is rebuilt with its recorded text.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from ...schema.codec import State, Vocabulary


def register_validation_error(vocabulary: Vocabulary) -> None:
    """Register it, with the two functions below."""
    vocabulary.register("pydantic:ValidationError", ValidationError, to_state=take_apart, from_state=rebuild)


def take_apart(error: ValidationError) -> State:
    """Title, text and lines. An input that many lines share (a whole event, refused by every member
    of a union) is kept once; inputs that the model's configuration hides are not kept."""
    text = str(error)
    hidden = "input_value=" not in text
    inputs: list[Any] = []
    places: dict[int, int] = {}
    lines: list[dict[str, Any]] = []
    for details in error.errors(include_url=False, include_input=not hidden):
        line: dict[str, Any] = {key: details[key] for key in ("type", "loc", "msg")}
        if "ctx" in details:
            line["ctx"] = details["ctx"]
        if not hidden:
            value = details["input"]
            if id(value) not in places:
                places[id(value)] = len(inputs)
                inputs.append(value)
            line["input"] = places[id(value)]
        lines.append(line)
    return {"title": error.title, "text": text, "lines": lines, "inputs": inputs}


def rebuild(state: State) -> ValidationError:
    """The error again: `errors()`, `title` and `str()` are as they were, wherever pydantic can."""
    error = _rebuilt(state, "python")
    if str(error) != state["text"]:  # texts are others where JSON was validated; only they tell
        other = _rebuilt(state, "json")
        if str(other) == state["text"]:
            return other
    return error


def _rebuilt(state: State, mode: Literal["python", "json"]) -> ValidationError:
    lines = [_line(line, state["inputs"], mode) for line in state["lines"]]
    hidden = "input_value=" not in state["text"]
    return ValidationError.from_exception_data(state["title"], lines, mode, hide_input=hidden)


def _line(line: dict[str, Any], inputs: list[Any], mode: Literal["python", "json"]) -> InitErrorDetails:
    place = line.get("input")
    details = InitErrorDetails(
        type=line["type"],
        loc=tuple(line["loc"]),
        input=None if place is None else inputs[place],
    )
    if "ctx" in line:
        details["ctx"] = line["ctx"]
    try:
        alone = ValidationError.from_exception_data("", [details], mode)
        if alone.errors(include_url=False, include_input=False)[0]["msg"] == line["msg"]:
            return details
    except Exception:  # noqa: BLE001 - a validator's own kind of error, or context that was not kept
        pass
    details["type"] = PydanticCustomError(line["type"], line["msg"])
    details.pop("ctx", None)
    return details
