"""The words of Realtape: the interface of a realtime model, the log's format, and its codec.

Imports nothing of the other packages; `recorder` and `replay` import this one, and not each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .lazy_doors import open_lazily

if TYPE_CHECKING:
    from .codec import STANDARD, Codec, Described, RecordedError, Vocabulary, same
    from .entries import FORMAT, WIRE_FORMAT, Entry, Flag, Header, Kind, SessionRecord, Status
    from .errors import (
        CodecError,
        CorruptRecordError,
        DecodingError,
        EncodingError,
        FixtureError,
        NewerFormatError,
        NotAStoreError,
        RealtapeError,
        SessionNotFoundError,
        StoreBusyError,
        StoreError,
        StoreNotFoundError,
        StoreWriteError,
        UsageError,
    )
    from .events import (
        RealtimeModelAudioDoneEvent,
        RealtimeModelAudioEvent,
        RealtimeModelAudioInterruptedEvent,
        RealtimeModelConnectionStatusEvent,
        RealtimeModelEndOfStreamEvent,
        RealtimeModelErrorEvent,
        RealtimeModelEvent,
        RealtimeModelExceptionEvent,
        RealtimeModelInputAudioTimeoutTriggeredEvent,
        RealtimeModelInputAudioTranscriptionCompletedEvent,
        RealtimeModelItemDeletedEvent,
        RealtimeModelItemUpdatedEvent,
        RealtimeModelOtherEvent,
        RealtimeModelOutputTextDeltaEvent,
        RealtimeModelRawServerEvent,
        RealtimeModelToolCallEvent,
        RealtimeModelTranscriptDeltaEvent,
        RealtimeModelTurnEndedEvent,
        RealtimeModelTurnStartedEvent,
        RealtimeModelUsageEvent,
    )
    from .frames import Frame
    from .log import StoreLocation
    from .model import RealtimeModel, RealtimeModelConfig, RealtimeModelListener
    from .playback import RealtimePlaybackState, RealtimePlaybackTracker, audio_length_ms
    from .sends import (
        RealtimeModelSendAudio,
        RealtimeModelSendEvent,
        RealtimeModelSendInterrupt,
        RealtimeModelSendRawMessage,
        RealtimeModelSendSessionUpdate,
        RealtimeModelSendToolOutput,
        RealtimeModelSendUserInput,
    )

__all__ = [
    "FORMAT",
    "STANDARD",
    "WIRE_FORMAT",
    "Codec",
    "CodecError",
    "CorruptRecordError",
    "DecodingError",
    "Described",
    "EncodingError",
    "Entry",
    "FixtureError",
    "Flag",
    "Frame",
    "Header",
    "Kind",
    "NewerFormatError",
    "NotAStoreError",
    "RealtapeError",
    "RealtimeModel",
    "RealtimeModelAudioDoneEvent",
    "RealtimeModelAudioEvent",
    "RealtimeModelAudioInterruptedEvent",
    "RealtimeModelConfig",
    "RealtimeModelConnectionStatusEvent",
    "RealtimeModelEndOfStreamEvent",
    "RealtimeModelErrorEvent",
    "RealtimeModelEvent",
    "RealtimeModelExceptionEvent",
    "RealtimeModelInputAudioTimeoutTriggeredEvent",
    "RealtimeModelInputAudioTranscriptionCompletedEvent",
    "RealtimeModelItemDeletedEvent",
    "RealtimeModelItemUpdatedEvent",
    "RealtimeModelListener",
    "RealtimeModelOtherEvent",
    "RealtimeModelOutputTextDeltaEvent",
    "RealtimeModelRawServerEvent",
    "RealtimeModelSendAudio",
    "RealtimeModelSendEvent",
    "RealtimeModelSendInterrupt",
    "RealtimeModelSendRawMessage",
    "RealtimeModelSendSessionUpdate",
    "RealtimeModelSendToolOutput",
    "RealtimeModelSendUserInput",
    "RealtimeModelToolCallEvent",
    "RealtimeModelTranscriptDeltaEvent",
    "RealtimeModelTurnEndedEvent",
    "RealtimeModelTurnStartedEvent",
    "RealtimeModelUsageEvent",
    "RealtimePlaybackState",
    "RealtimePlaybackTracker",
    "RecordedError",
    "SessionNotFoundError",
    "SessionRecord",
    "Status",
    "StoreBusyError",
    "StoreError",
    "StoreLocation",
    "StoreNotFoundError",
    "StoreWriteError",
    "UsageError",
    "Vocabulary",
    "audio_length_ms",
    "same",
]

open_lazily(__name__)
