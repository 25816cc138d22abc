"""Recorded connections made by hand, and clients that play against the core."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from realtape.schema import Frame
from realtape.wire import (
    ClientRun,
    Dialect,
    EndNow,
    RecordedConnection,
    RecordedEnd,
    SendFrame,
    ServerSide,
    WireFrame,
    dialect_of,
)
from realtape.wire.dialects import message_in

MS = 1_000_000
Said = tuple[str, Any]
"""`<` from the server or `>` from the client, and what."""

CREATED: Said = ("<", {"type": "session.created", "event_id": "event_1", "session": {"id": "sess_1"}})
UPDATE: Said = (">", {"type": "session.update", "session": {"instructions": "Be brief."}})
UPDATED: Said = ("<", {"type": "session.updated", "event_id": "event_2", "session": {"id": "sess_1"}})


def user_item(text: str, **more: Any) -> dict[str, Any]:
    return {
        **more,
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": text}],
    }


def asked(text: str, **more: Any) -> Said:
    return ">", {"type": "conversation.item.create", "item": user_item(text, **more)}


def added(text: str, id: str) -> Said:
    return "<", {"type": "conversation.item.added", "event_id": "event_a", "item": user_item(text, id=id)}


RESPOND: Said = (">", {"type": "response.create"})


def response(id: str, *texts: str, item: str, **more: Any) -> list[Said]:
    """A whole response, from `created` to `done`."""
    ids = {"response_id": id, "item_id": item}
    said: list[Said] = [
        ("<", {"type": "response.created", "response": {"id": id, "conversation_id": "conv_1", **more}}),
        ("<", {"type": "response.output_item.added", "response_id": id, "item": {"id": item}}),
    ]
    said += [("<", {"type": "response.output_text.delta", **ids, "delta": text}) for text in texts]
    said.append(("<", {"type": "response.done", "response": {"id": id, "status": "completed"}}))
    return said


TURN: list[Said] = [
    CREATED,
    UPDATE,
    UPDATED,
    asked("Hello?"),
    RESPOND,
    added("Hello?", "item_1"),
    *response("resp_1", "Good ", "day.", item="item_2"),
]


def data_of(what: dict[str, Any] | str | bytes) -> str | bytes:
    return json.dumps(what, separators=(",", ":")) if isinstance(what, dict) else what


def connection(
    said: Iterable[Said],
    *,
    end: RecordedEnd | None = None,
    dialect: Dialect | None = None,
    step_ns: int = 10 * MS,
    begun_ns: int = 0,
    implied: bool = False,
) -> RecordedConnection:
    """A recorded connection, a frame every `step_ns`."""
    found = list(said)
    known = dialect or dialect_of(message_in(Frame.of(data_of(what)).text) for _, what in found)
    frames = tuple(
        WireFrame(
            seq,
            seq * step_ns,
            way == "<",
            Frame.of(data_of(what)),
            message := message_in(Frame.of(data_of(what)).text),
            known.type_of(message),
            implied=implied and way == ">",
        )
        for seq, (way, what) in enumerate(found)
    )
    return RecordedConnection(
        "session", 1, begun_ns, known, frames, end or RecordedEnd(at_ns=len(frames) * step_ns)
    )


class Played:
    """A client that plays against the core, and the time of both.

    Attributes:
        got: what was delivered, in order.
        end: how the server ended it, or None.
    """

    def __init__(self, recorded: RecordedConnection | ClientRun, *, pace: float = 0.0) -> None:
        run = recorded if isinstance(recorded, ClientRun) else ClientRun([recorded])
        self.run = run
        self.now_ns = 0
        self.side: ServerSide = run.connect(0, pace=pace)
        self.got: list[str | bytes] = []
        self.end: EndNow | None = None

    def send(self, *messages: dict[str, Any] | str | bytes) -> None:
        for message in messages:
            self.side.receive(Frame.of(data_of(message)), self.now_ns)

    def hear(self, *, until_ns: int | None = None, steps: int = 10_000) -> list[Any]:
        """What comes until only the client can go on; time jumps, up to an instant."""
        before = len(self.got)
        for _ in range(steps):
            act = self.side.next(self.now_ns)
            if isinstance(act, SendFrame):
                self.got.append(act.message)
            elif isinstance(act, EndNow):
                self.end = act
                break
            elif act.until_ns is None or (until_ns is not None and act.until_ns > until_ns):
                break
            else:
                assert act.until_ns > self.now_ns, "the core asks for a time that is over"
                self.now_ns = act.until_ns
        else:
            raise AssertionError("the core comes to no rest")
        return [_message(one) for one in self.got[before:]]

    def hear_now(self) -> list[Any]:
        """What comes without any time passing."""
        return self.hear(until_ns=self.now_ns)

    def findings(self) -> list[tuple[str, str]]:
        return [(finding.kind, finding.type) for finding in self.side.findings]

    def leave(self) -> ServerSide:
        self.run.ended(self.side, self.now_ns)
        return self.side


def as_recorded(recorded: RecordedConnection, *, pace: float = 0.0) -> Played:
    """A client that does what the recorded one did, each frame when it has got what came before it."""
    played = Played(recorded, pace=pace)
    for frame in recorded.frames:
        if frame.inbound:
            if len(played.got) <= sum(one.inbound for one in recorded.frames[: recorded.frames.index(frame)]):
                played.hear_now() if not pace else played.hear()
        else:
            played.send(frame.data.message)
    played.hear()
    return played


def _message(data: str | bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data


def inbound(recorded: RecordedConnection) -> list[str | bytes]:
    return [frame.data.message for frame in recorded.frames if frame.inbound]


def outbound(recorded: RecordedConnection) -> Sequence[WireFrame]:
    return [frame for frame in recorded.frames if not frame.inbound]
