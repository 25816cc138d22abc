"""Divergences in the words of the conversation: made where the core and the driver see them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from heapq import nsmallest
from typing import Any, TypeVar, cast

from ..schema.entries import Entry, Kind
from ..session.fields import RAW, facts_of, text_of
from ..session.folding import Folder
from ..session.messages import SPEECH_STARTED, SPEECH_STOPPED, tool_called
from ..session.notes import Notes
from ..session.recording import Recording
from ..session.speech import Speech
from ..session.timeline import Row
from ..session.words import described, detail, line, short, title
from .core.machine import ReplayCore
from .matching.excerpts import told
from .matching.matching import tree_of
from .reporting.divergence import Candidate, Difference, Divergence
from .reporting.report import SHOWN, Awaited, ReplayReport, Unchecked
from .reporting.report_builder import ReportBuilder
from .terms.acts import HandlerDiffers, Wait
from .terms.steps import Outcome, RecordedCall, Step

_Report = TypeVar("_Report", bound=ReplayReport)

AROUND = 3
"""Recorded entries, or bursts, that are shown before, and after, the one that is concerned."""

LOOKED_AT = 16
"""Recorded calls whose content is held against one that nobody recorded."""

_OUTPUT = "send_tool_output"

_NOUNS = {
    "send_tool_output": "a tool output",
    "send_user_input": "a text of the user's",
    "send_interrupt": "an interruption",
    "send_raw_message": "a raw message",
    "send_session_update": "a settings update",
    "send_audio": "audio",
}

_WAITED = {
    "stuck": "nothing, and nothing is left running that could still do it",
    "overdue": "nothing within {} s, while timers of the application went on",
}


def unmatched(
    core: ReplayCore, kind: str, type: str | None, key: str, cause: int | None
) -> tuple[Divergence, RecordedCall | None]:
    """A call came that no recorded one equals; and the recorded one whose place it takes, if any.

    Args:
        cause: the event in whose extent it was made, where that is known.
    """
    came = _came(kind, type, key)
    candidate = _nearest(core, kind, type, key, cause)
    if candidate is not None and _takes_its_place(core, candidate, key, cause):
        return _changed(core, candidate, came, key), candidate
    made = core.recent.made(kind, type, lambda one: one == key and core.matching.agree(one, key))
    noun = _noun(kind, type)
    if made is not None:
        summary = f"the application {noun} once more than when this was recorded"
        like = Candidate(made.seq, line(made.entry), "that one has come already")
        found: tuple[Difference, ...] = ()
    else:
        summary = f"the application {noun} that the recording does not hold here"
        like = None if candidate is None else _candidate(core, candidate, key)
        found = () if candidate is None else _between(core, candidate.step.key, key)
    coming = next((call for call in core.expected if call.required and not call.skipped), None)
    where, meanwhile = "", None
    if coming is not None:
        meanwhile = coming.seq if core.is_overdue(coming) else None
        where = f", before #{coming.seq}" if meanwhile is None else f", while #{coming.seq} was awaited"
    divergence = _divergence(
        core,
        "unexpected",
        summary,
        headline=f"extra: {_quoted(kind, type, key)}{where}",
        meanwhile=meanwhile,
        expected="nothing more" if coming is None else f"next comes {line(coming.step.entry)}",
        actual=came,
        seq=None if coming is None else coming.seq,
        differences=found,
        nearest=like,
        chain=core.recent.chain(cause, type or kind),
        around=_around(core, core.next_to_read if coming is None else coming.seq),
    )
    return divergence, None


def closed_early(core: ReplayCore, call: RecordedCall) -> Divergence:
    """`close` came before the event that caused it."""
    return _divergence(
        core,
        "order",
        "the application closed too early: when recorded it did so because of entry "
        f"{call.step.entry.cause}, which has not come yet",
        headline=f"order: close (#{call.seq}) before its cause (#{call.step.entry.cause})",
        expected=line(call.step.entry),
        actual="close, before that",
        seq=call.seq,
        around=_around(core, call.seq),
    )


def after_close(core: ReplayCore, type: str | None, key: str) -> Divergence:
    """A send came when everything was played, and the application had closed."""
    return _divergence(
        core,
        "unexpected",
        f"the application {_noun(Kind.SENT, type)} after it had closed, which it did not when recorded",
        headline=f"extra: {_quoted(Kind.SENT, type, key)}, after the close",
        expected="nothing more",
        actual=_came(Kind.SENT, type, key),
    )


def overtaken(core: ReplayCore, call: RecordedCall, first: RecordedCall) -> Divergence:
    """A call was let go, and one that its task made before it has not come."""
    noun, other = _noun(call.step.kind, call.step.entry.type), line(first.step.entry)
    return _divergence(
        core,
        "order",
        f"the application {noun} too early: when recorded the same task had made another call before it",
        headline=f"order: {_named(call.step.entry)} before {_named(first.step.entry)}",
        expected=f"first {other}",
        actual=described(call.step.entry),
        seq=first.seq,
        chain=core.recent.chain(call.step.entry.cause, call.step.entry.type or call.step.kind),
        around=_around(core, first.seq),
    )


def missing(core: ReplayCore, wait: Wait, overdue: float | None) -> Divergence:
    """Something that was recorded has not happened, and nothing goes on without it.

    Args:
        overdue: seconds for which it was waited for; None: nothing is left that could happen.
    """
    step = wait.step
    waited = "stuck" if overdue is None else "overdue"
    core.report.awaited.append(Awaited(step.seq, line(step.entry), waited))
    entry, chain = step.entry, ()
    if wait.what == "call":
        noun = _noun(step.kind, entry.type)
        summary = f"the application has not {noun} by now, but had when this was recorded"
        actual = _WAITED[waited]
        chain = core.recent.chain(entry.cause, entry.type or entry.kind)
        headline = f"missing: {_named(entry)}"
    else:
        entry = _handled(core, step)
        headline = f"not returned: who listens, from {_named(entry)}"
        summary = "the application is still busy with an event that it was done with when recorded"
        actual = _WAITED[waited].replace("nothing", "its listeners have not returned", 1)
    return _divergence(
        core,
        "handler" if wait.what == "handler" else "missing",
        summary,
        headline=headline,
        expected=line(entry),
        actual=actual.format(f"{overdue or 0:g}"),
        seq=step.seq,
        chain=chain,
        around=_around(core, step.seq),
        waited=waited,
    )


def handler(core: ReplayCore, act: HandlerDiffers) -> Divergence:
    """Listeners raised where they did not, or the reverse."""
    if act.live.how == "raised":
        summary = "a listener raised an exception that it did not raise when recorded"
    else:
        summary = "a listener did not raise the exception that it raised when recorded"
    return _divergence(
        core,
        "handler",
        summary,
        headline=f"handler: {_named(act.step.entry)}: {_how(act.recorded)} → {_how(act.live)}",
        expected=f"{line(act.step.entry)}: {_how(act.recorded)}",
        actual=_how(act.live),
        seq=act.step.seq,
        around=_around(core, act.step.seq),
    )


def unheard(core: ReplayCore, seq: int) -> Divergence:
    """Events found no listener, and the application has not closed either."""
    entry = core.recent.entry(seq)
    return _divergence(
        core,
        "unheard",
        "the application has no listener any more, and has not closed; when recorded there was one",
        headline="unheard: " + (f"#{seq}" if entry is None else _named(entry)) + ", and what came after",
        expected=f"a listener for all that came, such as #{seq}" if entry is None else line(entry),
        actual="given to nobody, and neither was what came after",
        seq=seq,
        around=_around(core, seq),
    )


def exhausted(core: ReplayCore | None, connections: int) -> Divergence:
    """A further connect than were recorded.

    Args:
        core: of the last connection.
    """
    spoken = Speech() if core is None else core.recent.spoken()
    count = _connections(connections)
    return Divergence(
        "exhausted",
        "the application connected again, and the recording holds no further connection",
        0 if core is None else core.turn,
        spoken.speaker,
        spoken.words,
        headline=f"extra: connect, after {count}",
        expected=count,
        actual="one more",
        session="" if core is None else core.report.session,
        nth=max(connections, 1),
    )


def unmade_after(
    last: Recording, report: ReportBuilder | ReplayReport, among: Collection[str] | None = None
) -> list[int]:
    """How many entries each connection has that followed when this was recorded, and was not made. Blocking.

    Args:
        last: of the connection that was made last.
        among: ids of the sessions that count; None: all.
    """
    made = set(report.recordings)
    following = [one for one in last.chain() if one.header.id not in made] if made else []
    return [one.length for one in following if among is None or one.header.id in among]


def without(report: _Report, unmade: Sequence[int], *, strict: bool) -> _Report:
    """The report of an application that did not connect as often as it did when recorded.

    Args:
        unmade: how many entries each connection has that was not made again.
        strict: that diverges.
    """
    if not unmade or report.diverged:
        return report
    made = len(report.recordings)
    missing = Divergence(
        "missing",
        "the application did not connect as often as when recorded, which `strict` does not allow",
        0,
        headline=f"missing: connect, after {_connections(made)}",
        expected=_connections(made + len(unmade)),
        actual=str(made),
        session=report.recordings[-1],
        nth=made,
    )
    return replace(
        report,
        unmade=len(unmade),
        unplayed=report.unplayed + sum(unmade),
        divergences=(*report.divergences, missing) if strict else report.divergences,
    )


def _connections(number: int) -> str:
    return "1 connection" if number == 1 else f"{number} connections"


def changed(core: ReplayCore, seq: int, found: tuple[Difference, ...]) -> Divergence:
    """Settings differ from those of an entry, and that was to diverge."""
    summary = "the settings differ from the recorded ones, which `strict` does not allow"
    first = found[0]
    headline = f"settings: {first.field}: {first.recorded} → {first.live}"
    return _divergence(core, "settings", summary, headline=headline, seq=seq, differences=found)


def unchecked(core: ReplayCore, found: Sequence[Unchecked]) -> Divergence:
    """Calls of unknown origin have not come, and that was to diverge."""
    return _divergence(core, "unchecked", **left_unchecked(found))


def left_unchecked(found: Sequence[Unchecked]) -> dict[str, Any]:
    """Calls of unknown origin have not come, as facts of a divergence."""
    told = [one.line for one in found[:SHOWN]]
    told += [f"{len(found) - SHOWN} more"] if len(found) > SHOWN else []
    return {
        "summary": "calls of unknown origin did not come, which `strict` does not allow",
        "headline": f"not checked: {'; '.join(one.line for one in found[:1])}" + _more(len(found) - 1),
        "expected": "; ".join(told),
        "actual": "none of them",
        "seq": found[0].seq,
    }


def unread(core: ReplayCore) -> Divergence:
    """The application's session has events of which none was read, and that was to diverge."""
    return _divergence(
        core,
        "unheard",
        "the application reads none of its session's events, which `strict` does not allow",
        expected="somebody reads them",
        actual=f"{core.report.unread} events lie there",
    )


