"""Which recorded call a live one is, asked of the account of calls alone."""

from __future__ import annotations

from typing import Any

import pytest
from realtape.replay.core import calls as calls_module
from realtape.replay.core.calls import RecordedCalls
from realtape.replay.matching.audio_tape import SentAudio
from realtape.replay.matching.expectation import Expectation
from realtape.replay.matching.matching import AUDIO_TYPE, Content, Matching
from realtape.replay.terms.steps import Outcome, RecordedCall, Step
from realtape.schema import Entry, Kind
from realtape.schema.codec import REDACTED
from realtape.schema.entries import Flag
from realtape.session.places import Place

TEXT = "send_user_input"


class Account:
    """Recorded calls, and what the core says of where the replay is.

    Attributes:
        given: events that the application was given.
        here: entries that have their place just now.
        at_work: calls whose listener is at work.
    """

    def __init__(self, expect: Expectation = "reactions", **matching: Any) -> None:
        self.given: set[int | None] = {None}
        self.here: set[int] = set()
        self.at_work: set[int] = set()
        self.calls = RecordedCalls(
            expect,
            Matching(**matching),
            is_given=lambda seq: seq in self.given,
            is_here=lambda step: step.seq in self.here,
            may_make=lambda step: step.seq in self.at_work,
        )

    def recorded(
        self,
        seq: int,
        key: str = "hello",
        *,
        cause: int | None = None,
        task: int | None = 1,
        type: str = TEXT,
    ) -> RecordedCall:
        """A recorded send."""
        flags = Flag.REDACTED if REDACTED in key else 0
        step = Step(Entry(seq, seq, 0, task, Kind.SENT, type, cause=cause, flags=flags), key=key)
        self.calls.begin(step)
        assert step.call is not None
        return step.call

    def ended(self, call: RecordedCall, how: Any = "returned", *, seq: int | None = None) -> Step:
        """The entry that ends it."""
        number = call.seq + 1 if seq is None else seq
        entry = Entry(number, number, 0, call.step.entry.task, Kind.SENT_DONE, of=call.seq)
        step = Step(entry, outcome=Outcome(how))
        self.calls.end(step)
        return step

    def sent(self, key: str = "hello", cause: int | None = None, type: str = TEXT) -> RecordedCall | None:
        """A live one."""
        return self.calls.match(Kind.SENT, type, key, cause)

    def spoken(self, data: bytes, *, commit: bool = False, cause: int | None = None) -> RecordedCall | None:
        return self.sent(sound(data, commit=commit), cause, AUDIO_TYPE)

    def speech(self, seq: int, data: bytes, *, commit: bool = False, **more: Any) -> RecordedCall:
        return self.recorded(seq, sound(data, commit=commit), type=AUDIO_TYPE, **more)

    def unmade(self) -> list[int]:
        return [call.seq for call in self.calls.unmade()]


def sound(data: bytes, *, commit: bool = False) -> Content:
    return Content(f"{data!r} {commit}", audio=SentAudio(data, commit))


# --- of several with the same content ------------------------------------------------------------------


def test_the_one_that_has_its_place_now_goes_first_if_it_has_the_same_cause() -> None:
    account = Account()
    account.given.add(1)
    due = account.recorded(3, cause=1)
    there = account.recorded(5, cause=1)
    other = account.recorded(7)
    account.here |= {5, 7}
    assert account.sent(cause=1) is there
    assert account.sent() is other, "which has no cause, as this one"
    account.given.add(2)
    account.recorded(11, cause=2)
    account.here = {11}
    assert account.sent(cause=8) is due, "what has its place now has another cause"


def test_then_the_one_of_the_same_cause() -> None:
    account = Account()
    account.given |= {1, 2}
    account.recorded(3, cause=1)
    same = account.recorded(5, cause=2)
    assert account.sent(cause=2) is same


def test_of_no_cause_is_none_that_two_could_have_in_common() -> None:
    """Else every stimulus went before the reactions that are due."""
    account = Account()
    account.given.add(1)
    account.recorded(3)
    due = account.recorded(5, cause=1)
    assert account.sent() is due


