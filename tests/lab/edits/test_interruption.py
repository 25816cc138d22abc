"""An interruption that is moved or put in, by the rules of `docs/replay.md`, in the demo's recording."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from realtape import schema
from realtape.lab import swept, varied
from realtape.lab.edits import Boundary, Heard, Interrupt, MoveInterruption, interrupt_at
from realtape.lab.edits.interruption import Where, boundaries, heard_places
from realtape.lab.shrinking.checks import new_problems, problems
from realtape.lab.strategies.variations import Variation, variations
from realtape.recorder import Recorder
from realtape.replay import run
from realtape.schema import Kind, UsageError
from realtape.schema.codec import to_json
from realtape.schema.entries import Entry
from realtape.session import Recording, interruptions
from realtape.session.drafts import Draft, renumbered
from realtape.session.fields import RAW, facts_of
from realtape.session.structure import Structure
from support.fixtures import bytes_tree, draft, received
from support.golden import DEMO
from support.recorded_drafts import drafts_of
from support.scripted import Listening, Scripted, ScriptedModel

_DEMO = asyncio.run(Recording.open(DEMO)).drafts()[0]
_FIRST, _SECOND = interruptions(Structure(_DEMO))


def messages(draft: Draft, type: str) -> list[dict[str, Any]]:
    """The server's messages of this type."""
    facts = [facts_of(entry) for entry in draft.entries if entry.kind == Kind.RECEIVED and entry.type == RAW]
    return [one for one in facts if one["type"] == type]


def audio_of(draft: Draft, item_id: str) -> int:
    """Bytes that came of an item."""
    return sum(sound.length for sound in Structure(draft).sounds if sound.item_id == item_id)


def test_the_interruptions_of_the_session() -> None:
    assert (_FIRST.item_id, _FIRST.elapsed_ms, _FIRST.user_item_id) == ("item_0002", 1360.0, "item_0003")
    assert (_SECOND.item_id, _SECOND.elapsed_ms, _SECOND.user_item_id) == ("item_0006", 580.0, "item_0007")


def test_moved_to_a_millisecond_it_cuts_the_response_off_there() -> None:
    made = varied(_DEMO, [MoveInterruption(_FIRST.seq, Heard("item_0002", 310))])
    assert not problems(made)
    done = messages(made, "response.done")[0]["response"]
    assert (done["status"], done["status_details"]) == (
        *("cancelled", {"type": "cancelled", "reason": "turn_detected"}),
    )
    assert done["output"][0]["status"] == "incomplete"
    assert done["output"][0]["content"][0]["transcript"] == "Good morning."
    assert audio_of(made, "item_0002") == 8 * 4800 < audio_of(_DEMO, "item_0002")
    truncated = messages(made, "conversation.item.truncated")[0]
    assert (truncated["item_id"], truncated["audio_end_ms"]) == ("item_0002", 310)
    shown = messages(made, "conversation.item.retrieved")[0]["item"]["content"][0]["audio"]["at"]
    assert shown[2] == 310 * 48
    moved = interruptions(Structure(made))[0]
    assert moved.elapsed_ms == 310.0


def test_what_the_user_said_follows_at_the_same_distances() -> None:
    made = varied(_DEMO, [MoveInterruption(_FIRST.seq, Heard("item_0002", 310))])

    def distances(draft: Draft) -> list[int]:
        begins = interruptions(Structure(draft))[0].seq
        later = [entry for entry in draft.entries[begins:] if entry.type == RAW]
        wanted = [one for one in later if facts_of(one).get("item_id") == "item_0003"]
        return [round((one.at_ns - wanted[0].at_ns) / 1e6) for one in wanted]

    assert distances(made) == distances(_DEMO)


def test_moved_into_another_response_it_interrupts_that_one() -> None:
    made = varied(_DEMO, [MoveInterruption(_SECOND.seq, Heard("item_0002", 200))])
    assert not problems(made)
    assert [one.response_id for one in Structure(made).responses] == ["resp_0001", "resp_0004"]
    assert Structure(made).calls == ()
    assert messages(made, "conversation.item.truncated")[0]["item_id"] == "item_0002"
    assert not [entry for entry in made.entries if entry.type == "send_tool_output"]


def test_moved_later_in_a_sound_that_had_come_more_of_it_is_heard() -> None:
    made = varied(_DEMO, [MoveInterruption(_FIRST.seq, Heard("item_0002", 1500))])
    assert not problems(made)
    assert interruptions(Structure(made))[0].elapsed_ms == 1500.0
    assert messages(made, "conversation.item.truncated")[0]["audio_end_ms"] == 1500
    with pytest.raises(UsageError, match="2100 ms had come"):
        varied(_DEMO, [MoveInterruption(_FIRST.seq, Heard("item_0002", 2200))])


