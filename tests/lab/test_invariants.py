"""Each rule holds where it should, fails where it should, and says so where a log does not tell."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest
from realtape.lab.invariants import (
    ALL,
    CallsAnsweredOnce,
    Findings,
    HeardWithinGenerated,
    HistoryAgrees,
    InterruptsTheInterrupted,
    Invariant,
    InvariantError,
    NothingAfterEndOfStream,
    NothingSentAfterClose,
    OneResponseAtATime,
    SilentOnceInterrupted,
    TruncatedWithinReceived,
    Watch,
    check,
)
from realtape.lab.strategies.plans import Call, Calls, Connection, Plan, Speech, Talked, Turn, Typed
from realtape.lab.strategies.sessions import acted
from realtape.schema import UsageError
from realtape.schema.entries import Entry, Flag, Kind
from realtape.session import Recording
from realtape.session.audio import ReceivedAudio
from realtape.session.drafts import Draft, tree_of, with_tree
from support.golden import DEMO

TOOLS = (Call("look_up", "{}", "found"), Call("book", "{}", "booked", takes_ms=1))
INTERRUPTED = Speech(("one ", "two"), heard=2, stopped="voice")
PLAN = Plan(
    (
        Connection(
            (
                Turn(Typed("Hello"), (Calls(TOOLS), INTERRUPTED)),
                Turn(Talked(1, "Wait"), (Speech(("three",), heard=1),)),
            ),
            "ended",
        ),
    )
)


def healthy() -> Draft:
    (draft,) = acted(PLAN)
    return draft


def changed(draft: Draft, change: Callable[[list[Entry]], list[Entry]]) -> Draft:
    """A draft of other entries: still numbered, and no cause is looked at."""
    entries = [entry._replace(seq=seq) for seq, entry in enumerate(change(list(draft.entries)))]
    return dataclasses.replace(draft, entries=tuple(entries))


def place(entries: list[Entry], kind: Kind, type: str | None = None, nth: int = 0) -> int:
    found = [n for n, entry in enumerate(entries) if entry.kind == kind and type in (None, entry.type)]
    return found[nth]


def raw_place(entries: list[Entry], name: str) -> int:
    return next(n for n, entry in enumerate(entries) if f'"type":"{name}"' in entry.payload)


# --- mutants: what is done to the healthy session, and which rule must see it -------------------------


def without_an_answer(entries: list[Entry]) -> list[Entry]:
    sent = place(entries, Kind.SENT, "send_tool_output")
    later = entries[-1]._replace(at_ns=entries[sent].at_ns + 31 * 10**9, kind=Kind.MARKER, payload="{}")
    end = place(entries, Kind.RECEIVED, "connection_status")
    return [*entries[:sent], *entries[sent + 3 : end], later]


def answered_twice(entries: list[Entry]) -> list[Entry]:
    sent = place(entries, Kind.SENT, "send_tool_output")
    return [*entries[: sent + 3], entries[sent], *entries[sent + 3 :]]


def answered_out_of_the_blue(entries: list[Entry]) -> list[Entry]:
    told = ("function_call", "raw_server_event")
    return [entry for entry in entries if entry.type not in told or "call_" not in entry.payload]


def response_in_a_response(entries: list[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry.type != "turn_ended" and "response.done" not in entry.payload]


def refused_truncation(entries: list[Entry]) -> list[Entry]:
    message = "Audio content of 40ms is already shorter than 90ms"
    error = {"$": "error", "error": {"code": "invalid_value", "message": message}, "type": "error"}
    end = raw_place(entries, "conversation.item.truncated")
    return [*entries[:end], with_tree(entries[end], error)._replace(type="error"), *entries[end:]]


def closed_by_a_call(entries: list[Entry]) -> list[Entry]:
    call = place(entries, Kind.RECEIVED, "function_call")
    sent = place(entries, Kind.SENT, "send_tool_output")
    closing = entries[sent]._replace(kind=Kind.MARKER, cause=call)
    close = closing._replace(kind=Kind.CLOSE, type=None, method="close", payload="{}", cause=sent)
    return [*entries[:sent], closing, close]


def refused_response(entries: list[Entry]) -> list[Entry]:
    error = {"$": "error", "error": {"code": "conversation_already_has_active_response"}, "type": "error"}
    refused = with_tree(entries[2], error)._replace(type="error")
    return [*entries[:3], refused, *entries[3:]]


def heard_too_much(entries: list[Entry]) -> list[Entry]:
    number = next(n for n, entry in enumerate(entries) if entry.method == "on_play_bytes")
    entries[number] = entries[number]._replace(elapsed_ms=90.0)
    return entries


def truncated_too_late(entries: list[Entry]) -> list[Entry]:
    number = raw_place(entries, "conversation.item.truncated")
    tree = tree_of(entries[number])
    tree["data"]["audio_end_ms"] = 90
    entries[number] = with_tree(entries[number], tree)
    return entries


def truncated_by_hand(entries: list[Entry]) -> list[Entry]:
    cut = {"item_id": "item_0001", "content_index": 0, "audio_end_ms": 5}
    message = {"type": "conversation.item.truncate", "other_data": cut}
    tree = {"$": "send_raw_message", "message": message}
    send = with_tree(entries[3], tree)._replace(kind=Kind.SENT, type="send_raw_message")
    return [*entries[:4], send, *entries[4:]]


def late_event(entries: list[Entry]) -> list[Entry]:
    end = place(entries, Kind.RECEIVED, "end_of_stream")
    return [*entries[: end + 1], entries[place(entries, Kind.RECEIVED, "turn_started")], *entries[end + 1 :]]


def untold_item(entries: list[Entry]) -> list[Entry]:
    updates = [n for n, e in enumerate(entries) if e.type == "item_updated" and '"user"' in e.payload]
    return [entry for n, entry in enumerate(entries) if n != updates[0]]


def invented_item(entries: list[Entry]) -> list[Entry]:
    number = place(entries, Kind.RECEIVED, "item_updated")
    payload = entries[number].payload.replace("item_0001", "item_of_nobody")
    return [*entries[: number + 1], entries[number]._replace(payload=payload), *entries[number + 1 :]]


def sent_after_close(entries: list[Entry]) -> list[Entry]:
    return [*entries, entries[place(entries, Kind.SENT, "send_user_input")]]


def played_on(entries: list[Entry]) -> list[Entry]:
    """The loudspeaker was never told."""
    end = place(entries, Kind.RECEIVED, "audio_interrupted")
    plays = next(entry for entry in entries if entry.method == "on_play_bytes")
    after = [
        plays._replace(item_id="item_0006", elapsed_ms=20.0 + 100 * number, at_ns=entries[end].at_ns)
        for number in range(1, 5)
    ]
    return [*entries[: end + 1], *after, *entries[end + 1 :]]


def told_another_output(entries: list[Entry]) -> list[Entry]:
    """What the history keeps of a call is not what the model was answered."""
    number = next(
        n
        for n, entry in enumerate(entries)
        if '"type":"item_updated"' in entry.payload and "found" in entry.payload
    )
    entries[number] = entries[number]._replace(payload=entries[number].payload.replace("found", "lost"))
    return entries


def never_told_that_it_is_done(entries: list[Entry]) -> list[Entry]:
    number = next(
        n
        for n, entry in enumerate(entries)
        if '"type":"item_updated"' in entry.payload and "found" in entry.payload
    )
    payload = entries[number].payload.replace('"completed"', '"in_progress"')
    entries[number] = entries[number]._replace(payload=payload)
    return entries


MUTANTS: list[tuple[Callable[[list[Entry]], list[Entry]], type[Invariant], str]] = [
    (without_an_answer, CallsAnsweredOnce, "was not answered within 30 s"),
    (answered_twice, CallsAnsweredOnce, "was answered more than once"),
    (answered_out_of_the_blue, CallsAnsweredOnce, "that the model did not make"),
    (response_in_a_response, OneResponseAtATime, "was created while resp_0001 was active"),
    (refused_response, OneResponseAtATime, "asked for while another one was active"),
    (closed_by_a_call, CallsAnsweredOnce, "closed because of the tool call call_0001"),
    (refused_truncation, TruncatedWithinReceived, "refused to truncate: Audio content of 40ms"),
    (heard_too_much, HeardWithinGenerated, "90 ms of item_0006 were heard, and 20 ms"),
    (truncated_too_late, TruncatedWithinReceived, "truncated at 90 ms, and 40 ms"),
    (truncated_by_hand, TruncatedWithinReceived, "truncated at 5 ms, and 0 ms"),
    (late_event, NothingAfterEndOfStream, "came after the end of the stream"),
    (untold_item, HistoryAgrees, "item_0001 is in the conversation, and no event told of it"),
    (invented_item, HistoryAgrees, "told of item_of_nobody"),
    (
        told_another_output,
        HistoryAgrees,
        "has output 'found' of the call item_0002, and the events tell of 'lost'",
    ),
    (never_told_that_it_is_done, HistoryAgrees, "has status 'completed' of the call"),
    (played_on, SilentOnceInterrupted, "ms of item_0006 were played after its interruption"),
    (sent_after_close, NothingSentAfterClose, "send_user_input Hello after it had closed"),
]


def test_a_healthy_session_holds_all_rules():
    findings = check(healthy())
    assert findings == Findings()
    assert str(findings) == "every rule holds"
    findings.raise_for_violation()


@pytest.mark.parametrize(("mutate", "rule", "words"), MUTANTS, ids=lambda one: getattr(one, "__name__", ""))
def test_a_mutant_is_seen_by_its_rule(
    mutate: Callable[[list[Entry]], list[Entry]], rule: type[Invariant], words: str
):
    mutant = changed(healthy(), mutate)
    findings = check(mutant, [rule()])
    assert findings.violations
    violation = findings.violations[0]
    assert words in violation.summary
    assert violation.invariant == rule.name
    assert violation.session == mutant.header.id
    assert all(0 <= seq < len(mutant.entries) for seq in violation.seqs)
    assert list(violation.seqs) == sorted(violation.seqs)
    assert str(violation).startswith(violation.summary)
    with pytest.raises(InvariantError, match="rule: ") as raised:
        findings.raise_for_violation()
    assert raised.value.violations == findings.violations
    json.dumps(findings.as_json())


@pytest.mark.parametrize("mutate", [mutate for mutate, _, _ in MUTANTS], ids=lambda one: one.__name__)
def test_the_same_is_seen_live(mutate: Callable[[list[Entry]], list[Entry]]):
    mutant = changed(healthy(), mutate)
    watch = Watch()
    watch.begin(mutant.header)
    live = [violation for entry in mutant.entries for violation in watch.add(entry)] + watch.end()
    assert tuple(live) == check(mutant).violations


@pytest.mark.parametrize("mutate", [mutate for mutate, _, _ in MUTANTS], ids=lambda one: one.__name__)
def test_what_a_rule_is_not_told_would_say_nothing_to_it(
    mutate: Callable[[list[Entry]], list[Entry]], monkeypatch: pytest.MonkeyPatch
):
    """The same is found, at the same entries, where every rule is told of every entry."""
    mutant = changed(healthy(), mutate)
    found = check(mutant)
    for rule in ALL:
        if not isinstance(rule, NothingAfterEndOfStream):  # which takes whatever it is told for received
            monkeypatch.setattr(type(rule.watch()), "kinds", None)
    assert check(mutant) == found


def test_the_sound_is_read_once_for_all_rules(monkeypatch: pytest.MonkeyPatch):
    """In a session that followed another one a second time: what came in that one counts for some."""
    read: list[None] = []
    before = ReceivedAudio.read

    def counted(self: ReceivedAudio, entry: Entry) -> None:
        read.append(before(self, entry))

    monkeypatch.setattr(ReceivedAudio, "read", counted)
    draft = healthy()
    check(draft)
    assert len(read) == len(draft.entries)
    read.clear()
    check([draft, draft])
    assert len(read) == 3 * len(draft.entries)


# --- sound sessions, of other providers, of other releases, on other ways ----------------------------------


def not_understood(entries: list[Entry]) -> list[Entry]:
    """Of this provider the SDK understands neither `response.done` nor what a tool is asked for; the
    application reads the messages itself."""
    lost = ("turn_started", "turn_ended", "function_call")
    return [entry for entry in entries if entry.type not in lost]


def of_an_older_release(entries: list[Entry]) -> list[Entry]:
    """Its events of a turn do not say of which response they are."""
    turns = ("turn_started", "turn_ended")
    return [
        with_tree(entry, {**tree_of(entry), "response_id": None}) if entry.type in turns else entry
        for entry in entries
    ]


def without_messages(entries: list[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry.type != "raw_server_event"]


def in_the_beta(entries: list[Entry]) -> list[Entry]:
    """Its sound has another name, by which the SDK gives no event of it."""
    said = [entry for entry in entries if entry.type not in ("audio", "audio_done")]
    return [
        entry._replace(payload=entry.payload.replace("response.output_audio.", "response.audio."))
        for entry in said
    ]


def on_the_telephone(entries: list[Entry]) -> list[Entry]:
    """The sound has a way of its own (SIP, WebRTC); the socket is beside it."""
    sounds = ("response.output_audio.delta", "response.output_audio.done")
    return [
        entry
        for entry in entries
        if entry.type not in ("audio", "audio_done", "send_audio")
        and not any(f'"type":"{sound}"' in entry.payload for sound in sounds)
    ]


@pytest.mark.parametrize("rule", ALL, ids=lambda rule: type(rule).__name__)
@pytest.mark.parametrize(
    "otherwise",
    [not_understood, of_an_older_release, without_messages, in_the_beta, on_the_telephone],
    ids=lambda one: one.__name__,
)
def test_a_sound_session_of_another_kind_is_sound(
    otherwise: Callable[[list[Entry]], list[Entry]], rule: Invariant
):
    session = changed(healthy(), otherwise)
    assert session != healthy()
    assert not check(session, [rule]).violations


def test_a_violation_is_told_like_a_divergence():
    (violation,) = check(changed(healthy(), answered_twice), [CallsAnsweredOnce()]).violations
    assert str(violation).splitlines()[:4] == [
        "the tool call call_0002 was answered more than once",
        "  rule:     every tool call is answered exactly once",
        "  when:     turn 1, after the user said 'Hello'",
        f"  entries:  #{violation.seqs[0]} ◀ received function_call book({{}}) as call_0002",
    ]


# --- what a log does not tell ---------------------------------------------------------------------------


def lacking(*types: str, kind: Kind = Kind.RECEIVED) -> Draft:
    def without(entries: list[Entry]) -> list[Entry]:
        return [one for one in entries if one.kind != kind or (types and one.type not in types)]

    return changed(healthy(), without)


@pytest.mark.parametrize("rule", [TruncatedWithinReceived(), HistoryAgrees()], ids=lambda rule: rule.name)
def test_without_raw_messages_these_are_not_checkable(rule: Invariant):
    findings = check(lacking("raw_server_event"), [rule])
    assert not findings.violations
    (lack,) = findings.not_checkable
    assert lack.invariant == rule.name
    assert "the log lacks" in lack.why
    assert "not checkable" in str(lack)


def test_without_a_tracker_nobody_knows_what_was_heard():
    (lack,) = check(lacking(kind=Kind.PLAYBACK), [HeardWithinGenerated()]).not_checkable
    assert "playback tracker" in lack.why


def test_an_assumed_playback_state_says_nothing():
    def assumed(entries: list[Entry]) -> list[Entry]:
        return [entry._replace(flags=int(Flag.ASSUMED)) for entry in heard_too_much(entries)]

    findings = check(changed(healthy(), assumed), [HeardWithinGenerated()])
    assert not findings.violations
    assert findings.not_checkable


def test_behind_a_gap_nothing_is_claimed():
    def lost(entries: list[Entry]) -> list[Entry]:
        gap = entries[4]._replace(kind=Kind.GAP, payload='{"lost":3}', type=None)
        return [*entries[:4], gap, *sent_after_close(entries)[4:]]

    findings = check(changed(healthy(), lost))
    assert not findings.violations
    assert [lack.invariant for lack in findings.not_checkable] == [rule.name for rule in ALL]


@pytest.mark.parametrize("outcome", ["cancelled", "raised"])
def test_of_an_output_whose_send_did_not_return_nobody_need_have_told(outcome: str):
    def given_up(entries: list[Entry]) -> list[Entry]:
        sent = next(one for one in entries if one.type == "send_tool_output" and "found" in one.payload)
        done = next(one for one in entries if one.kind == Kind.SENT_DONE and one.of == sent.seq)
        entries[done.seq] = with_tree(done, {"outcome": outcome})
        return never_told_that_it_is_done(entries)

    assert not check(changed(healthy(), given_up), [HistoryAgrees()]).violations


# --- frames -----------------------------------------------------------------------------------------------


def framed(*frames: tuple[Kind, dict[str, Any]]) -> Draft:
    """A session of which only the socket is known."""
    draft = healthy()
    entries = [
        Entry(seq, seq, None, None, kind, payload=json.dumps([json.dumps(message)]))
        for seq, (kind, message) in enumerate(frames)
    ]
    return dataclasses.replace(draft, entries=tuple(entries))


CREATED = {"type": "response.created", "response": {"id": "resp_1", "conversation_id": "conv"}}
DONE = {"type": "response.done", "response": {"id": "resp_1"}}
ASKED = {"type": "response.create"}
BESIDE = {"type": "response.create", "response": {"conversation": "none"}}


@pytest.mark.parametrize(
    ("frames", "violated"),
    [
        ([(Kind.FRAME_IN, CREATED), (Kind.FRAME_OUT, ASKED)], True),
        ([(Kind.FRAME_IN, CREATED), (Kind.FRAME_OUT, BESIDE)], False),
        ([(Kind.FRAME_IN, CREATED), (Kind.FRAME_IN, DONE), (Kind.FRAME_OUT, ASKED)], False),
    ],
)
def test_frames_tell_who_asks_for_a_response(frames: list[tuple[Kind, dict[str, Any]]], violated: bool):
    assert bool(check(framed(*frames), [OneResponseAtATime()]).violations) is violated


@pytest.mark.parametrize(("end_ms", "violated"), [(1, False), (2, True)])
def test_frames_tell_of_truncations(end_ms: int, violated: bool):
    delta = {"type": "response.output_audio.delta", "item_id": "i", "content_index": 0, "delta": "AAAA" * 16}
    cut = {"type": "conversation.item.truncate", "item_id": "i", "content_index": 0, "audio_end_ms": end_ms}
    findings = check(framed((Kind.FRAME_IN, delta), (Kind.FRAME_OUT, cut)), [TruncatedWithinReceived()])
    assert bool(findings.violations) is violated
    assert not findings.not_checkable


def spoken(item: str, response: str) -> tuple[Kind, dict[str, Any]]:
    """Ten milliseconds of an item's sound comes."""
    delta = {
        "type": "response.output_audio.delta",
        "item_id": item,
        "content_index": 0,
        "delta": "AAAA" * 160,
    }
    return Kind.FRAME_IN, {**delta, "response_id": response}