def test_a_reaction_that_is_due_goes_before_a_stimulus_and_that_before_what_is_not_due() -> None:
    account = Account()
    account.given.add(2)
    expected = [account.recorded(9, cause=2), account.recorded(5), account.recorded(3, cause=1)]
    assert [account.sent(cause=4) for _ in expected] == expected
    assert [call.ahead for call in expected] == [False, False, True]


def test_what_an_event_has_caused_is_no_stimulus_of_before_it_nor_one_of_the_users() -> None:
    """Else a reaction that is made twice goes for what the user did: `same`, and one thing less unchecked."""
    account = Account(expect={9: "user"})
    unknown, of_event, users = account.recorded(3), account.recorded(7), account.recorded(9)
    account.recorded(5, "[redacted] now")
    assert account.sent(cause=6) is of_event, "its cause may have been lost"
    assert account.sent(cause=6) is None
    assert account.sent("call now", cause=6) is None
    assert account.sent(cause=-1) is unknown, "which the application is told of, but was not recorded"
    assert account.sent() is users
    due = account.recorded(11, cause=10)
    account.given |= {10, 12}
    assert account.sent(cause=12) is due, "which is late"


@pytest.mark.parametrize("at_work", [True, False])
def test_a_stimulus_before_a_reaction_goes_first_while_its_listener_is_at_work(at_work: bool) -> None:
    account = Account()
    account.given.add(1)
    stimulus, due = account.recorded(3), account.recorded(5, cause=1)
    account.at_work |= {5} if at_work else set()
    assert account.sent() is (stimulus if at_work else due)


@pytest.mark.parametrize("skipped", [True, False])
def test_but_no_stimulus_after_it_or_one_that_was_given_up(skipped: bool) -> None:
    account = Account()
    account.given.add(1)
    stimulus, due = account.recorded(3 if skipped else 7), account.recorded(5, cause=1)
    if skipped:
        account.calls.skip(stimulus)
    account.at_work.add(5)
    assert account.sent() is due


def test_nor_is_a_reaction_before_it_taken_for_a_stimulus() -> None:
    account = Account()
    account.given.add(1)
    account.recorded(3, cause=9)
    due = account.recorded(5, cause=1)
    account.recorded(7)
    account.at_work.add(5)
    assert account.sent() is due


def test_what_a_matcher_judges_is_asked_of_the_only_one_and_of_each_of_several() -> None:
    class Judging(Matching):
        def agree(self, recorded: str, live: str) -> bool:
            return recorded.swapcase() == live.swapcase() and id(recorded) == wanted

    account = Account()
    account.calls = RecordedCalls("reactions", Judging())
    keys = ["".join(["hel", "lo"]) for _ in range(3)]  # equal, and not the same object
    wanted = id(keys[0])
    account.recorded(3, keys[1])
    assert account.sent() is None
    account.recorded(5, keys[2])
    assert account.sent() is None
    third = account.recorded(7, keys[0])
    assert account.sent() is third


def test_what_was_taken_out_when_it_was_recorded_is_found_by_what_is_left() -> None:
    account = Account()
    account.recorded(3, f"call {REDACTED} now")
    assert account.sent("call me later") is None
    assert account.sent("call 0170 now") is not None
    assert account.sent("call 0171 now") is None, "there was but one"


def test_it_is_certain_which_one_a_live_call_is_where_that_must_come_or_has_the_same_cause() -> None:
    """A stimulus may yet give way to a reaction that was not read."""

    def certain(key: str, cause: int | None = None, type: str = TEXT) -> bool:
        return account.calls.is_certain(Kind.SENT, type, key, cause)

    account = Account()
    account.given.add(1)
    account.recorded(3, "reaction", cause=1)
    account.recorded(5, "stimulus")
    account.calls.begin(step := Step(Entry(7, 7, 0, 1, Kind.SENT, AUDIO_TYPE, cause=1), key="exact"))
    assert step.call is not None
    assert not step.call.required
    assert certain("reaction", 8)
    assert certain("exact", 1, AUDIO_TYPE)
    assert not certain("exact", 2, AUDIO_TYPE)
    assert not certain("stimulus")
    assert not certain("stimulus", 1)
    assert not certain("another")
    account.speech(9, b"ab", cause=1)
    assert not certain(sound(b"ab"), 1, AUDIO_TYPE), "it may be cut otherwise"
    account.recorded(11, Content("text"), cause=1)
    assert certain(Content("text"))
    assert account.unmade() == [3, 5, 7, 9, 11], "it was only asked"


