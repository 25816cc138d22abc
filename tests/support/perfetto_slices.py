"""A Perfetto trace as its trace processor takes it in, by time and track; what that would drop is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from perfetto.protos.perfetto.trace import perfetto_trace_pb2

_BEGIN = perfetto_trace_pb2.TrackEvent.TYPE_SLICE_BEGIN
_END = perfetto_trace_pb2.TrackEvent.TYPE_SLICE_END


def slices_of(trace: Any) -> Iterator[tuple[str, list[tuple[int, int]]]]:
    """Of each kind of track, when its slices begin and end: those that overlap have tracks of their own."""
    names = _tracks(trace)
    found: dict[str, list[tuple[int, int]]] = {}
    open_ns: dict[int, int] = {}
    begun: dict[int, int] = {}  # flows, and when
    ended: set[int] = set()
    events = [packet for packet in trace.packet if packet.HasField("track_event")]
    for packet in sorted(
        events, key=lambda one: one.timestamp
    ):  # as in the file where it is the same instant
        event, track = packet.track_event, packet.track_event.track_uuid
        assert packet.trusted_packet_sequence_id > 0, "packets without a sequence are dropped"
        if event.type == _BEGIN:
            assert track not in open_ns, "a slice begins in another one of its track"
            assert event.name or names[track] == "responses", "a slice has a name"
            open_ns[track] = packet.timestamp
            for flow in event.flow_ids:
                assert begun.setdefault(flow, packet.timestamp) == packet.timestamp
            for flow in event.terminating_flow_ids:
                assert begun[flow] <= packet.timestamp, "a flow ends before it begins"
                assert flow not in ended, "a flow ends twice"
                ended.add(flow)
        else:
            assert event.type == _END
            assert [*event.flow_ids, *event.terminating_flow_ids] == [], "flows are of what begins"
            found.setdefault(names[track], []).append((open_ns.pop(track), packet.timestamp))
    assert not open_ns, "a slice has no end"
    yield from found.items()


def _tracks(trace: Any) -> dict[int, str]:
    """The name of each, without a number."""
    names: dict[int, str] = {}
    processes: set[int] = set()
    for packet in trace.packet:
        if not packet.HasField("track_descriptor"):
            assert packet.track_event.track_uuid in names, "a track is described before it is used"
            continue
        track = packet.track_descriptor
        assert track.uuid, "0 is the default track"
        assert track.uuid not in names, "a track is described once"
        if track.HasField("process"):
            assert track.process.pid not in processes, "each session is a process of its own"
            processes.add(track.process.pid)
            assert track.process.process_name
        else:
            assert track.parent_uuid in names, "a track lies in one that is known"
            assert track.name
        names[track.uuid] = track.name.rstrip("0123456789 ")
    return names
