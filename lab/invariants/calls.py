"""Every tool call is answered exactly once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...schema.entries import Entry, Kind
from ...session.fields import client_message, mapping, outcome_of, text_of
from ...session.messages import answers_call, call_told, server_event, tool_called
from .rule import Found, Invariant, Watching

PATIENCE_S = 30.0
"""How long a tool may take by default, in seconds of the session."""


@dataclass(frozen=True)
class CallsAnsweredOnce(Invariant):
    """Every tool call is answered exactly once, in the session in which it was made.

    A call that the session's end (a close, or the loss of the connection) left open is no violation,
    unless it had been open for `patience_s` by then, or the application closed because of it. A call that
    only a message of the server tells of may be answered, and need not be: the application may not have
    got it.

    Attributes:
        patience_s: how long a tool may take, in seconds of the session.
    """

    patience_s: float = PATIENCE_S
    name = "every tool call is answered exactly once"

    def watch(self) -> Watching:
        """A fresh check."""
        return _Calls(round(self.patience_s * 1e9))


class _Calls(Watching):
    def __init__(self, patience_ns: int) -> None:
        self._patience_ns = patience_ns
        self._earlier: set[str] = set()  # calls of the sessions before
        self._reset()

    def _reset(self) -> None:
        self._calls: dict[str, Entry | None] = {}  # None: it is only told, by the server or by the client
        self._open: dict[str, Entry] = {}  # in the order in which they were made
        self._answers: dict[str, Entry] = {}
        self._answering: dict[int, str] = {}  # sends that have not returned
        self._causes: dict[int, int | None] = {}
        self._over = False

    def begin(self, *, known_before: bool) -> None:
        self._earlier.update(self._calls)
        self._reset()

    def add(self, entry: Entry) -> Iterator[Found]:
        yield from self._overdue(entry.at_ns)
        self._causes[entry.seq] = entry.cause
        if entry.kind == Kind.RECEIVED:
            self._receive(entry)
        elif entry.kind == Kind.SENT:
            yield from self._send(entry)
        elif entry.kind == Kind.SENT_DONE and entry.of in self._answering:
            self._sent(entry, self._answering.pop(entry.of))
        elif entry.kind == Kind.CLOSE:
            yield from self._closed_by_call(entry)
            self._over = True

    def end(self, at_ns: int) -> Iterator[Found]:
        yield from self._overdue(at_ns)

    def _receive(self, entry: Entry) -> None:
        # A lost connection shows as an exception after which nothing comes.
        self._over = entry.type in ("exception", "end_of_stream")
        call_id = tool_called(entry)
        if call_id is not None and self._calls.get(call_id) is None:
            self._calls[call_id] = self._open[call_id] = entry
        elif (event := server_event(entry)) is not None and (call_id := call_told(event)):
            self._calls.setdefault(call_id, None)

    def _closed_by_call(self, close: Entry) -> Iterator[Found]:
        because = set[int]()
        seq = close.cause
        while seq is not None and seq not in because:
            because.add(seq)
            seq = self._causes.get(seq)
        for call_id, call in list(self._open.items()):
            if call.seq in because:
                del self._open[call_id]
                summary = f"the application closed because of the tool call {call_id}, and did not answer it"
                yield Found(summary, (call.seq, close.seq))

    def _send(self, entry: Entry) -> Iterator[Found]:
        call_id = self._answered(entry)
        if call_id is None:
            return
        first = self._answers.get(call_id)
        if call_id not in self._calls:
            whose = "of an earlier session" if call_id in self._earlier else "that the model did not make"
            yield Found(f"the application answered a tool call {whose}: {call_id}", (entry.seq,))
        elif first is not None:
            call = self._calls[call_id]
            seqs = (first.seq, entry.seq) if call is None else (call.seq, first.seq, entry.seq)
            yield Found(f"the tool call {call_id} was answered more than once", seqs)
        self._answers[call_id] = entry
        self._answering[entry.seq] = call_id
        self._open.pop(call_id, None)

    def _answered(self, entry: Entry) -> str | None:
        """Which call this send answers."""
        call_id = answers_call(entry)
        message = client_message(entry) if call_id is None else None
        if message is not None and message.get("type") == "conversation.item.create":
            item = mapping(message.get("item"))
            if item.get("type") == "function_call":  # a conversation of earlier is told to the provider
                self._calls.setdefault(text_of(item.get("call_id")), None)
        return call_id

    def _sent(self, entry: Entry, call_id: str) -> None:
        """A send has ended: one that failed has answered nothing."""
        if outcome_of(entry) not in ("raised", "withheld") or self._answers[call_id].seq != entry.of:
            return
        del self._answers[call_id]
        call = self._calls.get(call_id)
        if call is not None:
            self._open[call_id] = call

    def _overdue(self, at_ns: int) -> Iterator[Found]:
        while self._open and not self._over:
            call_id, call = next(iter(self._open.items()))
            if at_ns - call.at_ns <= self._patience_ns:
                return
            del self._open[call_id]
            waited = f"{self._patience_ns / 1e9:g} s"
            yield Found(f"the tool call {call_id} was not answered within {waited}", (call.seq,))
