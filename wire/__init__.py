"""Below the interface: what crosses sockets, recorded by a proxy and replayed by a server, for any client.

May import `realtape.schema`, `realtape.session`, and the front doors of `realtape.recorder` and
`realtape.replay`. Inside: `server_side` is the core, without I/O; what it stands on imports no recorder.
"""

from __future__ import annotations

from .application_part import ApplicationPart
from .certificates import SelfMadeCertificate
from .client_run import ClientRun, ClientRuns, ServedRecordings
from .connections import connections_of
from .dialects import DIALECTS, AnswerRow, Dialect, dialect_of
from .faults import (
    TOXICS,
    Drained,
    Fault,
    FaultLine,
    Injected,
    PassOn,
    faults_of,
)
from .faulty_socket import FaultySocket
from .faulty_way import FaultyWay
from .frame_files import LineFields, read_frames
from .frame_rules import FrameRules
from .gates import Gate, gates_of
from .har import har_of, read_har
from .outbound import ids_for
from .proxy import RecordingProxy, proxy
from .recorded import RecordedConnection, RecordedEnd, Refusal, WireFrame
from .replay_server import PATIENCE_S, ReplayServer, serve
from .replay_transport import Connecting, OtherEvents, ReplayTransport
from .replayed_socket import ReplayedSocket
from .server_side import EndNow, Finding, SendFrame, ServerSide, WaitUntil, decisive
from .socket_tap import SocketTap
from .tapped_socket import TappedSocket, tapped
from .transport_model import TransportBase, TransportReport
from .wire_report import ConnectionReport, RunReport, WireReport

__all__ = [
    "DIALECTS",
    "PATIENCE_S",
    "TOXICS",
    "AnswerRow",
    "ApplicationPart",
    "ClientRun",
    "ClientRuns",
    "Connecting",
    "ConnectionReport",
    "Dialect",
    "Drained",
    "EndNow",
    "Fault",
    "FaultLine",
    "FaultySocket",
    "FaultyWay",
    "Finding",
    "FrameRules",
    "Gate",
    "Injected",
    "LineFields",
    "OtherEvents",
    "PassOn",
    "RecordedConnection",
    "RecordedEnd",
    "RecordingProxy",
    "Refusal",
    "ReplayServer",
    "ReplayTransport",
    "ReplayedSocket",
    "RunReport",
    "SelfMadeCertificate",
    "SendFrame",
    "ServedRecordings",
    "ServerSide",
    "SocketTap",
    "TappedSocket",
    "TransportBase",
    "TransportReport",
    "WaitUntil",
    "WireFrame",
    "WireReport",
    "connections_of",
    "decisive",
    "dialect_of",
    "faults_of",
    "gates_of",
    "har_of",
    "ids_for",
    "proxy",
    "read_frames",
    "read_har",
    "serve",
    "tapped",
]