def playback(core: ReplayCore) -> Divergence:
    """The application's player has done otherwise than when this was recorded."""
    return _divergence(core, "playback", **other_playback(core.report, core.report.session))


def other_playback(report: ReportBuilder, session: str) -> dict[str, Any]:
    """What the application's player has done otherwise in a session, as facts of a divergence."""
    heard = [one for one in report.heard if one.session == session]
    unreported = [one.seq for one in report.unreported if one.session == session]
    if not heard and not unreported and session in report.uncompared:
        return {
            "summary": "the application's player has a thread of its own, for which virtual time does not "
            "wait: how much was heard was not compared, which `strict` does not allow "
            '(`playback="ignore"` does)',
            "headline": "playback: not compared, for the player has a thread of its own",
        }
    told = [f"{one.live_ms:,.0f} ms of {one.item_id} at #{one.seq}" for one in heard[:SHOWN]]
    then = [f"{one.recorded_ms:,.0f} ms of {one.item_id} at #{one.seq}" for one in heard[:SHOWN]]
    then += [f"#{seq}" for seq in unreported[:SHOWN]]
    return {
        "summary": "the application's player reports otherwise than when this was recorded",
        "headline": f"playback: {next(iter(told or then), 'other calls')}" + _more(len(told or then) - 1),
        "expected": ", ".join(then) or None,
        "actual": ", ".join(told) or "not that",
        "seq": next(iter([*unreported, *(one.seq for one in heard)]), None),
    }


