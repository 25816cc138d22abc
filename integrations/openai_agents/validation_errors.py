"""`pydantic.ValidationError`: what the SDK emits when a provider's event is not what it expects.

It has no constructor; pydantic rebuilds it from its lines. What cannot be rebuilt as the same kind of
line is rebuilt with its recorded text.
"""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from ...schema.codec import State, Vocabulary


def register_validation_error(vocabulary: Vocabulary) -> None:
    """Register it, with the two functions below."""
    vocabulary.register("pydantic:ValidationError", ValidationError, to_state=take_apart, from_state=rebuild)


def take_apart(error: ValidationError) -> State:
    """What it says, and the inputs. An input that many lines share (a whole event, refused by every member
    of a union) is kept once; inputs that the model's configuration hides are not kept.

    What is the same for each event of a kind (kilobytes: the title names every member of the union) is JSON
    in bytes, which a log holds once; where pydantic would not make the same of it again, it is kept as it
    is."""
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
    told = _told(error.title, lines, inputs, text)
    if told is not None:
        return {"told": told, "inputs": inputs}
    return {"title": error.title, "text": text, "lines": lines, "inputs": inputs}


def rebuild(state: State) -> ValidationError:
    """The error again: `errors()`, `title` and `str()` are as they were, wherever pydantic can."""
    if "told" in state:
        told = json.loads(bytes(state["told"]))
        hidden = all("input" not in line for line in told["lines"])
        return _rebuilt(told["title"], told["lines"], state["inputs"], told["mode"], hidden=hidden)
    hidden = "input_value=" not in state["text"]
    error = _rebuilt(state["title"], state["lines"], state["inputs"], "python", hidden=hidden)
    if str(error) != state["text"]:  # texts are others where JSON was validated; only they tell
        other = _rebuilt(state["title"], state["lines"], state["inputs"], "json", hidden=hidden)
        if str(other) == state["text"]:
            return other
    return error


def _told(title: str, lines: list[dict[str, Any]], inputs: list[Any], text: str) -> bytes | None:
    """What is not in the inputs, as JSON; None where the error cannot be made of it again."""
    hidden = "input_value=" not in text
    short = [{name: line[name] for name in ("type", "loc", "ctx", "input") if name in line} for line in lines]
    try:
        written = json.dumps({"title": title, "lines": short})
        read = json.loads(written)["lines"]
        if [{**line, "loc": tuple(line["loc"])} for line in read] != short:
            return None
        for mode in ("python", "json"):
            again = _rebuilt(title, read, inputs, mode, hidden=hidden)
            same = [line["msg"] for line in again.errors(include_url=False, include_input=False)]
            if str(again) == text and same == [line["msg"] for line in lines]:
                return json.dumps({"title": title, "lines": short, "mode": mode}).encode()
    except Exception:  # noqa: BLE001 - a validator's own kind of error, or context that JSON does not know
        return None
    return None


def _rebuilt(
    title: str,
    lines: list[dict[str, Any]],
    inputs: list[Any],
    mode: Literal["python", "json"],
    *,
    hidden: bool,
) -> ValidationError:
    details = [_line(line, inputs, mode) for line in lines]
    return ValidationError.from_exception_data(title, details, mode, hide_input=hidden)


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
        msg = alone.errors(include_url=False, include_input=False)[0]["msg"]
        if msg == line.get("msg", msg):
            return details
    except Exception:  # noqa: BLE001 - a validator's own kind of error, or context that was not kept
        pass
    details["type"] = PydanticCustomError(line["type"], line["msg"])
    details.pop("ctx", None)
    return details
