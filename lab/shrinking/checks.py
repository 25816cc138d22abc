"""What would make a draft a session that could not have happened.

Only what holds for every recording of a real session is a rule here: of the log itself, and of the
protocol as far as the log shows it. Whether the application behaves well is another question. A
recording of a provider that talks nonsense has problems of its own: who derives another one from it
asks for `new_problems`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from ...schema.codec import REFERS, references
from ...schema.entries import Entry, Kind
from ...schema.errors import DecodingError
from ...session.audio import audio_event, heard_part
from ...session.drafts import Draft
from ...session.fields import text_of
from ...session.messages import RESPONSE_BEGINS, ServerEvent, TextOf, answers_call, server_event
from ...session.sound import SoundFormats
from ..sounding import TOLERANCE_MS

_ENDED = {
    Kind.HANDLED: (Kind.RECEIVED,),
    Kind.CONNECTED: (Kind.CONNECT,),
    Kind.CONNECT_FAILED: (Kind.CONNECT,),
    Kind.SENT_DONE: (Kind.SENT,),
    Kind.CLOSED: (Kind.CLOSE,),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that could not have happened.

    Attributes:
        rule: which of the rules in `docs/replay.md` does not hold.
        about: the response, item, call or column that it is about.
        seq: of the entry where it shows; None where it is the whole session's.
        text: a sentence.
    """

    rule: str
    about: str
    seq: int | None
    text: str

    def __str__(self) -> str:
        return self.text if self.seq is None else f"#{self.seq}: {self.text}"


def problems(draft: Draft) -> list[Problem]:
    """What could not have happened so, in the order of the log; empty for a session that could have."""
    found = [*_problems_of_rows(draft)]
    if not found:
        found = [*_Protocol(draft).problems()]
    return found


def new_problems(draft: Draft, known: Iterable[Problem]) -> list[Problem]:
    """The problems that a recording has and the one it was made of did not have."""
    old = {(one.rule, one.about) for one in known}
    return [one for one in problems(draft) if (one.rule, one.about) not in old]


# --- the log --------------------------------------------------------------------------------------


def _problems_of_rows(draft: Draft) -> Iterable[Problem]:
    entries = draft.entries
    if not entries or entries[0].kind != Kind.CONNECT:
        yield Problem("connect", "", None, "a session begins with a connect")
    for place, entry in enumerate(entries):
        if entry.seq != place:
            yield Problem("numbers", "seq", place, f"entry {place} has the number {entry.seq}")
            return
    for one, other in pairwise(entries):
        if other.at_ns < one.at_ns:
            yield Problem("times", "at_ns", other.seq, f"earlier than the entry before: {other.at_ns} ns")
    yield from _problems_of_ticks(entries)
    ended: set[int] = set()
    for entry in entries:
        yield from _problems_of_references(draft, entry)
        if entry.kind == Kind.CONNECT and entry.seq > 0:
            yield Problem("connect", "", entry.seq, "a session has one connect")
        if entry.of is not None and 0 <= entry.of < entry.seq:
            if entry.of in ended:
                yield Problem("ends", str(entry.of), entry.seq, f"entry {entry.of} was ended already")
            ended.add(entry.of)


def _problems_of_ticks(entries: Iterable[Entry]) -> Iterable[Problem]:
    latest = None
    for entry in entries:
        if entry.tick is not None:
            if latest is not None and entry.tick < latest:
                yield Problem("times", "tick", entry.seq, f"tick {entry.tick} comes after {latest}")
            latest = entry.tick


def _problems_of_references(draft: Draft, entry: Entry) -> Iterable[Problem]:
    for name, before in (("cause", entry.cause), ("of", entry.of)):
        if before is not None and not 0 <= before < entry.seq:
            yield Problem("references", name, entry.seq, f"its {name}, {before}, is no earlier entry")
        elif name == "of" and before is not None:
            kinds = _ENDED.get(Kind(entry.kind), ()) if entry.kind in _ENDED else ()
            if draft.entries[before].kind not in kinds:
                text = f"{entry.kind} cannot end entry {before}, {draft.entries[before].kind}"
                yield Problem("ends", str(before), entry.seq, text)
    if entry.kind in _ENDED and entry.of is None:
        yield Problem("ends", "", entry.seq, f"{entry.kind} ends nothing")
    for reference in references(entry.payload) if REFERS in entry.payload else ():
        try:
            draft.bytes_at(*reference)
        except DecodingError as error:
            yield Problem("references", "bytes", entry.seq, str(error))