def cut(item: str, end_ms: int = 0) -> tuple[Kind, dict[str, Any]]:
    message = {"type": "conversation.item.truncate", "item_id": item, "content_index": 0}
    return Kind.FRAME_OUT, {**message, "audio_end_ms": end_ms}


def confirmed(item: str) -> tuple[Kind, dict[str, Any]]:
    return Kind.FRAME_IN, {**cut(item)[1], "type": "conversation.item.truncated"}


SPOKE = (Kind.FRAME_IN, {"type": "input_audio_buffer.speech_started", "item_id": "u"})


@pytest.mark.parametrize(
    ("frames", "playing", "words"),
    [
        ([spoken("a", "r"), cut("a")], ("a", 5.0), None),
        ([spoken("a", "r"), cut("b")], ("a", 5.0), "b was truncated, which is no item of this session"),
        ([spoken("a", "r"), cut("a", 10)], ("a", 10.0), None),  # more of it could come
        ([spoken("a", "resp_1"), (Kind.FRAME_IN, DONE), cut("a", 10)], ("a", 2.0), None),
        (
            [spoken("a", "resp_1"), (Kind.FRAME_IN, DONE), cut("a", 9)],
            ("a", 9.4),
            None,
        ),  # half of one is left
        (
            [spoken("a", "resp_1"), (Kind.FRAME_IN, DONE), cut("a", 10)],
            ("a", 10.0),
            "a was truncated, after all 10 ms of it had been heard and its response had ended",
        ),
        (
            [spoken("a", "r"), spoken("b", "s"), cut("b")],
            ("a", 5.0),
            "b was truncated, and a was being heard",
        ),
        ([spoken("a", "r"), spoken("b", "r"), cut("b")], ("a", 5.0), None),  # both are silenced
        ([spoken("a", "r"), SPOKE, confirmed("a")], ("a", 5.0), None),
        ([spoken("a", "r"), SPOKE, confirmed("c")], ("a", 5.0), "c was truncated, which is no item of this"),
        (
            [spoken("a", "r"), SPOKE, cut("c"), confirmed("c")],
            ("a", 5.0),
            "c was truncated, which is no item of this",
        ),
    ],
)
def test_an_interruption_names_what_it_interrupts(
    frames: list[tuple[Kind, dict[str, Any]]], playing: tuple[str, float], words: str | None
):
    draft = framed(*frames)
    heard = [
        entry._replace(item_id=playing[0], content_index=0, elapsed_ms=playing[1]) for entry in draft.entries
    ]
    found = check(dataclasses.replace(draft, entries=tuple(heard)), [InterruptsTheInterrupted()])
    assert [one.summary for one in found.violations if words is None or words not in one.summary] == []
    assert len(found.violations) == (words is not None)
    assumed = [entry._replace(flags=Flag.ASSUMED) for entry in heard]
    told = check(dataclasses.replace(draft, entries=tuple(assumed)), [InterruptsTheInterrupted()]).violations
    assert len(told) == (words is not None and "no item of this" in words), "nobody knows what was heard"


