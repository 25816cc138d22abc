"""What a client may send: from the text of a frame to a typed request, or to why it is refused.

Messages are JSON objects in text frames. Fields that are not known here are ignored.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Sequence
from typing import Annotated, Literal, TypeAlias, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    TypeAdapter,
    ValidationError,
)

from ..schema.codec import require_nesting
from ..schema.errors import RealtapeError

Message: TypeAlias = dict[str, JsonValue]
"""A message of the protocol, either way. Once given away it is never changed."""

Modality: TypeAlias = Literal["text", "audio"]

MAX_DEPTH = 64
"""Containers within containers; the protocol itself needs a dozen."""

MAX_APPEND_BYTES = 15 * 1024 * 1024
"""Of audio in one message, decoded: the limit of the real provider."""


class RequestRefused(RealtapeError):
    """A client's message that makes no sense at this moment; the client is told by an `error` event.

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
    def because(cls, error: ValidationError, value: JsonValue, *, within: str = "") -> RequestRefused:
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


# --- frames and messages ------------------------------------------------------------------------


def encode(message: Message) -> str:
    """The message as JSON text, ASCII only, so that lone surrogates travel too."""
    return json.dumps(message, separators=(",", ":"), allow_nan=False)


def decode(text: str | bytes) -> Message:
    """The JSON object in a frame.

    Raises:
        RequestRefused: a binary frame, no JSON, no object, nested deeper than MAX_DEPTH, or a number that
            JSON could not carry back.
    """
    if isinstance(text, bytes):
        raise RequestRefused("Messages must be sent as text frames.", code="invalid_json")
    try:
        require_nesting(text, MAX_DEPTH)
    except ValueError:
        raise RequestRefused(
            f"The message is nested deeper than {MAX_DEPTH} levels.", code="invalid_json"
        ) from None
    try:
        value = cast(JsonValue, json.loads(text, parse_constant=_number, parse_float=_number))
    except ValueError:  # a number of thousands of digits, too
        raise RequestRefused("The message is not valid JSON.", code="invalid_json") from None
    if not isinstance(value, dict):
        raise RequestRefused("The message must be a JSON object.", code="invalid_json")
    return value


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


# --- requests -----------------------------------------------------------------------------------


def _decoded(value: object) -> bytes:
    if not isinstance(value, str):
        raise ValueError("audio is base64 text")
    try:
        pcm = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("this is not base64") from None
    if len(pcm) % 2:
        raise ValueError("PCM16 audio is whole samples of two bytes")
    if len(pcm) > MAX_APPEND_BYTES:
        raise ValueError(f"one message carries at most {MAX_APPEND_BYTES} bytes of audio")
    return pcm


Pcm: TypeAlias = Annotated[bytes, BeforeValidator(_decoded)]
"""Base64 on the wire, PCM16 here."""


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)


class InputText(_Part):
    """Text of the user, or of the system."""

    type: Literal["input_text"]
    text: str


class InputAudio(_Part):
    """A whole utterance of the user."""

    type: Literal["input_audio"]
    audio: Pcm = b""
    transcript: str | None = None


class InputImage(_Part):
    """A picture; it is kept and never looked at."""

    type: Literal["input_image"]
    image_url: str
    detail: Literal["auto", "low", "high"] = "auto"


class OutputText(_Part):
    """Text of the assistant, from an earlier conversation."""

    type: Literal["output_text"]
    text: str


class OutputAudio(_Part):
    """Speech of the assistant, from an earlier conversation."""

    type: Literal["output_audio"]
    audio: Pcm = b""
    transcript: str | None = None


UserPart: TypeAlias = Annotated[InputText | InputAudio | InputImage, Field(discriminator="type")]
AssistantPart: TypeAlias = Annotated[OutputText | OutputAudio, Field(discriminator="type")]


class _NewItem(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)

    id: str | None = Field(default=None, min_length=1)


class NewUserMessage(_NewItem):
    """Something that the user says."""

    type: Literal["message"]
    role: Literal["user"]
    content: list[UserPart]


class NewSystemMessage(_NewItem):
    """Something that the application tells the model."""

    type: Literal["message"]
    role: Literal["system"]
    content: list[InputText]


class NewAssistantMessage(_NewItem):
    """Something that the assistant said in an earlier conversation."""

    type: Literal["message"]
    role: Literal["assistant"]
    content: list[AssistantPart]


class NewFunctionCall(_NewItem):
    """A tool call from an earlier conversation."""

    type: Literal["function_call"]
    name: str
    arguments: str
    call_id: str | None = None


class NewFunctionCallOutput(_NewItem):
    """What a tool returned."""

    type: Literal["function_call_output"]
    call_id: str
    output: str


NewMessage: TypeAlias = Annotated[
    NewUserMessage | NewSystemMessage | NewAssistantMessage, Field(discriminator="role")
]
NewItem: TypeAlias = Annotated[
    NewMessage | NewFunctionCall | NewFunctionCallOutput, Field(discriminator="type")
]


class ResponseOptions(BaseModel):
    """What one response does otherwise than the session says.

    Attributes:
        conversation: `none` leaves the response out of the conversation.
    """

    model_config = ConfigDict(strict=True, frozen=True)

    conversation: Literal["auto", "none"] = "auto"
    output_modalities: list[Modality] | None = Field(default=None, min_length=1, max_length=1)
    metadata: dict[str, str] | None = None


class _Request(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)


class SessionUpdate(_Request):
    """Change the settings."""

    type: Literal["session.update"]
    session: Message


class AudioAppend(_Request):
    """What the microphone gave."""

    type: Literal["input_audio_buffer.append"]
    audio: Pcm


class AudioCommit(_Request):
    """The utterance is complete."""

    type: Literal["input_audio_buffer.commit"]


class AudioClear(_Request):
    """Forget the audio that is not committed."""

    type: Literal["input_audio_buffer.clear"]


class ItemCreate(_Request):
    """Put an item into the conversation.

    Attributes:
        previous_item_id: the item that it follows; `root` for none; None for the last.
    """

    type: Literal["conversation.item.create"]
    item: NewItem
    previous_item_id: str | None = None


class ItemRetrieve(_Request):
    """Show an item, with its audio."""

    type: Literal["conversation.item.retrieve"]
    item_id: str


class ItemTruncate(_Request):
    """The user heard only the beginning of an item: up to `audio_end_ms`, in milliseconds."""

    type: Literal["conversation.item.truncate"]
    item_id: str
    content_index: int = Field(ge=0)
    audio_end_ms: int = Field(ge=0)


class ItemDelete(_Request):
    """Take an item out of the conversation."""

    type: Literal["conversation.item.delete"]
    item_id: str


class ResponseCreate(_Request):
    """Answer now."""

    type: Literal["response.create"]
    response: ResponseOptions | None = None


class ResponseCancel(_Request):
    """Stop answering."""

    type: Literal["response.cancel"]
    response_id: str | None = None


Request: TypeAlias = (
    SessionUpdate
    | AudioAppend
    | AudioCommit
    | AudioClear
    | ItemCreate
    | ItemRetrieve
    | ItemTruncate
    | ItemDelete
    | ResponseCreate
    | ResponseCancel
)

_REQUEST: TypeAdapter[Request] = TypeAdapter(Annotated[Request, Field(discriminator="type")])


def parse(message: Message) -> Request:
    """The typed request.

    Raises:
        RequestRefused: an unknown type, a field that is missing or does not fit.
    """
    try:
        return _REQUEST.validate_python(message)
    except ValidationError as error:
        raise RequestRefused.because(error, message) from None


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