# --- the protocol ---------------------------------------------------------------------------------


class _Protocol:
    """Reads a session once, and keeps what was said of each response, item and call.

    Where something was lost (a `gap`), what seems to be missing may have been there: from then on
    nothing is missed.
    """

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        facts = [fact for entry in draft.entries if (fact := server_event(entry)) is not None]
        self._raw = any(fact.raw for fact in facts)
        self._responses = {fact.response_id for fact in facts if _is_of_a_turn(fact)} - {""}
        self._whole = True
        self._begun: set[str] = set()
        self._added: set[str] = set()
        self._calls: set[str] = set()
        self._sounds: dict[tuple[str, int], int] = defaultdict(int)
        self._texts: dict[TextOf, str] = {}
        self._formats = SoundFormats()
        named = {(entry.item_id, entry.content_index or 0) for entry in draft.entries if entry.item_id}
        mentioned = {fact.item_id for fact in facts if fact.type != "audio_interrupted"}
        self._foreign = {sound for sound in named if sound[0] not in mentioned}

    def problems(self) -> Iterable[Problem]:
        for entry in self._draft.entries:
            if entry.kind == Kind.GAP:
                self._whole = False
                self._texts.clear()
            fact = server_event(entry)
            found: list[Problem] = []
            if fact is not None:
                found = [*self._received(entry, fact)]
            elif (call_id := answers_call(entry)) is not None:
                found = [*self._answered(entry, call_id)]
            self._formats.read(entry)
            found += self._heard(entry)
            if self._whole:
                yield from found

    def _received(self, entry: Entry, fact: ServerEvent) -> Iterable[Problem]:
        yield from self._of_response(entry, fact)
        yield from self._of_item(entry, fact)
        yield from self._of_text(entry, fact)
        sound = (fact.item_id, fact.content_index)
        given = audio_event(entry)
        if given is not None:
            self._sounds[given[0]] += given[1]
        elif entry.type in ("audio_done", "audio_interrupted") and sound not in {
            *self._sounds,
            *self._foreign,
        }:
            yield Problem("audio", fact.item_id, entry.seq, f"{entry.type} of {fact.item_id}, which had none")
        elif entry.type == "function_call":
            self._calls.add(text_of(fact.fields.get("call_id")))

    def _of_response(self, entry: Entry, fact: ServerEvent) -> Iterable[Problem]:
        response = fact.response_id
        if fact.type in RESPONSE_BEGINS:
            self._begun.add(response)
        elif response and response not in self._begun and (self._raw or response in self._responses):
            text = f"{fact.type} of {response}, which has not begun or is over"
            yield Problem("response", response, entry.seq, text)
        if fact.type == "turn_ended":
            self._begun.discard(response)

    def _of_item(self, entry: Entry, fact: ServerEvent) -> Iterable[Problem]:
        if fact.adds:
            self._added.add(fact.item_id)
        elif self._raw and fact.uses and fact.item_id and fact.item_id not in self._added:
            text = f"{fact.type} of {fact.item_id}, which was not added"
            yield Problem("item", fact.item_id, entry.seq, text)

    def _of_text(self, entry: Entry, fact: ServerEvent) -> Iterable[Problem]:
        text = fact.text
        if text is None or (self._raw and not fact.raw):
            return
        if fact.piece is not None:
            self._texts[text] = self._texts.get(text, "") + fact.piece
        elif fact.whole is not None and self._texts.get(text, fact.whole) != fact.whole:
            said = f"the text of {fact.item_id} is not what its pieces were"
            yield Problem("text", fact.item_id, entry.seq, said)

    def _answered(self, entry: Entry, call_id: str) -> Iterable[Problem]:
        if call_id not in self._calls:
            yield Problem("call", call_id, entry.seq, f"the output of {call_id}, which was not called")

    def _heard(self, entry: Entry) -> Iterable[Problem]:
        sound = heard_part(entry)
        if sound is None or entry.elapsed_ms is None:
            return
        came_ms = self._formats.model.ms(self._sounds.get(sound, 0))
        if sound not in self._foreign and entry.elapsed_ms > came_ms + TOLERANCE_MS:
            text = f"{entry.elapsed_ms:g} ms of {sound[0]} were heard, {came_ms:g} ms had come"
            yield Problem("heard", sound[0], entry.seq, text)


def _is_of_a_turn(fact: ServerEvent) -> bool:
    return fact.type in ("turn_started", "turn_ended")