def test_of_two_interruptions_a_truncation_is_of_that_which_asked_for_it():
    draft = framed(spoken("a", "resp_1"), SPOKE, (Kind.FRAME_IN, DONE), SPOKE, confirmed("a"), confirmed("a"))
    heard = [one._replace(item_id="a", content_index=0, elapsed_ms=5.0) for one in draft.entries]
    late = next(
        n for n, one in enumerate(heard) if one.kind == Kind.FRAME_IN and "response.done" in one.payload
    )
    heard = [*heard[: late + 1], *(one._replace(elapsed_ms=10.0) for one in heard[late + 1 :])]
    found = check(dataclasses.replace(draft, entries=tuple(heard)), [InterruptsTheInterrupted()])
    (violation,) = found.violations  # the first was asked for when half had been heard, the second was not
    assert "after all 10 ms" in violation.summary
    assert violation.seqs == (max(one.seq for one in heard if "truncated" in one.payload),)


def interrupted_elsewhere(entries: list[Entry]) -> list[Entry]:
    number = place(entries, Kind.RECEIVED, "audio_interrupted")
    tree = tree_of(entries[number])
    tree["item_id"] = "item_of_yesterday"
    entries[number] = with_tree(entries[number], tree)
    return entries


def test_an_event_of_an_interruption_names_an_item_of_its_session():
    found = check(changed(healthy(), interrupted_elsewhere), [InterruptsTheInterrupted()])
    assert [one.summary for one in found.violations] == [
        "item_of_yesterday was interrupted, which is no item of this session"
    ]


