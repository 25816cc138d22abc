"""MCAP: the lanes as `foxglove.RawAudio`, what was said as JSON, on the clock of the wall; for Foxglove."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Sequence
from typing import Any

from ...schema import UsageError
from ...schema.codec import standard_json
from ...session import Draft
from ...session.derived import derive_draft
from .laid_sound import laid

_SAID = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in ("session", "who", "text")},
}


def mcap_of(drafts: Sequence[Draft], *, ids: Sequence[str] | None = None) -> bytes:
    """The file: topics `/user`, `/model` and `/heard` with sound, `/said` with words.

    Args:
        ids: under which ids the sessions lie in a store, where these are redacted copies; None: their own.

    Raises:
        UsageError: the extra `exports` is not installed.
        CorruptRecordError: bytes are missing.
    """
    try:
        from foxglove_schemas_protobuf.RawAudio_pb2 import RawAudio
        from google.protobuf.descriptor_pb2 import FileDescriptorSet
        from mcap.writer import CompressionType, Writer
    except ImportError as error:
        raise UsageError(f"--mcap needs more ({error}): pip install 'realtape[exports]'") from error
    made = io.BytesIO()
    writer = Writer(made, compression=CompressionType.NONE)
    writer.start(profile="", library="realtape")
    files: Any = FileDescriptorSet()
    _describe(RawAudio.DESCRIPTOR.file, files, set())
    audio = writer.register_schema("foxglove.RawAudio", "protobuf", files.SerializeToString())
    said = writer.register_schema("realtape.Said", "jsonschema", json.dumps(_SAID).encode())
    topics = {
        lane: writer.register_channel(f"/{lane}", "protobuf", audio) for lane in ("user", "model", "heard")
    }
    words = writer.register_channel("/said", "json", said)
    messages: list[tuple[int, int, bytes]] = []
    called = [draft.header.id for draft in drafts] if ids is None else ids
    for draft, id in zip(drafts, called, strict=True):
        started_ns = draft.header.started_ns
        for piece in laid(draft)[1]:
            if sys.byteorder == "big":
                piece.samples.byteswap()
            at_ns = started_ns + piece.at_ns
            message: Any = RawAudio(
                data=piece.samples.tobytes(),
                format="pcm-s16",
                sample_rate=piece.rate_hz,
                number_of_channels=1,
            )
            message.timestamp.seconds, message.timestamp.nanos = divmod(at_ns, 1_000_000_000)
            messages.append((at_ns, topics[piece.lane], message.SerializeToString(deterministic=True)))
        for at_ns, who, text in _words(draft):
            told = {"session": id, "who": who, "text": text}
            messages.append((started_ns + at_ns, words, standard_json(told).encode()))
    messages.sort(key=lambda one: one[0])
    for number, (at_ns, channel, data) in enumerate(messages):
        writer.add_message(channel, at_ns, data, at_ns, number)
    writer.finish()
    return made.getvalue()


def _words(draft: Draft) -> list[tuple[int, str, str]]:
    derived = derive_draft(draft)
    began = {one.response_id: one.began_ns for one in derived.responses}
    said = [(turn.began_ns or 0, "user", turn.text) for turn in derived.turns if turn.text]
    said += [(response.began_ns, "model", text) for response, text in derived.written]
    return said + [
        (began.get(part.response_id, 0), "model", part.text) for part in derived.heard if part.text
    ]


def _describe(file: Any, files: Any, known: set[str]) -> None:
    """A schema needs those that it imports, each before who imports it."""
    if file.name in known:
        return
    known.add(file.name)
    for other in file.dependencies:
        _describe(other, files, known)
    file.CopyToProto(files.file.add())
