"""Perfetto: turns, responses, tools, sound and interruptions as tracks, and what led to what as flows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from ...schema import UsageError
from ...session import Draft
from ...session.derived import Derived, derive_draft
from .laid_sound import laid

_TRACKS = (
    *("connections", "user", "responses", "text of the model", "tools", "sound of the model", "heard"),
    *("playback", "interruptions"),
)


def perfetto_of(drafts: Sequence[Draft], *, ids: Sequence[str] | None = None) -> bytes:
    """The trace, a process for each session; instants are nanoseconds since the first of them began.

    Args:
        ids: under which ids the sessions lie in a store, where these are redacted copies; None: their own.

    Raises:
        UsageError: the extra `exports` is not installed.
        CorruptRecordError: bytes are missing.
    """
    try:
        from perfetto.protos.perfetto.trace import perfetto_trace_pb2
    except ImportError as error:
        raise UsageError(f"--perfetto needs more ({error}): pip install 'realtape[exports]'") from error
    trace: Any = perfetto_trace_pb2.Trace()
    since_ns = min(draft.header.started_ns for draft in drafts)
    called = [draft.header.id for draft in drafts] if ids is None else ids
    for number, (draft, id) in enumerate(zip(drafts, called, strict=True), 1):
        offset_ns = draft.header.started_ns - since_ns
        writing = _WrittenSession(perfetto_trace_pb2, trace, draft, id, number, offset_ns)
        writing.write(derive_draft(draft))
    return trace.SerializeToString(deterministic=True)


class _WrittenSession:
    """Writes one session into a trace."""

    def __init__(self, protos: Any, trace: Any, draft: Draft, id: str, number: int, offset_ns: int) -> None:
        self._event_types: Any = protos.TrackEvent
        self._trace = trace
        self._draft = draft
        self._id = id
        self._number = number
        self._offset_ns = offset_ns
        self._process = self._uuid("process")
        self._known: set[int] = set()
        self._ends: dict[tuple[str, int], int] = {}  # when the last slice of each track ends

    def write(self, derived: Derived) -> None:
        packet = self._packet(0)
        packet.track_descriptor.uuid = self._process
        packet.track_descriptor.process.pid = self._number
        packet.track_descriptor.process.process_name = f"session {self._id}"
        for rank, name in enumerate(_TRACKS):
            self._track(name, self._uuid(name), self._process, rank)
        end_ns = derived.duration_ns
        for one in derived.connections:
            where = "model" if one.number is None else f"socket {one.number}"
            self._slice("connections", one.began_ns, _or(one.ended_ns, end_ns), where, {"url": one.url})
        flows = {response: turn.seq for turn in derived.turns for response in turn.response_ids[:1]}
        for turn in derived.turns:
            name, began_ns = turn.text or turn.kind, turn.began_ns or 0
            answered = [turn.seq] if turn.response_ids else []
            self._slice(
                "user", began_ns, _or(turn.ended_ns, began_ns), name, {"item": turn.item_id}, out=answered
            )
        tools_of: dict[str, list[int]] = {}
        asked: dict[int, int] = {
            one.output_seq: one.seq for one in derived.tools if one.output_seq is not None
        }
        for tool in derived.tools:
            tools_of.setdefault(tool.response_id, []).append(tool.seq)
        for one in derived.responses:
            into = [flows[one.response_id]] if one.response_id in flows else []
            into += [asked[one.asked_seq] + _ANSWERS] if one.asked_seq in asked else []
            said = {"status": one.status, "reason": one.reason, "asked_by": one.asked_by or ""}
            said["text"] = derived.said.get(one.seq, "")
            self._slice(
                "responses", one.began_ns, _or(one.ended_ns, end_ns), one.response_id, said,
                out=tools_of.get(one.response_id, ()), into=into,
            )  # fmt: skip
        for one, text in derived.written:
            self._slice("text of the model", one.began_ns, _or(one.ended_ns, end_ns), text, {})
        for tool in derived.tools:
            said = {"arguments": tool.arguments, "output": tool.output or "", "call": tool.call_id}
            out = [tool.seq + _ANSWERS] if tool.output_seq is not None else []
            self._slice(
                "tools", tool.began_ns, _or(tool.ended_ns, end_ns), tool.name, said, out=out, into=[tool.seq]
            )
        self._sound()
        for one in derived.interruptions:
            said = {"by": one.by, "item": one.item_id, "lost": one.lost_text}
            self._slice("interruptions", one.began_ns, _or(one.silent_ns, one.began_ns), "interruption", said)

    def _sound(self) -> None:
        lanes, _ = laid(self._draft)
        for stretch in lanes.of("model"):
            name = stretch.part[0] if stretch.part is not None else "sound"
            self._slice("sound of the model", stretch.begin_ns, stretch.until_ns, name, {})
            if stretch.heard_until_ns is not None:
                heard_until_ns = min(stretch.heard_until_ns, stretch.until_ns)
                self._slice("heard", stretch.begin_ns, heard_until_ns, name, {})
        for span in lanes.playback:
            said = {"item": span.item_id, "from_ms": f"{span.from_ms:g}", "to_ms": f"{span.to_ms:g}"}
            said |= {"ended": span.ended or "", "assumed": "yes" if span.assumed else ""}
            self._slice("playback", span.begin_ns, span.end_ns, span.doing, said)

    def _slice(
        self,
        track: str,
        began_ns: int,
        ended_ns: int,
        name: str,
        said: dict[str, str],
        *,
        out: Iterable[int] = (),
        into: Iterable[int] = (),
    ) -> None:
        """On a track of its own where another one of its kind is still open: they would not nest."""
        uuid = self._free(track, began_ns, max(ended_ns, began_ns))
        begin = self._event(uuid, self._event_types.TYPE_SLICE_BEGIN, began_ns)
        begin.name = _shown(name)
        for key, value in said.items():
            annotation = begin.debug_annotations.add()
            annotation.name, annotation.string_value = key, _shown(value)
        begin.flow_ids.extend(self._uuid(f"flow {one}") for one in out)
        begin.terminating_flow_ids.extend(self._uuid(f"flow {one}") for one in into)
        self._event(uuid, self._event_types.TYPE_SLICE_END, max(ended_ns, began_ns))

    def _free(self, track: str, began_ns: int, ended_ns: int) -> int:
        number = 0
        while self._ends.setdefault((track, number), -1) > began_ns:
            number += 1
        self._ends[track, number] = ended_ns
        if not number:
            return self._uuid(track)
        uuid = self._uuid(f"{track} {number}")
        self._track(f"{track} {number + 1}", uuid, self._uuid(track), number)
        return uuid

    def _track(self, name: str, uuid: int, parent: int, rank: int) -> None:
        if uuid in self._known:
            return
        self._known.add(uuid)
        descriptor = self._packet(0).track_descriptor
        descriptor.uuid, descriptor.parent_uuid, descriptor.name = uuid, parent, name
        descriptor.sibling_order_rank = rank

    def _event(self, track: int, type: int, at_ns: int) -> Any:
        event = self._packet(at_ns).track_event
        event.type, event.track_uuid = type, track
        return event

    def _packet(self, at_ns: int) -> Any:
        packet = self._trace.packet.add()
        packet.timestamp = self._offset_ns + at_ns
        packet.trusted_packet_sequence_id = self._number
        return packet

    def _uuid(self, name: str) -> int:
        digest = hashlib.sha256(f"{self._id} {name}".encode()).digest()
        return int.from_bytes(digest[:8])


_ANSWERS = 1 << 40
"""Tells the flow from a tool's output on apart from that to its call."""


def _or(told_ns: int | None, otherwise_ns: int) -> int:
    return otherwise_ns if told_ns is None else told_ns


def _shown(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()