def test_a_frame_after_the_close_is_a_violation():
    assert not check(framed((Kind.FRAME_OUT, ASKED), (Kind.CLOSE, {})), [NothingSentAfterClose()]).violations
    assert check(framed((Kind.CLOSE, {}), (Kind.FRAME_OUT, ASKED)), [NothingSentAfterClose()]).violations


@pytest.mark.parametrize(("closed", "found"), [("behind", 0), ("before", 1)])
def test_who_is_given_a_call_while_he_closes_may_answer_it(closed: str, found: int):
    kept = {one.kind: one for one in healthy().entries if one.kind in (Kind.CONNECT, Kind.CLOSE, Kind.CLOSED)}
    call = next(one for one in healthy().entries if one.type == "function_call")
    sent = next(one for one in healthy().entries if one.type == "send_tool_output")
    meanwhile = [call._replace(seq=2), sent._replace(seq=3, cause=2)]
    ends = kept[Kind.CLOSED]._replace(of=1)
    order = [*meanwhile, ends] if closed == "behind" else [meanwhile[0], ends, meanwhile[1]]
    entries = [kept[Kind.CONNECT], kept[Kind.CLOSE], *order]
    found_now = check(changed(healthy(), lambda _: entries), [NothingSentAfterClose()]).violations
    assert len(found_now) == found


