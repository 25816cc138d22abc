"""The client's frames that a recording from above the socket lacks, as far as the provider's answers tell
of them."""

from __future__ import annotations

from dataclasses import replace

from ..schema.codec import to_json
from ..schema.frames import Frame
from .dialects import OPAQUE
from .gates import gates_of
from .recorded import RecordedConnection, WireFrame


def with_implied(connection: RecordedConnection) -> RecordedConnection:
    """The connection with each client's frame that an answer implies, put right before the answer."""
    if connection.dialect is OPAQUE:
        return connection
    frames: list[WireFrame] = []
    for frame, gate in zip(connection.frames, gates_of(connection.frames, connection.dialect), strict=True):
        if gate.implies is not None:
            asked = gate.implies
            data = Frame(to_json(asked))
            type = connection.dialect.type_of(asked)
            frames.append(WireFrame(frame.seq, frame.at_ns, False, data, asked, type, implied=True))
        frames.append(frame)
    return replace(connection, frames=tuple(frames))
