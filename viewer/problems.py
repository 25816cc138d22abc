"""`Problems`: what is wrong with a session, in one list: by the log, by the rules, by what was derived."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..lab.invariants import Violation
from ..schema import Entry, Kind
from ..session import is_failure, row_of
from ..session.fields import facts_of, mapping, server_message, text_of, unwrapped

MOST = 500
"""Problems of a kind that are told."""

OVERLONG_MS = 2_000
"""A wait for an answer from which on it is one."""

_FAILED = frozenset({"failed", "incomplete"})
_FAILED_TRANSCRIPTION = "conversation.item.input_audio_transcription.failed"


class Problems:
    """Is told every entry, and what the rules found; what was derived is asked when the list is made."""

    def __init__(self) -> None:
        self._seen: list[dict[str, Any]] = []
        self._responses: dict[int, str] = {}  # which of these is the end of which response
        self._at_ns: dict[int, int] = {}

    def read(self, entry: Entry) -> None:
        """The next entry."""
        if _fails_to_transcribe(entry):
            self._note("transcription failed", _message_of(entry) or "nobody says why", entry)
        elif is_failure(entry):
            row = row_of(entry)
            what = {str(Kind.GAP): "gap", str(Kind.FAULT): "fault"}.get(entry.kind, "error")
            message = _message_of(entry)
            if message and self._is_told(message, entry):  # the event that this message became
                return
            self._note(what, message or f"{row.title} {row.content}", entry)
            self._responses.update({len(self._seen) - 1: one for one in [_failed_response(entry)] if one})

    def violated(self, violations: Iterable[Violation], at_ns: int) -> None:
        """A rule was broken by then."""
        for one in violations:
            self._add(
                "rule broken", f"{one.invariant}: {one.summary}", one.seqs[-1] if one.seqs else None, at_ns
            )

    def broke_off(self, seq: int, at_ns: int) -> None:
        """The log ends with this entry, and the session did not."""
        self._add(
            "broken off", "whoever recorded it ended before it did: what came last may be missing", seq, at_ns
        )

    def damaged(self, text: str, seq: int, at_ns: int) -> None:
        """The log cannot be read any further than before this entry."""
        self._add("damaged", f"{text}; what follows is not shown", seq, at_ns)

    def facts(self, derived: dict[str, Any]) -> list[dict[str, Any]]:
        """All of them, in the order of the log.

        Args:
            derived: the session's story.
        """
        failed = {one["response_id"] for one in derived["responses"] if one["status"] in _FAILED}
        seen = [one for place, one in enumerate(self._seen) if self._responses.get(place) not in failed]
        return sorted([*seen, *_derived(derived)], key=lambda one: one["at_ns"] or 0)[: 4 * MOST]

    def _is_told(self, message: str, entry: Entry) -> bool:
        last = self._seen[-1] if self._seen else None
        return last is not None and last["text"] == message and last["seq"] == entry.seq - 1

    def _note(self, what: str, text: str, entry: Entry) -> None:
        self._add(what, text, entry.seq, entry.at_ns)

    def _add(self, what: str, text: str, seq: int | None, at_ns: int) -> None:
        if len(self._seen) < MOST:
            self._seen.append(problem(what, text, seq, at_ns))


def _fails_to_transcribe(entry: Entry) -> bool:
    if entry.kind != Kind.RECEIVED or _FAILED_TRANSCRIPTION not in entry.payload:
        return False
    return facts_of(entry).get("type") == _FAILED_TRANSCRIPTION


def _message_of(entry: Entry) -> str:
    """What an error says, in words, with its code; empty: it is none, or says nothing."""
    facts = facts_of(entry)
    if entry.kind != Kind.RECEIVED or not {"error", _FAILED_TRANSCRIPTION} & {entry.type, facts.get("type")}:
        return ""
    error = unwrapped(facts.get("error"))
    said = (text_of(error.get("message")), text_of(error.get("code")))
    return " · ".join(one for one in said if one)


def _failed_response(entry: Entry) -> str:
    """The response that ends with an entry; empty: it is no such end."""
    message = server_message(entry) or {}
    done = message.get("response") if message.get("type") == "response.done" else None
    return text_of(mapping(done).get("id"))


def problem(
    what: str, text: str, seq: int | None, at_ns: int | None, *, mild: bool = False
) -> dict[str, Any]:
    """One of the list, for the page."""
    return {"what": what, "text": text, "seq": seq, "at_ns": at_ns, "level": "mild" if mild else "bad"}


def _derived(story: dict[str, Any]) -> Iterable[dict[str, Any]]:
    for one in story["responses"]:
        if one["status"] in _FAILED:
            reason = f": {one['reason']}" if one["reason"] else ""
            yield problem(
                f"response {one['status']}", f"{one['response_id']}{reason}", one["seq"], one["began_ns"]
            )
    for one in story["tools"]:
        if one["ended_ns"] is None:
            yield problem(
                "tool unanswered", f"{one['name']}({one['arguments']})", one["seq"], one["began_ns"]
            )
    for one in _waits(story["latency"]):
        text = f"{one['ms']:,.0f} ms from the end of turn {one['turn']} until its answer {one['until']}"
        yield problem("overlong silence", text, one["seq"], one["ended_ns"], mild=True)
    for one in story["playback"]:
        stood_ms = (one["end_ns"] - one["begin_ns"]) / 1e6
        if one["doing"] == "waiting" and stood_ms > OVERLONG_MS:
            text = f"the player of {one['item_id']} waited {stood_ms:,.0f} ms for more of it to come"
            yield problem("overlong silence", text, one["seq"], one["begin_ns"], mild=True)
    for one in story["heard"]:
        for odd in one["discrepancies"]:
            said = f": {one['text']!r}" if one["text"] else ""
            yield problem(odd, f"{one['item_id']}{said}", one["seq"], one["at_ns"], mild=True)


def _waits(latency: Sequence[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    for one in latency:
        named = (("played_ms", "was played"), ("first_sound_ms", "could be heard"), ("first_byte_ms", "came"))
        ms, until = next(((one[key], said) for key, said in named if one[key] is not None), (None, ""))
        if ms is not None and ms > OVERLONG_MS:
            yield {**one, "ms": ms, "until": until}