def test_while_a_tool_is_at_work_its_answer_is_still_taken() -> None:
    call = Structure(_DEMO).calls[0]
    made = varied(_DEMO, [MoveInterruption(_SECOND.seq, Boundary(call.outputs[0]))])
    assert not problems(made)
    assert len(Structure(made).calls[0].outputs) == 1
    assert [one.response_id for one in Structure(made).responses] == ["resp_0001", "resp_0002", "resp_0004"]
    # Nothing was being said: there was nothing to interrupt.
    assert len(interruptions(Structure(made))) == 1


def test_where_the_servers_messages_were_not_recorded() -> None:
    """The news of an interruption names the item that it interrupts, and is no part of that response."""
    entries = renumbered([entry for entry in _DEMO.entries if entry.type != RAW])
    bare = dataclasses.replace(_DEMO, entries=entries)
    for moved in interruptions(Structure(bare)):
        places: list[Where] = [Boundary(seq) for seq in boundaries(Structure(bare)) if seq < moved.seq]
        places += [place for place in heard_places(Structure(bare), 200) if place.item_id == moved.item_id]
        for place in places[::5]:
            made = varied(bare, [MoveInterruption(moved.seq, place)])
            assert not new_problems(made, problems(bare)), place


def test_one_more_interruption_leaves_the_rest_where_it_is() -> None:
    last = Structure(_DEMO).responses[-1]
    made = interrupt_at(_DEMO, Heard("item_0008", 500))
    assert not problems(made)
    found = interruptions(Structure(made))
    assert [one.item_id for one in found] == ["item_0002", "item_0006", "item_0008"]
    assert found[-1].elapsed_ms == 500.0
    assert messages(made, "response.done")[-1]["response"]["status"] == "cancelled"
    assert messages(made, "response.done")[-1]["response"]["id"] == last.response_id
    users = [one["item"]["id"] for one in messages(made, "conversation.item.added")]
    assert len(set(users)) == len(users)
    assert made.entries[-1].kind == Kind.CLOSED


def test_in_a_session_without_one_it_is_told_as_a_server_would() -> None:
    quiet = varied(_DEMO, [MoveInterruption(_FIRST.seq, Heard("item_0002", 200))])
    head = Draft(
        quiet.header, quiet.status, quiet.entries[: interruptions(Structure(quiet))[0].seq], quiet.segments
    )
    assert interruptions(Structure(head)) == ()
    made = interrupt_at(head, Heard("item_0002", 100))
    assert not problems(made)
    assert interruptions(Structure(made))[0].elapsed_ms == 100.0
    types = [facts_of(entry)["type"] for entry in made.entries if entry.type == RAW][-3:]
    assert types == [
        *("input_audio_buffer.speech_started", "conversation.item.truncated"),
        "input_audio_buffer.speech_stopped",
    ]
    assert messages(made, "conversation.item.truncated")[0]["audio_end_ms"] == 100


def test_at_its_own_place_nothing_changes() -> None:
    for where in (Boundary(_FIRST.seq), Heard("item_0002", 1360)):
        assert varied(_DEMO, [MoveInterruption(_FIRST.seq, where)]) is _DEMO


def test_every_twentieth_place_gives_a_session_that_could_have_happened() -> None:
    structure = Structure(_DEMO)
    edits: list[Any] = [Interrupt(Boundary(seq)) for seq in boundaries(structure)]
    edits += [
        MoveInterruption(_SECOND.seq, Boundary(seq)) for seq in boundaries(structure) if seq < _SECOND.seq
    ]
    edits += [Interrupt(place) for place in heard_places(structure, 20)]
    for edit in edits[::20]:
        assert not problems(varied(_DEMO, [edit])), edit


@pytest.mark.parametrize("where", [Boundary(21), Heard("item_0002", 9000), Heard("nobody", 0)])
def test_there_must_be_such_a_place(where: Any) -> None:
    with pytest.raises(UsageError):
        varied(_DEMO, [Interrupt(where)])
    with pytest.raises(UsageError):
        varied(_DEMO, [MoveInterruption(_SECOND.seq, where)])


# --- interruptions that have a cause, and such as name what is not heard yet -----------------------------


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Draft:
    """The application interrupts because of a word that the model says."""
    store = tmp_path_factory.mktemp("guarded") / "log.db"

    async def script(model: Scripted) -> None:
        await model.emit(schema.RealtimeModelTurnStartedEvent(response_id="resp_1"))
        for word in ("The ", "secret ", "is ", "out."):
            delta = schema.RealtimeModelTranscriptDeltaEvent(item_id="i", delta=word, response_id="resp_1")
            await model.emit(delta)
            await asyncio.sleep(0.1)
        await model.emit(schema.RealtimeModelTurnEndedEvent(response_id="resp_1"))

    def inside(event: Any) -> list[Any]:
        broken_off = schema.RealtimeModelAudioInterruptedEvent(item_id="i", content_index=0)
        return [broken_off] if isinstance(event, schema.RealtimeModelSendInterrupt) else []

    async def main() -> None:
        async with Recorder(store) as recorder:
            model = recorder.wrap(ScriptedModel(script, inside))

            async def guard(event: Any) -> None:
                if "secret" in getattr(event, "delta", ""):
                    await model.send_event(schema.RealtimeModelSendInterrupt())

            listening = Listening(guard)
            model.add_listener(listening)
            await model.connect({})
            await listening.over.wait()
            await model.close()

    run(main())
    return drafts_of(store)[0]