# --- histories ----------------------------------------------------------------------------------------------


def history_of(draft: Draft) -> list[dict[str, Any]]:
    """The history that an application keeps."""
    items: dict[str, dict[str, Any]] = {}
    for entry in draft.entries:
        if entry.kind == Kind.RECEIVED and entry.type == "item_updated":
            item = tree_of(entry)["item"]
            kept = items.get(item["item_id"], {})
            items[item["item_id"]] = {**kept, "item_id": item["item_id"], "type": item["type"]}
    return list(items.values())


def test_a_history_is_held_against_the_events():
    draft, history = healthy(), history_of(healthy())
    assert check(draft, [HistoryAgrees(history)]) == Findings()
    assert "lacks" in check(draft, [HistoryAgrees(history[1:])]).violations[0].summary
    assert "no event tells" in str(check(draft, [HistoryAgrees([*history, {"item_id": "odd"}])]))
    assert "another order" in str(check(draft, [HistoryAgrees(history[::-1])]))
    said = [{**history[0], "content": [{"type": "input_text", "text": "Good-bye"}]}, *history[1:]]
    assert "'Good-bye'" in str(check(draft, [HistoryAgrees(said)]))
    # A history makes the rule checkable, whatever the log lacks.
    assert check(lacking("raw_server_event"), [HistoryAgrees(history)]) == Findings()


