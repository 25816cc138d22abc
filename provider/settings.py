"""The session's settings: what the client may ask for, and what holds where it asks for nothing."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from .requests import Message, Modality, RequestRefused
from .speech import BYTES_PER_MS


class _Group(BaseModel):
    """Strict, so that what is echoed in `session.updated` is what a client's own types accept."""

    model_config = ConfigDict(strict=True, frozen=True)


class Pcm16(_Group):
    """PCM16, little-endian, mono, 24 kHz."""

    type: Literal["audio/pcm"] = "audio/pcm"
    rate: Literal[24_000] = 24_000

    @property
    def bytes_per_ms(self) -> int:
        """How many bytes a millisecond has."""
        return BYTES_PER_MS


class G711(_Group):
    """One byte a sample, mono, 8 kHz."""

    type: Literal["audio/pcmu", "audio/pcma"]

    @property
    def bytes_per_ms(self) -> int:
        """How many bytes a millisecond has."""
        return 8


AudioFormat: TypeAlias = Pcm16 | G711

AudioFormatName: TypeAlias = Literal["pcm16", "g711_ulaw", "g711_alaw"]
"""The formats that providers speak, as applications name them."""

_FORMATS: dict[AudioFormatName, AudioFormat] = {
    "pcm16": Pcm16(),
    "g711_ulaw": G711(type="audio/pcmu"),
    "g711_alaw": G711(type="audio/pcma"),
}


class ServerVad(_Group):
    """Turns end after a silence.

    Attributes:
        threshold: from 0.0 to 1.0; see `VoiceActivity` for what it means here.
        prefix_padding_ms: audio before the onset that belongs to the turn.
        silence_duration_ms: how long the user must be quiet before the turn ends.
        idle_timeout_ms: accepted and ignored: nobody is asked whether they are still there.
        create_response: a turn's end begins a response.
        interrupt_response: a turn's beginning cancels the response that is active.
    """

    type: Literal["server_vad"] = "server_vad"
    threshold: float = Field(default=0.5, ge=0.0, le=1.0)
    prefix_padding_ms: int = Field(default=300, ge=0, le=10_000)
    silence_duration_ms: int = Field(default=200, ge=0, le=10_000)
    idle_timeout_ms: int | None = None
    create_response: bool = True
    interrupt_response: bool = True


class SemanticVad(_Group):
    """Turns end when the sentence does; here, after a silence as with ServerVad."""

    type: Literal["semantic_vad"]
    eagerness: Literal["low", "medium", "high", "auto"] = "auto"
    create_response: bool = True
    interrupt_response: bool = True

    @property
    def threshold(self) -> float:
        """As by default with ServerVad."""
        return 0.5

    @property
    def prefix_padding_ms(self) -> int:
        """As by default with ServerVad."""
        return 300

    @property
    def silence_duration_ms(self) -> int:
        """As by default with ServerVad."""
        return 200


TurnDetection: TypeAlias = Annotated[ServerVad | SemanticVad, Field(discriminator="type")]


class AudioInput(_Group):
    """What comes from the user."""

    format: AudioFormat = Pcm16()
    transcription: dict[str, JsonValue] | None = None
    noise_reduction: dict[str, JsonValue] | None = None
    turn_detection: TurnDetection | None = ServerVad()


class AudioOutput(_Group):
    """What goes to the user. Voice and speed are echoed, and change nothing."""

    format: AudioFormat = Pcm16()
    voice: str | dict[str, JsonValue] = "alloy"
    speed: float = 1.0


class Audio(_Group):
    """Both directions."""

    input: AudioInput = AudioInput()
    output: AudioOutput = AudioOutput()


class FunctionTool(_Group):
    """A tool that the application offers; the provider calls what its script says, offered or not."""

    type: Literal["function"]
    name: str
    description: str | None = None
    parameters: dict[str, JsonValue] | None = None


class Settings(_Group):
    """All settings of one session, immutable: an update makes another one."""

    type: Literal["realtime"] = "realtime"
    model: str = "local"
    output_modalities: list[Modality] = Field(default=["audio"], min_length=1, max_length=1)
    instructions: str = "You are a helpful assistant."
    tools: list[FunctionTool] = []
    tool_choice: str | dict[str, JsonValue] = "auto"
    parallel_tool_calls: bool | None = None
    reasoning: dict[str, JsonValue] | None = None
    max_output_tokens: int | Literal["inf"] = "inf"
    tracing: Literal["auto"] | dict[str, JsonValue] | None = None
    truncation: str | dict[str, JsonValue] = "auto"
    prompt: dict[str, JsonValue] | None = None
    include: list[str] | None = None
    audio: Audio = Audio()

    @classmethod
    def speaking(cls, format: AudioFormatName, *, model: str = "local") -> Settings:
        """The settings of a session in which both sides speak a format."""
        spoken = _FORMATS[format]
        audio = Audio(input=AudioInput(format=spoken), output=AudioOutput(format=spoken))
        return cls(model=model, audio=audio)

    def updated(self, changes: Message) -> Settings:
        """These settings with `changes` laid over them.

        A setting is replaced as a whole, but `audio.input` and `audio.output` setting by setting, as
        the real provider does it. Settings that are not known here are left out.

        Raises:
            RequestRefused: a setting that does not fit; then nothing changes.
        """
        merged: Message = {**self.model_dump(), **changes}
        match changes.get("audio"):
            case dict() as audio:
                merged["audio"] = _laid_over(self.audio.model_dump(), audio)
            case _:
                pass
        try:
            return Settings.model_validate(merged)
        except ValidationError as error:
            raise RequestRefused.because(error, merged, within="session") from None

    def describe(self, session_id: str) -> Message:
        """The session object of `session.created` and `session.updated`."""
        return {"object": "realtime.session", "id": session_id, **self.model_dump(exclude_none=False)}


def _laid_over(settings: Message, changes: Message) -> Message:
    merged = {**settings, **changes}
    for side in ("input", "output"):
        match settings[side], changes.get(side):
            case dict() as before, dict() as after:
                merged[side] = {**before, **after}
            case _:
                pass
    return merged
