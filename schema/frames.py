"""`Frame`: one message on a websocket, as a log of format 2 holds it.

Its text is cut at the base64 in it, so that audio lies in the log as bytes, once for the frame and for what
was made of it. Only where encoding the bytes gives the very characters back is a text cut, so joining the
pieces gives the very text back, always.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

import pybase64

Opcode = Literal["text", "binary"]

MIN_BASE64_LENGTH = 24
"""Shorter base64 stays in the text."""

MIN_URLSAFE_LENGTH = 516
"""And of the alphabet with `-` and `_`, in which keys are written, what may be one: none has more than 512
characters without a dot. (Of 13 ms of speech it is longer.)"""

_BEFORE_BASE64 = re.compile(r'"(?:delta|audio|data|payload)"\s*:\s*"(?=[A-Za-z0-9+/_-]{24})')
"""Keys under which the realtime protocols carry audio: OpenAI's, Gemini's `inlineData.data`, and those of
telephone companies. (A text that looks like base64 is cut, too, and comes back.)"""

_STANDARD_ALPHABET = str.maketrans("-_", "+/")

_TYPE = re.compile(r'"type"\s*:\s*"([^"\\]*)"')


def is_text_delta(type: object) -> bool:
    """Whether an event of this type has a piece of a text under `delta`, which stays one, whatever it looks
    like: of a secret in it the pieces are put together."""
    if not isinstance(type, str) or type.__class__ is not str:
        return False
    return type.endswith(".delta") and not type.endswith("audio.delta")


@dataclass(frozen=True, slots=True)
class Base64:
    """Bytes that stand in a text as canonical base64.

    Attributes:
        data: the bytes.
        urlsafe: in the alphabet with `-` and `_`, as Google's clients write it.
    """

    data: bytes
    urlsafe: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """One message.

    Attributes:
        data: exactly what crossed the wire: a text, or bytes.
        opcode: `text`, or `binary`, which a text may be sent as, too: some providers do.
        suspended: the read, or the send, gave way to others before it returned; None where that is not known.
        redacted: redactors took something out of it; its entry is flagged.
    """

    data: str | bytes
    opcode: Opcode = "text"
    suspended: bool | None = None
    redacted: bool = False

    @classmethod
    def of(cls, message: str | bytes, *, suspended: bool | None = None) -> Frame:
        """The frame of a message as a websocket library gives it: text, or bytes."""
        return cls(message, "text" if isinstance(message, str) else "binary", suspended)

    @property
    def text(self) -> str | None:
        """What it says, if it is text by its opcode or by its bytes."""
        if isinstance(self.data, str):
            return self.data
        try:
            return self.data.decode()
        except UnicodeDecodeError:
            return None

    @property
    def message(self) -> str | bytes:
        """As a websocket library takes it."""
        if self.opcode == "text" or isinstance(self.data, bytes):
            return self.data
        return self.data.encode()


def cut(text: str) -> list[str | Base64]:
    """The text in pieces, which joined are the very text."""
    pieces: list[str | Base64] = []
    done = at = 0
    while (found := _BEFORE_BASE64.search(text, at)) is not None:
        begin = at = found.end()
        end = text.find('"', begin)
        if end < 0 or (text.startswith('"delta"', found.start()) and _of_text_delta(text, begin, end)):
            continue
        written = text[begin:end]
        urlsafe = "_" in written or "-" in written
        if urlsafe:
            written = _standard(written)
        data = base64_bytes(written)
        if data is not None:
            pieces += [text[done:begin], Base64(data, urlsafe)]
            done = at = end
    pieces.append(text[done:])
    return pieces


def _standard(written: str) -> str:
    """Base64 of the other alphabet in the usual one; empty where it is none, or may be a key."""
    if len(written) < MIN_URLSAFE_LENGTH or "+" in written or "/" in written:
        return ""
    return written.translate(_STANDARD_ALPHABET)


def base64_bytes(text: str) -> bytes | None:
    """The bytes of which this is base64, to the last character; None of any other text, and of short ones."""
    if len(text) < MIN_BASE64_LENGTH or len(text) % 4 or not text.isascii():
        return None
    try:
        data = pybase64.b64decode(text, validate=True)
    except ValueError:
        return None
    # All but the last characters were looked at. Those must be what is written of the last bytes.
    last = len(data) % 3 or 3
    written = pybase64.b64encode_as_string(data[-last:])
    if len(data) - last != (len(text) - 4) // 4 * 3 or text[-4:] != written:
        return None
    return data


def _of_text_delta(text: str, begin: int, end: int) -> bool:
    """Whether what stands around a piece says so."""
    around = *_TYPE.finditer(text, 0, begin), *_TYPE.finditer(text, end)
    return any(is_text_delta(found[1]) for found in around)


def frame_state(frame: Frame) -> dict[str, Any]:
    """What a payload holds of a frame."""
    state: dict[str, Any] = {"opcode": frame.opcode}
    text = frame.data if isinstance(frame.data, str) else _json_in(frame.data)
    if text is None:
        state["bytes"] = frame.data
    else:
        state["pieces"] = cut(text)
    if frame.suspended is not None:
        state["suspended"] = frame.suspended
    if frame.redacted:
        state["redacted"] = True
    return state


def frame_of(state: dict[str, Any]) -> Frame:
    """The frame of a payload's fields."""
    opcode: Opcode = "binary" if state.get("opcode") == "binary" else "text"
    suspended = state.get("suspended")
    data: str | bytes
    if "pieces" in state:
        data = "".join(state["pieces"])
        if opcode == "binary":
            data = data.encode()
    else:
        data = bytes(state["bytes"])
    known = suspended if isinstance(suspended, bool) else None
    return Frame(data, opcode, known, state.get("redacted") is True)


def _json_in(data: bytes) -> str | None:
    """Bytes that are text: Gemini sends its JSON so. None of all else, such as bare audio."""
    if data[:1] not in (b"{", b"["):
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None
