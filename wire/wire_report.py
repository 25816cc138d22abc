"""What a replay on the wire came to: for people, and as JSON while it runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from .client_run import ClientRun
from .faults import Injected, told_fault
from .server_side import Finding, ServerSide, decisive

SHOWN = 20
"""Of a connection, so many pictures are named that the recording does not hold."""


@dataclass(frozen=True, slots=True)
class ConnectionReport:
    """One connection of a client's.

    Attributes:
        session: id of the recorded session.
        number: of the recorded connection in it.
        dialect: of its frames.
        delivered: how many frames were sent to the client.
        skipped: how many were given up, or fell with one that was.
        unplayed: how many are left: the client went away before, or is still at it.
        matched: how many frames of the client's were recorded ones, audio aside.
        audio: how many frames of audio the client sent.
        unmatched_audio: how many of them hold what the recording does not; they decide no verdict.
        pictures: how many pictures the client appended.
        unmatched_pictures: those that the recording does not hold, by size and digest; nor do they decide.
        findings: where client and recording part.
        weaker: what of the replay was weaker than the flight.
        injected: faults that were put in its way, as facts.
    """

    session: str
    number: int
    dialect: str
    delivered: int
    skipped: int
    unplayed: int
    matched: int
    audio: int
    unmatched_audio: int
    findings: tuple[Finding, ...]
    weaker: tuple[str, ...]
    injected: tuple[dict[str, Any], ...] = ()
    pictures: int = 0
    unmatched_pictures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunReport:
    """One client's way through a recording.

    Attributes:
        name: as the client called it, or None.
        recording: what it got, of several.
        connections: in the order in which it connected.
        left: how many recorded connections it did not come to.
    """

    name: str | None
    connections: tuple[ConnectionReport, ...]
    left: int
    recording: str = ""


@dataclass(frozen=True, slots=True)
class WireReport:
    """All clients.

    Attributes:
        recording: what was played.
        runs: in the order in which they began.
        strict: frames that came on another side of an event count, too.
    """

    recording: str
    runs: tuple[RunReport, ...]
    strict: bool = False

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Those of all connections."""
        return tuple(
            finding for run in self.runs for connection in run.connections for finding in connection.findings
        )

    @property
    def verdict(self) -> Literal["same", "diverged", "unplayed"]:
        """`diverged`: a client did what the recording does not hold; `unplayed`: nobody came."""
        if decisive(self.findings, strict=self.strict):
            return "diverged"
        return "same" if any(run.connections for run in self.runs) else "unplayed"

    @property
    def remark(self) -> str:
        """What "same" does not say, in a line; empty where all was checked."""
        heard = sum(finding.kind == "heard" for finding in self.findings)
        others = sum(len(one.unmatched_pictures) for run in self.runs for one in run.connections)
        told = [f"what was heard differs at {_count(heard, 'place')}"] if heard else []
        told += [f"{_count(others, 'picture')} of the client's the recording does not hold"] if others else []
        return ", and ".join(told)

    def as_json(self) -> dict[str, Any]:
        """As a dict that `json` writes."""
        return {"verdict": self.verdict, "remark": self.remark, **asdict(self)}

    def __str__(self) -> str:
        but = f", but {self.remark}" if self.remark else ""
        lines = [
            f"{self.verdict}{but}: {self.recording}, played on the wire to {_count(len(self.runs), 'run')}"
        ]
        for number, run in enumerate(self.runs, 1):
            name = f"run {number}" if run.name is None else f"run {run.name}"
            if run.recording != self.recording:
                name += f" of {run.recording}"
            for place, connection in enumerate(run.connections, 1):
                lines.append(f"{name}, connection {place}: {_told(connection)}")
                for finding in connection.findings:
                    after = f" (after {finding.after})" if finding.after else ""
                    lines.append(f"  {finding.kind}: {finding.summary}{after}")
                    for one in finding.differences:
                        lines.append(f"    differs in {one.field}: {one.recorded} → {one.live}")
                lines += [f"  another picture: {told}" for told in connection.unmatched_pictures[:SHOWN]]
                lines += [f"  weaker: {sentence}" for sentence in connection.weaker]
                lines += [f"  injected: {told_fault(facts)}" for facts in connection.injected]
            if run.left and run.connections:
                lines.append(f"{name}: {_count(run.left, 'recorded connection')} not played")
        return "\n".join(lines)


def report_of(recording: str, runs: Iterable[ClientRun], *, strict: bool = False) -> WireReport:
    """What the runs have come to so far."""
    told = tuple(
        RunReport(
            run.name,
            tuple(_connection(side, run.injected[side]) for side in run.sides),
            run.left,
            run.recording,
        )
        for run in runs
    )
    return WireReport(recording, told, strict)


def _connection(side: ServerSide, injected: Iterable[Injected]) -> ConnectionReport:
    recorded = side.connection
    return ConnectionReport(
        recorded.session,
        recorded.number,
        recorded.dialect.name,
        len(side.delivered),
        len(side.skipped),
        side.unplayed,
        side.matched,
        side.spoken.frames,
        side.spoken.unmatched,
        tuple(side.findings),
        tuple(side.weaker),
        tuple(one.as_json() for one in injected),
        side.pictures.count,
        tuple(side.pictures.unmatched),
    )


def _told(one: ConnectionReport) -> str:
    facts = [f"{_count(one.delivered, 'frame')} to the client", f"{one.matched} of its own as recorded"]
    if one.audio:
        other = f", {one.unmatched_audio} with other sound than recorded" if one.unmatched_audio else ""
        facts.append(f"{one.audio} of audio{other}")
    if one.pictures:
        facts.append(_count(one.pictures, "picture"))
    if one.skipped:
        facts.append(f"{one.skipped} left out")
    if one.unplayed:
        facts.append(f"{one.unplayed} not played")
    return ", ".join(facts)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