def _changed(core: ReplayCore, call: RecordedCall, came: str, key: str) -> Divergence:
    entry = call.step.entry
    found = _between(core, call.step.key, key)
    told = f": {found[0].field}: {found[0].recorded} → {found[0].live}" if found else ""
    return _divergence(
        core,
        "changed",
        f"the application {_noun(call.step.kind, entry.type)} other than the recorded one",
        headline=f"changed: {_named(entry)}{told}{_more(len(found) - 1)}",
        expected=line(entry),
        actual=came,
        seq=call.seq,
        differences=found,
        open_calls=_open_beside(core, call),
        order=_other_order(core, call),
        chain=core.recent.chain(entry.cause, entry.type or entry.kind),
        around=_around(core, call.seq),
    )


def _open_beside(core: ReplayCore, call: RecordedCall) -> tuple[str, ...]:
    """Of a tool's output: the other tools that were asked, and have not answered."""
    if call.step.entry.type != _OUTPUT:
        return ()
    answers = _answered(call.step.key)
    return tuple(line(entry) for entry in core.recent.open_calls() if tool_called(entry) != answers)


def _other_order(core: ReplayCore, call: RecordedCall) -> tuple[str, ...]:
    """Which outputs of tools stand on the other side of this one than they did when recorded."""
    type = call.step.entry.type
    if type != _OUTPUT:
        return ()
    early = [step.entry for step in core.recent.made_of(type) if step.seq > call.seq]
    late = [
        one.step.entry
        for one in core.expected
        if one.step.entry.type == type and one.seq < call.seq and not one.skipped
    ]
    return (
        *(f"{_named(entry)} came before it, and after it when recorded" for entry in early),
        *(f"{_named(entry)} has not come yet, and came before it when recorded" for entry in late),
    )


