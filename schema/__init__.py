"""The words of Realtape: the interface of a realtime model, the log's format, and its codec.

Imports nothing of the other packages; `recorder` and `replay` import this one, and not each other.
"""

from __future__ import annotations

from .addresses import StoreLocation
from .codec import Codec
from .described import Described, RecordedError
from .entries import FORMAT, Entry, Flag, Header, Kind, SessionRecord, Status
from .equality import same
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
from .standard import STANDARD
from .vocabulary import Vocabulary

__all__ = [
    "FORMAT",
    "STANDARD",
    "Codec",
    "CodecError",
    "CorruptRecordError",
    "DecodingError",
    "Described",
    "EncodingError",
    "Entry",
    "FixtureError",
    "Flag",
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
