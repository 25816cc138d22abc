"""What a realtime model tells its listeners: a closed union, told apart by `type`.

The classes are not frozen although listeners share them: applications written for the SDK may
assign to its events, and must find the same here. Whoever keeps an event takes a copy.

Ids are the provider's; `content_index` counts from 0 within the content of the item `item_id`.
"""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from .items import RealtimeItem
from .usage import RealtimeModelInputTokensDetails, RealtimeModelOutputTokensDetails, Usage

RealtimeConnectionStatus: TypeAlias = Literal["connecting", "connected", "disconnected"]


@dataclass
class RealtimeModelErrorEvent:
    """The provider reported an error; the connection may well go on.

    Attributes:
        error: in the provider's own form.
    """

    error: Any
    type: Literal["error"] = "error"


@dataclass
class RealtimeModelToolCallEvent:
    """The model wants a tool to run.

    Attributes:
        name: of the tool.
        call_id: to be repeated with the output.
        arguments: a JSON text as the model wrote it, which need not be valid.
        id: of the item in the conversation.
    """

    name: str
    call_id: str
    arguments: str
    id: str | None = None
    previous_item_id: str | None = None
    type: Literal["function_call"] = "function_call"


@dataclass
class RealtimeModelAudioEvent:
    """The next piece of the model's voice, which comes faster than it can be played.

    Attributes:
        data: samples in the session's output format (see `playback.audio_length_ms`).
    """

    data: bytes
    response_id: str
    item_id: str
    content_index: int
    type: Literal["audio"] = "audio"


@dataclass
class RealtimeModelAudioInterruptedEvent:
    """Stop playing this audio: the user or the application broke in."""

    item_id: str
    content_index: int
    type: Literal["audio_interrupted"] = "audio_interrupted"


@dataclass
class RealtimeModelAudioDoneEvent:
    """This audio has been sent to the end, which says nothing about how far it was played."""

    item_id: str
    content_index: int
    type: Literal["audio_done"] = "audio_done"


@dataclass
class RealtimeModelInputAudioTranscriptionCompletedEvent:
    """The user's speech as text; it may come after the answer to it."""

    item_id: str
    transcript: str
    type: Literal["input_audio_transcription_completed"] = "input_audio_transcription_completed"


@dataclass
class RealtimeModelInputAudioTimeoutTriggeredEvent:
    """The user has been silent for the session's `idle_timeout_ms`.

    Attributes:
        audio_start_ms: begin of the silence, in milliseconds of input audio.
        audio_end_ms: its end, on the same scale.
    """

    item_id: str
    audio_start_ms: int
    audio_end_ms: int
    type: Literal["input_audio_timeout_triggered"] = "input_audio_timeout_triggered"


@dataclass
class RealtimeModelTranscriptDeltaEvent:
    """More text of what the model is saying."""

    item_id: str
    delta: str
    response_id: str
    type: Literal["transcript_delta"] = "transcript_delta"


@dataclass
class RealtimeModelOutputTextDeltaEvent:
    """More text of what the model is writing."""

    item_id: str
    delta: str
    response_id: str
    type: Literal["output_text_delta"] = "output_text_delta"


@dataclass
class RealtimeModelItemUpdatedEvent:
    """An item is new in the conversation, or has changed: this is all of it."""

    item: RealtimeItem
    type: Literal["item_updated"] = "item_updated"


@dataclass
class RealtimeModelItemDeletedEvent:
    """An item is no longer in the conversation."""

    item_id: str
    type: Literal["item_deleted"] = "item_deleted"


@dataclass
class RealtimeModelConnectionStatusEvent:
    """The connection was made or lost, or is being made."""

    status: RealtimeConnectionStatus
    type: Literal["connection_status"] = "connection_status"


@dataclass
class RealtimeModelEndOfStreamEvent:
    """The last event: nothing follows on this connection."""

    type: Literal["end_of_stream"] = "end_of_stream"


@dataclass
class RealtimeModelTurnStartedEvent:
    """The model began a response; `response_id` is None where the transport does not tell."""

    type: Literal["turn_started"] = "turn_started"
    response_id: str | None = None


@dataclass
class RealtimeModelUsageEvent:
    """What a finished response cost.

    Attributes:
        usage: the sums.
        input_tokens_details: input by modality, where the provider tells.
        output_tokens_details: output by modality, where the provider tells.
    """

    usage: Usage
    input_tokens_details: RealtimeModelInputTokensDetails | None = None
    output_tokens_details: RealtimeModelOutputTokensDetails | None = None
    type: Literal["usage"] = "usage"


@dataclass
class RealtimeModelTurnEndedEvent:
    """The model ended a response; `response_id` is None where the transport does not tell."""

    type: Literal["turn_ended"] = "turn_ended"
    response_id: str | None = None


@dataclass
class RealtimeModelOtherEvent:
    """Something of the provider's that has no class here, in its own form."""

    data: Any
    type: Literal["other"] = "other"


@dataclass
class RealtimeModelExceptionEvent:
    """The transport itself failed.

    Attributes:
        exception: what was raised.
        context: what the transport was doing.
    """

    exception: Exception
    context: str | None = None
    type: Literal["exception"] = "exception"


@dataclass
class RealtimeModelRawServerEvent:
    """A message of the provider before it was understood; precedes the events made of it."""

    data: Any
    type: Literal["raw_server_event"] = "raw_server_event"


RealtimeModelEvent: TypeAlias = (
    RealtimeModelErrorEvent
    | RealtimeModelToolCallEvent
    | RealtimeModelAudioEvent
    | RealtimeModelAudioInterruptedEvent
    | RealtimeModelAudioDoneEvent
    | RealtimeModelInputAudioTimeoutTriggeredEvent
    | RealtimeModelInputAudioTranscriptionCompletedEvent
    | RealtimeModelTranscriptDeltaEvent
    | RealtimeModelOutputTextDeltaEvent
    | RealtimeModelItemUpdatedEvent
    | RealtimeModelItemDeletedEvent
    | RealtimeModelConnectionStatusEvent
    | RealtimeModelEndOfStreamEvent
    | RealtimeModelTurnStartedEvent
    | RealtimeModelUsageEvent
    | RealtimeModelTurnEndedEvent
    | RealtimeModelOtherEvent
    | RealtimeModelExceptionEvent
    | RealtimeModelRawServerEvent
)

RECEIVED_EVENTS: tuple[type[RealtimeModelEvent], ...] = get_args(RealtimeModelEvent)
