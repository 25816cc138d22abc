"""Sessions in memory with planted secrets: in texts, cut into deltas anywhere, behind escapes, in frames."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import Any

from hypothesis import strategies as st
from realtape.schema import STANDARD, Codec, Entry, Header, Kind, Status
from realtape.schema import events as ev
from realtape.schema import items as it
from realtape.schema import sends as se
from realtape.schema.codec import Reference
from realtape.session.drafts import Draft

EMAILS = ("ada.lovelace@example.org", "grace@navy.example.mil", "m_c+q@sub.example.co.uk", "Alan@Example.Com")
PHONES = ("+49 151 23456789", "+14155550132", "(415) 555-0199", "0049 30 1234567", "07700 900123")
CARDS = ("4111111111111111", "5555 5555 5555 4444", "3782-822463-10005", "6011000990139424")
SECRETS = (*EMAILS, *PHONES, *CARDS)

_BEFORE = ("", "It is ", "Write to <", 'He said "', "größer: ", "a\tb\n", "1. ", "back\\slash ", "at 19:00, ")
_AFTER = ("", ".", "> please", '", she said', ", ok?", "\n", " 😀", " on 24.12.2024")
_CODEC = Codec(STANDARD)
_PAUSE = 7_000_000


@dataclass
class Session:
    """A session that is being made up.

    Attributes:
        entries, data: of the draft.
        secrets: those that were planted.
    """

    entries: list[Entry] = field(default_factory=list[Entry])
    data: bytearray = field(default_factory=bytearray)
    secrets: set[str] = field(default_factory=set[str])

    def put(self, data: bytes) -> Reference:
        self.data += data
        return (0, len(self.data) - len(data), len(data))

    def add(self, kind: Kind, value: Any, type: str | None = None, **columns: Any) -> int:
        """Append an entry; returns its number."""
        seq = len(self.entries)
        payload = _CODEC.encode(value, self.put).payload
        type = type or getattr(value, "type", None)
        self.entries.append(Entry(seq, seq * _PAUSE, seq * 20, 0, kind, type, payload=payload, **columns))
        return seq

    def draft(self, labels: dict[str, str] | None = None, previous: str | None = None) -> Draft:
        """What was made up."""
        started = 1_795_344_669_474_218_944
        id = f"01a202e1-9b22-7{len(self.entries) % 4096:03x}-8f9a-4f78ab22a78d"
        header = Header(id, previous, started, "host.example", 4711, "recorder", {}, labels or {})
        return Draft(header, Status.CLOSED, tuple(self.entries), {0: bytes(self.data)}).sealed()


@st.composite
def texts(draw: Callable[..., Any], session: Session, secrets: tuple[str, ...] = SECRETS) -> str:
    """A text with a secret, or two."""
    parts: list[str] = []
    for secret in draw(st.lists(st.sampled_from(secrets), min_size=1, max_size=1)):
        session.secrets.add(secret)
        parts += [draw(st.sampled_from(_BEFORE)), secret, draw(st.sampled_from(_AFTER)), " and "]
    return "".join(parts)


@st.composite
def cuts(draw: Callable[..., Any], text: str) -> list[str]:
    """A text in pieces."""
    if draw(st.integers(0, 3)) == 0:
        return list(text)
    places = draw(st.lists(st.integers(0, len(text)), max_size=3))
    return [text[start:end] for start, end in pairwise([0, *sorted(places), len(text)])]


@st.composite
def argument_texts(draw: Callable[..., Any], session: Session) -> str:
    """JSON with secrets in it: in values, in keys, as numbers, behind escapes, as JSON within JSON."""
    text = draw(texts(session))
    card = draw(st.sampled_from(CARDS))
    session.secrets.add(card)
    facts: dict[str, Any] = {"note": text, "card": int("".join(filter(str.isdigit, card))), "guests": 2}
    if draw(st.booleans()):
        facts[draw(texts(session))] = True
    if draw(st.booleans()):
        facts["inner"] = json.dumps({"to": draw(texts(session))})
    written = json.dumps(facts, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1])))
    for plain, escaped in (("@", "\\u0040"), ("/", "\\/"), ("a", "\\u0061"), ("5", "\\u0035")):
        if draw(st.booleans()) and not any(plain in word for word in ("true", "card") if plain != "a"):
            written = "".join(_escaped_within(written, plain, escaped))
    assert json.loads(written) == facts
    return written


def _escaped_within(text: str, plain: str, escaped: str) -> list[str]:
    """Only in JSON's strings: a number has no escapes. Not right behind a backslash."""
    out: list[str] = []
    inside = False
    for at, char in enumerate(text):
        behind = text[at - 1] == "\\" and not text[:at].endswith("\\\\") if at else False
        inside ^= char == '"' and not behind
        in_escape = "\\u" in text[max(at - 5, 0) : at] or behind
        out.append(escaped if inside and char == plain and not in_escape else char)
    return out


