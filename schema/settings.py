"""What a session is asked to be: voice, formats, turn detection, tools.

Typed dictionaries that go to the provider nearly as they are; every key is optional unless said
otherwise, and a key that is left out means the provider's default. Nothing checks them at runtime.
"""

from collections.abc import Mapping
from typing import Any, Literal, NotRequired, Protocol, TypeAlias, TypedDict


class AudioFormatObject(Protocol):
    """An audio format as an object, such as those of the `openai` package."""

    @property
    def type(self) -> str | None:
        """The name on the wire, such as `audio/pcmu`."""
        ...


RealtimeAudioFormat: TypeAlias = (
    Literal["pcm16", "g711_ulaw", "g711_alaw"] | str | Mapping[str, Any] | AudioFormatObject
)

_Effort: TypeAlias = Literal["minimal", "low", "medium", "high", "xhigh"]


class RealtimeCustomVoice(TypedDict):
    """A voice of the customer's own; `id` is required."""

    id: str


RealtimeVoice: TypeAlias = str | RealtimeCustomVoice | Mapping[str, Any]


class Prompt(TypedDict):
    """A prompt that is stored at the provider; `id` is required."""

    id: str
    version: NotRequired[str]
    variables: NotRequired[dict[str, Any]]


class RealtimeInputAudioTranscriptionConfig(TypedDict, total=False):
    """How the user's speech becomes text.

    `language` (one) and `languages` (those to expect) are ISO 639-1 codes; `keywords` are words to
    listen for; `delay` trades latency for accuracy.
    """

    language: str
    model: str
    prompt: str
    keywords: list[str]
    languages: list[str]
    delay: _Effort


class RealtimeInputAudioNoiseReductionConfig(TypedDict, total=False):
    """What kind of microphone to clean up after: a headset (near) or a room (far)."""

    type: Literal["near_field", "far_field"]


class RealtimeTurnDetectionConfig(TypedDict, total=False):
    """How the provider finds where the user's turn begins and ends.

    `threshold` runs from 0 to 1; `prefix_padding_ms` is the audio kept from before the speech,
    `silence_duration_ms` the silence that ends a turn, `idle_timeout_ms` the silence after which
    the model speaks by itself: all four for `server_vad`, as `eagerness` is for `semantic_vad`.
    """

    type: Literal["semantic_vad", "server_vad"]
    create_response: bool
    eagerness: Literal["auto", "low", "medium", "high"]
    interrupt_response: bool
    prefix_padding_ms: int
    silence_duration_ms: int
    threshold: float
    idle_timeout_ms: int
    model_version: str


class RealtimeAudioInputConfig(TypedDict, total=False):
    """The microphone's side; None switches turn detection or noise reduction off."""

    format: RealtimeAudioFormat
    noise_reduction: RealtimeInputAudioNoiseReductionConfig | None
    transcription: RealtimeInputAudioTranscriptionConfig
    turn_detection: RealtimeTurnDetectionConfig | None


class RealtimeAudioOutputConfig(TypedDict, total=False):
    """The loudspeaker's side; `speed` is a factor, 1.0 being the voice's own pace."""

    format: RealtimeAudioFormat
    voice: RealtimeVoice
    speed: float


class RealtimeAudioConfig(TypedDict, total=False):
    """Both sides of the audio."""

    input: RealtimeAudioInputConfig
    output: RealtimeAudioOutputConfig


class RealtimeReasoningConfig(TypedDict, total=False):
    """How long the model may think before it speaks."""

    effort: _Effort | str


class RealtimeModelTracingConfig(TypedDict, total=False):
    """Under which name and group the provider files its own trace of the session."""

    workflow_name: str
    group_id: str
    metadata: dict[str, Any]


class RealtimeSessionModelSettings(TypedDict, total=False):
    """The settings of a session.

    The flat keys (`voice`, `input_audio_format`, `turn_detection` …) are the older spelling of what
    `audio` holds. `tool_choice` is `auto`, `required`, `none`, a tool's name or an object of the
    SDK; `tools` and `handoffs` hold live objects, which are the SDK's or the application's own.
    """

    model_name: str
    instructions: str
    prompt: Prompt
    modalities: list[Literal["text", "audio"]]
    output_modalities: list[Literal["text", "audio"]]
    audio: RealtimeAudioConfig
    voice: RealtimeVoice
    speed: float
    max_output_tokens: int | Literal["inf"]
    input_audio_format: RealtimeAudioFormat
    output_audio_format: RealtimeAudioFormat
    input_audio_transcription: RealtimeInputAudioTranscriptionConfig
    input_audio_noise_reduction: RealtimeInputAudioNoiseReductionConfig | None
    turn_detection: RealtimeTurnDetectionConfig | None
    tool_choice: Any
    parallel_tool_calls: bool
    reasoning: RealtimeReasoningConfig
    tools: list[Any]
    handoffs: list[Any]
    tracing: RealtimeModelTracingConfig | None