# --- recordings, and chains of them -----------------------------------------------------------------


def test_all_rules_hold_in_the_demo():
    async def demo() -> Findings:
        async with await Recording.open(DEMO) as recording:
            return check(recording)

    assert asyncio.run(demo()) == Findings()


def test_what_is_played_on_after_a_reconnect_was_generated_before():
    """A player that is still at the old connection's audio, as the switchboard's is."""
    speech = Turn(replies=(Speech(("one",), heard=1),))
    first, second = acted(Plan((Connection((speech,), "lost"), Connection((speech,)))))
    played = next(entry for entry in first.entries if entry.method == "on_play_bytes")

    def playing_on(entries: list[Entry]) -> list[Entry]:
        return [*entries[:3], played, *entries[3:]]

    second = changed(second, playing_on)
    assert check([first, second], [HeardWithinGenerated()]) == Findings()
    assert check(second, [HeardWithinGenerated()]) == Findings()  # nobody knows what was before
    alone = dataclasses.replace(second, header=dataclasses.replace(second.header, previous_session=None))
    assert check(alone, [HeardWithinGenerated()]).violations


def test_a_call_of_an_earlier_session_must_not_be_answered_in_the_next():
    first, second = acted(Plan((Connection((Turn(replies=(Calls(),)),), "lost"), Connection())))
    answer = next(entry for entry in first.entries if entry.type == "send_tool_output")

    def answered(entries: list[Entry]) -> list[Entry]:
        return [*entries[:3], answer, *entries[3:]]

    findings = check([first, changed(second, answered)])
    assert "of an earlier session" in findings.violations[0].summary


