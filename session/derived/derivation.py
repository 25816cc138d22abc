"""`Derived`: what a session comes to, as data; and `Derivation`, which reads it, once, entry by entry.

What the page, the statistics, the tables in the store and the exports show is all of this, and nothing else.
`docs/derived.md` says what each name means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import pybase64
from sqlalchemy.engine import Connection

from ...schema.codec import REFERS, STANDARD
from ...schema.entries import Entry, Header, Kind, SessionRecord, Status
from ...schema.errors import CorruptRecordError, DecodingError
from ...schema.log import entry_batches
from ..audio import Part, part_of, sound_length
from ..drafts import Draft, reference_in
from ..fields import facts_of, text_of
from ..payloads import Payloads
from ..recording import Recording
from .connection_records import ConnectionRecord, Connections
from .exchange import Exchange, Exchanged
from .heard_records import HeardParts, HeardRecord, unheard_text
from .interruption_records import InterruptionRecord, Interruptions
from .latency_records import LatencyRecord, latency
from .loudness import THRESHOLD_DBFS
from .model_sound import ModelSound
from .response_records import ResponseRecord, Responses
from .token_counts import TokenCounts
from .tool_records import ToolRecord, Tools
from .transcripts import Transcripts
from .turn_records import TurnRecord, Turns
from .user_sound import UserSound

BytesAt = Callable[[int, int, int], bytes]
"""Bytes of the session's: segment, offset, length."""


@dataclass(frozen=True, slots=True)
class Derived:
    """What a session comes to. All are in the order of the log.

    Attributes:
        header, status: of the session.
        length: number of entries.
        duration_ns: when the last of them was appended, in nanoseconds since the session began.
        connections, turns, responses, tools, heard, interruptions, latency: one for each; see their classes.
        tokens: of all responses together; None where none tells.
        said: what each response says, by its seq; nothing of one that says nothing.
    """

    header: Header
    status: Status
    length: int
    duration_ns: int
    connections: tuple[ConnectionRecord, ...]
    turns: tuple[TurnRecord, ...]
    responses: tuple[ResponseRecord, ...]
    tools: tuple[ToolRecord, ...]
    heard: tuple[HeardRecord, ...]
    interruptions: tuple[InterruptionRecord, ...]
    latency: tuple[LatencyRecord, ...]
    tokens: TokenCounts | None
    said: Mapping[int, str]

    @property
    def written(self) -> list[tuple[ResponseRecord, str]]:
        """What is said to the user and does not sound here: it is written, or its sound takes another way, as
        over WebRTC."""
        sounding = {one.response_id for one in self.heard}
        return [
            (one, self.said[one.seq])
            for one in self.responses
            if one.seq in self.said and one.response_id not in sounding and not one.out_of_band
        ]


class _ReadConnection:
    """What is read of one connection."""

    def __init__(self, threshold_dbfs: float) -> None:
        self.user_sound = UserSound(threshold_dbfs)
        self.turns = Turns(self.user_sound)
        self.responses = Responses()
        self.tools = Tools()


