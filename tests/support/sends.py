"""Recorded sends in memory, without a core: what matching and calls are tested with."""

from __future__ import annotations

from typing import Any

from realtape.replay.core.calls import RecordedCalls
from realtape.replay.matching.matchers import Matcher, Matchers, Rule
from realtape.replay.matching.matching import Matching
from realtape.replay.terms.steps import Outcome, RecordedCall, Step
from realtape.schema import STANDARD, Entry, Kind, RealtimeModelSendToolOutput, RealtimeModelToolCallEvent


class Recorded:
    """Recorded sends in memory, and an application that makes them again."""

    def __init__(
        self, events: list[tuple[str, Any]], matching: Matching | None = None, flags: int = 0
    ) -> None:
        self.matching = matching or Matching()
        self.calls = RecordedCalls("none", self.matching)
        self.made: list[int] = []
        for seq, (type, event) in enumerate(events):
            place = (0, 0, 1, Kind.SENT, type, None, None, None, None, None, None, None, "{}", flags)
            entry = Entry(seq * 2, *place)
            self.calls.begin(Step(entry, event, key=self.matching.recorded(type, event)))
            end = Entry(seq * 2 + 1, 0, 0, 1, Kind.SENT_DONE, of=seq * 2)
            self.calls.end(Step(end, outcome=Outcome()))

    def send(self, type: str, event: Any) -> RecordedCall | None:
        key = self.matching.live(type, event)
        call = self.calls.match(Kind.SENT, type, key, None)
        self.made += [one.seq // 2 for one in self.calls.completed]
        return call


def matching(rules: dict[str, dict[str, Rule]] | list[Matcher], **options: Any) -> Matching:
    return Matching(matchers=Matchers(rules, STANDARD), **options)


def output(text: str, arguments: str = "{}", call_id: str = "call", start: bool = True) -> Any:
    call = RealtimeModelToolCallEvent(name="look_up", call_id=call_id, arguments=arguments)
    return RealtimeModelSendToolOutput(tool_call=call, output=text, start_response=start)


def matches(matching: Matching, recorded: Any, live: Any, type: str = "send_tool_output") -> bool:
    one, other = matching.recorded(type, recorded), matching.live(type, live)
    alike = one == other and matching.agree(one, other)
    call = Recorded([(type, recorded)], matching).send(type, live)
    assert (call is not None) == alike
    assert alike == (not matching.differences(one, other))
    return alike