def test_one_that_has_a_cause_is_put_in_anew_before_it(guarded: Draft) -> None:
    (caused,) = interruptions(Structure(guarded))
    cause = guarded.entries[caused.seq].cause
    assert cause is not None
    for one in swept(guarded, every_ms=100):
        if one.edit is None:
            continue
        found = interruptions(Structure(varied(guarded, [one.edit])))
        early = isinstance(one.where, Boundary) and one.where.seq <= cause
        assert not early or len(found) in (1, 2), (
            one.where
        )  # one more; and the first, if the word comes still


PLAYED = to_json({"args": ["pre", 0, 700.0]})


def overlapping() -> Draft:
    """ "One moment" still plays when the sound of the answer has come; the event names the latter."""

    def sound(item_id: str, begin: int, length: int) -> Entry:
        data = bytes_tree((0, begin, length))
        return received("audio", item_id=item_id, content_index=0, response_id=f"of_{item_id}", data=data)

    played = Entry(
        0, 0, 0, 0, Kind.PLAYBACK, "application", "on_play_ms", payload=to_json({"args": ["pre", 0, 700.0]})
    )
    heard = {"item_id": "pre", "content_index": 0, "elapsed_ms": 700.0}
    entries = (
        received("turn_started", response_id="of_pre"),
        sound("pre", 0, 72_000),
        received("turn_ended", response_id="of_pre"),
        received("turn_started", response_id="of_answer"),
        sound("answer", 72_000, 9_600),
        played._replace(**heard),
        received("audio_interrupted", item_id="answer", content_index=0)._replace(**heard),
    )
    return draft(*entries, segments={0: bytes(81_600)}, step_ns=100_000_000)


def test_what_was_heard_is_the_trackers() -> None:
    (found,) = interruptions(Structure(overlapping()))
    assert (found.item_id, found.elapsed_ms) == ("pre", 700.0)


@settings(max_examples=20)
@given(variations(overlapping(), kinds=["interrupt"], max_edits=1))
def test_an_edit_that_does_not_fit_is_not_drawn(variation: Variation) -> None:
    assert len(variation.edits) <= 1


def test_of_places_that_come_to_the_same_a_sweep_tries_one() -> None:
    """A player that reports every 20 ms is where a sweep wants to be every 20 ms."""
    places = [one for one in swept(_DEMO) if one.edit is not None]
    assert [one.number for one in places] == sorted(one.number for one in places)
    assert not [one for one in places if one.where == Boundary(33)], "that is where 100 ms were heard"
    assert [one for one in places if one.where == Heard("item_0002", 100)]
    some = {tuple(varied(_DEMO, [one.edit]).entries): one for one in places[::25] if one.edit is not None}
    assert len(some) == len(places[::25])
    every = len([*boundaries(Structure(_DEMO)), *heard_places(Structure(_DEMO), 20)])
    assert len(places) < 0.75 * every


# --- the end of the session ------------------------------------------------------------------------------


def test_the_user_does_not_hang_up_earlier_because_he_broke_in_earlier() -> None:
    """A tool's answer that came before he hung up comes before that still, or is missed."""
    call = received("function_call", name="look_up", call_id="call_1", arguments="{}", id="item_1")
    data = bytes_tree((0, 0, 48_000))
    output = to_json({"$": "send_tool_output", "tool_call": {"call_id": "call_1"}, "output": "9:15"})
    entries = (
        received("turn_started", response_id="resp_1"),
        received("audio", item_id="said", content_index=0, response_id="resp_1", data=data),
        call,
        received("turn_ended", response_id="resp_1"),
        Entry(0, 0, 0, 1, Kind.SENT, "send_tool_output", "send_event", cause=2, payload=output),
        Entry(0, 0, 0, 1, Kind.SENT_DONE, None, "send_event", of=4, payload='{"outcome":"returned"}'),
        received("audio_interrupted", item_id="said", content_index=0),
        received("turn_started", response_id="resp_2"),
        Entry(0, 0, 0, 0, Kind.CLOSE, None, "close"),
    )
    whole = draft(*entries, segments={0: bytes(48_000)}, step_ns=400_000_000)
    (moved,) = interruptions(Structure(whole))
    made = varied(whole, [MoveInterruption(moved.seq, Boundary(3))])
    types = [entry.type or entry.kind for entry in made.entries]
    assert types.index("audio_interrupted") < types.index("send_tool_output") < types.index("close")
    assert made.entries[-1].at_ns == whole.entries[-1].at_ns