def test_a_send_that_failed_has_answered_nothing():
    def failed_first(entries: list[Entry]) -> list[Entry]:
        sent = place(entries, Kind.SENT, "send_tool_output")
        failed = entries[sent + 2]._replace(payload='{"outcome":"raised"}', of=sent)
        return [*entries[: sent + 1], failed, *entries[sent:]]

    assert check(changed(healthy(), failed_first), [CallsAnsweredOnce()]) == Findings()


def test_a_call_that_the_end_left_open_is_excused_unless_it_was_open_for_long():
    def hung_up(entries: list[Entry]) -> list[Entry]:
        sent = place(entries, Kind.SENT, "send_tool_output")
        return [*entries[:sent], *entries[-3:]]

    draft = changed(healthy(), hung_up)
    assert not check(draft, [CallsAnsweredOnce()]).violations
    assert check(draft, [CallsAnsweredOnce(patience_s=0.001)]).violations


def test_a_watch_says_how_it_is_used():
    watch = Watch()
    with pytest.raises(UsageError, match="begin"):
        watch.add(healthy().entries[0])
    watch.begin(healthy().header)
    with pytest.raises(UsageError, match="end"):
        watch.begin(healthy().header)


def test_each_rule_has_a_name_of_its_own():
    assert len({rule.name for rule in ALL}) == len(ALL)
