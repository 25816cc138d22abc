"""In which format the model and the user speak, as the SDK's model has it at that moment.

It takes the format from what the server says its session is (`session.created`, `session.updated`), and
tells the playback tracker (`openai_realtime.py`: `_update_created_session`). Before that it has none, and
what the application asked for holds, in `connect` or in an update of the settings: that is what comes.
Where nobody names one, and where nobody knows the name, it is PCM16.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, cast

from ..schema.entries import Entry, Kind
from ..schema.playback import (
    G711_SAMPLE_RATE_HZ,
    PCM16_SAMPLE_RATE_HZ,
    PCM16_SAMPLE_WIDTH_BYTES,
    audio_length_ms,
    is_g711,
)
from .appended_sound import appended_sound, mime_of
from .fields import (
    RAW,
    arguments_of,
    client_message,
    event_fields,
    facts_of,
    frame_message,
    mapping,
    unwrapped,
)
from .gemini_messages import gemini_blobs
from .messages import SESSION_TOLD

Encoding = Literal["pcm16", "g711_ulaw", "g711_alaw"]

_MIN_RATE_HZ, _MAX_RATE_HZ = 1_000, 400_000

_RATE_KEY = re.compile(r"(?:sampl(?:e|ing)[_-]?)?rate(?:[_-]?(?:hz|hertz))?", re.IGNORECASE)
"""Keys under which providers put it: `rate`, `sampling_rate`, `sample_rate_hz`, `sampleRateHertz` …"""

_RATE_IN_NAME = re.compile(
    r"(?<!\d)(?P<hz>\d{4,6})(?: ?hz)?$|;\s*rate=(?P<rate>\d{4,6})"
    r"|(?<![\d.])(?P<khz>\d{1,3}(?:\.\d{1,3})?) ?k(?:hz)?(?![a-z])",
    re.IGNORECASE,
)
"""`pcm16_16000hz` and `pcm16-16000hz` (Azure's Voice Live), `pcm_16000`, `audio/pcm;rate=16000`, `16khz`."""

_NAMES = ("encoding", "codec", "format", "mime_type", "mimeType", "mediaType")
"""Keys under which they put the name, where it is not `type`, the only one that the SDK knows."""

_OTHER_G711 = re.compile(
    r"(?<![a-z])(?:(?:mu|u|µ|x-mu)-?law|pcmu|audio/basic|(?P<a>a-?law|pcma))(?![a-z])", re.I
)
"""Names of G.711 that the SDK takes for PCM16: `mulaw`, `ulaw_8000`, `audio/PCMU;rate=8000`."""

GEMINI_LISTENS = "audio/pcm;rate=16000"
"""What Gemini takes the user's voice for where nobody says the rate; its own is as OpenAI's."""

_INLINE = "inlineData"
"""In every frame of Gemini's that brings its voice; within a frame's text there are escapes around it."""

_OPENAI_CLASSES = {"AudioPCMU": "audio/pcmu", "AudioPCMA": "audio/pcma"}
"""Those of the `openai` package that need no `type` to be known: the last part of a registered name."""

_SILENCE: dict[str, bytes] = {"pcm16": b"\x00", "g711_ulaw": b"\xff", "g711_alaw": b"\xd5"}


class SoundFormat(NamedTuple):
    """How sound is written; one channel.

    Attributes:
        encoding: of its samples.
        rate_hz: samples a second, for whoever plays it. (Milliseconds are counted as the SDK counts them:
            of PCM16 as if it were 24,000, whatever it is.)
        taken_for: as what the SDK counts it, where it does not know the name; None: as what it is.
    """

    encoding: Encoding
    rate_hz: int
    taken_for: Encoding | None = None

    @property
    def counted(self) -> Encoding:
        """As what the SDK counts it."""
        return self.taken_for or self.encoding

    @property
    def sample_bytes(self) -> int:
        """Of one sample."""
        return PCM16_SAMPLE_WIDTH_BYTES if self.encoding == "pcm16" else 1

    @property
    def silence(self) -> bytes:
        """A byte of silence. ITU-T G.711: the quietest positive value, its bits inverted as they are sent."""
        return _SILENCE[self.encoding]

    def ms(self, byte_count: int) -> float:
        """How long so many bytes play, in milliseconds, to the last bit as the SDK has it."""
        return audio_length_ms(self.counted, byte_count)

    def duration_ms(self, byte_count: int) -> float:
        """How long so many bytes last at the rate at which they were recorded, in milliseconds."""
        return byte_count / self.sample_bytes / self.rate_hz * 1000

    def bytes_in(self, ms: float) -> int:
        """So many milliseconds in bytes: whole samples."""
        per_ms = 1 / self.ms(1)
        return int(ms * per_ms) // self.sample_bytes * self.sample_bytes


PCM16 = SoundFormat("pcm16", PCM16_SAMPLE_RATE_HZ)
G711_ULAW = SoundFormat("g711_ulaw", G711_SAMPLE_RATE_HZ)
G711_ALAW = SoundFormat("g711_alaw", G711_SAMPLE_RATE_HZ)


def format_of(named: object) -> SoundFormat | None:
    """What a format means that settings, a message, or a call of the tracker name; None: they name none.

    Args:
        named: a name of either generation of the protocol, a mapping with a `type`, a typed object of the
            `openai` package, or any of them as a payload holds it.
    """
    if named is None:
        return None
    name = named if isinstance(named, str) else _type_of(named)
    if is_g711(name if isinstance(named, str) else {"type": name}):
        return G711_ALAW if "alaw" in name.lower() or "pcma" in name.lower() else G711_ULAW
    facts = unwrapped(named)
    name = name or next((found for key in _NAMES if isinstance(found := facts.get(key), str)), "")
    rate = _rate_in(facts) or _rate_in(vars(named) if hasattr(named, "__dict__") else {})
    if rate is None and (found := _RATE_IN_NAME.search(name)):
        rate = _rate(found["hz"] or found["rate"] or float(found["khz"]) * 1000)
    other = _OTHER_G711.search(name)
    if other is not None:
        return SoundFormat(
            "g711_ulaw" if other["a"] is None else "g711_alaw", rate or G711_SAMPLE_RATE_HZ, taken_for="pcm16"
        )
    return PCM16 if rate is None else PCM16._replace(rate_hz=rate)


class SoundFormats:
    """Reads along, and knows the formats that hold from the entry read last on.

    Attributes:
        model: of the model's voice.
        user: of the user's.
    """

    def __init__(self) -> None:
        self.model = PCM16
        self.user = PCM16
        self._told_model = self._told_user = False

    def read(self, entry: Entry) -> None:
        """The next entry."""
        if entry.kind == Kind.RECEIVED:
            # Else it need not be read.
            if entry.type == RAW and ("session." in entry.payload or _INLINE in entry.payload):
                self.tell(facts_of(entry))
        elif entry.kind == Kind.FRAME_IN:
            if "session." in entry.payload or _INLINE in entry.payload:
                self.tell(frame_message(entry))
        elif entry.kind == Kind.PLAYBACK:
            if entry.method == "set_audio_format":
                self._set_model(next(iter(arguments_of(entry)), None), told=True)
        elif entry.kind == Kind.CONNECT:
            self.connect(_at(event_fields(entry), "options", "initial_model_settings"))
        elif entry.kind == Kind.SENT:
            if entry.type == "send_session_update":
                self.ask(event_fields(entry).get("session_settings"))
            elif entry.type == "send_raw_message":
                self._ask_by(client_message(entry) or {})
        elif entry.kind == Kind.FRAME_OUT:
            self._ask_by(frame_message(entry))

    def connect(self, settings: object) -> None:
        """A connection begins, with these settings: what another one had is forgotten."""
        self.model = self.user = PCM16
        self._told_model = self._told_user = False
        self.ask(settings)

    def ask(self, settings: object) -> None:
        """The application asks for settings, in the spelling of either generation."""
        if not self._told_model:
            self._set_model(_format_in(settings, "output"), told=False)
        if not self._told_user:
            self._set_user(_format_in(settings, "input"), told=False)

    def tell(self, message: dict[str, Any]) -> None:
        """A message of the server, which may say what its session is."""
        if message.get("type") in SESSION_TOLD or message.get("type") == "session.started":
            session = message.get("session")
            if _at(session, "type") != "transcription":  # in which nobody but the user speaks
                self._set_model(_format_in(session, "output"), told=True)
            self._set_user(_format_in(session, "input"), told=True)
        else:
            for blob in gemini_blobs(message):
                self._set_model(mime_of(blob), told=True)

    def _ask_by(self, message: dict[str, Any]) -> None:
        if message.get("type") in ("session.update", "session.start"):
            self.ask(message.get("session"))
        else:
            for _, mime in appended_sound(message):
                if mime is not None:
                    self._set_user(mime if "rate=" in mime else GEMINI_LISTENS, told=True)

    def _set_model(self, named: object, *, told: bool) -> None:
        format = format_of(named)
        if format is not None:
            self.model, self._told_model = format, told

    def _set_user(self, named: object, *, told: bool) -> None:
        format = format_of(named)
        if format is not None:
            self.user, self._told_user = format, told


def _format_in(settings: object, side: str) -> object:
    """Nested, as it is now, or flat, as it was in the beta; the first of them that names one. Flat, the
    rate may stand beside it (Azure's Voice Live: `input_audio_sampling_rate`)."""
    beside = _at(settings, "audio", side)
    nested = _at(beside, "format")
    if nested is None:
        nested = _at(settings, "audio", "format")  # the Live API's, of both sides
    if nested is not None:
        return _with_rate(nested, _rate_in(beside))
    flat = {key.removeprefix(f"{side}_audio_"): value for key, value in mapping(settings).items()}
    return _with_rate(_at(settings, f"{side}_audio_format"), _rate_in(flat) or _rate_in(beside))


def _with_rate(named: Any, rate: int | None) -> object:
    """A format, with the rate that stands beside it, where it has none of its own."""
    if rate is None:
        return named
    if named is None or isinstance(named, str):
        return {"type": named, "rate": rate}
    facts = mapping(named)
    return {**facts, "rate": rate} if facts and "$" not in facts and _rate_in(facts) is None else named


def _rate_in(facts: Any) -> int | None:
    """The rate that stands beside a format's name."""
    rates = (_rate(value) for key, value in mapping(facts).items() if _RATE_KEY.fullmatch(str(key)))
    return next(filter(None, rates), None)


def _rate(told: object) -> int | None:
    """Samples a second, where that is what it can be."""
    if isinstance(told, str) and told.isascii() and told.isdigit() and len(told) < 9:
        told = int(told)
    if isinstance(told, float) and told.is_integer():
        told = int(told)
    return told if type(told) is int and _MIN_RATE_HZ <= told <= _MAX_RATE_HZ else None


def _at(tree: object, *keys: str) -> Any:
    """What lies under these keys, or None."""
    for key in keys:
        if not isinstance(tree, Mapping):
            return None
        tree = cast("Mapping[str, Any]", tree).get(key)
    return tree


def _type_of(named: object) -> str:
    """The `type` of a format, or what its class stands for; empty where neither is known."""
    if isinstance(named, Mapping):
        facts = cast("Mapping[str, Any]", named)
        name: object = unwrapped(named).get("type", facts.get("type"))
        classes = [facts.get("name") if facts.get("$") == "described" else facts.get("$")]
    else:
        name = getattr(named, "type", None)
        classes = [base.__name__ for base in type(named).__mro__]
    if isinstance(name, str):
        return name
    last = [one.replace(":", ".").rpartition(".")[2] for one in classes if isinstance(one, str)]
    return next((_OPENAI_CLASSES[one] for one in last if one in _OPENAI_CLASSES), "")
