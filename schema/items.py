"""What a conversation consists of: messages, their content, and tool calls.

Pydantic models, because providers send them as JSON and add fields at any time: unknown fields are
kept as attributes (`extra="allow"`) and come out again in `model_dump()`. Building a model from
values that do not fit raises `pydantic.ValidationError`.
"""

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field


class InputText(BaseModel):
    """Text that the user or the system wrote."""

    model_config = ConfigDict(extra="allow")

    type: Literal["input_text"] = "input_text"
    text: str | None = None


class InputAudio(BaseModel):
    """What the user said.

    Attributes:
        audio: base64 of the samples, in the session's input format; mostly left out by providers.
        transcript: arrives later than the audio, and only where transcription is switched on.
    """

    model_config = ConfigDict(extra="allow")

    type: Literal["input_audio"] = "input_audio"
    audio: str | None = None
    transcript: str | None = None


class InputImage(BaseModel):
    """A picture that the user showed.

    Attributes:
        image_url: an `https:` address, or the picture itself as a `data:` URL.
        detail: how closely the model should look: `auto`, `low` or `high`.
    """

    model_config = ConfigDict(extra="allow")

    type: Literal["input_image"] = "input_image"
    image_url: str | None = None
    detail: str | None = None


class AssistantText(BaseModel):
    """Text that the model wrote."""

    model_config = ConfigDict(extra="allow")

    type: Literal["text"] = "text"
    text: str | None = None


class AssistantAudio(BaseModel):
    """What the model said.

    Attributes:
        audio: base64 of the samples, in the session's output format.
        transcript: of what was generated; after an interruption that may be more than was heard.
    """

    model_config = ConfigDict(extra="allow")

    type: Literal["audio"] = "audio"
    audio: str | None = None
    transcript: str | None = None


class SystemMessageItem(BaseModel):
    """A message of the application to the model.

    Attributes:
        previous_item_id: the item after which this one stands; None where it is not known.
    """

    model_config = ConfigDict(extra="allow")

    item_id: str
    previous_item_id: str | None = None
    type: Literal["message"] = "message"
    role: Literal["system"] = "system"
    content: list[InputText]


class UserMessageItem(BaseModel):
    """A message of the user, spoken or written.

    Attributes:
        previous_item_id: the item after which this one stands; None where it is not known.
    """

    model_config = ConfigDict(extra="allow")

    item_id: str
    previous_item_id: str | None = None
    type: Literal["message"] = "message"
    role: Literal["user"] = "user"
    content: list[Annotated[InputText | InputAudio | InputImage, Field(discriminator="type")]]


class AssistantMessageItem(BaseModel):
    """A message of the model.

    Attributes:
        previous_item_id: the item after which this one stands; None where it is not known.
        status: `incomplete` is what an interrupted message ends as.
    """

    model_config = ConfigDict(extra="allow")

    item_id: str
    previous_item_id: str | None = None
    type: Literal["message"] = "message"
    role: Literal["assistant"] = "assistant"
    status: Literal["in_progress", "completed", "incomplete"] | None = None
    content: list[Annotated[AssistantText | AssistantAudio, Field(discriminator="type")]]


RealtimeMessageItem: TypeAlias = Annotated[
    SystemMessageItem | UserMessageItem | AssistantMessageItem, Field(discriminator="role")
]


class RealtimeToolCallItem(BaseModel):
    """A tool call in the conversation, and its output once there is one.

    Attributes:
        previous_item_id: the item after which this one stands; None where it is not known.
        call_id: joins the call with its output; required, though it may be None.
        arguments: a JSON text as the model wrote it, which need not be valid.
        output: what the tool returned, as the text that went to the model.
    """

    model_config = ConfigDict(extra="allow")

    item_id: str
    previous_item_id: str | None = None
    call_id: str | None
    type: Literal["function_call"] = "function_call"
    status: Literal["in_progress", "completed"]
    arguments: str
    name: str
    output: str | None = None


RealtimeItem: TypeAlias = RealtimeMessageItem | RealtimeToolCallItem

ITEM_TYPES: tuple[type[BaseModel], ...] = (
    InputText,
    InputAudio,
    InputImage,
    AssistantText,
    AssistantAudio,
    SystemMessageItem,
    UserMessageItem,
    AssistantMessageItem,
    RealtimeToolCallItem,
)