def _nearest(
    core: ReplayCore, kind: str, type: str | None, key: str, cause: int | None
) -> RecordedCall | None:
    """Of the recorded calls of its type that nobody has made: the one most like it.

    One of the same occasion comes first (made because of the same event, or the answer to the same
    call of a tool), then one that is due; then the one in which fewest fields differ.
    """
    alike = [call for call in core.expected if call.step.kind == kind and call.step.entry.type == type]

    def remoteness(call: RecordedCall) -> tuple[bool, bool, bool, int]:
        return (not _same_occasion(call, key, cause), call.skipped, not _due(core, call), call.seq)

    def distance(call: RecordedCall) -> tuple[bool, bool, bool, int, int]:
        other_occasion, skipped, not_due, seq = remoteness(call)
        fields = len(core.matching.differences(call.step.key, key))
        return (other_occasion, skipped, not_due, fields, seq)

    return min(nsmallest(LOOKED_AT, alike, key=remoteness), key=distance, default=None)


def _takes_its_place(core: ReplayCore, call: RecordedCall, key: str, cause: int | None) -> bool:
    """Whether a live send is taken for this recorded one, though they differ: it must come, its turn has
    come, and nothing says that they belong to different occasions."""
    if call.step.kind != Kind.SENT or not call.required or call.skipped or not _due(core, call):
        return False
    return cause is None or _same_occasion(call, key, cause)


def _due(core: ReplayCore, call: RecordedCall) -> bool:
    return call.required and core.is_given(call.step.entry.cause)


def _same_occasion(call: RecordedCall, key: str, cause: int | None) -> bool:
    recorded = call.step.entry.cause
    if cause is not None and recorded == cause:
        return True
    answered = _answered(call.step.key)
    return answered is not None and answered == _answered(key)


def _answered(key: str) -> Any:
    """The id of the tool call that a send answers, if it answers one."""
    tree = tree_of(getattr(key, "payload", key))
    call = cast("dict[str, Any]", tree).get("tool_call") if isinstance(tree, dict) else None
    return cast("dict[str, Any]", call).get("call_id") if isinstance(call, dict) else None


def _candidate(core: ReplayCore, call: RecordedCall, key: str) -> Candidate:
    cause = call.step.entry.cause
    if call.skipped and call.required:
        why = "that one was given up as missing, and differs"
    elif not core.is_given(cause):
        why = f"its turn has not come: it was made because of entry {cause}, which is still ahead"
    elif call.step.key == key:
        why = "a matcher says that a field differs"
    else:
        why = "that one differs"
        why += "" if cause is None else f", and was made because of entry {cause}"
    return Candidate(call.seq, line(call.step.entry), why)