class Derivation:
    """Is told every entry of a session, in order, and knows what it comes to by then. What it keeps grows
    with what it tells, not with the entries, or the sound.

    Args:
        bytes_at: bytes of the session's; None: the sound is not looked into, and nothing is known by the
            waveform.
        threshold_dbfs: from which loudness on a sound is heard.
    """

    def __init__(self, bytes_at: BytesAt | None = None, *, threshold_dbfs: float = THRESHOLD_DBFS) -> None:
        self._bytes_at = bytes_at
        self._threshold_dbfs = threshold_dbfs
        self._exchange = Exchange()
        self._read_connections: dict[int | None, _ReadConnection] = {}
        self._connections = Connections()
        self._heard = HeardParts()
        self._model_sound = ModelSound(threshold_dbfs)
        self._transcripts = Transcripts()
        self._interruptions = Interruptions()
        self._length = self._at_ns = 0

    def wants(self, entry: Entry) -> bool:
        """Whether bytes to which the next entry refers may be asked for, when it is read."""
        if self._bytes_at is None or REFERS not in entry.payload:
            return False
        if entry.kind == Kind.RECEIVED:
            return self._model_sound.wants(part_of(facts_of(entry)))
        return entry.kind in (Kind.SENT, Kind.FRAME_OUT, Kind.FRAME_IN)

    def read(self, entry: Entry) -> None:
        """The next entry.

        Raises:
            DecodingError: the session lacks bytes of its sound.
        """
        self._length, self._at_ns = self._length + 1, entry.at_ns
        self._connections.read(entry)
        self._heard.read_entry(entry)
        self._transcripts.read_entry(entry)
        for one in self._exchange.read(entry):
            self._read(one)
        self._interruptions.read_entry(entry)
        self._model_sound.read(entry)

    def latency(self) -> tuple[LatencyRecord, ...]:
        """How long the user waited, by now."""
        return self._turns(self._tools())[1]

    def derived(self, header: Header, status: Status) -> Derived:
        """What it comes to by now."""
        responses = [one for each in self._read_connections.values() for one in each.responses.records()]
        tools = self._tools()
        turns, waits = self._turns(tools)
        heard = [self._heard_of(part) for part in self._model_sound.parts()]
        told = [one.tokens for one in responses if one.tokens is not None]
        return Derived(
            header,
            status,
            self._length,
            self._at_ns,
            connections=self._connections.records(),
            turns=turns,
            responses=(*sorted(responses, key=_seq),),
            tools=tools,
            heard=(*heard,),
            interruptions=self._interruptions.records(self._response_of, self._lost),
            latency=waits,
            tokens=sum(told[1:], told[0]) if told else None,
            said={one.seq: text for one in responses if (text := self._said(one.items))},
        )

    def _said(self, items: Iterable[str]) -> str:
        return " ".join(text for item in items if (text := self._transcripts.said(item)))

    def _tools(self) -> tuple[ToolRecord, ...]:
        found = [one for each in self._read_connections.values() for one in each.tools.records()]
        return (*sorted(found, key=_seq),)

    def _read(self, one: Exchanged) -> None:
        conversation = self._read_connections.get(one.entry.connection)
        if conversation is None:
            conversation = _ReadConnection(self._threshold_dbfs)
            self._read_connections[one.entry.connection] = conversation
        sound_ms = 0.0
        if one.by_server and one.type == _MODEL_SOUND:
            sound_ms = self._model_spoke(one)
        elif not one.by_server and one.type == _USER_SOUND:
            told, format = one.message.get("audio"), self._heard.audio.received.formats.user
            conversation.user_sound.append(one.entry.at_ns, sound_length(told), self._bytes(told), format)
        self._transcripts.read(one)
        conversation.responses.read(one, sound_ms)
        conversation.turns.read(one)
        conversation.tools.read(one, conversation.responses.current)
        self._heard.read(one)
        self._interruptions.read(one)

    def _model_spoke(self, one: Exchanged) -> float:
        part, told = part_of(one.message), one.message.get("delta")
        format = self._heard.audio.received.formats.model
        data = self._bytes(told) if self._model_sound.wants(part) else None
        self._model_sound.came(part, one.entry, data, format)
        return format.ms(sound_length(told))

    def _bytes(self, told: object) -> bytes | None:
        """The bytes of a sound that a message tells; None: nobody is to look at them."""
        if self._bytes_at is None:
            return None
        reference = reference_in(told)
        if reference is not None:
            return self._bytes_at(*reference)
        try:
            return pybase64.b64decode(text_of(told), validate=True)
        except ValueError:
            return None

    def _turns(self, tools: Sequence[ToolRecord]) -> tuple[tuple[TurnRecord, ...], tuple[LatencyRecord, ...]]:
        found: list[tuple[int, TurnRecord, LatencyRecord | None]] = []
        everything = [
            (turn, each.responses.records())
            for each in self._read_connections.values()
            for turn in each.turns.turns()
        ]
        everything.sort(key=lambda one: one[0].record["seq"])
        for number, (turn, responses) in enumerate(everything, 1):
            own = [responses[place] for place in turn.responses]
            items = tuple(item for one in own for item in one.items)
            record = TurnRecord(
                number=number,
                **turn.record,
                text=turn.said or self._transcripts.said(turn.record["item_id"]),
                response_ids=tuple(one.response_id for one in own),
                answer=self._said(items),
            )
            calls = {call for one in own for call in one.calls}
            voices = self._model_sound.of_items(items)
            wait = latency(record, own, voices, [one for one in tools if one.call_id in calls])
            found.append((number, record, wait))
        return (
            tuple(record for _, record, _ in found),
            tuple(wait for _, _, wait in found if wait is not None),
        )

    def _heard_of(self, part: Part) -> HeardRecord:
        voiced = self._model_sound.of(part)
        assert voiced is not None, "it came"
        return self._heard.record(part, voiced.seq, self._response_of(part[0]), self._transcripts)

    def _response_of(self, item_id: str) -> str:
        found = (each.responses.of_item(item_id) for each in self._read_connections.values())
        return next((one for one in found if one is not None), "")

    def _lost(self, part: Part, heard_ms: float | None) -> tuple[float | None, str]:
        """How much of a part was never heard, where so much had been when it was broken into."""
        generated_ms, told = self._heard.audio.received.ms(part), self._heard.audio.known(part)
        if told is None:
            return None, ""
        most_ms = max(heard_ms or 0.0, told[0])
        return max(generated_ms - most_ms, 0.0), unheard_text(
            self._transcripts.said(part[0]), most_ms, generated_ms
        )