@st.composite
def sessions(draw: Callable[..., Any]) -> tuple[Draft, set[str]]:
    """A session, and what was planted in it."""
    session = Session()
    settings = {"instructions": draw(texts(session)), "input_audio_format": "g711_ulaw"}
    session.add(Kind.CONNECT, {"options": {"initial_model_settings": settings, "url": "wss://example.org"}})
    session.add(Kind.CONNECTED, {"outcome": "returned"}, of=0)
    session.add(Kind.SENT, se.RealtimeModelSendAudio(b"\x12\x34" * 80), "send_audio")
    said = draw(texts(session))
    session.add(Kind.SENT, se.RealtimeModelSendUserInput(said), "send_user_input", method="send_event")
    streams: list[list[Callable[[], Any]]] = [draw(_message(session, index)) for index in range(2)]
    streams.append(draw(_call(session)))
    order = Random(draw(st.integers(0, 99)))
    while streams:  # others come in between
        order.choice(streams).pop(0)()
        streams = [each for each in streams if each]
    secret = draw(st.sampled_from(SECRETS))
    session.secrets.add(secret)
    error = ConnectionError(f"no route to {secret}")
    session.add(Kind.RECEIVED, ev.RealtimeModelExceptionEvent(error, f"while {secret} waited"))
    session.add(
        Kind.MARKER, {"text": draw(texts(session)), "data": {secret: [secret], "bytes": secret.encode()}}
    )
    for kind in (Kind.FRAME_IN, Kind.FRAME_OUT):
        text = draw(texts(session))
        for piece in draw(cuts(text)):
            facts = {"type": "response.text.delta", "item_id": "item_f", "event_id": "e", "delta": piece}
            session.add(kind, draw(cuts(json.dumps(facts, ensure_ascii=draw(st.booleans())))))
        session.add(kind, [json.dumps({"type": "response.text.done", "text": text})])
    return session.draft({"caller": secret, "plain": "demo"}), session.secrets


@st.composite
def _message(draw: Callable[..., Any], session: Session, index: int) -> list[Callable[[], Any]]:
    """What comes of a message of the model's, raw and understood."""
    text = draw(texts(session))
    ids = {"response_id": "resp_4012888888881881", "item_id": f"item_0612345678{index}"}
    steps: list[Callable[[], Any]] = []

    def raw(type: str, **facts: Any) -> None:
        data = {"type": type, "event_id": "event_49151234567", **ids, "content_index": 0, **facts}
        steps.append(lambda: session.add(Kind.RECEIVED, ev.RealtimeModelRawServerEvent(data)))

    sound = ev.RealtimeModelAudioEvent(bytes([index + 1]) * 96, ids["response_id"], ids["item_id"], 0)
    for piece in draw(cuts(text)):
        steps.append(lambda: session.add(Kind.RECEIVED, sound))
        raw("response.output_audio_transcript.delta", delta=piece)
        event = ev.RealtimeModelTranscriptDeltaEvent(ids["item_id"], piece, ids["response_id"])
        steps.append(lambda event=event: session.add(Kind.RECEIVED, event))
    raw("response.output_audio_transcript.done", transcript=text)
    item = {"id": ids["item_id"], "type": "message", "content": [{"type": "audio", "transcript": text}]}
    raw("response.done", response={"output": [item], "usage": {"total_tokens": 4012888888881881}})
    message = it.AssistantMessageItem(item_id=ids["item_id"], content=[it.AssistantAudio(transcript=text)])
    steps.append(lambda: session.add(Kind.RECEIVED, ev.RealtimeModelItemUpdatedEvent(message)))
    return steps


@st.composite
def _call(draw: Callable[..., Any], session: Session) -> list[Callable[[], Any]]:
    """A call of a tool, in pieces, and its answer."""
    arguments = draw(argument_texts(session))
    output = draw(texts(session))
    steps: list[Callable[[], Any]] = []
    for piece in draw(cuts(arguments)):
        data = {"type": "response.function_call_arguments.delta", "call_id": "call_1", "delta": piece}
        steps.append(lambda data=data: session.add(Kind.RECEIVED, ev.RealtimeModelRawServerEvent(data)))
    call = ev.RealtimeModelToolCallEvent("look_up", "call_1", arguments)
    sent = se.RealtimeModelSendToolOutput(call, output, start_response=True)
    done = it.RealtimeToolCallItem(
        item_id="i", call_id="call_1", status="completed", arguments=arguments, name="look_up", output=output
    )
    steps.append(lambda: session.add(Kind.RECEIVED, call))
    steps.append(lambda: session.add(Kind.SENT, sent, "send_tool_output"))
    steps.append(lambda: session.add(Kind.RECEIVED, ev.RealtimeModelItemUpdatedEvent(done)))
    return steps
