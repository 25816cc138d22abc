"""Dialects: small tables that say where a frame's type stands, what in it is an id or audio, and what
answers what.

A provider's protocol is a row or a table here, and no code elsewhere. What no table knows is opaque.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ..replay import CLIENT_IDS
from ..schema.beta_names import GA_NAMES, either
from ..schema.codec import from_json, from_standard_json
from ..session.appended_sound import GEMINI_SOUND, LIVE_SOUND, OPENAI_SOUND, Path, at, is_sound, mime_of
from ..session.fields import mapping, text_of
from ..session.gemini_messages import GEMINI_KEYS

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """A row: frames of the server's of this type answer frames of the client's.

    Attributes:
        type: of the server's frame.
        to: types of the client's frames.
        by: fields (the server's, the client's) whose values must be the same; none: the first frame that
            nothing has answered yet.
        echoes: of the client's fields that it has by its clock, those that the answer repeats under the same
            name.
    """

    type: str
    to: tuple[str, ...]
    by: tuple[tuple[Path, Path], ...] = ()
    echoes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dialect:
    """What is known of a protocol.

    Attributes:
        name: as it stands in the log.
        types: where a message's type stands: in `type`, or it is the first of these keys.
        answers: who answers whom, beside what `rules` know.
        rules: `conversation`: items, responses and input as OpenAI's realtime protocol has them. `echo`:
            answers name the client's `event_id` in `client_event_id`. `count`: a server's frame waits for
            as many frames of the client's, audio aside, as came before it.
        appends: types of the client's frames that append the user's audio, or pictures → where it may stand;
            where the type is a key, under it.
        hears: types of the server's frames that come of the user's audio.
        landmarks: types between which it makes a difference on which side a client's frame came.
        client_ids: fields in which a client mints ids.
        clocked: type of a client's frame → fields that say how much was heard, which most clients know by a
            clock of their own.
        speaks: types of the server's frames in whose `delta` is the model's audio, of their `item_id`.
    """

    name: str
    types: tuple[str, ...] = ()
    answers: tuple[AnswerRow, ...] = ()
    rules: Literal["conversation", "echo", "count"] = "count"
    appends: Mapping[str, tuple[Path, ...]] = field(default_factory=dict[str, tuple[Path, ...]])
    hears: frozenset[str] = frozenset()
    landmarks: frozenset[str] = frozenset()
    client_ids: tuple[str, ...] = ()
    clocked: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    speaks: frozenset[str] = frozenset()

    def type_of(self, message: Message | None) -> str:
        """A message's type; empty where it has none, or it is no message."""
        if message is None:
            return ""
        if not self.types:
            return text_of(message.get("type"))
        return next((name for name in self.types if name in message), next(iter(message), ""))

    def appended(self, type: str, message: Message | None) -> Iterable[str]:
        """The base64 audio of the user's that a client's message appends."""
        return (one for one, mime in self.media(type, message) if is_sound(mime))

    def pictured(self, type: str, message: Message | None) -> Iterable[tuple[str, str]]:
        """The pictures that it appends: base64, and what it says that they are."""
        return (one for one in self.media(type, message) if not is_sound(one[1]))

    def media(self, type: str, message: Message | None) -> Iterable[tuple[str, str]]:
        """Both, each with its MIME type, or without where it can only be sound."""
        paths = self.appends.get(type)
        if paths is None or message is None:
            return
        within: Any = message.get(type) if self.types else message
        for *around, last in paths:
            for holder in at(within, around):
                one = mapping(holder).get(last)
                if isinstance(one, str):
                    yield one, mime_of(holder) or ("image" if "video" in around else "")


def first_at(tree: Any, path: Sequence[str]) -> Any:
    """The first thing that lies under a path, or None."""
    return next(iter(at(tree, path)), None)


def message_in(text: str | None, *, standard: bool = True) -> Message | None:
    """The message that a frame's text holds, or None.

    Args:
        standard: what only Python takes for JSON (NaN, a number that is too large) is none.
    """
    if text is None or text.lstrip()[:1] != "{":
        return None
    try:
        tree = from_standard_json(text) if standard else from_json(text)
    except (ValueError, RecursionError):
        return None
    return mapping(tree)


def _frame_ids() -> tuple[str, ...]:
    """Where a message of the client's has the ids that it has in a `send_raw_message`, too."""
    paths = CLIENT_IDS["send_raw_message"]
    inner = (path.removeprefix("message.").removeprefix("other_data.") for path in paths)
    return tuple(dict.fromkeys(inner))


_ITEM: tuple[tuple[Path, Path], ...] = ((("item_id",), ("item_id",)),)