# --- open calls ----------------------------------------------------------------------------------------


def test_the_innermost_open_call_of_a_task_is_the_one_inside_which_it_receives() -> None:
    account = Account()
    outer, inner = account.recorded(1, "outer"), account.recorded(2, "inner")
    other = account.recorded(3, "other", task=2)
    assert account.calls.open_in(1) is inner
    for _ in range(2):  # nor does a second end end another
        account.ended(inner, seq=4)
        assert account.calls.open_in(1) is outer
    account.calls.skip(outer)
    assert account.calls.open_in(1) is None, "nobody made it: there is no inside"
    assert account.calls.open_in(2) is other
    assert account.calls.open_in(3) is None


def test_no_task_is_inside_nothing() -> None:
    account = Account()
    account.recorded(1, task=None)
    assert account.calls.open_in(None) is None


def test_an_end_whose_call_nobody_knows_ends_nothing() -> None:
    account = Account()
    call = account.recorded(1)
    for of in (None, 7):
        account.calls.end(Step(Entry(4, 4, 0, 1, Kind.SENT_DONE, of=of)))
        account.calls.passed(Step(Entry(4, 4, 0, 1, Kind.SENT_DONE, of=of)))
    assert call.end is None
    gap = Step(Entry(5, 5, 0, None, Kind.GAP))
    account.calls.end_all(gap)
    assert call.end is gap
    late = account.ended(call, seq=6)
    assert call.end is late, "its own end came, behind the gap"
    assert account.calls.open_in(1) is None


@pytest.mark.parametrize(("over", "known"), [("done", False), ("skipped", False), ("", True)])
def test_a_call_that_is_over_is_forgotten_once_its_end_was_passed(over: str, known: bool) -> None:
    account = Account()
    call = account.recorded(1)
    if over == "done":
        assert account.sent() is call
        account.calls.finish(call)
    elif over == "skipped":
        account.calls.skip(call)
    first = account.ended(call)
    account.calls.passed(first)
    again = account.ended(call, seq=9)
    assert (call.end is again) is known


# --- made, and not made --------------------------------------------------------------------------------


def test_reactions_are_required_and_what_nobody_knows_is_said_to_be_so() -> None:
    account = Account()
    found = [account.recorded(3, cause=1), account.recorded(5)]
    assert [(call.required, call.unknown) for call in found] == [(True, False), (False, True)]
    account.calls = RecordedCalls("none", Matching())
    reaction = account.recorded(3, cause=1)
    assert (reaction.required, reaction.unknown) == (False, False)


def test_the_first_reaction_of_the_task_that_is_due_and_was_not_made() -> None:
    account = Account()
    account.given.add(1)
    account.recorded(2, "a", cause=9)  # not due
    account.recorded(3, "b", cause=1, task=2)  # another task's
    account.recorded(4, "c")  # a stimulus
    made, first = account.recorded(5, "d", cause=1), account.recorded(6, "e", cause=1)
    last, after = account.recorded(7, "f", cause=1), account.recorded(8, "g", cause=1)
    assert account.sent("d", 1) is made
    assert account.calls.unmade_before(after) is first
    account.calls.skip(first)
    assert account.calls.unmade_before(after) is last
    assert account.calls.unmade_before(last) is None
    account.recorded(9, "h", cause=1, task=None)
    assert account.calls.unmade_before(account.recorded(10, "i", cause=1, task=None)) is None


def test_a_call_that_comes_after_it_was_given_up_is_late_and_only_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(calls_module, "MISSED_STIMULI", 2)
    account = Account()
    found = [account.recorded(seq, str(seq)) for seq in range(4)]
    for call in found[:2]:
        account.calls.skip(call)
    assert account.unmade() == [0, 1, 2, 3]
    account.calls.skip(found[2])
    assert account.unmade() == [1, 2, 3]
    assert account.sent("0") is None
    assert account.sent("1") is found[1]
    assert (found[1].late, found[2].matched) == (True, False)
    account.recorded(9, "1")
    account.calls.skip(found[3])  # of what was made meanwhile, nothing is taken away twice
    assert account.unmade() == [2, 3, 9]
    assert account.sent("2") is found[2]
    account.calls.skip(account.recorded(11, "11"))
    assert account.unmade() == [3, 9, 11]