_MODEL_SOUND = "response.output_audio.delta"
_USER_SOUND = "input_audio_buffer.append"


def _seq(one: ResponseRecord | ToolRecord) -> int:
    return one.seq


def derive_draft(draft: Draft, *, threshold_dbfs: float = THRESHOLD_DBFS) -> Derived:
    """What a session in memory comes to.

    Raises:
        DecodingError: it lacks bytes of its sound.
    """
    derivation = Derivation(draft.bytes_at, threshold_dbfs=threshold_dbfs)
    for entry in draft.entries:
        derivation.read(entry)
    return derivation.derived(draft.header, draft.status)


def derive_stored(
    connection: Connection, session: SessionRecord, *, threshold_dbfs: float | None = THRESHOLD_DBFS
) -> Derived:
    """What a session of a store comes to; blocking.

    Args:
        connection: to the store.
        threshold_dbfs: from which loudness on a sound is heard; None: the sound is not looked into.

    Raises:
        StoreError, CorruptRecordError: it cannot be read.
    """
    payloads = Payloads(session.header.id, STANDARD)
    derivation = _derivation(payloads.bytes_at, threshold_dbfs)
    for batch in entry_batches(connection, session.key):
        for entry in batch:
            if derivation.wants(entry):
                payloads.load(connection, session.key, [entry.payload])
            _read(derivation, entry, session.header)
    return derivation.derived(session.header, session.status)


async def derive(recording: Recording, *, threshold_dbfs: float | None = THRESHOLD_DBFS) -> Derived:
    """What a recorded session comes to; never more than a batch of it is in memory. Cancelled, it has changed
    nothing.

    Args:
        threshold_dbfs: from which loudness on a sound is heard; None: the sound is not looked into.

    Raises:
        StoreError, CorruptRecordError: the recording cannot be read.
    """
    derivation = _derivation(recording.bytes_at, threshold_dbfs)
    async for entry in recording.entries():
        if derivation.wants(entry):
            await recording.load(entry)
        _read(derivation, entry, recording.header)
    return derivation.derived(recording.header, recording.status)


def _derivation(bytes_at: BytesAt, threshold_dbfs: float | None) -> Derivation:
    if threshold_dbfs is None:
        return Derivation()
    return Derivation(bytes_at, threshold_dbfs=threshold_dbfs)


def _read(derivation: Derivation, entry: Entry, header: Header) -> None:
    try:
        derivation.read(entry)
    except DecodingError as error:
        raise CorruptRecordError(header.id, entry.seq, str(error)) from error
