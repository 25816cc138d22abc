"""Faults: what is done to the messages of one way of a connection, as data. No I/O, no clock, no tasks.

Words and units are toxiproxy's where it has them; what only messages have is ours. The same faults, seed
and messages at the same instants come to the same, in every process.
"""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from ..schema.errors import UsageError
from ..session.fields import mapping
from .recorded import CLOSE_CODES, MAX_REASON_BYTES, RecordedEnd
from .server_side import EndNow, WaitUntil

Stream = Literal["upstream", "downstream"]
"""Towards the provider, or towards the client."""

TOXICS: Mapping[str, Mapping[str, int | str]] = {
    "latency": {"latency": 100, "jitter": 0},
    "bandwidth": {"rate": 64},
    "slow_close": {"delay": 1000},
    "timeout": {"timeout": 0},
    "reset_peer": {"timeout": 0},
    "limit_data": {"bytes": 0},
    "close": {"code": 1011, "reason": ""},
    "eof": {},
    "lose": {},
    "duplicate": {"copies": 1},
    "reorder": {"by": 1, "within": 100},
    "corrupt": {},
    "oversize": {"bytes": 16 << 20},
}
"""Each with its attributes and their defaults: milliseconds, bytes, kilobytes a second."""

_BY_THEMSELVES = frozenset({"timeout", "reset_peer", "close", "eof"})
"""What happens to a connection, and not to what a message says: on a schedule it needs no message."""

MAX_WAITING_BYTES = 8 << 20
MAX_WAITING = 4096
"""Who has so many messages, or so many bytes, under way reads no more until some have passed."""