OPENAI_REALTIME = Dialect(
    "openai-realtime",
    rules="conversation",
    answers=(
        AnswerRow("session.updated", ("session.update", "transcription_session.update")),
        AnswerRow("transcription_session.updated", ("transcription_session.update", "session.update")),
        AnswerRow("conversation.item.truncated", ("conversation.item.truncate",), _ITEM, ("audio_end_ms",)),
        AnswerRow("conversation.item.deleted", ("conversation.item.delete",), _ITEM),
        AnswerRow(
            "conversation.item.retrieved", ("conversation.item.retrieve",), ((("item", "id"), ("item_id",)),)
        ),
        AnswerRow("input_audio_buffer.cleared", ("input_audio_buffer.clear",)),
        AnswerRow("output_audio_buffer.cleared", ("output_audio_buffer.clear",)),
    ),
    appends=OPENAI_SOUND,
    hears=frozenset(
        {
            "input_audio_buffer.speech_started",
            "input_audio_buffer.speech_stopped",
            "input_audio_buffer.committed",
            "input_audio_buffer.timeout_triggered",
        }
    ),
    landmarks=frozenset(
        {
            *("session.created", "session.updated", "response.created", "response.done"),
            *("conversation.item.added", "conversation.item.created", "conversation.item.done"),
            *("response.output_item.added", "response.output_item.done", "conversation.item.truncated"),
            *("input_audio_buffer.speech_started", "input_audio_buffer.committed"),
        }
    ),
    client_ids=_frame_ids(),
    clocked={"conversation.item.truncate": frozenset({"audio_end_ms"})},
    speaks=either("response.output_audio.delta"),
)
"""OpenAI's GA protocol; Azure's and xAI's are the same here."""

OPENAI_REALTIME_BETA = replace(OPENAI_REALTIME, name="openai-realtime-beta")
"""The names that came before: who answers whom is the same."""


def _live(*verbs: tuple[str, str]) -> tuple[AnswerRow, ...]:
    return tuple(AnswerRow(answer, (verb,)) for answer, verb in verbs)


OPENAI_LIVE = Dialect(
    "openai-live",
    rules="echo",
    answers=_live(
        ("session.started", "session.start"),
        ("session.updated", "session.update"),
        ("session.closed", "session.close"),
        ("session.input_audio.muted", "session.input_audio.mute"),
        ("session.input_audio.unmuted", "session.input_audio.unmute"),
        ("session.output_audio.fixture.playing", "session.output_audio.fixture.play"),
        ("session.instructions.appended", "session.instructions.append"),
        ("session.thinking.appended", "session.thinking.append"),
        ("session.commentary.appended", "session.commentary.append"),
        ("decision.item.created", "decision.item.create"),
        ("decision.item.deleted", "decision.item.delete"),
    ),
    appends=LIVE_SOUND,
    hears=frozenset(
        {
            *("session.output_audio.delta", "session.input_transcript.delta"),
            *("session.output_transcript.delta", "session.delegation.created"),
        }
    ),
    landmarks=frozenset({"session.started", "session.updated", "session.delegation.created"}),
    client_ids=("event_id", "item.id"),
)
"""Full duplex, without turns: what answers no command comes of the audio."""

GEMINI_LIVE = Dialect(
    "gemini-live",
    types=GEMINI_KEYS,
    appends={key: (*paths, ("video", "data")) for key, paths in GEMINI_SOUND.items()},
    landmarks=frozenset({"setupComplete", "toolCall"}),
)
"""A key for a type, in the client's two spellings, as text or as bytes."""

OPAQUE = Dialect("opaque")
"""Of a protocol that no table knows, only the order counts."""

DIALECTS = {
    dialect.name: dialect
    for dialect in (OPENAI_REALTIME, OPENAI_REALTIME_BETA, OPENAI_LIVE, GEMINI_LIVE, OPAQUE)
}
"""By their names."""

_LIVE_PREFIXES = ("session.start", "session.input_", "session.output_", "decision.", "session.delegation")
_BETA_NAMES = frozenset({*GA_NAMES, "transcription_session.update"})
_REALTIME_PREFIXES = (
    *("session.", "response.", "conversation.", "input_audio_buffer.", "output_audio_buffer."),
    "transcription_session.",
)


def dialect_of(messages: Iterable[Message | None]) -> Dialect:
    """The dialect that these messages, of either side, are of."""
    found = OPAQUE
    for message in messages:
        if message is None:
            continue
        type = text_of(message.get("type"))
        if not type and any(name in message for name in GEMINI_LIVE.types):
            return GEMINI_LIVE
        if type.startswith(_LIVE_PREFIXES):
            return OPENAI_LIVE
        if type in _BETA_NAMES:
            return OPENAI_REALTIME_BETA
        if type.startswith(_REALTIME_PREFIXES):
            found = OPENAI_REALTIME
    return found


def is_conclusive(dialect: Dialect) -> bool:
    """Whether no further message could tell otherwise."""
    return dialect is not OPAQUE and dialect is not OPENAI_REALTIME
