"""Runs: which recorded connection a client gets that connects, and whose ids are whose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..replay import AudioMatching, PlaybackMatching
from ..schema.errors import UsageError
from ..schema.frames import Frame
from .faults import Injected
from .frame_rules import AS_RECORDED, FrameRules
from .outbound import first_difference, ids_for
from .recorded import RecordedConnection
from .server_side import PATIENCE_NS, ServerSide

MAX_NAMED = 20
"""So many recordings are named to who asks for another one."""


class ClientRun:
    """One client's way through a recording.

    Args:
        connections: of the recording, in the order in which they began.
        name: as the client calls the run, or None.
        recording: how the recording is called.
        rules: how frames are compared.

    Attributes:
        sides: the connections that were played, or are.
        open: those that are.
        injected: faults that who plays them put in their way.
    """

    def __init__(
        self,
        connections: Sequence[RecordedConnection],
        name: str | None = None,
        recording: str = "",
        rules: FrameRules = AS_RECORDED,
    ) -> None:
        self.name = name
        self.recording = recording
        self.sides: list[ServerSide] = []
        self.open: set[ServerSide] = set()
        self.injected: dict[ServerSide, list[Injected]] = {}
        self._connections = connections
        self._rules = rules
        self._ids = ids_for(connections[0].dialect, rules)
        self._next = 0

    @property
    def upcoming(self) -> RecordedConnection | None:
        """The recorded connection that comes next, or None."""
        return self._connections[self._next] if self._next < len(self._connections) else None

    @property
    def overlaps(self) -> bool:
        """Whether the next recorded connection began while those were open that are open here."""
        upcoming = self.upcoming
        if upcoming is None:
            return False
        return all(upcoming.begun_ns < _ended_ns(side.connection) for side in self.open)

    def connect(
        self,
        now_ns: int,
        *,
        pace: float = 1.0,
        patience_ns: int | None = PATIENCE_NS,
        anchored: bool = False,
        playback: PlaybackMatching = "exact",
        audio: AudioMatching = "ignore",
    ) -> ServerSide:
        """The client connects once more. There must be an upcoming connection."""
        upcoming = self.upcoming
        assert upcoming is not None, "who connects has asked"
        self._next += 1
        side = ServerSide(
            upcoming,
            self._ids,
            now_ns,
            pace=pace,
            patience_ns=patience_ns,
            anchored=anchored,
            playback=playback,
            audio=audio,
            rules=self._rules,
        )
        self.sides.append(side)
        self.injected[side] = []
        self.open.add(side)
        return side

    def refused(self) -> None:
        """The client connected, and was refused, as recorded."""
        self._next += 1

    @property
    def left(self) -> int:
        """How many recorded connections are not played yet."""
        return len(self._connections) - self._next

    def ended(self, side: ServerSide, now_ns: int) -> None:
        """One of its connections is over."""
        side.left(now_ns)
        self.open.discard(side)


class ClientRuns:
    """All runs of one recording.

    A run is named, or it is the latest: while a recorded connection of it is played, another client is a
    new run, unless the recording had two open at once there; after it ended, the next recorded connection
    is played; and where none is left, it is a new run.

    Args:
        connections: of the recording.
        name: how it is called.
        runs: where those of several recordings stand together; its own are appended.

    Attributes:
        connections: the same.
        runs: its own, in the order in which they began.

    Raises:
        UsageError: there are none.
    """

    def __init__(
        self,
        connections: Sequence[RecordedConnection],
        name: str = "",
        runs: list[ClientRun] | None = None,
    ) -> None:
        if not connections:
            raise UsageError(
                f"{name or 'the recording'} holds no connection and no message of a provider: record with "
                "the proxy, or with a model whose raw events are recorded"
            )
        self.name = name
        self.runs: list[ClientRun] = []
        self.connections = tuple(connections)
        self._all = runs

    def for_client(self, name: str | None) -> ClientRun:
        """The run of a client that connects now; its `upcoming` connection is the one to play."""
        found = self._going_on(name)
        if found is not None:
            return found
        run = ClientRun(self.connections, name, self.name)
        self.runs.append(run)
        if self._all is not None:
            self._all.append(run)
        return run

    def upcoming(self, name: str | None) -> RecordedConnection:
        """What that client would get."""
        found = self._going_on(name)
        return self.connections[0] if found is None else self.connections[-found.left]

    def _going_on(self, name: str | None) -> ClientRun | None:
        found = next((run for run in reversed(self.runs) if run.name == name), None)
        if found is not None and found.upcoming is not None and (not found.open or found.overlaps):
            return found
        return None


class ServedRecordings:
    """The recordings behind one server, and which of them a client gets.

    Args:
        recordings: name → its connections; at least one.

    Attributes:
        recordings: by their names.
        runs: of all of them, in the order in which they began.

    Raises:
        UsageError: one of them holds nothing that can be served.
    """

    def __init__(self, recordings: Mapping[str, Sequence[RecordedConnection]]) -> None:
        self.runs: list[ClientRun] = []
        self.recordings = {
            name: ClientRuns(connections, name, self.runs) for name, connections in recordings.items()
        }

    @property
    def only(self) -> ClientRuns | None:
        """The one that there is; None: there are several."""
        return next(iter(self.recordings.values())) if len(self.recordings) == 1 else None

    def named(self, name: str) -> ClientRuns:
        """The recording of this name.

        Raises:
            UsageError: there is none.
        """
        found = self.recordings.get(name)
        if found is None:
            known = ", ".join(list(self.recordings)[:MAX_NAMED])
            raise UsageError(f"{name}: no such recording; there are {len(self.recordings):,}: {known}")
        return found

    def by_first(self, frame: Frame | None, name: str | None) -> ClientRuns:
        """The recording whose client began with this frame, or with the one that differs least from it; of
        several, the one whose run goes on, then one that nobody has played.

        Args:
            frame: the client's first; None: it says nothing before it is answered.
            name: of the client's run, or None.
        """

        def rank(runs: ClientRuns) -> tuple[float, bool, bool]:
            upcoming = runs.upcoming(name)
            return first_difference(upcoming, frame), upcoming is runs.connections[0], bool(runs.runs)

        return min(self.recordings.values(), key=rank)


def _ended_ns(connection: RecordedConnection) -> int:
    return connection.begun_ns + connection.end.at_ns