def _divergence(core: ReplayCore, kind: Any, summary: str, **facts: Any) -> Divergence:
    spoken = core.recent.spoken()
    here, _ = core.played()
    place = (core.turn, spoken.speaker, spoken.words)
    report = core.report
    return Divergence(
        kind, summary, *place, session=report.session, nth=len(report.recordings), here=here, **facts
    )


def _between(core: ReplayCore, recorded: str, live: str) -> tuple[Difference, ...]:
    found = told(core.matching.differences(recorded, live), core.matching.stands_for)
    return found or ((Difference("bytes", "(recorded)", "(other)"),) if recorded != live else ())


def _noun(kind: str, type: str | None) -> str:
    """What the application did, after `the application`."""
    if kind != Kind.SENT:
        return {Kind.CLOSE: "closed", Kind.CONNECT: "connected"}.get(Kind(kind), kind)
    return f"sent {_NOUNS.get(type or '', type or 'something')}"


def _named(entry: Entry) -> str:
    """What an entry is, for a headline: an output of a tool without what it says."""
    told = _what(entry.kind, entry.type, described(entry))
    return f"{told} (#{entry.seq})"


def _quoted(kind: str, type: str | None, key: str) -> str:
    return _what(kind, type, _came(kind, type, key))


def _what(kind: str, type: str | None, told: str) -> str:
    if type == _OUTPUT:
        return told.split(" → ", 1)[0]
    name, _, said = told.partition(" ")
    return f"{name} {said!r}" if kind == Kind.SENT and type == "send_user_input" and said else told


def _more(number: int) -> str:
    return f", and {number} more" if number > 0 else ""


def _came(kind: str, type: str | None, key: str) -> str:
    payload = getattr(key, "payload", key)
    return described(Entry(0, 0, None, None, Kind(kind), type, payload=payload if payload != type else "{}"))


def _how(outcome: Outcome) -> str:
    if outcome.error is None:
        return "no exception"
    return f"raised {type(outcome.error).__name__}: {short(str(outcome.error))}"


def _handled(core: ReplayCore, step: Step) -> Entry:
    """The event whose handling a `handled` ends."""
    of = step.entry.of
    found = None if of is None else core.recent.entry(of)
    return step.entry if found is None else found


def _around(core: ReplayCore, seq: int) -> tuple[str, ...]:
    """What decides, before and behind an entry, and itself; speech and sound folded, as in a timeline."""
    rows = _folded(step.entry for step in core.around(seq) if step.seq == seq or _tells(step))
    before = [row for row in rows if row.seq < seq][-AROUND:]
    after = [row for row in rows if row.seq > seq][:AROUND]
    here = [row for row in rows if row.seq == seq]
    return tuple(map(_row, (*before, *here, *after)))


def _folded(entries: Iterable[Entry]) -> list[Row]:
    folder = Folder(Notes(turns=False))  # of a stretch
    return [*(row for entry in entries for row in folder.add(entry)), *folder.rest()]


def _row(row: Row) -> str:
    kind = f"{row.kind} " if row.kind in (Kind.RECEIVED, Kind.SENT) else ""
    return f"#{row.seq} {row.direction} {kind}{row.title} {row.content}".rstrip()


def _tells(step: Step) -> bool:
    """Whether an entry decides something, for who did not make the log: not that all went well, nor what the
    provider says once more of what was said or done already."""
    entry = step.entry
    if step.outcome.how == "raised":
        return True
    if entry.type == RAW:
        message = facts_of(entry)
        return text_of(message.get("type")) in _DECIDING or bool(detail(message))
    return title(entry).split()[0] in _TELLING and entry.type not in _REPEATING


_DECIDING = frozenset({SPEECH_STARTED, SPEECH_STOPPED})
_REPEATING = frozenset({"audio_done", "item_updated", "usage"})
_TELLING = frozenset({Kind.RECEIVED, Kind.SENT, Kind.CONNECT, Kind.CLOSE, Kind.GAP, Kind.MARKER})