_SELECTORS: Mapping[str, type] = {
    **dict.fromkeys(("stream", "message"), str),
    **dict.fromkeys(("toxicity", "chance"), float),
    **dict.fromkeys(("at", "every", "after", "times", "connection"), int),
}
_MS = 1_000_000
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[^"\s]', re.DOTALL)
"""Of JSON: a text, or any other character."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, and which messages it meets: those that hold all that is said.

    Attributes:
        toxic: one of `TOXICS`.
        attributes: of the toxic; all of them, once it is made.
        stream: which way.
        toxicity: the chance that a connection has it at all.
        chance: that a message which it would meet is met.
        message: the type of the messages; empty: of any. `at` and `every` count these.
        at: the nth of a connection, from 1; 0: any.
        every: each nth; 0: any.
        after: milliseconds since the connection began. What ends a connection, or stalls it, and names no
            message otherwise happens at that instant, whether a message comes or not.
        times: at most so often in a connection; 0: without end.
        connection: the nth of proxy or server, from 1; 0: any.

    Raises:
        UsageError: there is no such toxic or attribute, or a value makes no sense.
    """

    toxic: str
    attributes: Mapping[str, int | str] = field(default_factory=dict[str, "int | str"])
    stream: Stream = "downstream"
    toxicity: float = 1.0
    chance: float = 1.0
    message: str = ""
    at: int = 0
    every: int = 0
    after: int = 0
    times: int = 0
    connection: int = 0

    @property
    def is_scheduled(self) -> bool:
        """Whether it happens at its time, and waits for no message."""
        named = self.message or self.at or self.every
        return self.toxic in _BY_THEMSELVES and bool(self.after) and not named

    def __post_init__(self) -> None:
        known = TOXICS.get(self.toxic)
        if known is None:
            raise UsageError(f"fault {self.toxic!r}: known are {', '.join(TOXICS)}")
        if self.stream not in get_args(Stream):
            raise UsageError(f"fault {self.toxic}: stream={self.stream}: upstream or downstream")
        for name in ("toxicity", "chance"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"fault {self.toxic}: {name}={getattr(self, name)}: from 0 to 1")
        for name in ("at", "every", "after", "times", "connection"):
            if getattr(self, name) < 0:
                raise UsageError(f"fault {self.toxic}: {name}={getattr(self, name)}: not below 0")
        for name, value in self.attributes.items():
            if name not in known:
                raise UsageError(
                    f"fault {self.toxic}: no {name}; it has {', '.join(known) or 'no attributes'}, and every "
                    f"fault has {', '.join(_SELECTORS)}"
                )
            if type(value) is not type(known[name]) or (isinstance(value, int) and value < 0):
                raise UsageError(f"fault {self.toxic}: {name}={value}: not such a value")
        object.__setattr__(self, "attributes", {**known, **self.attributes})
        if self.toxic == "close" and self.attributes["code"] not in CLOSE_CODES:
            raise UsageError(f"fault close: code={self.attributes['code']}: no such code can be sent")
        if self.toxic == "close" and len(str(self.attributes["reason"]).encode()) > MAX_REASON_BYTES:
            raise UsageError(f"fault close: the reason is longer than {MAX_REASON_BYTES} bytes")
        if self.toxic == "bandwidth" and not self.attributes["rate"]:
            raise UsageError("fault bandwidth: rate=0: nothing would ever pass; that is `timeout`")

    @classmethod
    def of_text(cls, text: str) -> Fault:
        """A fault as the command line has it: `latency,latency=200,jitter=50,at=3`.

        Raises:
            UsageError: it is none.
        """
        toxic, *rest = text.split(",")
        said: dict[str, Any] = {}
        for one in rest:
            name, equals, value = one.partition("=")
            if not equals or name.strip() in said:
                raise UsageError(f"fault {text!r}: write TOXIC,NAME=VALUE,…, each name once")
            said[name.strip()] = value.strip()
        return cls.of({"type": toxic.strip(), **said})

    @classmethod
    def of(cls, facts: Any) -> Fault:
        """A fault as toxiproxy writes it: an object with `type`, `stream`, `toxicity` and `attributes`;
        attributes and what selects messages may stand beside one another.

        Raises:
            UsageError: it is none.
        """
        said = mapping(facts)
        toxic = said.get("type")
        if not isinstance(toxic, str):
            raise UsageError(f"fault {facts!r}: an object with a type, one of {', '.join(TOXICS)}")
        rest = {name: value for name, value in said.items() if name not in ("type", "name", "attributes")}
        rest |= mapping(said.get("attributes"))
        known = TOXICS.get(toxic, {})
        attributes: dict[str, Any] = {}
        chosen: dict[str, Any] = {}
        for name, value in rest.items():
            kind = _SELECTORS.get(name)
            if kind is None:
                attributes[name] = _typed(toxic, name, value, type(known.get(name, "")))
            else:
                chosen[name] = _typed(toxic, name, value, kind)
        return cls(toxic, attributes, **chosen)


def _typed(toxic: str, name: str, value: Any, kind: type) -> Any:
    """A value as a text or as JSON has it, as what it is to be."""
    try:
        made = kind(value) if isinstance(value, str) or kind is float else value
    except (TypeError, ValueError):
        made = None
    if type(made) is not kind:
        raise UsageError(
            f"fault {toxic}: {name}={value}: {'a text' if kind is str else 'a number'} is wanted"
        )
    return made


@dataclass(frozen=True, slots=True)
class Injected:
    """What was done to one message, or to the connection at it.

    Attributes:
        toxic, stream: of the fault.
        number: of the message on its way, from 1; 0: at the connection's end, or at its time.
        type: of the message.
        facts: what exactly: `ms`, `bytes`, `code` …; `after`: its time, where it was scheduled.
        message: the message as it came, where it did not pass as such.
    """

    toxic: str
    stream: Stream
    number: int
    type: str
    facts: Mapping[str, int | str] = field(default_factory=dict[str, "int | str"])
    message: str | bytes | None = None

    def as_json(self) -> dict[str, Any]:
        """Without the message."""
        told = {"toxic": self.toxic, "stream": self.stream, "number": self.number, "type": self.type}
        return {**told, **self.facts}


@dataclass(frozen=True, slots=True)
class PassOn:
    """Give this to the other side.

    Attributes:
        number: of the message on its way, from 1.
        type: of the message.
    """

    message: str | bytes
    number: int = field(default=0, compare=False)
    type: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Drained:
    """The source has ended, and all that was under way has passed."""


Step = Injected | PassOn | EndNow | Drained | WaitUntil


@dataclass(slots=True)
class _Piece:
    """A message under way."""

    message: str | bytes
    due_ns: int
    told: list[Injected]
    number: int
    type: str
    lost: bool = False


class _Rule:
    """A fault in one connection: which messages it meets."""

    def __init__(self, fault: Fault, seed: str, begun_ns: int) -> None:
        self.fault = fault
        self.free_ns = begun_ns  # bandwidth: when the line is free again
        self.passed_bytes = 0  # limit_data
        self._seed = seed
        self._begun_ns = begun_ns
        self._count = 0
        self._met = 0
        self._is_there = self.drawn("toxicity") < fault.toxicity

    def drawn(self, what: str) -> float:
        """A number from 0 to 1, without it, by the seed, the message that came last and what it is for."""
        digest = hashlib.sha256(f"{self._seed} {self._count} {what}".encode()).digest()
        return int.from_bytes(digest[:6]) / (1 << 48)

    def meets(self, type: str, now_ns: int) -> bool:
        """Whether the message that comes now is met. To be asked once for each message."""
        fault = self.fault
        if fault.is_scheduled:
            return False
        if fault.message and fault.message != type:
            return False
        self._count += 1
        if not self._is_there or (fault.times and self._met >= fault.times):
            return False
        if (fault.at and self._count != fault.at) or (fault.every and self._count % fault.every):
            return False
        if now_ns - self._begun_ns < fault.after * _MS or self.drawn("chance") >= fault.chance:
            return False
        self._met += 1
        return True

    def number(self, name: str) -> int:
        """An attribute that is a number."""
        value = self.fault.attributes[name]
        assert isinstance(value, int), "the fault has looked"
        return value

    @property
    def strikes_ns(self) -> int | None:
        """When it happens, if it is scheduled, and happens at all."""
        if not self.fault.is_scheduled or not self._is_there or self.drawn("chance") >= self.fault.chance:
            return None
        return self._begun_ns + self.fault.after * _MS

    @property
    def is_there(self) -> bool:
        """Whether this connection has it at all."""
        return self._is_there


class FaultLine:
    """One way of one connection under faults. Told what comes and what time it is, it answers what passes.

    Messages keep their order, but for what `reorder` does. After a cut, or in a stall, nothing passes any
    more, and each message that comes is told as lost.

    Args:
        faults: of any stream; those of the other one are left out.
        stream: which way this is.
        seed: of all chances.
        connection: its number, from 1: another one has other chances.
        now_ns: when the connection begins.
    """

    def __init__(
        self, faults: Iterable[Fault], stream: Stream, *, seed: int = 0, connection: int = 1, now_ns: int = 0
    ) -> None:
        self.stream: Stream = stream
        self._rules = [
            _Rule(fault, f"{seed} {connection} {place}", now_ns)
            for place, fault in enumerate(faults)
            if fault.stream == stream and fault.connection in (0, connection)
        ]
        self._queue: deque[tuple[int, Injected | PassOn | EndNow]] = deque()
        self._held: list[list[Any]] = []  # [messages to be let by, until when, the piece]
        self._last_ns = now_ns
        self._count = 0
        self._waiting_bytes = 0
        self._stopped: _Rule | None = None  # nothing passes any more
        self._cut_off = False  # and so it ends
        self._passed = 0  # the number of the message that passed last
        self._ended = False
        scheduled = [(rule.strikes_ns, rule) for rule in self._rules]
        self._on_schedule = deque(
            sorted(((at, rule) for at, rule in scheduled if at is not None), key=lambda one: one[0])
        )

    def __bool__(self) -> bool:
        """Whether any fault is on this way."""
        return bool(self._rules)

    @property
    def full(self) -> bool:
        """Whether so much is under way that no more should be read."""
        waiting = len(self._queue) + len(self._held)
        return self._waiting_bytes > MAX_WAITING_BYTES or waiting > MAX_WAITING

    @property
    def strikes_ns(self) -> int | None:
        """When the next scheduled fault happens, or None."""
        return self._on_schedule[0][0] if self._on_schedule else None

    def take(self, message: str | bytes, type: str, now_ns: int) -> None:
        """A message came."""
        self._strike(now_ns)
        self._count += 1
        if self._stopped is not None:
            self._lose(
                Injected(self._stopped.fault.toxic, self.stream, self._count, type, {}, message), now_ns
            )
            return
        pieces = [_Piece(message, now_ns, [], self._count, type)]
        reorder: _Rule | None = None
        for rule in self._rules:
            if not rule.meets(type, now_ns):
                continue
            if rule.fault.toxic == "reorder":
                reorder = rule
            else:
                pieces = self._met(rule, pieces, type, message)
            if self._stopped is not None:
                return
        self._waiting_bytes += sum(len(piece.message) for piece in pieces if not piece.lost)
        for piece in pieces:
            if reorder is not None and not piece.lost:
                told = self._told(reorder, type, by=reorder.number("by"))
                piece.told.append(told)
                until_ns = piece.due_ns + reorder.number("within") * _MS
                self._held.append([reorder.number("by"), until_ns, piece])
            else:
                self._pass(piece)

    def end(self, now_ns: int) -> None:
        """The source ended: what is under way passes, and then no more."""
        if self._ended:
            return
        self._strike(now_ns)
        self._ended = True
        for _, _, piece in self._held:
            self._enqueue(piece)
        self._held.clear()
        for rule in self._rules:
            if rule.fault.toxic == "slow_close" and rule.is_there and self._stopped is None:
                told = Injected("slow_close", self.stream, 0, "", {"ms": rule.number("delay")})
                self._put(now_ns, told)
                self._last_ns = max(self._last_ns, now_ns) + rule.number("delay") * _MS

    def next(self, now_ns: int) -> Step:
        """What is to be done now. To be asked again after whatever it was, and when something came."""
        self._strike(now_ns)
        for one in [held for held in self._held if held[1] <= now_ns]:
            self._held.remove(one)
            self._enqueue(one[2])
        later = [until for _, until, _ in self._held] + [at for at, _ in self._on_schedule]
        if self._queue:
            due_ns, step = self._queue[0]
            if now_ns < due_ns and not (self._ended and self._stopped is not None):
                return WaitUntil(min([due_ns, *later]))
            self._queue.popleft()
            if isinstance(step, PassOn):
                self._waiting_bytes -= len(step.message)
                self._passed = step.number
            return step
        if self._ended and now_ns >= self._last_ns:
            return Drained()
        if self._ended:
            return WaitUntil(min([self._last_ns, *later]))
        return WaitUntil(min(later, default=None))

    # --- helpers ----------------------------------------------------------------------------------------

    def _met(self, rule: _Rule, pieces: list[_Piece], type: str, came: str | bytes) -> list[_Piece]:
        """What becomes of a message that a fault meets."""
        toxic = rule.fault.toxic
        if toxic == "slow_close":
            return pieces  # at the end
        if toxic in ("timeout", "reset_peer", "close", "eof", "limit_data"):
            return self._cut(rule, pieces, type, came)
        if toxic == "duplicate":
            more = rule.number("copies")
            told = self._told(rule, type, copies=more)
            again = [
                _Piece(one.message, one.due_ns, [told], one.number, type) for one in pieces if not one.lost
            ]
            return pieces + again * more
        return [piece if piece.lost else self._changed(rule, piece, type, came) for piece in pieces]

    def _changed(self, rule: _Rule, piece: _Piece, type: str, came: str | bytes) -> _Piece:
        toxic, message, due_ns = rule.fault.toxic, piece.message, piece.due_ns
        told: Injected | None = None
        if toxic == "latency":
            jitter = rule.number("jitter")
            by_chance = int(rule.drawn("jitter") * (2 * jitter + 1)) - jitter
            ms = max(rule.number("latency") + by_chance, 0)
            due_ns += ms * _MS
            told = self._told(rule, type, ms=ms)
        elif toxic == "bandwidth":
            size = len(message.encode() if isinstance(message, str) else message)
            rule.free_ns = max(rule.free_ns, due_ns) + size * _MS // rule.number("rate")
            told = self._told(rule, type, ms=(rule.free_ns - due_ns) // _MS)
            due_ns = rule.free_ns
        elif toxic == "lose":
            told = self._told(rule, type, came)
            return _Piece(message, due_ns, [*piece.told, told], piece.number, type, lost=True)
        elif toxic == "corrupt":
            places = _seams(message)
            if places:  # a message that is cut is no JSON any more
                kept = places[int(rule.drawn("kept") * len(places))]
                told, message = self._told(rule, type, came, kept=kept), message[:kept]
        elif toxic == "oversize":
            size = rule.number("bytes")
            if len(message) < size:  # what is blank behind JSON leaves it as it is
                told = self._told(rule, type, came, bytes=size)
                message = message.ljust(size) if isinstance(message, str) else message.ljust(size, b" ")
        return _Piece(message, due_ns, [*piece.told, *([told] if told else [])], piece.number, type)

    def _cut(self, rule: _Rule, pieces: list[_Piece], type: str, came: str | bytes) -> list[_Piece]:
        """Nothing passes from here on; for `limit_data`, what is within the limit does."""
        due_ns = max([self._last_ns, *(piece.due_ns for piece in pieces)])
        if rule.fault.toxic == "limit_data":
            rule.passed_bytes += sum(
                len(one.message.encode() if isinstance(one.message, str) else one.message) for one in pieces
            )
            if rule.passed_bytes <= rule.number("bytes"):
                return pieces
        end, facts = _end_by(rule)
        for _, _, piece in self._held:
            self._enqueue(piece)
        self._held.clear()
        self._put(due_ns, *(told for piece in pieces for told in piece.told))
        self._put(due_ns, self._told(rule, type, came, **facts))
        self._stop(rule, due_ns, end, facts)
        return []

    def _stop(self, rule: _Rule, due_ns: int, end: RecordedEnd | None, facts: Mapping[str, Any]) -> None:
        self._stopped = rule
        if end is not None:
            self._cut_off = True
            self._put(due_ns + facts.get("ms", 0) * _MS, EndNow(end))

    def _strike(self, now_ns: int) -> None:
        """What is scheduled happens, at its time: what is still under way then does not pass."""
        while self._on_schedule and self._on_schedule[0][0] <= now_ns:
            at_ns, rule = self._on_schedule.popleft()
            if self._cut_off:
                continue
            for _, _, piece in sorted(self._held, key=lambda held: held[1]):
                self._enqueue(replace(piece, due_ns=max(piece.due_ns, at_ns + 1)))
            self._held.clear()
            under_way = [step for due_ns, step in self._queue if due_ns > at_ns]
            for _ in under_way:
                self._queue.pop()
            self._last_ns = max(at_ns, self._queue[-1][0] if self._queue else at_ns)
            end, facts = _end_by(rule)
            told = {**facts, "after": rule.fault.after}
            self._put(at_ns, Injected(rule.fault.toxic, self.stream, 0, "", told))
            for step in under_way:
                if isinstance(step, PassOn):
                    self._waiting_bytes -= len(step.message)
                    if step.number == self._passed:
                        continue  # it passed once; this would have been its copy
                    step = Injected(rule.fault.toxic, self.stream, step.number, step.type, {}, step.message)
                self._put(at_ns, step)
            self._stop(rule, at_ns, end, facts)

    def _pass(self, piece: _Piece) -> None:
        """Put it behind what is under way; and behind it what it overtook."""
        self._enqueue(piece)
        if piece.lost:
            return
        for one in list(self._held):
            one[0] -= 1
            if one[0] <= 0:
                self._held.remove(one)
                self._enqueue(one[2])

    def _enqueue(self, piece: _Piece) -> None:
        self._put(piece.due_ns, *piece.told)
        if not piece.lost:
            self._put(piece.due_ns, PassOn(piece.message, piece.number, piece.type))

    def _put(self, due_ns: int, *steps: Injected | PassOn | EndNow) -> None:
        for step in steps:
            self._last_ns = max(self._last_ns, due_ns)
            self._queue.append((self._last_ns, step))

    def _lose(self, told: Injected, now_ns: int) -> None:
        """A message that comes when nothing passes any more: it is told before the end that is to come."""
        place = len(self._queue)
        if self._queue and isinstance(self._queue[-1][1], EndNow):
            place -= 1
        before_ns = self._queue[place - 1][0] if place else now_ns
        self._queue.insert(place, (max(before_ns, now_ns), told))

    def _told(
        self, rule: _Rule, type: str, message: str | bytes | None = None, **facts: int | str
    ) -> Injected:
        return Injected(rule.fault.toxic, self.stream, self._count, type, facts, message)


def _end_by(rule: _Rule) -> tuple[RecordedEnd | None, dict[str, Any]]:
    """How a fault ends the connection, if it does, and what is told of it."""
    toxic = rule.fault.toxic
    if toxic == "limit_data":
        return RecordedEnd("server", "eof"), {"bytes": rule.number("bytes")}
    if toxic == "close":
        code, reason = rule.number("code"), str(rule.fault.attributes["reason"])
        return RecordedEnd("server", "closed", code, reason), {"code": code}
    if toxic not in ("timeout", "reset_peer"):
        return RecordedEnd("server", "eof"), {}
    after_ms = rule.number("timeout")
    if toxic == "timeout" and not after_ms:
        return None, {"ms": after_ms}
    return RecordedEnd("server", "error" if toxic == "reset_peer" else "eof"), {"ms": after_ms}


def _seams(message: str | bytes) -> list[int]:
    """Where a message of JSON can be cut: between its tokens, so that no half of a text is left, of which
    nobody would know that it was a credential."""
    text = message if isinstance(message, str) else message.decode("latin-1")
    if text.lstrip()[:1] not in ("{", "["):
        return []
    return [found.end() for found in _TOKEN.finditer(text.rstrip())][:-1]


def faults_of(said: Sequence[Fault | str]) -> tuple[Fault, ...]:
    """Faults, some of them as texts.

    Raises:
        UsageError: one is none.
    """
    return tuple(one if isinstance(one, Fault) else Fault.of_text(one) for one in said)


def told_fault(facts: Mapping[str, Any]) -> str:
    """In words, by what `Injected.as_json` gives: `latency, downstream message 3 (response.done): ms=200`."""
    number, type = facts.get("number"), facts.get("type")
    at_ms = facts.get("after")
    otherwise = "at the end" if at_ms is None else f"at {at_ms} ms"
    where = f"message {number}" + (f" ({type})" if type else "") if number else otherwise
    known = ("toxic", "stream", "number", "type", "after")
    rest = {name: value for name, value in facts.items() if name not in known}
    told = ", ".join(f"{name}={value}" for name, value in rest.items())
    return f"{facts.get('toxic')}, {facts.get('stream')} {where}" + (f": {told}" if told else "")