def test_live_calls_are_in_the_logs_order_until_they_are_finished() -> None:
    account = Account()
    first, second = account.recorded(1, "a"), account.recorded(3, "b")
    assert account.sent("b") is second
    assert account.sent("a") is first
    assert account.calls.live == [first, second]
    for _ in range(2):  # it is cancelled, and returns then
        account.calls.finish(first)
        assert (first.done, account.calls.live) == (True, [second])


# --- audio ---------------------------------------------------------------------------------------------


def test_a_chunk_that_is_part_of_a_recorded_one_returns_at_once_where_that_stands() -> None:
    account = Account()
    whole = account.speech(3, b"abcdef")
    whole.step.place = Place(7, 1, 2)
    part = account.spoken(b"abc")
    assert part is not None
    assert part.end is not None
    assert (part is whole, part.seq, part.early, account.calls.completed) == (False, 3, True, [])
    assert part.step.place == part.end.place == whole.step.place
    assert account.spoken(b"def") is whole
    assert account.calls.completed == [whole]


def test_a_chunk_that_is_several_recorded_ones_ends_as_the_heaviest_of_them() -> None:
    account = Account()
    first, second, third = (account.speech(seq, data) for seq, data in ((1, b"ab"), (3, b"cd"), (5, b"ef")))
    account.ended(first)
    account.ended(second, "raised")
    account.ended(third)
    assert account.spoken(b"abcdef") is second
    assert [call.done for call in (first, second, third)] == [True, False, True]
    assert account.calls.live == [second]


def test_of_recorded_ones_that_returned_the_last_says_when_and_one_that_never_ended_keeps_it() -> None:
    account = Account()
    first, second = account.speech(1, b"ab"), account.speech(3, b"cd")
    account.ended(first)
    account.ended(second)
    assert account.spoken(b"abcd") is second
    open_one, last = account.speech(5, b"ef"), account.speech(7, b"gh")
    account.ended(last)
    assert account.spoken(b"efgh") is open_one


@pytest.mark.parametrize(
    ("data", "commit", "alone"), [(b"zz", False, False), (b"", True, False), (b"", False, True)]
)
def test_sound_that_is_on_no_tape_is_none_but_for_nothing_at_all(
    data: bytes, commit: bool, alone: bool
) -> None:
    account = Account()
    found = account.spoken(data, commit=commit, cause=1)
    assert (found is not None) is alone
    if found is not None:
        assert (found.seq, found.matched, account.calls.completed) == (-1, True, [])


def test_where_sound_is_ignored_any_is_taken_also_behind_the_last() -> None:
    account = Account(audio="ignore")
    call = account.speech(3, b"abcdef")
    assert account.spoken(b"zz") is call
    part = account.spoken(b"zz")
    assert part is not None
    assert part.seq == -1


@pytest.mark.parametrize("by", ["cause", "place", "", "another's cause"])
def test_who_sends_by_the_way_of_an_event_has_a_place_of_his_own_on_no_tape(by: str) -> None:
    account = Account()
    account.given.add(1)
    account.speech(3, b"abcdef")
    own = account.speech(5, b"ab", cause=1)
    if by == "place":
        account.here.add(5)
    found = account.spoken(b"ab", cause={"cause": 1, "another's cause": 2}.get(by))
    assert (found is own) is (by in ("cause", "place"))
    assert account.unmade() == ([3] if found is own else [3, 5])


def test_to_have_no_cause_is_no_way_of_an_event() -> None:
    account = Account()
    account.speech(3, b"abcdef")
    equal = account.speech(5, b"ab")
    assert account.spoken(b"ab") is not equal, "the tape begins before that"


def test_what_has_no_sound_is_on_no_tape() -> None:
    account = Account()
    call, other = account.recorded(1, Content("hello")), account.speech(3, b"ab")
    assert account.spoken(b"ab") is other
    assert account.sent(Content("hello")) is call
