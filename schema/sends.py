"""What an application asks of a realtime model: a closed union, told apart by class (no `type`)."""

from dataclasses import dataclass
from typing import Any, Literal, NotRequired, TypeAlias, TypedDict, get_args

from .events import RealtimeModelToolCallEvent
from .settings import RealtimeSessionModelSettings


class RealtimeModelRawClientMessage(TypedDict):
    """A message in the provider's own form: `other_data` is merged with `type` at the top level."""

    type: str
    other_data: NotRequired[dict[str, Any]]


class RealtimeModelInputTextContent(TypedDict):
    """Text in a user's message."""

    type: Literal["input_text"]
    text: str


class RealtimeModelInputImageContent(TypedDict, total=False):
    """A picture in a user's message: an `https:` or `data:` URL; `detail` is auto, low or high."""

    type: Literal["input_image"]
    image_url: str
    detail: NotRequired[str]


class RealtimeModelUserInputMessage(TypedDict):
    """A user's message of several parts."""

    type: Literal["message"]
    role: Literal["user"]
    content: list[RealtimeModelInputTextContent | RealtimeModelInputImageContent]


RealtimeModelUserInput: TypeAlias = str | RealtimeModelUserInputMessage


@dataclass
class RealtimeModelSendRawMessage:
    """Send a message of the provider's protocol for which there is no class here."""

    message: RealtimeModelRawClientMessage


@dataclass
class RealtimeModelSendUserInput:
    """Add what the user wrote to the conversation, and have it answered."""

    user_input: RealtimeModelUserInput


@dataclass
class RealtimeModelSendAudio:
    """Pass on what the microphone heard.

    Attributes:
        audio: samples in the session's input format.
        commit: end the user's turn here; needed only where the provider does not detect turns.
    """

    audio: bytes
    commit: bool = False


@dataclass
class RealtimeModelSendToolOutput:
    """Answer a tool call.

    Attributes:
        tool_call: the event that asked for it.
        output: text for the model.
        start_response: let the model speak now.
    """

    tool_call: RealtimeModelToolCallEvent
    output: str
    start_response: bool


@dataclass
class RealtimeModelSendInterrupt:
    """Silence the model.

    Attributes:
        force_response_cancel: cancel the response even where the provider does so by itself.
        response_id: silence this response alone; None is whichever is heard now.
        cancel_response_only: stop generating, and let what there is be played.
        playback_only: stop playing, and let the response be generated to its end.
    """

    force_response_cancel: bool = False
    response_id: str | None = None
    cancel_response_only: bool = False
    playback_only: bool = False


@dataclass
class RealtimeModelSendSessionUpdate:
    """Change the session's settings; keys that are left out stay as they are."""

    session_settings: RealtimeSessionModelSettings


RealtimeModelSendEvent: TypeAlias = (
    RealtimeModelSendRawMessage
    | RealtimeModelSendUserInput
    | RealtimeModelSendAudio
    | RealtimeModelSendToolOutput
    | RealtimeModelSendInterrupt
    | RealtimeModelSendSessionUpdate
)

SENT_EVENTS: tuple[type[RealtimeModelSendEvent], ...] = get_args(RealtimeModelSendEvent)
